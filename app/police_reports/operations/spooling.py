"""Reports that came while nothing could be recorded: sealed away, and filed when it can ([ADR 34]).

[ADR 34]: docs/decisions/0034-a-report-is-taken-in-also-while-nothing-can-be-recorded.md
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import structlog

from app.access import queries as access
from app.access.principal import Principal, as_kept, kept
from app.audit import operations as audit
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Tx
from app.core.data.sql import insert
from app.core.http import strict_json
from app.core.ids import new_id
from app.core.jobs import queue
from app.core.problems import Cause, Problem
from app.police_reports import models, queries
from app.police_reports.fetching import Report
from app.police_reports.operations import claims, filing
from app.police_reports.operations.own_ids import own_id
from app.police_reports.schemas.filing import ReportCreate
from app.police_reports.schemas.spooled import Spooled

log = structlog.get_logger(__name__)
FILE_SPOOLED: Final = "police_reports.file_spooled"
FILE_ONE: Final = "police_reports.file_one_spooled"
_SOON: Final = timedelta(seconds=2)
_PER_RUN: Final = 200
_ANOTHERS: Final = """
SELECT EXISTS (SELECT FROM spooled_reports
               WHERE id = $1 AND NOT (content_index = ANY ($2) AND sender_index = ANY ($3)))
    OR EXISTS (SELECT FROM police_reports
               WHERE id = $1 AND NOT (content_index = ANY ($2) AND reporter_agency_id = $4))
"""
_WAITING: Final = """
SELECT count(*) AS reports, extract(epoch FROM $1 - min(received_at))::int AS oldest_seconds
FROM spooled_reports
"""
_NEXT: Final = """
SELECT s.id FROM spooled_reports s
WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.name = $1 AND j.dedupe_key = s.id::text)
ORDER BY s.urgent DESC, s.received_at, s.id LIMIT $2
"""
_LOOKED_AGAIN: Final = """
SELECT EXISTS (SELECT FROM jobs WHERE name = $1 AND payload <> '{}' AND status = 'queued')
"""
_TAKE: Final = "DELETE FROM spooled_reports WHERE id = $1 RETURNING received_at, sealed"
_TAKE_OWN: Final = """
DELETE FROM spooled_reports
WHERE id = ANY ($1) AND content_index = ANY ($2) AND sender_index = ANY ($3)
RETURNING id, received_at
"""
_IS_OWN: Final = """
SELECT EXISTS (SELECT FROM spooled_reports WHERE id = $1 AND sender_index = ANY ($2))
"""
_SINCE: Final = "SELECT received_at FROM spooled_reports WHERE id = $1"
_SPOOLED: Final = """
SELECT sealed FROM spooled_reports WHERE id = $1 AND sender_index = ANY ($2)
"""


class ReportWaits(Problem, status=503):
    """The caller's own report was taken in, and is filed as soon as it can be recorded: nothing of
    it can be read before that.
    """

    cause = Cause.report_waits
    title = "The report was taken in and waits to be filed"
    title_zh = "报告已收存,正等待登记"


async def spool_report(tx: Tx, principal: Principal, new: ReportCreate, body: bytes) -> Spooled:
    """Keep a report as it came, with who sent it, for `file_spooled`. Under the id of another that
    waits it is kept under one of its own; the same again is that one. Raises ReportInvalid.
    """
    claims.require_place(new)
    rings = tx.keyring.each_at_intake()
    known = filing.known_by(rings, new)
    ring, content, stated = known[0]
    report_id = stated or new_id()
    sent = orjson.dumps({**kept(principal), "body": body.decode("latin-1")}, default=str)
    row = {
        "content_index": content,
        "sender_index": _senders(rings[:1], principal)[0],
        "urgent": new.urgency == "immediate",
        "received_at": tx.now,
    }
    contents, senders = [each.content for each in known], _senders(rings, principal)
    while (since := await _keep(tx, principal, report_id, row, sent, contents, senders)) is None:
        report_id = own_id(ring, report_id, content.hex())
    await _look_again(tx)
    return Spooled(report_id=report_id, received_at=since)


def _senders(rings: Iterable[Keyring], principal: Principal) -> list[bytes]:
    agency = str(principal.agency_id)
    return [ring.blind_index("spooled_reports.sender", agency) for ring in rings]


async def _keep(
    tx: Tx,
    principal: Principal,
    report_id: UUID,
    row: Mapping[str, Any],
    sent: bytes,
    *same: Sequence[bytes],
) -> datetime | None:
    """Keep what was sent under an id, once; return since when it is kept. None: another report has
    the id, or it is none.
    """

    async def is_anothers() -> bool:
        async with tx.as_system():
            agency = principal.agency_id
            return bool(await tx.connection.fetchval(_ANOTHERS, report_id, *same, agency))

    if not report_id.int or await is_anothers():
        return None
    sealed = tx.keyring.seal_away(models.SPOOLED, report_id, sent)
    whole = {"id": report_id, **row, "sealed": sealed}
    if await insert(tx.connection, "spooled_reports", whole, unless_taken=True):
        return tx.now
    if await is_anothers():  # by now
        return None
    async with tx.as_system():
        return await tx.connection.fetchval(_SINCE, report_id) or tx.now


async def find(tx: Tx, principal: Principal, report_id: UUID) -> Report | None:
    """Find one report the caller has a part in. Raises ReportWaits of one that they sent and that
    is not filed yet.
    """
    found = await queries.find(tx, principal, report_id)
    if found is None:
        async with tx.as_system():
            senders = _senders(tx.keyring.each_at_intake(), principal)
            if await tx.connection.fetchval(_IS_OWN, report_id, senders):
                raise ReportWaits(headers={"retry-after": str(_SOON.seconds)})
    return found


async def file_report(tx: Tx, principal: Principal, new: ReportCreate) -> filing.Filed:
    """File a report; one that its sender heard was taken in, as of the moment it was. Raises what
    `filing.file_report` does.
    """
    rings, now = tx.keyring.each_at_intake(), tx.now
    known, told = filing.known_by(rings, new), None
    if known[0].stated is not None:
        ids = [
            name
            for ring, said, stated in known
            for name in (stated, own_id(ring, stated, said.hex()))
        ]
        contents, senders = [each.content for each in known], _senders(rings, principal)
        async with tx.as_system():
            waited = await tx.connection.fetchrow(_TAKE_OWN, ids, contents, senders)
        told, tx.now = (None, now) if waited is None else tuple(waited)
    filed = await filing.file_report(tx, principal, new, told=told)
    tx.now = now
    return filed


async def _look_again(tx: Tx) -> None:
    """Have the spool looked at soon, once, however many ask for it."""
    if not await tx.connection.fetchval(_LOOKED_AGAIN, FILE_SPOOLED):
        await queue.enqueue(tx.connection, FILE_SPOOLED, [{"again": True}], delay=_SOON)


async def file_spooled(tx: Tx, payload: dict[str, Any]) -> None:
    """Have every report that waits filed by a job of its own, the urgent and the oldest first; a
    report whose job is held waits for the operator. Look again soon while nothing can be recorded.
    """
    waiting = await tx.connection.fetchrow(_WAITING, tx.now)
    if not waiting["reports"]:
        return
    log.warning("reports.spooled", reports=waiting["reports"], seconds=waiting["oldest_seconds"])
    if await audit.can_record(tx):
        found = [str(row["id"]) for row in await tx.connection.fetch(_NEXT, FILE_ONE, _PER_RUN)]
        if not found:
            return  # each has its job
        them = [{"id": each} for each in found]
        await queue.enqueue(tx.connection, FILE_ONE, them, dedupe_keys=found)
    await _look_again(tx)


async def file_one_spooled(tx: Tx, payload: dict[str, Any]) -> None:
    """File a report that waits as if it were the moment it came, as who sent it was then. The
    record of it is of now. Raises what `file_report` does, DecryptionRefused without the key.
    """
    report_id, now = UUID(payload["id"]), tx.now
    if not await audit.can_record(tx):
        return  # it stays, and `file_spooled` comes again
    row = await tx.connection.fetchrow(_TAKE, report_id)
    if row is None:
        return
    said = orjson.loads(tx.keyring.unseal_away(models.SPOOLED, report_id, row["sealed"]))
    new = _read(said.pop("body").encode("latin-1"))
    principal = as_kept(said)
    if await _is_twin(tx, principal, new, report_id):
        return
    await tx.reach(access.reach_of(principal))
    tx.now = row["received_at"]
    filed = await filing.file_report(tx, principal, new, told=report_id)
    tx.now = now
    shown = filing.shown(filed)
    await audit.record(tx, principal.actor, "fileReport", shown.seen(shown.subject))
    await tx.flush()
    await tx.reach(SYSTEM)


async def _is_twin(tx: Tx, principal: Principal, new: ReportCreate, report_id: UUID) -> bool:
    """Tell whether a report that was kept under an id of its own, since a process with wrong keys
    could not compare it, is the one under the id it states: filed, or waiting too.
    """
    known = filing.known_by(tx.keyring.each_at_intake(), new)
    if new.id in {None, report_id}:
        return False
    contents = [each.content for each in known]
    senders = _senders([each.ring for each in known], principal)
    filed = await queries.find_anywhere(tx, new.id)
    if filed is not None and filed["reporter_agency_id"] in principal.agencies:
        return filed["content_index"] in contents
    waiting = await tx.connection.fetchval(_SPOOLED, new.id, senders)
    if waiting is None:
        return False
    said = orjson.loads(tx.keyring.unseal_away(models.SPOOLED, new.id, waiting))
    return filing.content_of(known[0].ring, _read(said["body"].encode("latin-1"))) == contents[0]


def _read(body: bytes) -> ReportCreate:
    said = strict_json.loads(body, evidence=True, anything=ReportCreate.takes_anything)
    return ReportCreate.model_validate(said)
