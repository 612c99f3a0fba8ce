"""Which police are in charge of a report."""

from collections.abc import Mapping
from typing import Any, Final

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import events
from app.police_reports.models import Step
from app.police_reports.operations.standing import had_by
from app.police_reports.operations.telling import announce


async def takes_charge(
    tx: Tx, principal: Principal, report: Mapping[str, Any], step: Step
) -> dict[str, Any]:
    """Of several police who were told, the first to accept, go out or take measures is in charge,
    and owes what police in charge owe. The others keep seeing how it stands.
    """
    agency = principal.agency_id
    if step not in _TAKE_CHARGE or not report["also_told"]:
        return {}
    charge = {
        "police_agency_id": agency,
        "also_told": [],
        "former_police": had_by(report, agency),
    }
    if agency != report["police_agency_id"]:
        passed_on = {"acknowledge_due_at": report["acknowledge_due_at"], "police_agency_id": agency}
        await announce(tx, events.ReportForwarded, report, **passed_on)
    return charge


_TAKE_CHARGE: Final = {Step.ACKNOWLEDGED, Step.DISPATCHED, Step.DISPOSED}
