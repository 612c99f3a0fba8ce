"""How far the case behind a report is (REP-20: 快速查处)."""

from typing import Final

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import case_events
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.operations.steps import Deed, Taken, repeatable, take
from app.police_reports.schemas import case as stated

GOES_ON: Final = "filed"


@repeatable("investigateReport", Step.INVESTIGATED)
async def investigate_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Investigation
) -> Taken:
    """Record how far the case is. It opens no closed report again: that the child is safe does not
    wait for it, nor it for that. Raises NotYourPart.
    """
    goes_on = new.stage == GOES_ON
    said = case_events.CaseGoesOn if goes_on else case_events.CaseEnded
    deed = Deed(Step.INVESTIGATED, new, said, codes={"stage": new.stage})
    return await take(tx, principal, report, deed)
