"""What everybody looks up: divisions, code lists, policy, over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Annotated, Any

from fastapi import Path, Query

from app.access.deps import needs
from app.access.principal import Principal
from app.children import sections
from app.consents import grounds
from app.consents import queries as consents
from app.consents import schemas as consent_schemas
from app.core.http import paging, routing
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.http.wire import Day, GivenRegion
from app.core.problems import Problem, documented
from app.policy import area as policy_area
from app.policy import codelists as policy_codelists
from app.policy import queries as policy
from app.policy import schemas as policy_schemas
from app.policy.clauses import Clause, Obligation, State
from app.policy.codelists import Codelist, entries_in
from app.policy.rules import ParameterMissing, effective
from app.regions import area as regions_area
from app.regions import queries as regions
from app.regions.deps import RegionCodeInvalid, RegionSpan, place_of
from app.regions.models import SINCE_EVER
from app.regions.rules import NATION, Level
from app.regions.schemas import Region, RegionFound

places = routing.v1(regions_area.AREA.tag)
rulebook = routing.v1(policy_area.AREA.tag)
ReadsReference = Annotated[Principal, needs(regions_area.READ)]
ReadsPolicy = Annotated[Principal, needs(policy_area.READ)]
OnDay = Annotated[Day | None, Query(description="As it holds on this day; today unless given.")]


class RegionNotFound(Problem, status=404):
    """No division has or had this code."""

    title = "No such division"
    title_zh = "没有这个行政区划"


class CodelistNotFound(Problem, status=404):
    """There is no list of this name."""

    title = "No such code list"
    title_zh = "没有这个代码表"


class ParameterNotFound(Problem, status=404):
    """There is no policy parameter of this name."""

    title = "No such policy parameter"
    title_zh = "没有这个政策参数"


@cache
def codelists() -> dict[str, Codelist]:
    """Return every list by name: those of a child's file, then the others. Raises BadDataFile
    if two share a name.
    """
    others = policy_codelists.codelists()
    for name in sections.CODELISTS.keys() & others.keys():
        sentence = f"a section of a child's file has a code list {name}"
        raise policy_codelists.file().refusal((name,), sentence)
    return {**sections.CODELISTS, **others}


def _place(region: tuple[int, int] | None) -> int:
    return NATION if region is None else region[0]


@places.get("/regions", responses=documented(RegionCodeInvalid))
async def list_regions(
    _: ReadsReference,
    tx: ReadTransaction,
    window: paging.Paged,
    parent_code: Annotated[
        GivenRegion | None,
        Query(description="Only what lies directly in this one; 000000000000 gives provinces."),
    ] = None,
    level: Annotated[Level | None, Query(description="Only of this level.")] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=50,
            pattern=r"^[^\x00-\x1f\x7f]+$",
            description="Beginning of the name, or of one it had before.",
        ),
    ] = None,
) -> Shown[paging.Page[RegionFound]]:
    """List the divisions in force, by code. A name of before finds what took its place."""
    parent = None if parent_code is None else await place_of(tx, parent_code, "parent_code")
    formerly = {} if q is None else await regions.formerly(tx, q, tx.today)
    page = await regions.list_regions(
        tx,
        window,
        parent_code=parent,
        level=level,
        name_prefix=q,
        or_among=formerly,
    )
    return Shown(page.shown(lambda row: _found(row, formerly)))


@places.get("/regions/{code}", responses=documented(RegionNotFound))
async def read_region(_: ReadsReference, code: GivenRegion, tx: Transaction) -> Shown[Region]:
    """Read one division, also one whose code was replaced. A code that only lay in a replaced place
    is answered with what stands for it.
    """
    row = await regions.read_region(tx, int(code), tx.today)
    if row is None:
        raise RegionNotFound
    return Shown(_region(row))


def _found(row: Any, formerly: Mapping[int, list[str]]) -> RegionFound:
    names = [name for name in formerly.get(row["code"], ()) if name != row["name"]]
    return RegionFound(**_region(row).model_dump(), formerly=names)


def _region(row: Any) -> Region:
    since = None if row["valid_from"] == SINCE_EVER else row["valid_from"]
    return Region(**{**row, "valid_from": since})


@rulebook.get("/codelists")
async def list_codelists(_: ReadsReference) -> Shown[paging.Page[policy_schemas.CodelistSummary]]:
    """List the closed lists of codes, all on one page."""
    found = [policy_schemas.CodelistSummary(**_summary(name)) for name in codelists()]
    return Shown({"items": found, "next_cursor": None})


@rulebook.get("/codelists/{name}", responses=documented(CodelistNotFound))
async def read_codelist(
    _: ReadsReference,
    tx: Transaction,
    name: Annotated[policy_schemas.ListName, Path()],
    region: RegionSpan,
    on: OnDay = None,
) -> Shown[policy_schemas.Codelist]:
    """Read a list of codes, as it holds in a region (the nation unless given) on a day."""
    chosen = codelists().get(name)
    if chosen is None:
        raise CodelistNotFound
    entries = entries_in(chosen, policy.values(), _place(region), on or tx.today)
    codes = [policy_schemas.Code(**each.model_dump()) for each in entries]
    return Shown(policy_schemas.Codelist(**_summary(name), codes=codes))


def _summary(name: str) -> dict[str, Any]:
    said = codelists()[name]
    return {
        "name": name,
        "title_zh": said.title.zh,
        "title_en": said.title.en,
        "source": said.source or f"policy parameter {said.parameter}",
        "by_region": said.parameter is not None,
    }


@rulebook.get("/policy/parameters", responses=documented(ParameterNotFound))
async def list_policy_parameters(
    _: ReadsPolicy,
    tx: ReadTransaction,
    region: RegionSpan,
    on: OnDay = None,
    name: Annotated[
        policy_schemas.ParameterName | None, Query(description="Only this parameter.")
    ] = None,
) -> Shown[paging.Page[policy_schemas.EffectiveParameter]]:
    """List the values that hold in a region on a day, and where each comes from.

    The nearest region up the tree wins. A parameter without a value on that day is left out.
    """
    if name is not None and name not in policy.parameters():
        raise ParameterNotFound
    found = []
    for each in policy.parameters() if name is None else [name]:
        try:
            value = effective(policy.values(), each, _place(region), on or tx.today)
        except ParameterMissing:
            continue
        found.append(policy_schemas.EffectiveParameter(**_titles(each) | asdict(value)))
    return Shown({"items": found, "next_cursor": None})


@rulebook.get("/policy/parameters/{name}/values", responses=documented(ParameterNotFound))
async def read_policy_parameter(
    _: ReadsPolicy, name: Annotated[policy_schemas.ParameterName, Path()]
) -> Shown[policy_schemas.ParameterHistory]:
    """Read every value of a parameter: which region sets it, for which period, by which text."""
    if name not in policy.parameters():
        raise ParameterNotFound
    values = sorted(
        (value for value in policy.values() if value.name == name),
        key=lambda value: (value.region_code, value.valid_from),
    )
    return Shown(
        policy_schemas.ParameterHistory(
            **_titles(name),
            value_schema=policy.parameters()[name].of_value,
            values=[policy_schemas.ParameterValue(**asdict(value)) for value in values],
        )
    )


def _titles(name: str) -> dict[str, Any]:
    said = policy.parameters()[name]
    return {"name": name, "title_zh": said.title_zh, "title_en": said.title_en, "note": said.note}


@rulebook.get("/policy/clauses")
async def list_clauses(
    _: ReadsPolicy,
    window: paging.Paged,
    area: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=1,
            pattern=r"^[A-Z]$",
            description="Only of the area with this letter.",
            examples=["D"],
        ),
    ] = None,
    status: Annotated[
        State | None,
        Query(description="Only those that are carried, carried partly, or not yet."),
    ] = None,
) -> Shown[paging.Page[policy_schemas.Clause]]:
    """List the obligations of the source documents and what carries each, by area."""
    found = [
        (clause, text)
        for clause, text in policy.clauses_with_text()
        if (area is None or clause.area.startswith(f"{area} ")) and status in {None, clause.state}
    ]
    page = paging.cut(found, window, lambda each: each[0].id)
    return Shown(page.shown(lambda each: _clause(*each)))


def _clause(clause: Clause, text: Obligation) -> policy_schemas.Clause:
    return policy_schemas.Clause(
        **{**text, **clause.model_dump(exclude={"partly", "status"})},
        source=text["src"],
        original=text["zh"],
        status=clause.state,
        missing=clause.partly or None,
    )


@rulebook.get("/collections")
async def list_collections(
    _: ReadsPolicy, window: paging.Paged
) -> Shown[paging.Page[consent_schemas.Collection]]:
    """List what is collected of a child, on what ground, by which law, and what is told of it."""
    codes = sorted(grounds.collections())
    page = paging.cut(codes, window, lambda code: code)
    return Shown(page.shown(consents.collection_of))
