"""Who is asked of what is doubted (`presence`), and from whom it is hidden (EDU-01, AZ-8)."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from app.attendance.events import PresenceDoubted, PresenceHandedOver, about
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.jobs import events
from app.regions.rules import SPANS, codes_of

# What tells that a child was elsewhere, and is hidden, hides what is doubted and owed for it.
_HIDE: Final = """
WITH said AS (
    SELECT d.id, h.hidden_from, h.hidden_below FROM presence_doubts d
    JOIN presence_sightings w ON w.home_county = d.home_county AND w.child_id = d.child_id
        AND w.seen_by_id = d.seen_by_id AND w.since <= d.school_day
        AND (w.until IS NULL OR d.school_day <= w.until)
    JOIN hidden_subjects h ON h.subject_id = w.source_id
    WHERE d.child_id = ANY ($1::uuid[])
), doubted AS (
    SELECT * FROM said
    UNION ALL SELECT o.id, s.hidden_from, s.hidden_below FROM said s
    JOIN duties o ON o.subject_id = s.id
)
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)
SELECT id, coalesce(array_agg(DISTINCT agency) FILTER (WHERE agency IS NOT NULL), '{}'),
    max(hidden_below)
FROM doubted LEFT JOIN LATERAL unnest(hidden_from) AS agency ON true GROUP BY id ORDER BY id
ON CONFLICT (subject_id) DO UPDATE
SET hidden_from = excluded.hidden_from, hidden_below = excluded.hidden_below
WHERE hidden_subjects.hidden_from <> excluded.hidden_from
    OR hidden_subjects.hidden_below <> excluded.hidden_below
RETURNING subject_id
"""


def _above(alias: str) -> str:
    """Write, in SQL, the codes of all places in which that of a row lies."""
    code = f"{alias}.region_code"
    return ", ".join((*(f"{code} - {code} % {span}" for span in SPANS), "0"))


_HIDDEN: Final = f"""
SELECT d.*, above.id AS above_id,
    s.id = ANY (h.hidden_from) OR h.hidden_below > {codes_of("s.region_code")} AS kept
FROM presence_doubts d JOIN hidden_subjects h ON h.subject_id = d.id
JOIN agencies s ON s.id = d.school_id
LEFT JOIN LATERAL (
    SELECT a.id FROM agencies a
    WHERE a.active AND ((a.kind = 'education' AND a.region_code IN ({_above("s")}))
            OR (a.kind IN ('civil_affairs', 'township_government')
                AND a.region_code IN ({_above("d")})))
        AND a.id <> ALL (h.hidden_from) AND {codes_of("a.region_code")} >= h.hidden_below
    ORDER BY a.kind = 'education' DESC, a.kind = 'civil_affairs' DESC, a.region_code DESC, a.id
    LIMIT 1) AS above ON true
WHERE d.home_county = $2 AND d.child_id = ANY ($1::uuid[]) AND d.finding IS NULL
ORDER BY d.id FOR UPDATE OF d
"""
"""With who is asked if the school may not know of it, which `kept` says: the nearest education
authority above the school that may, else civil affairs, else the township, of the child's place.
"""
_DOUBTED_IN: Final = """
SELECT DISTINCT home_county FROM presence_doubts
WHERE child_id = ANY ($1::uuid[]) AND finding IS NULL ORDER BY 1
"""
_ASK: Final = "UPDATE presence_doubts SET asked_id = $3 WHERE home_county = $1 AND id = $2"


async def in_turn(tx: Tx, child_ids: Collection[UUID]) -> None:
    """Let whoever doubts where children were, and whoever hides what tells of it, take turns: the
    second sees what the first wrote. Before either touches what is doubted. One statement.
    """
    await tx.connection.execute(hiding.ONE_AT_A_TIME, sorted({*child_ids}))


async def hide(tx: Tx, child_ids: Sequence[UUID], *, new: Collection[UUID] = ()) -> set[UUID]:
    """Let what is doubted of children be hidden from whom that is hidden which tells of it by now.
    What a school must learn nothing of is asked of an office above it that may know, and while
    there is none, of nobody; of all else the school and the education authority alone are told.
    `new`: what nobody has been told of so far. Returns what they were told of. In SYSTEM's reach;
    again, it changes nothing.
    """
    if not child_ids:
        return set()
    await in_turn(tx, child_ids)
    changed = {row["subject_id"] for row in await tx.connection.fetch(_HIDE, child_ids)}
    await hiding.note(tx.connection, changed)
    counties = await tx.connection.fetch(_DOUBTED_IN, child_ids)
    rows = [
        row
        for county in counties
        for row in await tx.connection.fetch(_HIDDEN, child_ids, county["home_county"])
    ]
    said: list[events.Event] = []
    for row in rows:
        hidden, fresh = row["id"] in changed, row["id"] in new
        kept = row["kept"] or row["asked_id"] is not None
        asked = row["above_id"] if kept else None
        told = [asked] if kept else [row["school_id"], row["above_id"]]
        handed = asked != row["asked_id"] or (kept and asked is None and hidden)
        if handed and not (asked is None and fresh):
            await tx.connection.execute(_ASK, row["home_county"], row["id"], asked)
            about_it = {**about(row), "told_to": _those(asked)}
            said.append(PresenceHandedOver(**about_it, asked_id=asked))
        # What is owed already is shielded.
        if (hidden or fresh) if not kept else (handed and not fresh):
            said.append(PresenceDoubted(**about(row), told_to=_those(*told)))
    await events.publish(tx, *said)
    return {each.subject_id for each in said} | {row["id"] for row in rows if row["kept"]}


def _those(*agencies: UUID | None) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(each for each in agencies if each is not None))


_OVERSEE: Final = f"""
UPDATE presence_doubts d SET overseer_id = n.office
FROM presence_doubts o JOIN agencies s ON s.id = o.school_id
LEFT JOIN LATERAL (
    SELECT a.id AS office FROM agencies a WHERE a.active AND a.kind = 'education'
        AND a.region_code IN ({_above("s")}) ORDER BY a.region_code DESC, a.id LIMIT 1
) AS n ON true
WHERE d.id = o.id AND d.home_county = o.home_county AND o.id = ANY ($1::uuid[])
    AND o.overseer_id IS DISTINCT FROM n.office
"""


async def oversee(tx: Tx, doubts: Sequence[UUID]) -> None:
    """Enter which education authority is above the school of each by now, which reads it. One
    statement; again, it changes nothing.
    """
    await tx.connection.execute(_OVERSEE, doubts)


_SET: Final = 500
_TO_ASK: Final = """
SELECT d.id, d.child_id,
    EXISTS (SELECT FROM hidden_subjects h WHERE h.subject_id = d.id OFFSET 0)
    AND NOT EXISTS (
        SELECT FROM agencies a WHERE a.id = d.asked_id AND a.kind = 'education' AND a.active
        OFFSET 0) AS to_ask
FROM presence_doubts d WHERE d.finding IS NULL AND d.id > $1 ORDER BY d.id LIMIT $2
"""
"""By `ix_presence_doubts_open`."""


async def ask_again(tx: Tx, after: UUID) -> UUID | None:
    """Ask, of one set of what is doubted of which a school must learn nothing, whoever has been
    registered since, and let who is above the schools by now read it; returns after which to go on,
    None at the end. In SYSTEM's reach.
    """
    rows = await tx.connection.fetch(_TO_ASK, after, _SET)
    await oversee(tx, [row["id"] for row in rows])
    if children := sorted({row["child_id"] for row in rows if row["to_ask"]}):
        await hide(tx, children)
    return rows[-1]["id"] if len(rows) == _SET else None
