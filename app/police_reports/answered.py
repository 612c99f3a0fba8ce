"""What a report says of how far the police answered it, whenever that may have changed."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from app.core.clock import local_date
from app.core.data.db import Tx
from app.police_reports import fetching, omissions, queries
from app.policy import queries as policy

_required: Final = policy.lookup("report.required_measures")

_JOURNAL: Final = """
SELECT id, step, codes, codes_sealed FROM police_report_steps
WHERE report_id = $1 AND step IN ('disposed', 'omission_confirmed', 'omission_rejected')
ORDER BY recorded_at, id
"""


async def journal(tx: Tx, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was done so far, and what was judged of it, as it was recorded."""
    return await fetching.steps(tx, _JOURNAL, report["id"])


def standing(report: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> omissions.Standing:
    """Return how these steps stand, by the list of the report's place on the day it was filed."""
    required = _required(report["region_code"], local_date(report["filed_at"]))
    return omissions.standing(steps, required, report["situations"])


def undone(report: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the law still asks for after these steps, by kind handled."""
    found = standing(report, steps).undone
    return [{"kind": kind, "one_of": gap} for kind in sorted(found) for gap in found[kind]]


async def undone_by_now(tx: Tx, report_id: UUID) -> list[dict[str, Any]]:
    """Return what the law still asks for of a report that its police see."""
    sql = f"SELECT {fetching.COLUMNS} FROM police_reports r WHERE r.id = $1"
    [report] = await fetching.reports(tx, sql, report_id)
    return undone(report, await journal(tx, report))


def columns(
    tx: Tx,
    report: Mapping[str, Any],
    steps: Iterable[Mapping[str, Any]],
    *,
    giver: UUID | None = None,
) -> dict[str, Any]:
    """Return what a report says after these steps, in the last of which this person left something
    out for a reason: what is incomplete, what a second person is to judge, and since when all of it
    has its answer. Who gave a reason is known though nobody asks for the measure yet.
    """
    found = standing(report, steps)
    said = {**report, "incomplete_as": sorted(found.undone)}
    handled = queries.reported(report).handled(omissions.complete(said))
    givers = {*report["omitted_by"], *([giver] if giver else [])}
    return {
        "incomplete_as": said["incomplete_as"],
        "omission_step_id": next(reversed(found.to_judge), None),
        "omitted_by": sorted(givers) if found.unjudged else [],
        "handled_at": (report["handled_at"] or tx.now) if handled else None,
    }
