"""Agencies over HTTP: registered, changed, closed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.access import queries as access
from app.access.acts import (
    Act,
    Condition,
    asked,
    own_or_inside,
    permitted,
    permitted_by_two,
    stands,
    unset,
)
from app.access.approvals import operations as approvals
from app.access.deps import needs
from app.access.guards import (
    AGENCY_OF_POWER,
    ALWAYS,
    OFFICE_CHANGED,
    POWER,
    POWER_TAKEN,
)
from app.access.principal import Principal
from app.access.roles import levels_of
from app.agencies import operations, queries, schemas
from app.agencies.area import AREA, READ, WRITE
from app.agencies.models import Agency, AgencyKind
from app.api import business
from app.api.arranging import AgencyNotFound, OutsideRemit, place_of, require_remit
from app.core.data.db import NATION, Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import PreconditionFailed
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import FieldError, Problem, documented
from app.duties import owners as duties
from app.referrals.operations import passing
from app.regions import rules
from app.regions.deps import RegionSpan
from app.webhooks.operations import endpoints

router = routing.v1(AREA.tag)
ReadsAgencies = Annotated[Principal, needs(READ)]
RegistersAgencies = Annotated[Principal, needs(WRITE, approval=AGENCY_OF_POWER)]
SaysContact = Annotated[Principal, needs(WRITE, approval=ALWAYS)]
ChangesAgencies = Annotated[Principal, needs(WRITE, approval=OFFICE_CHANGED)]
ClosesAgencies = Annotated[Principal, needs(WRITE, review=POWER_TAKEN)]


class KindNotYours(Problem, status=403, denies=True):
    """Whoever registers a police agency decides who reads the reports of a place."""

    title = "Only the operator registers agencies of this kind"
    title_zh = "此类机构仅由运营方登记"


class PlaceServed(Problem, status=409):
    """A second office of the place would read what is kept from the first, and draw away what that
    one is told.
    """

    title = "An agency of this kind serves the place; the operator registers another"
    title_zh = "该地已有此类机构;另设机构须由运营方登记"


class KindNotAtLevel(Problem, status=422):
    """An office beside the one in charge would draw away what that one is told."""

    title = "There are no agencies of this kind at such a place"
    title_zh = "此级行政区划不设此类机构"
    errors = (FieldError("#/kind", "kind_not_at_level", "Not at a place of this level."),)


class AgencyClosed(Problem, status=409):
    """It is no more: nothing of it changes."""

    title = "This agency was closed"
    title_zh = "该机构已撤销"


class OwnAgency(Problem, status=403, denies=True):
    """Nobody closes the office they work for, as a whole or into another (AZ-11)."""

    title = "Somebody of another agency closes yours"
    title_zh = "本机构须由其他机构的人员办理撤销"


class SuccessorUnfit(Problem, status=409):
    """Who goes on in the place of an agency is another of its kind."""

    title = "The successor is another agency of this kind, and works"
    title_zh = "承接机构须为另一家同类且正在运行的机构"


class SystemsOutside(Problem, status=422):
    """A system answers only for places its agency serves."""

    title = "A system of this agency answers for a place that it would no longer serve"
    title_zh = "该机构有系统负责的区域将不在其服务区域之内"
    errors = (FieldError("#/region_code", "systems_outside", "Suspend or register it anew."),)


_OPERATORS_ALONE: Final = frozenset(
    {AgencyKind.police, AgencyKind.supervision, AgencyKind.operator}
)


_ONE_A_PLACE: Final = frozenset(
    {AgencyKind.civil_affairs, AgencyKind.township_government, AgencyKind.education}
)
"""Of these the nearest serves a place (`queries.serving`)."""


def _kinds_arranged(principal: Principal, _: date) -> frozenset[str]:
    everything = frozenset(map(str, AgencyKind))
    return everything if principal.role.code == "operator" else everything - _OPERATORS_ALONE


_CHANGE: Final = Act(
    WRITE.code,
    (
        own_or_inside("id", "region_code", OutsideRemit),
        stands(_kinds_arranged, lambda *_: KindNotYours(), "kind"),
        unset("closed_on", AgencyClosed),
    ),
    guard=OFFICE_CHANGED,
)
_ANOTHERS: Final = Condition(
    ("id",),
    lambda principal, _: principal.agency_id,
    lambda found, own: found != own,
    "{0} <> {wanted}",
    lambda *_: OwnAgency(),
)
_MERGE: Final = replace(_CHANGE, conditions=(*_CHANGE.conditions, _ANOTHERS))
_CLOSE: Final = replace(_MERGE, guard=None)
_ACTS: Final[Mapping[str, Act]] = {
    "changeAgency": _CHANGE,
    "setPublicContact": replace(
        _CHANGE,
        conditions=(
            own_or_inside("id", "region_code", OutsideRemit),
            unset("closed_on", AgencyClosed),
        ),
        guard=ALWAYS,
    ),
    "closeAgency": _CLOSE,
    "mergeAgency": _MERGE,
}


def _shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Agency:
    return schemas.Agency(
        **row,
        permitted=permitted(_ACTS, principal, row, tx.today),
        permitted_by_two=permitted_by_two(_ACTS, principal, row, tx.today),
    )


def _about(agency: Agency) -> dict[str, Any]:
    """Return what of an agency decides whether it takes two people, and who decides."""
    of = {"id": agency.id, "kind": agency.kind}
    return {**of, "agency_id": agency.id, "agency_region": agency.region_code}


async def _to_change(tx: Tx, principal: Principal, agency_id: UUID, act: Act) -> Agency:
    """Find an agency, held, of which this may be done."""
    agency = await queries.find(tx, agency_id, for_update=True)
    if agency is None:
        raise AgencyNotFound
    act.require(principal, agency.model_dump(), tx.today)
    return agency


async def _fit_place(tx: Tx, principal: Principal, kind: AgencyKind, region_code: int) -> bool:
    """Tell whether an agency of a kind serves a place already; refuse one that must not stand
    there. Raises OutsideRemit, KindNotAtLevel, PlaceServed.
    """
    require_remit(principal, region_code)
    levels = levels_of(kind)
    if levels and str(rules.level_of(region_code)) not in levels:
        raise KindNotAtLevel
    in_front = kind in _ONE_A_PLACE and await queries.serves(tx, kind, region_code)
    if in_front and principal.role.code != "operator":
        raise PlaceServed
    return in_front


@router.get("/agencies")
async def list_agencies(
    principal: ReadsAgencies,
    tx: ReadTransaction,
    window: Paged,
    region: RegionSpan,
    kind: Annotated[AgencyKind | None, Query(description="Only of this kind.")] = None,
    act: Annotated[Act | None, asked(_ACTS)] = None,
) -> Shown[Page[schemas.Agency]]:
    """List agencies by the place they serve."""
    narrow = (
        None if act is None else partial(act.narrow, principal=principal, on=tx.today, alias="a")
    )
    page = await queries.list_agencies(tx, window, kind=kind, span=region or NATION, narrow=narrow)
    return Shown(page.shown(lambda row: _shown(tx, principal, row)))


@router.get("/agencies/{agency_id}", responses=documented(AgencyNotFound))
async def read_agency(
    principal: ReadsAgencies, agency_id: UUID, tx: Transaction
) -> Shown[schemas.Agency]:
    """Read one agency."""
    agency = await queries.find(tx, agency_id)
    if agency is None:
        raise AgencyNotFound
    return Shown(_shown(tx, principal, agency.model_dump()))


@router.post(
    "/agencies",
    status_code=201,
    responses=documented(
        OutsideRemit,
        KindNotYours,
        KindNotAtLevel,
        PlaceServed,
        operations.RegionUnknown,
        operations.CreditCodeInvalid,
        operations.AgencyAlreadyRegistered,
    ),
)
async def create_agency(
    principal: RegistersAgencies, new: schemas.AgencyCreate, tx: Transaction
) -> Shown[schemas.Agency]:
    """Register an agency inside your remit. Police, supervision and operators' own agencies are
    registered by the operator alone; so is a second civil affairs, township government or education
    authority of a place. Who has it told to them so far is told of it.
    """
    if new.kind in _OPERATORS_ALONE and principal.role.code != "operator":
        raise KindNotYours
    region_code = await place_of(tx, new.region_code)
    in_front = await _fit_place(tx, principal, new.kind, region_code)
    two = new.kind in POWER or in_front
    before = await queries.serving(tx, new.kind, region_code) if two else None
    agency = await operations.create_agency(
        tx,
        new.kind,
        new.name,
        region_code,
        name_en=new.name_en,
        uscc=new.uscc,
        public_contact=new.public_contact,
    )
    about = {"agency_kind": new.kind, "agency_id": before, "agency_region": region_code}
    return Shown(
        _shown(tx, principal, agency.model_dump()),
        subject=agency.id,
        about={**about, "in_front": in_front},
    )


@router.put(
    "/agencies/{agency_id}/public-contact",
    responses=documented(AgencyNotFound, OutsideRemit, AgencyClosed),
)
async def set_public_contact(
    principal: SaysContact,
    agency_id: UUID,
    said: schemas.PublicContact,
    tx: Transaction,
) -> Shown[schemas.Agency]:
    """Say how anybody reaches an agency, yours or one inside your remit: a desk elsewhere calls
    there about a child, so two people say it.
    """
    agency = await _to_change(tx, principal, agency_id, _ACTS["setPublicContact"])
    about = _about(agency)
    agency = await operations.set_public_contact(tx, agency, said.public_contact)
    return Shown(_shown(tx, principal, agency.model_dump()), about=about)


@router.post(
    "/agencies/{agency_id}/changes",
    responses=documented(
        PreconditionFailed,
        AgencyNotFound,
        OutsideRemit,
        KindNotYours,
        AgencyClosed,
        KindNotAtLevel,
        PlaceServed,
        SystemsOutside,
        operations.RegionUnknown,
        operations.PostOutsideAgency,
    ),
)
async def change_agency(
    principal: ChangesAgencies,
    agency_id: UUID,
    change: schemas.AgencyChange,
    tx: Transaction,
) -> Shown[schemas.Agency]:
    """Change an agency's name or the division it serves. Its posts and systems must
    answer for places inside that one; its notices are of that one from now on.
    """
    agency = await _to_change(tx, principal, agency_id, _CHANGE)
    changed: dict[str, Any] = change.model_dump(exclude_none=True, exclude={"based_on"})
    if change.region_code is not None:
        place = await place_of(tx, change.region_code)
        if place != agency.region_code:
            await _fit_place(tx, principal, AgencyKind(agency.kind), place)
        if await access.systems_outside(tx, agency.id, *rules.subtree(place)):
            raise SystemsOutside
        changed["region_code"] = place
    about = _about(agency)
    agency = await operations.change_agency(tx, agency, changed, if_match=change.based_on)
    await endpoints.follow_agency(tx, agency.id, agency.region_code)
    return Shown(_shown(tx, principal, agency.model_dump()), about=about)


@router.post(
    "/agencies/{agency_id}/closure",
    responses=documented(
        AgencyNotFound, OutsideRemit, KindNotYours, AgencyClosed, OwnAgency, business.OpenBusiness
    ),
)
async def close_agency(
    principal: ClosesAgencies, agency_id: UUID, closure: schemas.AgencyClosure, tx: Transaction
) -> Shown[schemas.Agency]:
    """Close an agency for good, with its posts and systems. Refused while anything is open there.
    Another person reviews it.
    """
    agency = await _to_change(tx, principal, agency_id, _CLOSE)
    await business.refuse_if_open(tx, agency.id)
    await approvals.pass_up(tx, agency.id, agency.region_code)
    agency = await operations.close_agency(tx, agency)
    return Shown(
        _shown(tx, principal, agency.model_dump()),
        about={**_about(agency), "reason": closure.reason},
    )


@router.post(
    "/agencies/{agency_id}/merger",
    responses=documented(
        AgencyNotFound,
        OutsideRemit,
        KindNotYours,
        AgencyClosed,
        OwnAgency,
        SuccessorUnfit,
        operations.PostOutsideAgency,
        business.OpenBusiness,
    ),
)
async def merge_agency(
    principal: ChangesAgencies, agency_id: UUID, merger: schemas.AgencyMerger, tx: Transaction
) -> Shown[schemas.Agency]:
    """Close an agency into another of its kind, in one act: that one has its posts and people from
    now on, and owes what it was referred; reports to the police in its hands are routed anew. What
    nobody can do in its place is done before.
    """
    agency = await _to_change(tx, principal, agency_id, _MERGE)
    successor = await queries.find(tx, merger.successor_id, for_update=True)
    if (
        successor is None
        or successor.id == agency.id
        or successor.kind != agency.kind
        or not successor.active
    ):
        raise SuccessorUnfit
    about = _about(agency)
    await operations.take_over(tx, agency, successor)
    referred = await passing.pass_on(tx, agency.id, successor.id)
    await duties.pass_on(tx, agency.id, successor.id, referred)
    await approvals.pass_on(tx, agency.id, successor.id)
    await business.refuse_if_open(tx, agency.id, goes_on=True)
    agency = await operations.close_agency(tx, agency)
    return Shown(_shown(tx, principal, agency.model_dump()), about=about, beside=[successor.id])
