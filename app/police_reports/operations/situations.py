"""Which situations of the list the words of a reporter mean, once the police say so: until then
nothing that was done answers them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.agencies import queries as agencies
from app.core.clock import local_date
from app.core.data import former
from app.core.data.db import Tx
from app.core.jobs import queue
from app.police_reports import answered, fetching, rules
from app.police_reports.fetching import COLUMNS
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.report_keys import CODES
from app.policy import queries as policy

_situations: Final = policy.lookup("report.situations")
_duty_bearers: Final = policy.lookup("report.duty_bearers")


async def said_to_be(
    tx: Tx, report: Mapping[str, Any], codes: Sequence[str] | None
) -> dict[str, Any]:
    """Return what a report says once the police add these codes to what was reported: the words
    that were in no list are understood, all of it is to be answered, and who had to report it is
    asked again. Raises ReportInvalid for a code that is in no list.
    """
    if not codes:
        return {}
    filed_on, place = local_date(report["filed_at"]), report["region_code"]
    listed = {each["code"] for each in _situations(place, filed_on)}
    for at, code in enumerate(codes):
        if code not in listed:
            raise ReportInvalid.at(
                f"#/situations/{at}", "situation_unlisted", "No code of `report.situations`."
            )
    known = sorted({*report["situations"], *codes})
    reporter = await agencies.find(tx, report["reporter_agency_id"])
    said = {
        "situations": known,
        "doubts": [each for each in report["doubts"] if each != "situation_unknown"],
        "bound_as": rules.bound_as(reporter.kind, known, _duty_bearers(place, filed_on))
        if reporter
        else report["bound_as"],
    }
    steps = await answered.journal(tx, report)
    return {**said, **answered.columns(tx, {**report, **said}, steps)}


BATCH: Final = 1000
_SEAL_JOB: Final = "police_reports.seal_next_situations"
_IN_PLAIN: Final = f"""
SELECT {COLUMNS} FROM police_reports r
WHERE r.situations <> '{{}}' AND r.id > $1 ORDER BY r.id LIMIT $2 FOR NO KEY UPDATE OF r
"""
_SEAL: Final = """
UPDATE police_reports r SET situations = '{}', disposed_as = '{}', incomplete_as = '{}',
    situations_sealed = u.situations, disposed_sealed = u.disposed, incomplete_sealed = u.incomplete
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[])
    AS u (id, situations, disposed, incomplete) WHERE r.id = u.id
"""


@queue.every("police_reports.seal_situations", "*/10 * * * *")
async def seal_situations(tx: Tx, _: dict[str, Any]) -> None:
    """Have sealed what the release before wrote in the clear, once that is gone."""
    if await former.left(tx, former.SITUATIONS):
        await _seal(tx, UUID(int=0))


@queue.job(_SEAL_JOB, of="police_reports.seal_situations")
async def seal_next_situations(tx: Tx, payload: dict[str, Any]) -> None:
    """Seal those of the next batch; queue the next in the same transaction."""
    await _seal(tx, UUID(payload["after"]))


async def _seal(tx: Tx, after: UUID) -> None:
    rows = await fetching.reports(tx, _IN_PLAIN, after, BATCH)
    if rows:
        sealed = [fetching.of_codes(tx.keyring, row["id"], row) for row in rows]
        said = [[each[column] for each in sealed] for column in CODES.values()]
        await tx.connection.execute(_SEAL, [row["id"] for row in rows], *said)
    if len(rows) == BATCH:
        last = [{"after": str(rows[-1]["id"])}]
        await queue.enqueue(tx.connection, _SEAL_JOB, last, dedupe_keys=["next"])
    elif not rows and after == UUID(int=0):
        await former.done(tx, former.SITUATIONS)
