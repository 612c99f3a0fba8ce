"""Reads of the queue. Every one starts from `visible`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.access.roles import role
from app.agencies.queries import lineage_in_sql, serving_in_sql
from app.core.clock import local_date
from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.envelopes import Erased
from app.core.data.sql import Where
from app.core.http import paging
from app.regions.rules import codes_of, lineage, subtree
from app.unresolved import models
from app.unresolved.acts import ACTS, OFFICE, above_school, may_settle
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.rules import ABOVE_SCHOOLS, OWNERS


@dataclass(frozen=True, slots=True)
class Sender:
    """A caller as they were when they sent something: by this authority it is tried again, for the
    place it was sent from.
    """

    subject: str
    staff_id: UUID | None
    client_id: UUID | None
    agency_id: UUID
    agency_kind: str
    role: str


def written_down(principal: Principal) -> str:
    """Write down who is calling, as JSON."""
    said = {name: getattr(principal, name) for name in Sender.__slots__}
    sender = asdict(Sender(**{**said, "role": principal.role.code}))
    return orjson.dumps(sender, default=str).decode()


def sender_of(row: Mapping[str, Any]) -> Principal:
    """Return who sent what waits for a question, as a caller who may see what they saw, and do
    nothing.
    """
    sender, place = row["sender"], row["sent_from"]
    lo, hi = subtree(place)
    ids = {name: sender[name] and UUID(sender[name]) for name in ("staff_id", "client_id")}
    return Principal(
        **{**sender, **ids, "agency_id": UUID(sender["agency_id"]), "role": role(sender["role"])},
        region_code=place,
        region_lo=lo,
        region_hi=hi,
        scopes=frozenset(),
        request_id="unresolved",
        ip=None,
    )


# Where the caller's own place has an education authority, no row is looked at for one.
_OF_KIND: Final = f"""u.kind = ANY ({{}}::text[]) OR (u.kind = '{UnresolvedKind.attendance}'
    AND NOT EXISTS (SELECT FROM agencies a WHERE a.active AND a.kind = 'education'
        AND a.region_code = ANY ({{}}::bigint[]))
    AND {above_school("u.region_code")} = {{}})"""


def visible(principal: Principal) -> Where:
    """Limit `unresolved u` to what the caller may know of: an office that owes answers sees those
    of its kinds in its region, or is asked in the place of one (`ABOVE_SCHOOLS`), but for those
    about a report of which it must learn nothing (AZ-8); whoever else what their own agency sent.
    """
    kinds = OWNERS.get(principal.role.code)
    if kinds is None:
        return Where("u.agency_id = {}", principal.agency_id)
    codes = principal.region_hi - principal.region_lo
    where = Where(
        "u.region_code >= {} AND u.region_code < {}", principal.region_lo, principal.region_hi
    )
    own = ([*kinds], [*lineage(principal.region_code)], principal.role.code)
    return where.add(_OF_KIND, *own).add(
        f"u.about_id IS NULL OR {hiding.shown('u.about_id')}",
        principal.agency_id,
        codes,
        principal.agencies,
    )


_READING: Final = """
SELECT a.{columns} FROM agencies a
WHERE a.active AND a.kind = ANY ({kinds}::text[]) AND a.region_code = ANY ({places}::bigint[])
    AND {shown}
ORDER BY a.region_code DESC, a.id
"""
_READERS: Final = _READING.format(
    columns="id, a.kind",
    kinds="$1",
    places="$2",
    shown=hiding.shown("$3::uuid", "a.id", codes_of("a.region_code"), "ARRAY[a.id]"),
)
_REPORTS: Final = f"""
SELECT u.*, ARRAY({
    _READING.format(
        columns="id",
        kinds="$1",
        places=f"ARRAY[{lineage_in_sql('u.region_code')}]",
        shown=hiding.shown("u.about_id", "a.id", codes_of("a.region_code"), "ARRAY[a.id]"),
    )
}) AS readers, ARRAY(SELECT jsonb_array_elements_text((
    SELECT e.told_to FROM events e
    WHERE e.subject_id = u.id AND e.wire_name = 'unresolved.report_unresolved'
    ORDER BY e.id DESC LIMIT 1))::uuid) AS told
FROM unresolved u WHERE u.state = 'open' AND {{which}}
"""
_SET: Final = _REPORTS.format(which="u.about_id > $2 ORDER BY u.about_id LIMIT $3")
"""Open questions about reports, by `uq_unresolved_asked_about`, as `told` and `readers` of now."""
_HELD: Final = _REPORTS.format(which="u.id = ANY ($2::uuid[]) ORDER BY u.about_id")
_HOLD: Final = """
SELECT id FROM unresolved WHERE id = ANY ($1::uuid[]) AND state = 'open'
ORDER BY id FOR UPDATE SKIP LOCKED
"""


def _kinds(kind: UnresolvedKind) -> list[str]:
    """Return the kinds of agencies that own questions of a kind."""
    owners = [role(owner) for owner, owned in OWNERS.items() if kind in owned]
    return sorted({each for owner in owners for each in owner.agency_kinds})


async def of_reports(tx: Tx, after: UUID, most: int) -> list[asyncpg.Record]:
    """Return a set of the open questions about reports, in the order of these, with the agencies
    that may read each now (`readers`) and those told last (`told`). For jobs. One statement.
    """
    kinds = _kinds(UnresolvedKind.report)
    found: list[asyncpg.Record] = await tx.connection.fetch(_SET, kinds, after, most)
    return found


async def held_of_reports(tx: Tx, questions: Sequence[UUID]) -> list[asyncpg.Record]:
    """Hold those of these that nobody else holds, and return them likewise, as they are once they
    are held. Two statements.
    """
    held = [row["id"] for row in await tx.connection.fetch(_HOLD, questions)]
    found: list[asyncpg.Record] = await tx.connection.fetch(
        _HELD, _kinds(UnresolvedKind.report), held
    )
    return found


async def readers(
    tx: Tx,
    kind: UnresolvedKind,
    place: int,
    sender: UUID | None = None,
    about: UUID | None = None,
) -> tuple[UUID, ...]:
    """Return the agencies that may read a question of a kind about a place: the offices of it and
    above it that own such questions, nearest first, and whoever sent what waits. `about`: the
    report it is about, if it is about one, of which some must learn nothing.
    """
    of_school = kind is UnresolvedKind.attendance
    asked = [*ABOVE_SCHOOLS] if of_school else _kinds(kind)
    async with tx.as_system():
        rows = await tx.connection.fetch(_READERS, asked, [*lineage(place)], about)
    if of_school:
        first = min((asked.index(row["kind"]) for row in rows), default=0)
        rows = [row for row in rows if row["kind"] == asked[first]]
    return tuple(dict.fromkeys([*(row["id"] for row in rows), *([sender] if sender else [])]))


# Whose answer it is: an agency may close, or a nearer one come, at any time.
_QUESTIONS: Final = f"""
SELECT u.*, CASE WHEN u.kind = '{UnresolvedKind.referral}'
                 THEN {serving_in_sql(OFFICE, "u.region_code")} END AS office_ids,
    CASE WHEN u.kind = '{UnresolvedKind.attendance}'
         THEN {above_school("u.region_code")} END AS above_school
FROM unresolved u"""
_BY_DUE: Final = paging.Order({"u.due_at": datetime, "u.id": UUID})


async def list_unresolved(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    kind: UnresolvedKind | None,
    state: UnresolvedState | None,
    abnormal: bool | None,
    sender: UUID | None,
    region: tuple[int, int] | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page of the questions the caller may know of, in the order they fall due. `sender`:
    the agency that sent what waits.
    """
    where = visible(principal).add_given(
        {
            "u.kind = {}": kind,
            "u.state = {}": state,
            "u.abnormal = {}": abnormal,
            "u.agency_id = {}": sender,
        }
    )
    own = OWNERS.get(principal.role.code)
    if kind and own is not None and kind not in {*own, UnresolvedKind.attendance}:
        where.add("false")  # or all would be read to find none
    if region is not None:
        where.add("u.region_code >= {} AND u.region_code < {}", *region)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="u")
    return await paging.fetch(tx, _QUESTIONS, where, _BY_DUE, window)


async def find(
    tx: Tx, principal: Principal, unresolved_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one question the caller may know of; lock it for a change, with that of the other office
    if there is one, in the order of their ids: both offices may answer at one moment.
    """
    where = visible(principal).checked().add("u.id = {}", unresolved_id)
    statement = f"{_QUESTIONS} WHERE {where}"
    if for_update:
        twin_id = await tx.connection.fetchval(
            f"SELECT u.twin_id FROM unresolved u WHERE {where}", *where.arguments
        )
        if twin_id is not None:
            async with tx.as_system():
                await tx.connection.execute(_LOCK, [unresolved_id, twin_id])
        statement += " FOR UPDATE OF u"
    return await tx.connection.fetchrow(statement, *where.arguments)


_LOCK: Final = "SELECT FROM unresolved WHERE id = ANY ($1) ORDER BY id FOR UPDATE"


_EVIDENCE: Final = """
SELECT * FROM unresolved_evidence WHERE unresolved_id = $1 AND (waiting OR NOT $3)
ORDER BY received_at, id LIMIT $2
"""


async def evidence(
    tx: Tx, unresolved_id: UUID, *, most: int | None, waiting: bool
) -> list[asyncpg.Record]:
    """Return what was sent about a question, oldest first; only what still waits, if `waiting`."""
    found: list[asyncpg.Record] = await tx.connection.fetch(_EVIDENCE, unresolved_id, most, waiting)
    await keys.of_rows(tx, found)
    return found


def said(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was sent, as it was sent; nothing, if that was erased. Its key is open."""
    return _read(tx, models.SENT, row, "sent_sealed") or {}


def corrected(tx: Tx, row: Mapping[str, Any]) -> list[Any]:
    """Return what something sent was corrected to, one after the other, while it was stored with a
    child from whom it was taken back.
    """
    return _read(tx, models.CORRECTED, row, "corrected_sealed") or []


def claim_of(tx: Tx, row: Mapping[str, Any], column: str = "claim_sealed") -> dict[str, Any] | None:
    """Return whom a question is said to be about: `{"child_id"}` or `{"student"}`."""
    claim: dict[str, Any] | None = _read(tx, models.CLAIM, row, column)
    return claim


def _read(tx: Tx, place: str, row: Mapping[str, Any], column: str) -> Any:
    if row[column] is None:
        return None
    try:
        return orjson.loads(tx.keyring.unseal_bytes(place, row["id"], row[column]))
    except Erased:
        return None


def shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a question (`schemas.Unresolved`). The files it names, and what offices say of them, are
    told to who settles it.
    """
    settles = may_settle(principal, row, tx.today)
    sender = row["sender"]
    plain = (
        *("id", "kind", "reason", "region_code", "state", "due_at", "received_at", "updated_at"),
        *("settled_at", "settled_by", "version", "abnormal", "file_opened"),
    )
    referral = row["kind"] == UnresolvedKind.referral
    by_school = row["agency_id"] if row["kind"] == UnresolvedKind.attendance else None
    return {
        **{name: row[name] for name in plain},
        "region_code": f"{row['region_code']:012d}",
        "owner": {
            "role": row["owner_role"],
            "agency_id": next(iter(row["office_ids"]), None) if referral else by_school,
            "answers_alone": referral and row["twin_id"] is None,
        },
        "sender": sender
        and {
            "agency_id": sender["agency_id"],
            "role": sender["role"],
            "region_code": f"{row['sent_from']:012d}",
        },
        "claim": claim_of(tx, row),
        "child_id": row["child_id"] if settles else None,
        "other_child_id": row["other_child_id"] if settles else None,
        "report_id": row["about_id"],
        "overdue": row["state"] == UnresolvedState.open and row["due_at"] <= tx.now,
        "words": _words(tx, models.WORDS, row, "words_sealed"),
        "dismissal_proposed": _dismissal(tx, row),
        "taken_back": _taken_back(tx, row),
        "answers": _answers(tx, row) if settles else [],
        "permitted": permitted(ACTS, principal, row, tx.today),
    }


def _words(tx: Tx, place: str, row: Mapping[str, Any], column: str) -> str | None:
    sealed = row[column]
    return None if sealed is None else keys.text_of(tx.keyring, place, row["id"], sealed)


def _dismissal(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["dismissal_by"] is None:
        return None
    words = _words(tx, models.DISMISSAL, row, "dismissal_sealed")
    return {"by": row["dismissal_by"], "words": words, "proposed_at": row["dismissal_at"]}


def _taken_back(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["taken_back_by"] is None:
        return None
    words = _words(tx, models.TAKEN_BACK, row, "taken_back_sealed")
    return {"by": row["taken_back_by"], "words": words, "taken_back_at": row["taken_back_at"]}


def _answers(tx: Tx, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = (
        ("yours", "answer", models.ANSWER, "answered_at"),
        ("other", "their_answer", models.THEIR_ANSWER, "their_answered_at"),
    )
    return [
        {
            "office": office,
            "answer": row[column],
            "words": _words(tx, place, row, f"{column}_sealed"),
            "answered_at": row[at],
        }
        for office, column, place, at in given
        if row[column] is not None
    ]


def waiting(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Show one thing that was sent (`schemas.UnresolvedEvidence`)."""
    plain = ("sender_ref", "happened_on", "received_at", "waiting")
    return {**{name: row[name] for name in plain}, "sent": said(tx, row)}


def referred(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show what was sent and referred (`children.referred.submission`) likewise."""
    return {
        "sender_ref": str(row["submitted_id"]),
        "happened_on": local_date(row["created_at"]),
        "received_at": row["created_at"],
        "waiting": row["settled_at"] is None,
        "sent": row["sections"],
    }


def concerned(answers: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Return every child that shown questions name, whether or not there is such a child."""
    found: list[Any] = []
    for each in answers:
        found += [each["child_id"], each["other_child_id"], (each["claim"] or {}).get("child_id")]
        for one in each.get("evidence", ()):
            found += [one["sent"].get("child_id"), one["sent"].get("student", {}).get("child_id")]
    return [child for said in found if said and (child := _id(said)) is not None]


def _id(said: Any) -> UUID | None:
    """Read an id; None if what was said for one is none."""
    try:
        return UUID(str(said))
    except ValueError:
        return None
