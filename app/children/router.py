"""Files of children over HTTP."""

import re
from collections.abc import Collection
from dataclasses import replace
from inspect import signature
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from app.access import acts
from app.access.principal import Principal
from app.access.roles import FIELD_GROUPS
from app.children import (
    counting,
    duplicates,
    enrolments,
    exact_trials,
    history,
    listing,
    numbers,
    opening,
    operations,
    queries,
    reasons,
    schemas,
    search,
    trial_schemas,
    trials,
)
from app.children.acts import ACTS
from app.children.area import AREA
from app.children.deps import (
    ChildId,
    ChildInPath,
    ChildNotFound,
    CountsChildren,
    OpensFiles,
    ReadsChildren,
    TrialId,
    WritesChildren,
)
from app.children.models import LISTED_BY
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.http import cursors, partitions, routing
from app.core.http.cursors import CursorInvalid
from app.core.http.paging import Page, Paged, Rows
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.http.wire import Moment
from app.core.problems import documented
from app.regions.deps import RegionCodeInvalid, RegionSpan, place_of, span_of
from app.regions.rules import subtree

router = routing.v1(AREA.tag, "/children")
_SUMMARY_GROUPS = ("identity", "residence", "derived")
_WRITES = (
    operations.FieldGroupForbidden,
    operations.OutsideRemit,
    duplicates.DuplicateChild,
    duplicates.AnsweredAlready,
    numbers.TooManyNumbers,
    operations.ChildInvalid,
)
_WRITE_PROBLEMS = documented(*_WRITES)
_REFERRED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": schemas.Referral,
        "description": "No file was opened or changed yet: it is looked into whether the child has"
        " one: Location tells. A new file is opened if the child has none. Sent again, it is one;"
        " once that is answered, the file that was opened (200), or answered-already (409).",
        "headers": {"Location": {"$ref": "#/components/headers/Location"}},
    }
}
_OPENED_BEFORE: dict[int | str, dict[str, Any]] = {
    200: {"description": "This id opened the file before, with the same content."}
}
_CREATE_PROBLEMS = documented(*_WRITES, opening.FileDiffers)


@router.post("", status_code=201, responses={**_REFERRED, **_OPENED_BEFORE, **_CREATE_PROBLEMS})
async def create_child(
    principal: OpensFiles, new: schemas.ChildCreate, tx: Transaction
) -> Shown[schemas.Child]:
    """Open a child's file. Sent again with the same id and content, it is opened once."""
    outcome = await opening.create_child(tx, principal, new)
    if isinstance(outcome, duplicates.Referred):
        return _referral(outcome, new.model_fields_set)
    child_id, written, is_new = outcome.child_id, new.model_fields_set, outcome.is_new
    if outcome.as_sent is None:
        # Known by its id it is answered as it was at first, whoever sees it by then; so by its key.
        receipt = is_new and new.id is not None
        return await _file(tx, principal, child_id, written=written, is_new=is_new, receipt=receipt)
    return Shown(
        outcome.as_sent,
        children=[child_id],
        groups=[group for group in FIELD_GROUPS if group in written],
        subject=child_id,
        is_new=is_new,
        receipt=True,
    )


def _one_of(column: str, what: str) -> Any:
    """Read a code that a list is narrowed by: one of those that have an index."""
    codes = "|".join(map(re.escape, sorted(LISTED_BY[column])))
    return Query(description=what, max_length=60, pattern=f"^({codes})$")


@partitions.of(router, "/partitions", responses=documented(search.FilterForbidden))
@router.get("", responses=documented(search.FilterForbidden))
async def list_children(
    principal: ReadsChildren,
    tx: ReadTransaction,
    window: Paged,
    region_code: RegionSpan = None,
    category: Annotated[
        str | None, _one_of("categories", "Only children in this category.")
    ] = None,
    priority_flag: Annotated[
        str | None, _one_of("priority_flags", "Only children so flagged.")
    ] = None,
    undecided: Annotated[
        str | None,
        _one_of(
            "undecided", "Only children of whom the file does not decide this category or flag."
        ),
    ] = None,
    school_id: Annotated[UUID | None, Query(description="Only pupils of this school.")] = None,
    updated_since: Annotated[
        Moment | None, Query(description="Only files changed at or after this instant.")
    ] = None,
    act: Annotated[acts.Act | None, acts.asked(ACTS)] = None,
) -> Shown[Page[schemas.ChildSummary]]:
    """List the children in the caller's remit, by region and id."""
    conditions = search.listed(
        principal,
        updated_since,
        region_code=region_code,
        category=category,
        priority_flag=priority_flag,
        undecided=undecided,
        school_id=school_id,
    )
    page = await listing.list_page(tx, principal, conditions, window, act, region=region_code)
    return _page(tx, principal, page)


@router.get("/summary", responses=documented(search.FilterForbidden))
async def summarise_children(
    principal: CountsChildren, tx: ReadTransaction, region_code: RegionSpan = None
) -> Shown[schemas.ChildrenSummary]:
    """Count the files of the caller's remit, and the children of each category (REG-08)."""
    return Shown(await counting.count(tx, principal, region_code))


search.refuse_unknown_filters(signature(list_children).parameters)


@router.post(
    "/search",
    responses=documented(
        RegionCodeInvalid, search.FilterForbidden, search.SearchTooBroad, CursorInvalid
    ),
)
async def search_children(
    principal: ReadsChildren,
    wanted: schemas.ChildSearch,
    tx: ReadTransaction,
    cursors: cursors.OfRequest,
) -> Shown[Page[schemas.ChildSummary]]:
    """Search children in the caller's remit by number, name or its Latin spelling."""
    region = await span_of(tx, wanted.region_code, "#/region_code")
    page = _page(tx, principal, await search.found(tx, principal, wanted, region, cursors))
    return replace(page, sought=search.marks(tx.keyring, wanted))


@router.post(
    "/policy-trials",
    responses=documented(RegionCodeInvalid, trials.TrialForbidden, trials.ValueNotTried),
)
async def try_policy_value(
    principal: ReadsChildren, asked: trial_schemas.PolicyTrialAsked, tx: Transaction
) -> Shown[trial_schemas.PolicyTrial]:
    """Count what would become of children under another value of a policy parameter.

    Up to some thousand files each is looked at; of more a sample is, and each figure says what it
    may be off. Nothing is changed.
    """
    place = await place_of(tx, asked.region_code, "#/region_code")
    trial = trials.Trial.of(asked.parameter, place, asked.value, tx.today)
    return Shown(await trials.try_value(tx, principal, trial, subtree(place)))


@router.post(
    "/policy-trials/exact",
    status_code=202,
    responses=documented(
        RegionCodeInvalid,
        trials.TrialForbidden,
        trials.ValueNotTried,
        exact_trials.TrialUnderWay,
    ),
)
async def start_policy_trial(
    principal: ReadsChildren, asked: trial_schemas.PolicyTrialAsked, tx: Transaction
) -> Shown[trial_schemas.ExactTrial]:
    """Have what would become of children under another value counted on every file, however many.

    It is done behind all else; Location tells how far it is. Of each agency's, one at a time.
    """
    place = await place_of(tx, asked.region_code, "#/region_code")
    trial = trials.Trial.of(asked.parameter, place, asked.value, tx.today)
    started = await exact_trials.start(tx, principal, trial, subtree(place))
    location = f"/v1/children/policy-trials/{started.trial_id}"
    return Shown(started, subject=started.trial_id, headers={"location": location})


_TRIAL_PROBLEMS = documented(exact_trials.TrialNotFound)


@router.get("/policy-trials/{trial_id}", responses=_TRIAL_PROBLEMS)
async def read_policy_trial(
    principal: ReadsChildren, trial_id: TrialId, tx: Transaction
) -> Shown[trial_schemas.ExactTrial]:
    """Read how far a trial of your agency is, and what came of it: for some time, and while all of
    its place is in your remit.
    """
    return Shown(await exact_trials.read(tx, principal, trial_id))


@router.post("/policy-trials/{trial_id}/cancellation", responses=_TRIAL_PROBLEMS)
async def cancel_policy_trial(
    principal: CountsChildren, trial_id: TrialId, tx: Transaction
) -> Shown[trial_schemas.ExactTrial]:
    """End a trial of your agency; one that has ended stays as it is."""
    return Shown(await exact_trials.cancel(tx, principal, trial_id))


@router.get("/{child_id}", responses=documented(ChildNotFound))
async def read_child(
    principal: ReadsChildren, child_id: ChildId, tx: Transaction
) -> Shown[schemas.Child]:
    """Read a child's file, limited to the sections the caller's role reads."""
    return await _file(tx, principal, child_id)


@router.patch("/{child_id}", responses={**_REFERRED, **_WRITE_PROBLEMS})
async def change_child(
    principal: WritesChildren,
    child: ChildInPath,
    change: schemas.ChildChange,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Child]:
    """Change sections of a child's file (JSON merge patch)."""
    referred = await operations.change_child(tx, principal, child, change, if_match=if_match)
    if referred is not None:
        return _referral(referred, change.model_fields_set, child.id)
    return await _file(tx, principal, child.id, written=change.model_fields_set)


@router.get("/{child_id}/history")
async def read_child_history(
    principal: ReadsChildren, child: ChildInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.HistoryEntry]]:
    """Read who changed what of a child's file, newest first."""
    page = await history.page(tx, principal, child, window)
    return Shown(
        page.shown(lambda row: history.entry(tx.keyring, row, principal.role.reads)),
        children=[child.id],
        groups=queries.readable(principal),
        since=min((local_date(row["at"]) for row in page.rows), default=None),
    )


@router.get("/{child_id}/reasons")
async def read_child_reasons(
    principal: ReadsChildren, child: ChildInPath, tx: Transaction
) -> Shown[schemas.Reasons]:
    """Read why a child is in its categories and flagged, and what to ask where the file does not
    decide: facts, rule, policy and obligation.
    """
    found = await reasons.reasons(tx, principal, child)
    told = {fact.split(".")[0] for reason in found["reasons"] for fact in reason["facts"]}
    return Shown(
        found,
        children=[child.id],
        groups=[group for group in FIELD_GROUPS if group in {"derived", *told}],
    )


@router.get("/{child_id}/enrolments")
async def list_child_enrolments(
    principal: ReadsChildren, child: ChildInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Enrolment]]:
    """Read at which schools, in which classes, a child was from when to when, latest first."""
    page = await enrolments.page(tx, child, window)
    return Shown(
        page.shown(dict),
        children=[child.id],
        groups=("education",),
        since=min((row["since"] for row in page.rows), default=None),
    )


async def _file(
    tx: Tx,
    principal: Principal,
    child_id: UUID,
    *,
    written: Collection[str] = (),
    is_new: bool = True,
    receipt: bool = False,
) -> Shown[schemas.Child]:
    headers = {}
    file = await queries.read(tx, principal, child_id)
    if file is None and (named := await queries.named_by(tx, principal.agency_id, child_id)):
        # The file itself under its own id, not a redirect: one way less over a poor line, and no
        # client loses its token on the way.
        child_id = named.child_id
        file = await queries.read(tx, principal, child_id)
        headers = {"content-location": f"/v1/children/{child_id}"}
    if file is None:
        raise ChildNotFound
    groups = {*queries.readable(principal), *written}
    return Shown(
        file,
        children=[child_id],
        groups=[group for group in FIELD_GROUPS if group in groups],
        subject=child_id,
        is_new=is_new,
        headers=headers,
        receipt=receipt,
    )


def _page(tx: Tx, principal: Principal, page: Rows) -> Shown[Page[schemas.ChildSummary]]:
    # An act on a file asks nothing of the file: what may be done with one may be with all.
    told = acts.permitted(ACTS, principal, {}, tx.today)
    return Shown(
        page.shown(lambda row: listing.summary(tx, principal, row, told)),
        children=[row["id"] for row in page.rows],
        groups=[group for group in _SUMMARY_GROUPS if group in principal.role.reads],
    )


def _referral(
    referred: duplicates.Referred, written: Collection[str], child_id: UUID | None = None
) -> Shown[schemas.Child]:
    return Shown(
        {"referral_id": referred.referral_id, "status": "referred"},
        children=[child_id],
        groups=[group for group in FIELD_GROUPS if group in written],
        subject=referred.referral_id,
        status=202,
        refused_by="possible-duplicate",
        headers={"location": f"/v1/unresolved/{referred.referral_id}"},
    )
