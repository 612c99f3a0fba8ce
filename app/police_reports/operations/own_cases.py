"""A case that came to the police themselves, by a call, on patrol or at work, is theirs as they
file it, with every clock that a report starts (REP-20).
"""

from app.core.data.db import Tx
from app.police_reports import events, models
from app.police_reports.models import State, Step
from app.police_reports.operations.telling import announce
from app.police_reports.schemas.filing import ReportCreate


def is_own(report: models.PoliceReport) -> bool:
    """Tell whether who filed it are the police in charge: nothing is delivered to them."""
    return report.police_agency_id == report.reporter_agency_id


def take_on(tx: Tx, report: models.PoliceReport, new: ReportCreate) -> None:
    """Let a case of their own say that it is with them, and accepted, unless they say otherwise:
    or something that cannot be read.
    """
    report.delivered_at = tx.now
    if new.accepted is not False and "accepted" not in new.unread:
        report.acknowledged_at = tx.now
        report.police_reference = new.police_reference
        report.state = State.ACKNOWLEDGED


async def tell(tx: Tx, report: models.PoliceReport) -> None:
    """Append that they accepted it, if they did, and announce it."""
    if report.acknowledged_at is None:
        return
    step = models.PoliceReportStep(
        home_county=report.home_county,
        report_id=report.id,
        step=Step.ACKNOWLEDGED,
        at=tx.now,
        recorded_at=tx.now,
        agency_id=report.police_agency_id,
        reference=report.police_reference,
        codes={},
        content_index=b"",  # nobody states it as a step, so nobody can state the same again
    )
    await tx.add(step)
    in_charge = report.police_agency_id
    await announce(tx, events.ReportAcknowledged, report.model_dump(), police_agency_id=in_charge)
