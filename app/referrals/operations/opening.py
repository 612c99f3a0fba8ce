"""A child is referred: by hand, or by what a visit or a report says. Nothing is without an owner:
where no agency of a kind serves the place, civil affairs have it, else the township, else who asks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.access.roles import roles
from app.children.queries import ChildRef
from app.consents import grounds
from app.consents import queries as consents
from app.core.clock import beginning
from app.core.data import former, keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.data.keys import text_of
from app.core.ids import new_id
from app.core.jobs import events
from app.core.problems import FieldError, Problem
from app.policy import queries as policy
from app.referrals import schemas
from app.referrals.area import WRITE
from app.referrals.events import ChildReferred
from app.referrals.models import NOTE, ReferralSource, ReferralState, codes, sealed_codes
from app.referrals.operations.telling import owed
from app.regions.rules import lineage

_days: Final = policy.lookup("referral.answer_within_days")


def due_at(tx: Tx, place: int) -> datetime:
    """Return when what is asked now is to be answered: at the end of a whole day, as duties are."""
    return beginning(tx.today + timedelta(days=_days(place, tx.today) + 1))


class ReceiverUnknown(Problem, status=422):
    """A child is referred to an agency that can answer."""

    title = "No registered agency of this kind, or with this id, answers referrals"
    title_zh = "没有可答复转介的该类机构,或没有该编号的机构"
    errors = (FieldError("#", "receiver_unknown", "Name a kind or an agency that helps."),)


class ConsentMissing(Problem, status=409):
    """No duty of theirs gives them a child's data: it takes a consent (PIP-23, PIP-31)."""

    title = "This takes the guardian's consent, of under fourteen; record it first"
    title_zh = "须先取得同意(不满十四周岁的由监护人同意)并予以记录"


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that is asked. `to_kind`: of what kind of agency; `to_id`: of which, if one was
    named. `told_to`: see `models.Referral`.
    """

    id: UUID
    from_id: UUID
    to_kind: str
    needs: Sequence[str]
    source: ReferralSource
    source_id: UUID | None = None
    to_id: UUID | None = None
    told_to: Sequence[UUID] | None = None
    note: str | None = None


async def open_referral(
    tx: Tx, principal: Principal, child: ChildRef, new: schemas.ChildReferralCreate
) -> tuple[asyncpg.Record, bool]:
    """Refer a child by hand. Sent again by the same person or system on the same day, in the same
    words, it is the same; also returns whether it is new. Raises ReceiverUnknown, ConsentMissing.
    """
    if new.to_kind is None or new.to_kind not in _answering():
        kind = await kind_of(tx, new.to_agency_id)
    else:
        kind = new.to_kind
    needed = grounds.needed_for(kind)
    if needed and not await consents.stands(tx, child.home_county, child.id, needed.code):
        raise ConsentMissing
    asked = Asked(
        id=new_id(),
        from_id=principal.agency_id,
        to_kind=kind,
        to_id=new.to_agency_id,
        needs=sorted(new.needs),
        source=ReferralSource.by_hand,
        note=new.note,
    )
    before = await _sent_before(tx, child, asked, principal.subject)
    if before is not None:
        return before, False
    [row] = await refer(tx, child.id, child.home_county, [asked], by=principal.subject)
    return row, True


_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('referred/' || $1, 27))"
_SENT: Final = """
SELECT * FROM referrals
WHERE child_id = $1 AND home_county = $2 AND opened_at >= $3 AND opened_by = $4 AND from_id = $5
    AND to_kind = $6 AND to_id = $7 AND source = 'by_hand' AND state <> 'cancelled'
ORDER BY opened_at, id
"""


async def _sent_before(tx: Tx, child: ChildRef, asked: Asked, by: str) -> asyncpg.Record | None:
    """Find what was asked of the same agency today already, in the same words, and not taken back.
    Of two at one moment the second finds the first.
    """
    await tx.connection.execute(_ONE_AT_A_TIME, f"{child.id}/{by}")
    one = {"to_kind": asked.to_kind, "to_id": asked.to_id, "from_id": asked.from_id}
    lives = {"region_code": child.region_code, "school_id": child.school_id}
    [receiver] = await receivers(tx, lives, [one], ())
    today = (child.id, child.home_county, beginning(tx.today), by)
    to = (asked.from_id, asked.to_kind, receiver["id"])
    rows = await tx.connection.fetch(_SENT, *today, *to)
    await keys.of_rows(tx, rows)
    for row in rows:
        sealed = row["note_sealed"]
        if codes(tx.keyring, row, "needs") != sorted(asked.needs):
            continue
        if asked.note == (sealed and text_of(tx.keyring, NOTE, row["id"], sealed)):
            return row
    return None


async def kind_of(tx: Tx, agency_id: UUID | None) -> str:
    """Return the kind of an agency that can answer. Raises ReceiverUnknown."""
    kind: str | None = await tx.connection.fetchval(
        "SELECT kind FROM agencies WHERE id = $1 AND active", agency_id
    )
    if kind is None or kind not in _answering():
        raise ReceiverUnknown
    return kind


def _answering() -> set[str]:
    """Return the kinds of agencies whose people or systems may answer."""
    return {
        kind for role in roles().values() if WRITE.code in role.scopes for kind in role.agency_kinds
    }


# Of each kind the nearest, of those that may know; the one named before all. Of schools the
# child's.
_RECEIVERS: Final = """
SELECT a.id, a.kind FROM UNNEST($1::text[], $2::uuid[], $5::uuid[])
    WITH ORDINALITY AS w (kind, named, sender, position)
LEFT JOIN LATERAL (
    SELECT a.id, a.kind FROM agencies a
    WHERE a.active AND a.id <> ALL ($4::uuid[])
        AND (a.id = w.named OR (a.region_code = ANY ($3::bigint[])
            AND a.kind IN (w.kind, 'civil_affairs', 'township_government')
            AND a.kind <> 'school') OR (w.kind = 'school' AND a.id = $6))
    ORDER BY a.id IS NOT DISTINCT FROM w.named DESC, a.kind = w.kind DESC,
        a.kind = 'civil_affairs' DESC, array_position($3::bigint[], a.region_code), a.id LIMIT 1
) AS near ON true
JOIN agencies a ON a.id = coalesce(near.id, w.sender)
ORDER BY w.position
"""


async def receivers(
    tx: Tx,
    child: Mapping[str, Any],
    asked: Sequence[Mapping[str, Any]],
    not_to: Collection[UUID],
) -> Sequence[asyncpg.Record]:
    """Return, of what is asked of a child (its `region_code` and `school_id`; `to_kind`, `to_id`,
    `from_id`), who has it: its id and kind. One statement.
    """
    named = [each["to_id"] for each in asked]
    senders = [each["from_id"] for each in asked]
    kinds = [each["to_kind"] for each in asked]
    at = list(lineage(child["region_code"]))
    rows: Sequence[asyncpg.Record] = await tx.connection.fetch(
        _RECEIVERS, kinds, named, at, list(not_to), senders, child["school_id"]
    )
    return rows


# What was taken back is asked again, and what more is asked of whom had answered. A child that has
# no file any more is referred to nobody.
_FORMER: Final = former.MAY_RUN.format("$17")
_REFER: Final = f"""
INSERT INTO referrals AS r (id, home_county, child_id, region_code, pupil_of, from_id, to_kind,
    to_id, waits, needs, needs_sealed, source, source_id, told_to, note_sealed, opened_at,
    opened_by, due_at, state, version)
SELECT u.id, c.home_county, c.id, c.region_code, c.school_id, u.from_id, u.to_kind, u.to_id,
    u.waits, CASE WHEN {_FORMER} THEN string_to_array(u.needs, ' ') ELSE '{{}}' END,
    CASE WHEN NOT {_FORMER} THEN u.sealed END, u.source, u.source_id,
    string_to_array(u.told_to, ' ')::uuid[], u.note, $14, $15, $16, 'open', 1
FROM UNNEST($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::boolean[], $8::text[], $9::text[],
    $10::uuid[], $11::text[], $12::bytea[], $18::bytea[])
    AS u (id, from_id, to_kind, to_id, waits, needs, source, source_id, told_to, note, sealed)
JOIN (SELECT * FROM children WHERE id = $1 AND home_county = $2 FOR SHARE) AS c
    ON c.region_code = $13
ON CONFLICT (id, home_county) DO UPDATE
SET needs = excluded.needs, needs_sealed = excluded.needs_sealed, version = r.version + 1,
    state = CASE WHEN r.state = 'accepted' THEN r.state ELSE 'open' END,
    due_at = CASE WHEN r.state IN ('open', 'accepted') THEN r.due_at ELSE excluded.due_at END,
    to_id = CASE WHEN r.state = 'cancelled' THEN excluded.to_id ELSE r.to_id END,
    waits = CASE WHEN r.state = 'cancelled' THEN excluded.waits ELSE r.waits END,
    cancelled_at = NULL, cancelled_by = NULL, reason_sealed = NULL
RETURNING *
"""


_CHILD: Final = """
SELECT region_code, school_id, pg_advisory_xact_lock(hashtextextended('referred/' || id, 27))
FROM children WHERE id = $1 AND home_county = $2 FOR SHARE
"""
_BEFORE: Final = """
SELECT * FROM referrals WHERE home_county = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE
"""


async def _new(tx: Tx, home_county: int, asked: Sequence[Asked]) -> list[Asked]:
    """Return what was not asked in the same words before, or was taken back; of what was answered,
    what asks for more. One at a time refers a child.
    """
    again = [each.id for each in asked if each.source is not ReferralSource.by_hand]
    rows = await tx.connection.fetch(_BEFORE, home_county, again) if again else []
    await keys.of_rows(tx, rows)
    before = {row["id"]: (row["state"], {*codes(tx.keyring, row, "needs")}) for row in rows}
    return [each for each in asked if _is_new(before.get(each.id), {*each.needs})]


def _is_new(before: tuple[str, set[str]] | None, needs: set[str]) -> bool:
    if before is None or before[0] == ReferralState.cancelled:
        return True
    return bool(needs - before[1] or (before[0] != ReferralState.answered and needs != before[1]))


async def refer(
    tx: Tx,
    child_id: UUID,
    home_county: int,
    asked: Sequence[Asked],
    not_to: Collection[UUID] = (),
    *,
    by: str = "system",
) -> Sequence[asyncpg.Record]:
    """Refer a child, and announce what is new of it; returns that. Again, it changes nothing.
    `not_to`: who must learn nothing of what it came of (AZ-8).
    """
    child = await tx.connection.fetchrow(_CHILD, child_id, home_county)
    if child is None or not asked:  # pragma: no cover  the child moved at this moment
        return []
    if not (asked := await _new(tx, home_county, asked)):
        return []
    place = child["region_code"]
    plain = [{"to_kind": a.to_kind, "to_id": a.to_id, "from_id": a.from_id} for a in asked]
    found = await receivers(tx, child, plain, not_to)
    told = [None if a.told_to is None else " ".join(map(str, a.told_to)) for a in asked]
    of = of_child(child_id)
    await keys.load(tx, [of], home_county)
    notes = [None if a.note is None else tx.keyring.seal(NOTE, a.id, a.note, of) for a in asked]
    rows: Sequence[asyncpg.Record] = await tx.connection.fetch(
        _REFER,
        *(child_id, home_county),
        [each.id for each in asked],
        [each.from_id for each in asked],
        [each.to_kind for each in asked],
        [receiver["id"] for receiver in found],
        [receiver["kind"] != each.to_kind for receiver, each in zip(found, asked, strict=True)],
        [" ".join(sorted(each.needs)) for each in asked],
        [each.source for each in asked],
        [each.source_id for each in asked],
        *(told, notes, place, tx.now, by),
        due_at(tx, place),
        former.gone_since(tx),
        [sealed_codes(tx.keyring, each.id, "needs", each.needs, of) for each in asked],
    )
    asking = [row for row in rows if row["state"] == ReferralState.open]
    await events.publish(tx, *[await owed(tx, ChildReferred, row) for row in asking])
    return rows
