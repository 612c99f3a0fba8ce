"""Whom a report speaks against, once somebody says whom the words of its reporter mean, and once
that turns out to be wrong.
"""

from typing import Final

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import events
from app.police_reports.acts import ACTS
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.operations import naming
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.steps import Deed, Taken, repeated, take
from app.police_reports.schemas import steps as stated

_HIDING: Final = ("hidden_from", "hidden_below", "police_below")


async def name_suspect(
    tx: Tx, principal: Principal, report: Report, new: stated.SuspectNaming
) -> Taken:
    """Say, as a person, which agency a report and those it corrects or is corrected by speak
    against: it learns nothing of them, and all others who have a part see them again. With none
    named, the agencies that bear the name in the words go on learning nothing. Raises NotYourPart,
    PersonRequired, SuspectKnownAlready; ReportInvalid if there is no such agency.
    """
    before, new = await repeated(tx, report, new, Step.SUSPECT_NAMED)
    if before:
        return before
    ACTS["nameSuspect"].require(principal, report, tx.today)
    agency_id = new.suspect_agency_id
    if agency_id is not None and await agencies.find(tx, agency_id) is None:
        raise ReportInvalid.at("#/suspect_agency_id", "agency_unknown", "There is no such agency.")
    accused = await naming.accused_with(tx, report["id"], agency_id)
    said = new if new.id else new.model_copy(update={"id": new_id()})
    deed = Deed(
        Step.SUSPECT_NAMED,
        said,
        events.SuspectNamed,
        codes={"suspect_agency_id": agency_id, "before": {each: report[each] for each in _HIDING}},
    )
    known = {**report, "hidden_from": accused, "hidden_below": 0, "police_below": 0}
    taken = await take(tx, principal, known, deed)
    await naming.name(tx, report["id"], agency_id, accused, taken[0].id)
    return taken


async def withdraw_suspect(
    tx: Tx, principal: Principal, report: Report, new: stated.SuspectWithdrawal
) -> Taken:
    """Say that a report speaks against somebody else than was said: whom it was wrongly hidden from
    sees it again, and whom the words mean is open as before. Raises NotYourPart,
    PersonRequired, NoSuspectNamed.
    """
    before, new = await repeated(tx, report, new, Step.SUSPECT_WITHDRAWN)
    if before:
        return before
    ACTS["withdrawSuspect"].require(principal, report, tx.today)
    async with tx.as_system():  # whom the words may mean is open to the caller, too
        deed = Deed(
            Step.SUSPECT_WITHDRAWN,
            new,
            events.SuspectWithdrawn,
            codes={"suspect_agency_id": report["suspect_agency_id"]},
        )
        taken = await take(tx, principal, report, deed)
        await naming.unname(tx, report)
    return taken
