"""Whom a report speaks against, once somebody says whom the words of its reporter mean."""

from typing import Final

import asyncpg

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.core.data.db import Tx
from app.police_reports import events
from app.police_reports.acts import ACTS
from app.police_reports.models import Step
from app.police_reports.operations import hidden
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.counting import count_anew
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.operations.steps import Deed, Taken, repeated, take
from app.police_reports.schemas import steps as stated

_SUSPECTS: Final = f"""{CHAIN}
SELECT coalesce(array_agg(DISTINCT agency ORDER BY agency), '{{}}')
FROM (SELECT suspect_agency_id AS agency FROM chain UNION SELECT $2::uuid) AS named
WHERE agency IS NOT NULL
"""
_NAME: Final = f"""{CHAIN}
UPDATE police_reports SET hidden_from = $3, hidden_below = 0, updated_at = $4,
    version = version + CASE WHEN id = $1 THEN 0 ELSE 1 END,
    doubts = array_remove(doubts, 'agency_unknown'),
    suspect_agency_id = CASE WHEN 'agency_unknown' = ANY (doubts)
        THEN coalesce($2, suspect_agency_id) ELSE suspect_agency_id END
WHERE id IN (SELECT id FROM chain)
"""


async def name_suspect(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.SuspectNaming
) -> Taken:
    """Say which agency a report and those it corrects or is corrected by speak against: it learns
    nothing of them, and all others who have a part see them again. Raises NotYourPart,
    SuspectKnownAlready, StepIdTaken; ReportInvalid if there is no such agency.
    """
    if before := await repeated(tx, report, new, Step.SUSPECT_NAMED):
        return before
    ACTS["nameSuspect"].require(principal, report, tx.today)
    agency_id = new.suspect_agency_id
    if agency_id is not None and await agencies.find(tx, agency_id) is None:
        raise ReportInvalid.at("#/suspect_agency_id", "agency_unknown", "There is no such agency.")
    async with tx.as_system():
        accused = await tx.connection.fetchval(_SUSPECTS, report["id"], agency_id)
    deed = Deed(
        Step.SUSPECT_NAMED,
        new,
        events.SuspectNamed,
        codes={"suspect_agency_id": agency_id},
    )
    known = {**report, "hidden_from": accused, "hidden_below": 0}
    taken = await take(tx, principal, known, deed)
    async with tx.as_system():
        await tx.connection.execute(_NAME, report["id"], agency_id, accused, tx.now)
    await count_anew(tx, report["id"])
    await hidden.note(tx, report["id"])
    return taken
