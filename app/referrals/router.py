"""Referrals: refer a child, answer, take back, read."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children.deps import ChildFilter, ChildInPath
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged, Rows
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import Problem, documented
from app.referrals import queries, schemas
from app.referrals.acts import (
    ACTS,
    NotReferredByYou,
    NotReferredToYou,
    NotTakenBackHere,
    ReferralEnded,
)
from app.referrals.area import AREA, READ, WRITE
from app.referrals.models import ReferralState
from app.referrals.operations import answering, opening
from app.regions.deps import RegionSpan

router = routing.v1(AREA.tag)


class ReferralNotFound(Problem, status=404, denies=True):
    """No such referral, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such referral"
    title_zh = "没有这项转介"


ReadsReferrals = Annotated[Principal, needs(READ)]
WritesReferrals = Annotated[Principal, needs(WRITE)]
AnswersReferrals = Annotated[Principal, needs(WRITE, evidence=True)]
_REFERRAL = ("referral_id", "The referral's id.", queries.find, ReferralNotFound)
InPath = Annotated[asyncpg.Record, named_in_path(*_REFERRAL)]
ToChange = Annotated[asyncpg.Record, named_in_path(*_REFERRAL, for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]
Stands = Annotated[ReferralState | None, Query(description="Only where it stands so.")]


@router.post(
    "/children/{child_id}/referrals",
    status_code=201,
    responses={**REPEATED, **documented(opening.ReceiverUnknown, opening.ConsentMissing)},
)
async def open_referral(
    principal: WritesReferrals,
    child: ChildInPath,
    new: schemas.ChildReferralCreate,
    tx: Transaction,
) -> Shown[schemas.ChildReferral]:
    """Refer a child to an agency, which owes an answer. Where none of the kind is registered, civil
    affairs of the place have it, and find somebody (`waits`). Sent again the same day in the same
    words, it is the same.
    """
    row, is_new = await opening.open_referral(tx, principal, child, new)
    return await _one(tx, principal, row, is_new=is_new)


@router.get("/children/{child_id}/referrals")
async def list_child_referrals(
    principal: ReadsReferrals,
    child: ChildInPath,
    tx: ReadTransaction,
    window: Paged,
    state: Stands = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.ChildReferral]]:
    """List whom a child was referred to, newest first, as far as you may know."""
    filters = queries.Filters(child_id=child.id, state=state)
    page = await queries.list_referrals(tx, principal, window, filters, act)
    return await _page(tx, principal, page, children=[child.id])


@router.get("/referrals")
async def list_referrals(
    principal: ReadsReferrals,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildFilter = None,
    state: Stands = None,
    sent_by: Annotated[UUID | None, Query(description="Only what this agency referred.")] = None,
    held_by: Annotated[
        UUID | None, Query(description="Only what was referred to this agency.")
    ] = None,
    region: RegionSpan = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.ChildReferral]]:
    """List what your agency referred and what was referred to it; for whoever looks after the
    children of a region, all that is referred there. Newest first.
    """
    filters = queries.Filters(child_id, state, sent_by, held_by, region)
    page = await queries.list_referrals(tx, principal, window, filters, act)
    return await _page(tx, principal, page)


@router.get("/referrals/{referral_id}")
async def read_referral(
    principal: ReadsReferrals, found: InPath, tx: Transaction
) -> Shown[schemas.ChildReferral]:
    """Read a referral as it stands."""
    return await _one(tx, principal, found)


@router.post(
    "/referrals/{referral_id}/answer",
    responses=documented(NotReferredToYou, ReferralEnded),
)
async def answer_referral(
    principal: AnswersReferrals,
    found: ToChange,
    said: schemas.ReferralAnswerCreate,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.ChildReferral]:
    """Answer, as the agency it was referred to: that you take it on, and later what came of it; or
    at once what was done, or why not.
    """
    row = await answering.answer_referral(tx, principal, found, said, if_match=if_match)
    return await _one(tx, principal, row)


@router.post(
    "/referrals/{referral_id}/cancellation",
    responses=documented(NotReferredByYou, ReferralEnded, PersonRequired, NotTakenBackHere),
)
async def cancel_referral(
    principal: WritesReferrals,
    found: ToChange,
    said: schemas.ReferralCancellation,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.ChildReferral]:
    """Take a referral back, as the agency that made it, with a reason."""
    row = await answering.cancel_referral(tx, principal, found, said, if_match=if_match)
    return await _one(tx, principal, row)


async def _one(
    tx: Tx, principal: Principal, row: asyncpg.Record, **more: Any
) -> Shown[schemas.ChildReferral]:
    [shown] = await queries.shown(tx, principal, [row])
    return _shown(shown, [shown], **more)


async def _page(
    tx: Tx, principal: Principal, page: Rows, **more: Any
) -> Shown[Page[schemas.ChildReferral]]:
    shown = await queries.shown(tx, principal, page.rows)
    return _shown({"items": shown, "next_cursor": page.next_cursor}, shown, **more)


def _shown(answer: Any, referrals: Sequence[schemas.ChildReferral], **more: Any) -> Shown[Any]:
    since = min((local_date(each.opened_at) for each in referrals), default=None)
    more = {"children": [each.child_id for each in referrals], **more}
    return Shown(answer, groups=["referrals"], since=since, **more)
