"""Propose what takes two people, decide, withdraw, use once; and review what one did alone."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from fastapi import Request

from app.access import events
from app.access.acts import Afterwards, ApprovalRequired, Guard, PersonRequired
from app.access.approvals import queries, schemas
from app.access.approvals.acts import (
    ACTS,
    REVIEW_ACTS,
    WHY_UNUSABLE,
    ApprovalUnusable,
    NotGuarded,
    NotYoursToDecide,
    NotYoursToPropose,
    ProposalUnsound,
    why_unusable,
)
from app.access.approvals.models import ALONE_REASON, BODY, DECISION_REASON, NOTE, REASON
from app.access.approvals.trying import Said, scope_of, tried
from app.access.area import WRITE_APPROVALS
from app.access.events import Verdict
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import insert
from app.core.http.shown import Shown
from app.core.ids import new_id
from app.core.jobs import queue
from app.core.jobs.events import publish
from app.regions import rules as regions

LASTS: Final = timedelta(hours=72)
"""How long a proposal can be decided and used: a weekend, and no habit."""
REVIEW_DUE: Final = "access.review_due"
_EXPIRES: Final = "SELECT statement_timestamp() + $1::interval"


async def propose(
    tx: Tx, request: Request, principal: Principal, new: schemas.ApprovalCreate
) -> tuple[UUID, Shown[Any]]:
    """Keep a request for another person to decide; return its id, and what it would have shown.
    Raises PersonRequired, and what `tried` raises.
    """
    if principal.staff_id is None:
        raise PersonRequired
    said = Said(new.operation, new.path, new.body)
    shown = await tried(tx, request, principal, said)
    about, identity = shown.about, new_id()
    expires_at: datetime = await tx.connection.fetchval(_EXPIRES, LASTS)
    row = {
        "id": identity,
        "operation": new.operation,
        "scope": scope_of(request.app, new.operation),
        "path": new.path,
        "subject_id": _named(new.path),
        "fingerprint": _fingerprints(tx, said)[0],
        "body_sealed": None
        if new.body is None
        else tx.keyring.seal(BODY, identity, orjson.dumps(new.body)),
        "reason_sealed": tx.keyring.seal(REASON, identity, new.reason),
        "role": principal.role.code,
        "proposed_by": principal.staff_id,
        "agency_id": principal.agency_id,
        "concerns_id": about["agency_id"],
        "region_code": about["agency_region"],
        "proposed_at": tx.now,
        "expires_at": expires_at,
    }
    await insert(tx.connection, "approvals", row)
    await publish(tx, events.ApprovalProposed(**_told(principal, row), expires_at=expires_at))
    return identity, shown


async def decide(
    tx: Tx,
    request: Request,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.Decision,
) -> tuple[UUID, ...]:
    """Approve or refuse, as another person who could do the same; return the children it is about.
    Raises PersonRequired, NotYoursToDecide, AnotherPersonNeeded, ApprovalClosed;
    ProposalUnsound and NotGuarded of what is approved.
    """
    ACTS["decideApproval"].require(principal, row, tx.today)
    proposed = Said(row["operation"], row["path"], _body(tx, row))
    children: tuple[UUID, ...] = ()
    try:
        shown = await tried(tx, request, principal, proposed)
        children = tuple(each for each in shown.children if each is not None)
    except NotYoursToPropose as refused:
        raise NotYoursToDecide(refused.detail) from None
    except (ProposalUnsound, NotGuarded):
        if said.verdict is Verdict.approved:
            raise
    await tx.connection.execute(
        "UPDATE approvals SET verdict = $2, decided_by = $3, decided_in = $4, decided_at = $5,"
        " decision_reason_sealed = $6 WHERE id = $1",
        row["id"],
        said.verdict,
        principal.staff_id,
        principal.agency_id,
        tx.now,
        tx.keyring.seal(DECISION_REASON, row["id"], said.reason),
    )
    await publish(tx, events.ApprovalDecided(**_told(principal, row), verdict=said.verdict))
    return children


async def withdraw(tx: Tx, principal: Principal, row: asyncpg.Record) -> None:
    """Take a proposal, or one's approval of it, back before it is used. Raises NotYoursToWithdraw,
    ApprovalClosed.
    """
    ACTS["withdrawApproval"].require(principal, row, tx.today)
    await tx.connection.execute(
        "UPDATE approvals SET withdrawn_at = $2 WHERE id = $1", row["id"], tx.now
    )
    await publish(tx, events.ApprovalWithdrawn(**_told(principal, row)))


# All of it once more, held: of two at one moment the second finds it used. The second person counts
# as long as they hold the post in which they decided, and are still known as another person.
_USE: Final = """
UPDATE approvals a SET used_at = $8
WHERE a.id = $1 AND a.proposed_by = $2 AND a.agency_id = $3 AND a.role = $4
  AND a.operation = $5 AND a.fingerprint = ANY ($6)
  AND a.verdict = 'approved' AND a.used_at IS NULL AND a.withdrawn_at IS NULL
  AND a.expires_at > clock_timestamp() AND a.decided_by <> ALL ($9::uuid[])
  AND EXISTS (
    SELECT FROM post_holdings h JOIN posts p ON p.id = h.post_id AND p.active
    JOIN agencies g ON g.id = p.agency_id AND g.active
    WHERE h.staff_id = a.decided_by AND p.agency_id = a.decided_in AND p.role = a.role
      AND h.since <= $7::date AND (h.until IS NULL OR h.until > $7::date))
RETURNING a.*
"""
_WORKS: Final = """
SELECT EXISTS (SELECT FROM staff s JOIN staff_accounts a ON a.staff_id = s.id AND a.active
               WHERE s.id = $1 AND s.active)
"""


async def use(
    request: Request,
    guard: Guard,
    principal: Principal,
    approval_id: UUID | None,
    tx: Tx,
    shown: Shown[Any],
    subject: UUID | None,
) -> tuple[UUID, ...]:
    """Let through what was done, if one person may do it, or another has approved it; return what
    else is told of. Raises ApprovalRequired, ApprovalUnusable.
    """
    del subject
    if not guard.asks(principal, shown.about, tx.today):
        return ()
    if approval_id is None:
        raise ApprovalRequired
    operation = request.scope["route"].unique_id
    body = await request.json() if await request.body() else None
    fingerprints = _fingerprints(tx, Said(operation, request.scope["path"], body))
    row = await tx.connection.fetchrow(
        _USE,
        approval_id,
        principal.staff_id,
        principal.agency_id,
        principal.role.code,
        operation,
        fingerprints,
        tx.today,
        tx.now,
        list(principal.selves),
    )
    if row is None:
        known = await queries.proposed_by(tx, principal.staff_id, approval_id)
        code = why_unusable(known, operation, fingerprints)
        raise ApprovalUnusable.at("Approval", code, WHY_UNUSABLE[code])
    async with tx.as_system():  # accounts are seen by nobody else
        works = await tx.connection.fetchval(_WORKS, row["decided_by"])
    if not works:
        raise ApprovalUnusable.at("Approval", "approver_left", "Have another person decide.")
    await publish(tx, events.ApprovalUsed(**_told(principal, row)))
    return (approval_id,)


async def done_alone(
    request: Request,
    afterwards: Afterwards,
    principal: Principal,
    tx: Tx,
    shown: Shown[Any],
    subject: UUID | None,
) -> tuple[UUID, ...]:
    """Leave a review of what one did, which another person owes."""
    if not afterwards.owes(principal, shown.about, tx.today):
        return ()
    about, identity = shown.about, new_id()
    reason = about.get("reason")
    role, region = await _reviewer(tx, principal, about["agency_region"], afterwards.by)
    due_at: datetime = await tx.connection.fetchval(_EXPIRES, afterwards.within)
    row = {
        "id": identity,
        "operation": request.scope["route"].unique_id,
        "scope": scope_of(request.app, request.scope["route"].unique_id),
        "path": request.scope["path"],
        "subject_id": subject,
        "reason_sealed": None
        if reason is None
        else tx.keyring.seal(ALONE_REASON, identity, reason),
        "role": role,
        "done_by": principal.staff_id,
        "agency_id": principal.agency_id,
        "concerns_id": about["agency_id"],
        "region_code": region,
        "done_at": tx.now,
        "due_at": due_at,
    }
    await insert(tx.connection, "reviews", row)
    alone = events.ActedAlone(
        **_place(principal, row),
        review_id=identity,
        done_by_agency_id=principal.agency_id,
        due_at=due_at,
    )
    await publish(tx, alone)
    await queue.enqueue(tx.connection, REVIEW_DUE, [{"id": str(identity)}], delay=afterwards.within)
    return (identity,)


_COLLEAGUE: Final = """
SELECT EXISTS (
    SELECT FROM post_holdings h JOIN posts p ON p.id = h.post_id AND p.active
    JOIN staff s ON s.id = h.staff_id AND s.active
    JOIN staff_accounts a ON a.staff_id = s.id AND a.active
    WHERE p.agency_id = $1 AND p.role = $2 AND h.staff_id <> ALL ($3::uuid[])
      AND h.since <= $4::date AND (h.until IS NULL OR h.until > $4::date))
"""
_LOOKED_AFTER_BY: Final = {"administrator": "operator"}
"""Above an administrator there is no other of the same line, but who looks after all accounts."""
ROLE_ABOVE: Final = "(CASE {0} WHEN 'administrator' THEN 'operator' ELSE {0} END)"
"""The same, of a review in SQL."""
_OF_WHO_SHARES_NO_POWER: Final = "civil_affairs"
"""Who reviews what a school's system or an education authority did over a place."""


async def _reviewer(
    tx: Tx, principal: Principal, region: int | None, by: str | None
) -> tuple[str, int | None]:
    """Say in which role, and over which place, somebody reviews: where it is the agency's own to do
    and nobody else is in the post, or they are suspended, those above it.
    """
    role, agency = by or principal.role.code, principal.agency_id
    if by is None and WRITE_APPROVALS.code not in principal.role.scopes:
        role = _OF_WHO_SHARES_NO_POWER
    if region is not None:
        return role, region
    async with tx.as_system():  # accounts are seen by nobody else
        colleague = await tx.connection.fetchval(
            _COLLEAGUE, agency, role, list(principal.selves), tx.today
        )
    if colleague:
        return role, None
    await pass_up(tx, agency, principal.region_code, role=role)
    return _LOOKED_AFTER_BY.get(role, role), principal.region_code


async def pass_up(tx: Tx, agency_id: UUID, region: int, *, role: str | None = None) -> None:
    """Let those above review what an agency's own people cannot any more: nobody else is in that
    `role`, or the agency closes.
    """
    async with tx.as_system():
        await tx.connection.execute(
            "UPDATE reviews SET region_code = $2,"
            f" role = {ROLE_ABOVE.format('role')}"
            " WHERE agency_id = $1 AND region_code IS NULL AND finding IS NULL"
            " AND ($3::text IS NULL OR role = $3)",
            agency_id,
            region,
            role,
        )


async def pass_on(tx: Tx, agency_id: UUID, successor_id: UUID) -> None:
    """Let an agency's people review in another what they owe: theirs are its people from now on."""
    async with tx.as_system():
        await tx.connection.execute(
            "UPDATE reviews SET agency_id = $2"
            " WHERE agency_id = $1 AND region_code IS NULL AND finding IS NULL",
            agency_id,
            successor_id,
        )


async def finish_review(
    tx: Tx, principal: Principal, row: asyncpg.Record, said: schemas.ReviewFinding
) -> None:
    """Say of what one did alone whether it was in order, as another person who could have done it.
    Raises PersonRequired, NotYoursToDecide, AnotherPersonNeeded, ReviewDone.
    """
    REVIEW_ACTS["finishReview"].require(principal, row, tx.today)
    await tx.connection.execute(
        "UPDATE reviews SET finding = $2, reviewed_by = $3, reviewed_in = $4, reviewed_at = $5,"
        " note_sealed = $6 WHERE id = $1",
        row["id"],
        said.finding,
        principal.staff_id,
        principal.agency_id,
        tx.now,
        tx.keyring.seal(NOTE, row["id"], said.note),
    )


def shown(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an approval as on the wire, whole."""
    said = row["decision_reason_sealed"]
    return {
        **row,
        "body": _body(tx, row),
        "reason": tx.keyring.unseal(REASON, row["id"], row["reason_sealed"]),
        "decision_reason": said and tx.keyring.unseal(DECISION_REASON, row["id"], said),
    }


def shown_review(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a review as on the wire, whole."""
    reason, note = row["reason_sealed"], row["note_sealed"]
    return {
        **row,
        "reason": reason and tx.keyring.unseal(ALONE_REASON, row["id"], reason),
        "note": note and tx.keyring.unseal(NOTE, row["id"], note),
    }


def _fingerprints(tx: Tx, said: Said) -> list[bytes]:
    return tx.keyring.blind_indexes("approval", said.text.decode())


def _body(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any] | None:
    sealed = row["body_sealed"]
    if sealed is None:
        return None
    body: dict[str, Any] = orjson.loads(tx.keyring.unseal_bytes(BODY, row["id"], sealed))
    return body


def _named(path: str) -> UUID | None:
    """Return the id that a path names first."""
    for part in path.split("/"):
        try:
            return UUID(part)
        except ValueError:
            continue
    return None


def _told(principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every event of an approval says, and to whom."""
    return {
        **_place(principal, row),
        "approval_id": row["id"],
        "proposed_by_agency_id": row["agency_id"],
    }


def _place(principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    return place_of(
        row, principal.region_code if row["region_code"] is None else row["region_code"]
    )


def place_of(
    row: Mapping[str, Any], place: int, *, also: Collection[UUID | None] = ()
) -> dict[str, Any]:
    """Return what every event says of where it belongs and what it is about; and whom it is told:
    who acted, whom it concerns, and others besides.
    """
    county = regions.county_of(place) if regions.lies_in_a_county(place) else place
    return {
        "subject_id": row["id"],
        "region_code": place,
        "home_county": county,
        "told_to": tuple({row["agency_id"], row["concerns_id"], *also} - {None}),
        "operation": row["operation"],
        "concerns_agency_id": row["concerns_id"],
    }
