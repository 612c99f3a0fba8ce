"""Reads of referrals. Every one starts from `visible`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.children import sealing
from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.keys import text_of
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text
from app.referrals import schemas
from app.referrals.acts import ACTS
from app.referrals.models import ANSWER, NOTE, REASON, ReferralSource, codes
from app.regions.rules import SPANS
from app.visits import area as visits

_NEWEST: Final = paging.Order({"r.opened_at": datetime, "r.id": UUID}, descending=True)
_COUNTY: Final = SPANS[2]
"""Codes that the remit of a county holds."""


class Filters(NamedTuple):
    """What a list is narrowed to; None means any."""

    child_id: UUID | None = None
    state: str | None = None
    sent_by: UUID | None = None
    held_by: UUID | None = None
    region: tuple[int, int] | None = None


def visible(principal: Principal) -> Where:
    """Limit `referrals r` to those the caller's agency sent or holds and, for whoever looks after
    the children of a region and so reads what is found there, to all of them; never to what came
    of a report that they must learn nothing of (AZ-8).
    """
    where = Where("r.from_id = {}", principal.agency_id)
    where.or_else("r.to_id = {}", principal.agency_id)
    if principal.role.relation == "region" and visits.READ.code in principal.scopes:
        span = (principal.region_lo, principal.region_hi)
        where.or_else("r.region_code >= {} AND r.region_code < {}", *span)
    codes = principal.region_hi - principal.region_lo
    return where.add(hiding.shown("r.id"), principal.agency_id, codes, principal.agencies)


async def find(
    tx: Tx, principal: Principal, referral_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one the caller may know of; hold it `for_update`, with its county: then two
    statements.
    """
    where = visible(principal).add("r.id = {}", referral_id)
    found = await tx.connection.fetchrow(f"{_FIND} WHERE {where}", *where.arguments)
    if found is None or not for_update:
        return found
    where.add("r.home_county = {}", found["home_county"])
    return await tx.connection.fetchrow(f"{_FIND} WHERE {where} FOR UPDATE", *where.arguments)


_FIND: Final = "SELECT r.* FROM referrals r"


async def list_referrals(
    tx: Tx, principal: Principal, window: paging.Window, filters: Filters, act: Act | None
) -> paging.Rows:
    """Return a page, newest first."""
    where = visible(principal).add_given(
        {
            "r.child_id = {}": filters.child_id,
            "r.state = {}": filters.state,
            "r.from_id = {}": filters.sent_by,
            "r.to_id = {}": filters.held_by,
        }
    )
    if filters.region is not None:
        where.add("r.region_code >= {} AND r.region_code < {}", *filters.region)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="r")
    return await paging.fetch(tx, "SELECT r.* FROM referrals r", where, _NEWEST, window)


async def shown(
    tx: Tx, principal: Principal, rows: Sequence[Mapping[str, Any]]
) -> list[schemas.ChildReferral]:
    """Show rows as the caller is shown them. One statement: of whom they are, which whoever was
    asked to help need not see otherwise.
    """
    async with tx.as_system():
        found = await tx.connection.fetch(
            f"SELECT c.id, {sealing.NAMED}, c.birth_date FROM children c"
            " WHERE c.id = ANY ($1::uuid[])",
            [row["child_id"] for row in rows],
        )
    children = {
        child["id"]: {**child, "name": sealing.named(tx.keyring, child)[0]} for child in found
    }
    await keys.of_rows(tx, rows)
    return [_shown(tx, principal, row, children[row["child_id"]]) for row in rows]


def _shown(
    tx: Tx, principal: Principal, row: Mapping[str, Any], child: Mapping[str, Any]
) -> schemas.ChildReferral:
    between = principal.agency_id in {row["from_id"], row["to_id"]}
    told = between or principal.region_hi - principal.region_lo >= _COUNTY

    def words(place: str, column: str) -> str | None:
        sealed = row[column] if told else None
        return None if sealed is None else text_of(tx.keyring, place, row["id"], sealed)

    answer = None
    if row["answer"] is not None:
        said = {name: row[name] for name in ("answer", "done_on", "answered_at", "answered_by")}
        # Who reports what they found is nobody's to know, of whom the sender may be one (AZ-9).
        theirs = principal.agency_id == row["to_id"]
        found = codes(tx.keyring, row, "found") if theirs else []
        sealed = words(ANSWER, "answer_sealed")
        answer = schemas.ReferralAnswer(**said, words=sealed, found=found)
    cancelled = None
    if row["cancelled_at"] is not None:
        said = {name: row[name] for name in ("cancelled_at", "cancelled_by")}
        cancelled = schemas.ReferralCancelled(**said, reason=words(REASON, "reason_sealed"))
    return schemas.ChildReferral(
        **{name: row[name] for name in _PLAIN},
        needs=codes(tx.keyring, row, "needs"),
        child=schemas.ReferredChild(
            name=child["name"],
            birth_date=child["birth_date"],
            region_code=region_text(row["region_code"]),
        ),
        from_agency_id=row["from_id"],
        to_agency_id=row["to_id"],
        visit_id=row["source_id"] if row["source"] == ReferralSource.visit else None,
        note=words(NOTE, "note_sealed"),
        answer=answer,
        cancelled=cancelled,
        permitted=permitted(ACTS, principal, row, tx.today),
    )


_PLAIN: Final = (
    *("id", "child_id", "to_kind", "waits", "source", "opened_at", "due_at"),
    *("state", "version"),
)


_UNANSWERED: Final = "r.to_id = {} AND r.state IN ('open', 'accepted')"


async def unanswered(tx: Tx, principal: Principal, agency_id: UUID, *, most: int) -> asyncpg.Record:
    """Count what an agency was referred and has not answered: what of it the caller may know."""
    where = visible(principal).add(_UNANSWERED, agency_id)
    late = where.bind(tx.now)
    return await tx.connection.fetchrow(
        "SELECT count(*) AS open, count(*) FILTER (WHERE o.late) AS overdue FROM ("
        f"SELECT r.due_at <= {late} AS late FROM referrals r WHERE {where} LIMIT {most}) o",
        *where.arguments,
    )


async def answers(tx: Tx, agency_id: UUID) -> bool:
    """Tell whether an agency has not answered something. Needs the SYSTEM reach."""
    where = Where(_UNANSWERED, agency_id)
    sql = f"SELECT true FROM referrals r WHERE {where} LIMIT 1"
    return await tx.connection.fetchval(sql, *where.arguments) is not None
