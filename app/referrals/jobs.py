"""What visits ask of others, and what nobody answered in time."""

from typing import Final
from uuid import uuid5

import asyncpg

from app.children.child_keys import key_below
from app.consents import grounds
from app.consents.events import ConsentWithdrawn
from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.duties.events import DutyOverdue
from app.policy import queries as policy
from app.referrals.events import ReferralOverdue
from app.referrals.models import ReferralSource
from app.referrals.operations import answering, opening
from app.referrals.operations.telling import about
from app.referrals.rules import asked_by
from app.visits import queries as visits
from app.visits.events import VisitCorrected, VisitRecorded, VisitTakenBack

_concerned: Final = policy.lookup("visit.feeds_back_to")
_situations: Final = policy.lookup("report.situations")

_VISIT: Final = f"""
SELECT v.id, v.child_id, v.agency_id, v.findings, v.words_sealed, {key_below("v")} FROM visits v
WHERE v.id = $1 AND v.home_county = $2
"""


@spine.on_wire_names(VisitRecorded.wire_name, VisitCorrected.wire_name, VisitTakenBack.wire_name)
async def refer_found(tx: Tx, announced: spine.Announced) -> None:
    """Refer a child to whom the findings of a visit name, as they say now (VIS-03, VIS-08); take
    back what they named before. Said again, it asks nothing anew.
    """
    visit_id, county = announced.subject_id, announced.home_county
    visit = await tx.connection.fetchrow(_VISIT, visit_id, county)
    asked = [
        opening.Asked(
            id=uuid5(visit_id, f"referral {visit['child_id']} {kind}"),
            from_id=visit["agency_id"],
            to_kind=kind,
            needs=needs,
            source=ReferralSource.visit,
            source_id=visit_id,
        )
        for kind, needs in (_asked(tx, announced, visit) if visit else {}).items()
    ]
    if announced.wire_name != VisitRecorded.wire_name:
        await answering.keep_only(tx, visit_id, [each.id for each in asked])
    if visit is not None and asked:
        await opening.refer(tx, visit["child_id"], county, asked)


def _asked(tx: Tx, announced: spine.Announced, visit: asyncpg.Record) -> dict[str, list[str]]:
    place = (announced.region_code, tx.today)
    reported = {each["code"] for each in _situations(*place)}
    return asked_by(visits.found(tx, visit), _concerned(*place), reported)


@spine.on(ConsentWithdrawn)
async def stop_resting(tx: Tx, event: ConsentWithdrawn) -> None:
    """Take back the referrals that rested on a consent which is no more (PIP-15)."""
    kinds = grounds.collections()[event.collection].agency_kinds
    await answering.stop_resting(tx, event.home_county, event.child_id, kinds)


_OWED: Final = """
SELECT r.* FROM duties d JOIN referrals r ON r.home_county = d.home_county AND r.id = d.subject_id
WHERE d.id = $1
"""


@spine.on(DutyOverdue, concerning=lambda event: event.rule.startswith("VIS-08"))
async def tell_sender(tx: Tx, event: DutyOverdue) -> None:
    """Tell who referred a child that no answer, or no result, came in time."""
    row = await tx.connection.fetchrow(_OWED, event.subject_id)
    if row is not None:
        await spine.publish(tx, await about(tx, ReferralOverdue, row))
