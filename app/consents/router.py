"""Grounds, notices and consents: read, record, withdraw."""

from collections.abc import Sequence
from typing import Annotated, Any

import asyncpg

from app.access import acts
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children.deps import ChildInPath
from app.consents import operations, queries, schemas
from app.consents.acts import ACTS, ConsentWithdrawnAlready
from app.consents.area import AREA, READ, WRITE
from app.core.data import keys
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented

router = routing.v1(AREA.tag)


class ConsentNotFound(Problem, status=404, denies=True):
    """No such consent, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such consent"
    title_zh = "没有这条同意记录"


Reads = Annotated[Principal, needs(READ)]
Writes = Annotated[Principal, needs(WRITE)]
ToChange = Annotated[
    asyncpg.Record,
    named_in_path(
        "consent_id", "The consent's id.", queries.find, ConsentNotFound, for_update=True
    ),
]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]


@router.post(
    "/children/{child_id}/notices",
    status_code=201,
    responses=documented(operations.NoticeInvalid),
)
async def record_notice(
    principal: Writes, child: ChildInPath, new: schemas.NoticeCreate, tx: Transaction
) -> Shown[schemas.NoticesRecorded]:
    """Record that the child or a guardian was told what is collected of it."""
    told = await operations.record_notice(tx, principal, child, new)
    return _notices(schemas.NoticesRecorded(notices=told), told, subject=child.id)


@router.get("/children/{child_id}/notices")
async def list_child_notices(
    principal: Reads, child: ChildInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Notice]]:
    """List what the child and its guardians were told, latest first."""
    page = await queries.list_notices(tx, principal, window, child.id)
    answer = page.shown(queries.notice_of)
    return _notices(answer, answer["items"], children=[child.id])


@router.post(
    "/children/{child_id}/consents",
    status_code=201,
    responses=documented(operations.ConsentInvalid, operations.ConsentStands),
)
async def record_consent(
    principal: Writes, child: ChildInPath, new: schemas.ConsentCreate, tx: Transaction
) -> Shown[schemas.Consent]:
    """Record a consent to what takes one. What rests on law takes none."""
    row = await operations.record_consent(tx, principal, child, new)
    await keys.of_rows(tx, [row])
    consent = queries.consent_of(tx, principal, row)
    return _consents(consent, [consent], subject=child.id)


@router.get("/children/{child_id}/consents")
async def list_child_consents(
    principal: Reads, child: ChildInPath, tx: ReadTransaction, window: Paged, act: Narrowed = None
) -> Shown[Page[schemas.Consent]]:
    """List the consents that concern a child, latest first, those withdrawn too."""
    page = await queries.list_consents(tx, principal, window, child.id, act)
    await keys.of_rows(tx, page.rows)
    answer = page.shown(lambda row: queries.consent_of(tx, principal, row))
    return _consents(answer, answer["items"], children=[child.id])


@router.post(
    "/consents/{consent_id}/withdrawal",
    responses=documented(ConsentWithdrawnAlready, operations.ConsentInvalid),
)
async def withdraw_consent(
    principal: Writes,
    found: ToChange,
    said: schemas.ConsentWithdrawal,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.Consent]:
    """Withdraw a consent: what rests on it stops, and nothing that rests on law does."""
    row = await operations.withdraw_consent(tx, principal, found, said, if_match=if_match)
    await keys.of_rows(tx, [row])
    consent = queries.consent_of(tx, principal, row)
    return _consents(consent, [consent])


def _notices(answer: Any, notices: Sequence[schemas.Notice], **more: Any) -> Shown[Any]:
    since = min((each.told_on for each in notices), default=None)
    more = {"children": [each.child_id for each in notices], **more}
    return Shown(answer, groups=["consents"], since=since, **more)


def _consents(answer: Any, consents: Sequence[schemas.Consent], **more: Any) -> Shown[Any]:
    since = min((each.given_on for each in consents), default=None)
    more = {"children": [each.child_id for each in consents], **more}
    return Shown(answer, groups=["consents"], since=since, **more)
