"""Posts and who holds them, over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.access import operations as access
from app.access.acts import (
    Act,
    Condition,
    asked,
    own_or_inside,
    permitted,
    permitted_by_two,
    stands,
)
from app.access.approvals.schemas import UNSAID, TakenAway, because
from app.access.deps import needs
from app.access.guards import POST_OF_POWER, POWER_TAKEN
from app.access.principal import Principal
from app.access.roles import roles
from app.agencies import operations, queries, schemas
from app.agencies.area import AREA, READ, WRITE
from app.agencies.models import Agency, Post, PostHolding
from app.api import business
from app.api.arranging import AgencyNotFound, OutsideRemit, place_of, require_remit
from app.core.data.db import NATION, Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import PreconditionFailed
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented
from app.duties import area as duties
from app.hiring_checks import operations as checks
from app.regions.deps import RegionSpan

router = routing.v1(AREA.tag)
ReadsAgencies = Annotated[Principal, needs(READ)]
ReadsHolders = Annotated[Principal, needs(READ, personal=True)]
FillsPosts = Annotated[Principal, needs(WRITE, approval=POST_OF_POWER)]
EmptiesPosts = Annotated[Principal, needs(WRITE, review=POWER_TAKEN)]


class PostNotFound(Problem, status=404, denies=True):
    """There is no such post, or not in the caller's remit."""

    title = "No such post"
    title_zh = "没有这个岗位"


class BusinessNotYours(Problem, status=403, denies=True):
    """Who is told nothing of what is owed would be told that nothing is."""

    title = "Your role is not told what is owed"
    title_zh = "您的角色无权了解待办职责"


class HoldingNotFound(Problem, status=404):
    """There is no such holding of this post."""

    title = "No such holding"
    title_zh = "没有这项任职"


class RoleNotYours(Problem, status=403, denies=True):
    """The caller may not give this role, or not to themselves (AZ-11)."""

    title = "You may not give this role"
    title_zh = "您无权授予该角色"


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
_OPEN: Final = Condition(
    ("active",),
    lambda *_: True,
    lambda found, wanted: found is wanted,
    "{0} = {wanted}::boolean",
    lambda *_: operations.PostGivenUp(),
)
_GIVEN: Final = stands(_roles_filled_by, lambda *_: RoleNotYours(), "role")
_TOLD: Final = Condition(
    ("id",),
    lambda principal, _: duties.READ.code in principal.scopes,
    lambda _, wanted: bool(wanted),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: BusinessNotYours(),
)
_READ: Final = Act(READ.code, (_REACHED,))
_FILL: Final = Act(WRITE.code, (_REACHED, _GIVEN, _OPEN), guard=POST_OF_POWER)
_EMPTY: Final = Act(WRITE.code, (_REACHED, _GIVEN))
_POST_ACTS: Final[Mapping[str, Act]] = {
    "listHolders": replace(_READ, personal=True),
    "holdPost": _FILL,
    "leavePost": _EMPTY,
    "handOverPost": _FILL,
    "changePost": _FILL,
    "closePost": replace(_FILL, guard=None),
    "readOpenBusiness": Act(READ.code, (_REACHED, _TOLD)),
}


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
    held: Annotated[
        bool | None,
        Query(description="Only posts that somebody holds today, or, `false`, the empty ones."),
    ] = None,
    act: Annotated[Act | None, asked(_POST_ACTS)] = None,
) -> Shown[Page[schemas.Post]]:
    """List posts by the place they answer for."""
    narrow = (
        None if act is None else partial(act.narrow, principal=principal, on=tx.today, alias="p")
    )
    page = await queries.list_posts(
        tx,
        window,
        agency_id=agency_id,
        role=role,
        span=region or NATION,
        held=held,
        narrow=narrow,
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
    region_code = await place_of(tx, new.region_code)
    require_remit(principal, region_code)
    agency = await queries.find(tx, new.agency_id)
    if agency is None or not agency.active:
        raise AgencyNotFound
    require_remit(principal, agency.region_code)
    access.fitting_role(new.role, agency.kind, region_code, holder="staff")
    post = await operations.add_post(tx, agency, new.role, new.local_title, region_code)
    of = {"agency_region": agency.region_code, "agency_kind": agency.kind}
    made = {**post.model_dump(), **of, "held": False}
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
        RoleNotYours,
        PostNotFound,
        operations.PostGivenUp,
        operations.StaffNotOfAgency,
        operations.AlreadyHeld,
        checks.CheckNeeded,
    ),
)
async def hold_post(
    principal: FillsPosts, post_id: UUID, new: schemas.HoldingCreate, tx: Transaction
) -> Shown[schemas.Holding]:
    """Put a person into a post. Nobody appoints themselves."""
    post = await _post_for(_FILL, principal, tx, post_id)
    if new.staff_id in principal.selves:
        raise RoleNotYours
    await checks.require_clear(tx, post.agency_kind, post.region_code, new.staff_id)
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
    principal: EmptiesPosts,
    post_id: UUID,
    holding_id: UUID,
    end: schemas.HoldingEnd,
    tx: Transaction,
) -> Shown[schemas.Holding]:
    """End somebody's time in a post; their authority ends with it. Another person reviews it."""
    post = await _post_for(_EMPTY, principal, tx, post_id)
    holding = await _holding_of(tx, post, holding_id)
    left = await operations.leave_post(tx, holding, end.until)
    return Shown(_holding(left), about={**_about(asdict(post)), "reason": end.reason})


async def _holding_of(tx: Tx, post: queries.PostRef, holding_id: UUID) -> PostHolding:
    holding = await tx.session.get(PostHolding, holding_id, with_for_update=True)
    if holding is None or holding.post_id != post.id:
        raise HoldingNotFound
    return holding


@router.post(
    "/posts/{post_id}/handover",
    responses=documented(
        RoleNotYours,
        PostNotFound,
        operations.PostGivenUp,
        HoldingNotFound,
        operations.HoldingEnded,
        operations.EndBeforeBeginning,
        operations.StaffNotOfAgency,
        operations.AlreadyHeld,
        checks.CheckNeeded,
    ),
)
async def hand_over_post(
    principal: FillsPosts, post_id: UUID, handover: schemas.Handover, tx: Transaction
) -> Shown[schemas.Holding]:
    """Let a person take a post from another, in one act: what is open stays with the post, and on
    no day is it nobody's. Nobody appoints themselves.
    """
    post = await _post_for(_FILL, principal, tx, post_id)
    if handover.successor_id in principal.selves:
        raise RoleNotYours
    await checks.require_clear(tx, post.agency_kind, post.region_code, handover.successor_id)
    holding = await _holding_of(tx, post, handover.holding_id)
    taken = await operations.hand_over(tx, post, holding, handover.successor_id, handover.since)
    return Shown(_holding(taken), about=_about(asdict(post)))


@router.get("/posts/{post_id}/open-business", responses=documented(PostNotFound, BusinessNotYours))
async def read_open_business(
    principal: ReadsAgencies, post_id: UUID, tx: ReadTransaction
) -> Shown[schemas.OpenBusiness]:
    """Count what is open at a post: the same to who leaves it and to who comes."""
    post = await _post_for(_POST_ACTS["readOpenBusiness"], principal, tx, post_id)
    return Shown(await business.of_post(tx, principal, post))


@router.post(
    "/posts/{post_id}/changes",
    responses=documented(
        PreconditionFailed,
        RoleNotYours,
        PostNotFound,
        operations.PostGivenUp,
        OutsideRemit,
        operations.RegionUnknown,
        operations.PostOutsideAgency,
        access.RoleDoesNotFit,
    ),
)
async def change_post(
    principal: FillsPosts,
    post_id: UUID,
    change: schemas.PostChange,
    tx: Transaction,
) -> Shown[schemas.Post]:
    """Change what a post is called, or the division it answers for: whoever holds it sees that one
    from the next request on.
    """
    found = await _post_for(_FILL, principal, tx, post_id)
    changed: dict[str, Any] = change.model_dump(exclude_none=True, exclude={"based_on"})
    if change.region_code is not None:
        changed["region_code"] = place = await place_of(tx, change.region_code)
        require_remit(principal, place)
        access.fitting_role(found.role, found.agency_kind, place, holder="staff")
    post = await _held(tx, found.id)
    agency = await tx.session.get_one(Agency, found.agency_id)
    await operations.change_post(tx, post, agency, changed, if_match=change.based_on)
    return await _changed(tx, principal, post_id)


@router.post(
    "/posts/{post_id}/closure",
    responses=documented(RoleNotYours, PostNotFound, operations.PostGivenUp),
)
async def close_post(
    principal: EmptiesPosts, post_id: UUID, tx: Transaction, why: TakenAway = UNSAID
) -> Shown[schemas.Post]:
    """Give a post up: whoever holds it leaves it today, and whoever is above owes what it owes.
    Another person reviews it.
    """
    found = await _post_for(_POST_ACTS["closePost"], principal, tx, post_id)
    await operations.close_post(tx, await _held(tx, found.id))
    shown = await _changed(tx, principal, post_id)
    return replace(shown, about=because(shown.about, why))


async def _held(tx: Tx, post_id: UUID) -> Post:
    return await tx.session.get_one(Post, post_id, with_for_update=True)


async def _changed(tx: Tx, principal: Principal, post_id: UUID) -> Shown[schemas.Post]:
    post = await _post_for(_READ, principal, tx, post_id)
    return Shown(_post(tx, principal, asdict(post)), about=_about(asdict(post)))
