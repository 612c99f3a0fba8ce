"""Agencies, their posts and who holds them, over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.access import operations as access
from app.access.acts import Act, asked, own_or_inside, permitted, permitted_by_two, stands
from app.access.deps import needs
from app.access.guards import (
    AGENCY_OF_POWER,
    ALWAYS,
    POST_OF_POWER,
    POWER,
    POWER_TAKEN,
)
from app.access.principal import Principal
from app.access.roles import levels_of, roles
from app.agencies import operations, queries, schemas
from app.agencies.area import AREA, READ, WRITE
from app.agencies.models import AgencyKind, PostHolding
from app.core.data.db import NATION, Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import FieldError, Problem, documented
from app.regions import queries as regions
from app.regions import rules
from app.regions.deps import RegionSpan

router = routing.v1(AREA.tag)
ReadsAgencies = Annotated[Principal, needs(READ)]
ReadsHolders = Annotated[Principal, needs(READ, personal=True)]
RegistersAgencies = Annotated[Principal, needs(WRITE, approval=AGENCY_OF_POWER)]
FillsPosts = Annotated[Principal, needs(WRITE, approval=POST_OF_POWER)]
SaysContact = Annotated[Principal, needs(WRITE, approval=ALWAYS)]
EndsHoldings = Annotated[Principal, needs(WRITE, review=POWER_TAKEN)]


class AgencyNotFound(Problem, status=404):
    """There is no such agency."""

    title = "No such agency"
    title_zh = "没有这个机构"


class PostNotFound(Problem, status=404, denies=True):
    """There is no such post, or not in the caller's remit."""

    title = "No such post"
    title_zh = "没有这个岗位"


class HoldingNotFound(Problem, status=404):
    """There is no such holding of this post."""

    title = "No such holding"
    title_zh = "没有这项任职"


class OutsideRemit(Problem, status=403, denies=True):
    """The place is not the caller's to arrange."""

    title = "The place lies outside your remit"
    title_zh = "该地区不在您的职责范围内"


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


class RoleNotYours(Problem, status=403, denies=True):
    """The caller may not give this role, or not to themselves (AZ-11)."""

    title = "You may not give this role"
    title_zh = "您无权授予该角色"


_OPERATORS_ALONE: Final = frozenset(
    {AgencyKind.police, AgencyKind.supervision, AgencyKind.operator}
)


_ONE_A_PLACE: Final = frozenset(
    {AgencyKind.civil_affairs, AgencyKind.township_government, AgencyKind.education}
)
"""Of these the nearest serves a place (`queries.serving`)."""


def _roles_filled_by(principal: Principal, _: date) -> frozenset[str]:
    """Tell which roles the caller may give (AZ-11): civil affairs their own line, the operator
    every one.
    """
    if principal.role.code == "operator":
        return frozenset(roles())
    return _FILLED_BY.get(principal.role.code, frozenset())


_FILLED_BY: Final[Mapping[str, frozenset[str]]] = {
    "civil_affairs": frozenset({"civil_affairs", "township_supervisor", "village_director"})
}
_REACHED: Final = own_or_inside("agency_id", "agency_region", PostNotFound)
_GIVEN: Final = stands(_roles_filled_by, lambda *_: RoleNotYours(), "role")
_READ: Final = Act(READ.code, (_REACHED,))
_FILL: Final = Act(WRITE.code, (_REACHED, _GIVEN), guard=POST_OF_POWER)
_EMPTY: Final = Act(WRITE.code, (_REACHED, _GIVEN))
_POST_ACTS: Final[Mapping[str, Act]] = {
    "listHolders": replace(_READ, personal=True),
    "holdPost": _FILL,
    "leavePost": _EMPTY,
}


async def _place(tx: Tx, code: str) -> int:
    """Turn a well-formed code into that of the place today. One that is no place's is left to the
    operation to refuse, unless it cannot be one: that raises RegionUnknown.
    """
    number = int(code)
    if not rules.is_valid_code(number):
        raise operations.RegionUnknown
    return await regions.current(tx, number, tx.today) or number


def _level(region_code: int) -> str:
    return str(rules.level_of(region_code))


def _require_remit(principal: Principal, region_code: int) -> None:
    if not principal.region_lo <= region_code < principal.region_hi:
        raise OutsideRemit


def _post(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Post:
    return schemas.Post(
        **row,
        permitted=permitted(_POST_ACTS, principal, row, tx.today),
        permitted_by_two=permitted_by_two(_POST_ACTS, principal, row, tx.today),
    )


def _about(post: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a post decides whether it takes two people, and who decides."""
    return {name: post[name] for name in ("id", "agency_id", "agency_kind", "agency_region")}


def _holding(holding: PostHolding) -> schemas.Holding:
    return schemas.Holding(**holding.model_dump(), recorded_at=holding.created_at)


@router.get("/agencies")
async def list_agencies(
    _: ReadsAgencies,
    tx: ReadTransaction,
    window: Paged,
    region: RegionSpan,
    kind: Annotated[AgencyKind | None, Query(description="Only of this kind.")] = None,
) -> Shown[Page[schemas.Agency]]:
    """List agencies by the place they serve."""
    page = await queries.list_agencies(tx, window, kind=kind, span=region or NATION)
    return Shown(page.shown(lambda row: schemas.Agency(**row)))


@router.get("/agencies/{agency_id}", responses=documented(AgencyNotFound))
async def read_agency(_: ReadsAgencies, agency_id: UUID, tx: Transaction) -> Shown[schemas.Agency]:
    """Read one agency."""
    agency = await queries.find(tx, agency_id)
    if agency is None:
        raise AgencyNotFound
    return Shown(schemas.Agency(**agency.model_dump()))


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
    operates = principal.role.code == "operator"
    if new.kind in _OPERATORS_ALONE and not operates:
        raise KindNotYours
    region_code = await _place(tx, new.region_code)
    _require_remit(principal, region_code)
    levels = levels_of(new.kind)
    if levels and _level(region_code) not in levels:
        raise KindNotAtLevel
    in_front = new.kind in _ONE_A_PLACE and await queries.serves(tx, new.kind, region_code)
    if in_front and not operates:
        raise PlaceServed
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
        schemas.Agency(**agency.model_dump()),
        subject=agency.id,
        about={**about, "in_front": in_front},
    )


@router.put(
    "/agencies/{agency_id}/public-contact", responses=documented(AgencyNotFound, OutsideRemit)
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
    agency = await queries.find(tx, agency_id)
    if agency is None:
        raise AgencyNotFound
    if agency.id != principal.agency_id:
        _require_remit(principal, agency.region_code)
    agency = await operations.set_public_contact(tx, agency, said.public_contact)
    return Shown(
        schemas.Agency(**agency.model_dump()),
        about={
            "id": agency.id,
            "agency_kind": agency.kind,
            "agency_id": agency.id,
            "agency_region": agency.region_code,
        },
    )


@router.get("/posts")
async def list_posts(
    principal: ReadsAgencies,
    tx: ReadTransaction,
    window: Paged,
    region: RegionSpan,
    agency_id: Annotated[UUID | None, Query(description="Only of this agency.")] = None,
    role: Annotated[
        schemas.RoleCode | None, Query(description="Only posts that give this role.")
    ] = None,
    act: Annotated[Act | None, asked(_POST_ACTS)] = None,
) -> Shown[Page[schemas.Post]]:
    """List posts by the place they answer for."""
    narrow = (
        None if act is None else partial(act.narrow, principal=principal, on=tx.today, alias="p")
    )
    page = await queries.list_posts(
        tx, window, agency_id=agency_id, role=role, span=region or NATION, narrow=narrow
    )
    return Shown(page.shown(lambda row: _post(tx, principal, row)))


@router.get("/posts/{post_id}", responses=documented(PostNotFound))
async def read_post(
    principal: ReadsAgencies, post_id: UUID, tx: Transaction
) -> Shown[schemas.Post]:
    """Read one post of your agency or remit."""
    post = await _post_for(_READ, principal, tx, post_id)
    return Shown(_post(tx, principal, asdict(post)))


@router.post(
    "/posts",
    status_code=201,
    responses=documented(
        OutsideRemit,
        RoleNotYours,
        AgencyNotFound,
        operations.RegionUnknown,
        operations.PostOutsideAgency,
        access.RoleDoesNotFit,
    ),
)
async def add_post(
    principal: FillsPosts, new: schemas.PostCreate, tx: Transaction
) -> Shown[schemas.Post]:
    """Set up a post in an agency of your remit."""
    Act(WRITE.code, (_GIVEN,)).require(principal, {"role": new.role}, tx.today)
    region_code = await _place(tx, new.region_code)
    _require_remit(principal, region_code)
    agency = await queries.find(tx, new.agency_id)
    if agency is None or not agency.active:
        raise AgencyNotFound
    _require_remit(principal, agency.region_code)
    access.fitting_role(new.role, agency.kind, region_code, holder="staff")
    post = await operations.add_post(tx, agency, new.role, new.local_title, region_code)
    of = {"agency_region": agency.region_code, "agency_kind": agency.kind}
    made = {**post.model_dump(), **of}
    return Shown(_post(tx, principal, made), subject=post.id, about=_about(made))


async def _post_for(act: Act, principal: Principal, tx: Tx, post_id: UUID) -> queries.PostRef:
    post = await queries.find_post(tx, post_id)
    if post is None:
        raise PostNotFound
    act.require(principal, asdict(post), tx.today)
    return post


@router.get("/posts/{post_id}/holdings", responses=documented(PostNotFound))
async def list_holders(
    principal: ReadsHolders, post_id: UUID, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Holder]]:
    """List who holds and held a post of your agency or remit, latest first."""
    await _post_for(_READ, principal, tx, post_id)
    page = await queries.list_holders(tx, post_id, window)
    return Shown(
        page.shown(lambda row: schemas.Holder(**row)),
        since=min((row["since"] for row in page.rows), default=None),
    )


@router.post(
    "/posts/{post_id}/holdings",
    status_code=201,
    responses=documented(
        RoleNotYours, PostNotFound, operations.StaffNotOfAgency, operations.AlreadyHeld
    ),
)
async def hold_post(
    principal: FillsPosts, post_id: UUID, new: schemas.HoldingCreate, tx: Transaction
) -> Shown[schemas.Holding]:
    """Put a person into a post. Nobody appoints themselves."""
    post = await _post_for(_FILL, principal, tx, post_id)
    if new.staff_id in principal.selves:
        raise RoleNotYours
    holding = await operations.hold_post(tx, post, new.staff_id, new.since)
    return Shown(_holding(holding), about=_about(asdict(post)))


@router.post(
    "/posts/{post_id}/holdings/{holding_id}/end",
    responses=documented(
        RoleNotYours,
        PostNotFound,
        HoldingNotFound,
        operations.HoldingEnded,
        operations.EndBeforeBeginning,
    ),
)
async def leave_post(
    principal: EndsHoldings,
    post_id: UUID,
    holding_id: UUID,
    end: schemas.HoldingEnd,
    tx: Transaction,
) -> Shown[schemas.Holding]:
    """End somebody's time in a post; their authority ends with it. Another person reviews it."""
    post = await _post_for(_EMPTY, principal, tx, post_id)
    holding = await tx.session.get(PostHolding, holding_id, with_for_update=True)
    if holding is None or holding.post_id != post.id:
        raise HoldingNotFound
    left = await operations.leave_post(tx, holding, end.until)
    return Shown(_holding(left), about=_about(asdict(post)))
