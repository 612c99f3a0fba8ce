"""What a report says of where it stands, and by when the police must have it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports import fetching
from app.policy import queries as policy

_acknowledge_within: Final = policy.lookup("report.acknowledge_within_minutes")
_dispatch_within: Final = policy.lookup("report.dispatch_within_minutes")
_deliver_alarm: Final = policy.lookup("report.deliver_alarm_minutes")

NOT_PROPOSED: Final[Mapping[str, None]] = dict.fromkeys(
    ("closure_step_id", "closure_agency_id", "closure_staff_id")
)
"""What a report says while nobody would close it before its time."""


async def change(tx: Tx, report_id: UUID, **columns: Any) -> None:
    """Write columns of a report and count its version up."""
    columns = await fetching.sealed(tx, report_id, columns)
    names = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, start=3))
    await tx.connection.execute(
        f"UPDATE police_reports SET version = version + 1, updated_at = $2, {names} WHERE id = $1",
        report_id,
        tx.now,
        *columns.values(),
    )


def deadlines(tx: Tx, region_code: int) -> dict[str, Any]:
    """Return by when the police must have accepted a report and by when it must have arrived."""
    accepted = timedelta(minutes=_acknowledge_within(region_code, tx.today))
    return {
        "acknowledge_due_at": tx.now + accepted,
        "deliver_alarm_at": tx.now + timedelta(minutes=_deliver_alarm(region_code, tx.today)),
    }


def dispatch_due(tx: Tx, region_code: int) -> datetime:
    """Return by when officers of whoever gets a report now must have gone out (REP-07)."""
    return tx.now + timedelta(minutes=_dispatch_within(region_code, tx.today))


def had_by(report: Mapping[str, Any], *but: UUID | None) -> list[UUID]:
    """List the police who had a report and are not named any more but for this."""
    had = {report["police_agency_id"], report["forwarded_by_id"], *report["also_told"]}
    return sorted({*report["former_police"], *had}.difference({None, *but}))
