"""What was said of a report and was wrong is taken back by a named person, with a reason: the step
stays, and another says that it was wrong; who was told is told.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.attendance import presence
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import events, fetching, jurisdiction, queries, rules
from app.police_reports.acts import ACTS
from app.police_reports.fetching import COLUMNS, Report
from app.police_reports.models import Step
from app.police_reports.operations import counting
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.operations.incidents import MOVE
from app.police_reports.operations.locks import hold_event
from app.police_reports.operations.steps import Deed, Taken, repeated, take
from app.police_reports.operations.telling import announce, parties
from app.police_reports.schemas import steps as stated
from app.regions.rules import codes_of

HUNG: Final = f"""{CHAIN}
SELECT {COLUMNS} FROM police_reports r JOIN chain ON chain.id = r.id
WHERE r.child_id = $2 ORDER BY r.id FOR UPDATE OF r
"""
"""All of a chain of corrections that hang on one file."""
_TOLD: Final = f"""
SELECT coalesce(array_agg(DISTINCT a.id), '{{}}')
FROM events e CROSS JOIN LATERAL jsonb_array_elements_text(e.told_to) AS told (agency)
JOIN agencies a ON a.id = told.agency::uuid
WHERE e.subject_id = $1 AND e.occurred_at >= $3
  AND e.wire_name <> ALL (ARRAY['police_reports.report_filed', 'police_reports.result_told'])
  AND e.wire_name LIKE $2
  AND {hiding.shown("$1", "a.id", codes_of("a.region_code"), "ARRAY[a.id]")}
"""
"""Whoever heard of it as a party, but for those who must learn nothing by now."""

_SOURCES: Final = f"""{CHAIN}
SELECT id FROM chain UNION ALL
SELECT s.id FROM police_report_steps s JOIN chain ON s.report_id = chain.id AND s.step = 'disposed'
"""
_JOINED_BY_HAND: Final = """
SELECT DISTINCT (codes ->> 'report_id')::uuid AS id FROM police_report_steps
WHERE report_id = $1 AND step = 'joined'
"""
_OF_NO_CHILD: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("child_id", "child_county", "home_region", "identified_at", "assessed_at")),
    "former_homes": [],
}
"""An assessment was one of the wrong child."""


async def withdraw_identification(
    tx: Tx, principal: Principal, report: Mapping[str, Any], new: stated.IdentificationWithdrawal
) -> Taken:
    """Say that a report is not about the child on whose file it hangs: the file loses it and what
    followed from it. So do all of its chain that hang there, each by a step of its own, and of the
    last whose it is is asked again. Raises NotYourPart,
    PersonRequired, NothingToTakeBack.
    """
    before, new = await repeated(tx, report, new, Step.IDENTIFICATION_WITHDRAWN)
    if before:
        return before
    ACTS["withdrawIdentification"].require(principal, report, tx.today)
    wrong = report["child_id"]
    # Whose only part was that the child lives with them loses sight of it here.
    async with tx.as_system():
        silent = new.model_copy(update={"id": None})
        for each in await fetching.reports(tx, HUNG, report["id"], wrong):
            if each["id"] != report["id"]:
                await take_off(tx, principal, each, silent)
        return await take_off(tx, principal, report, new)


async def take_off(
    tx: Tx,
    principal: Principal | None,
    report: Mapping[str, Any],
    new: stated.IdentificationWithdrawal,
) -> Taken:
    """Take one report off the file on which it hangs, in SYSTEM's reach; whoever was told so far is
    told. Without a principal it follows by itself.
    """
    sources = await tx.connection.fetch(_SOURCES, report["id"])
    await presence.mistaken(tx, report["child_id"], [row["id"] for row in sources])
    since = report["identified_at"] or report["filed_at"]
    heard = await tx.connection.fetchval(_TOLD, report["id"], "police_reports.%", since)
    at_home = (await jurisdiction.offices(tx, report)).told(hidden=report["hidden_from"])
    changes = await _set_back(tx, report)
    deed = Deed(
        Step.IDENTIFICATION_WITHDRAWN,
        new,
        events.IdentificationWithdrawn,
        codes={"child_id": report["child_id"]},
        changes=changes,
        also_told=[*heard, *at_home],
    )
    if report["township_agency_id"] != changes["township_agency_id"]:
        in_charge = {"police_agency_id": report["police_agency_id"]}
        await announce(tx, events.TownshipNoticeVoid, {**report, **changes}, **in_charge)
    return await take(tx, principal, report, deed)


async def _set_back(tx: Tx, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says of no child: it stands where the police brought it; they tell the
    township of the right one anew. That nothing has ended follows from the step (`take`).
    """
    told = await _township(tx, report)
    wrong = {Step.ASSESSED, Step.SERVICES_ARRANGED, *(() if told else (Step.TOWNSHIP_NOTIFIED,))}
    journal = await fetching.steps(tx, counting.STEPS, report["id"])
    steps = [step for step in journal if step["step"] not in wrong]
    state = rules.standing(steps, report["police_agency_id"])["state"]
    return {**_OF_NO_CHILD, "state": state, "township_agency_id": told}


async def _township(tx: Tx, report: Mapping[str, Any]) -> UUID | None:
    """Return the office that the police told, unless it was that of the wrong child's home."""
    of_place = await jurisdiction.offices(tx, {**report, **_OF_NO_CHILD})
    told: UUID | None = report["township_agency_id"]
    return told if told == of_place.township else None


async def separate_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Separation
) -> Taken:
    """Say that a report is not about the event it was joined with: it is an event of its own again,
    the others stay together. Those in which the caller has no part stay joined with it: who does
    not see them takes nothing apart from them. Raises NotYourPart, PersonRequired, NotJoined.
    """
    before, new = await repeated(tx, report, new, Step.SEPARATED)
    if before:
        return before
    async with tx.as_system():
        held = await hold_event(tx, report)
    report = held.pop(report["id"])
    before, new = await repeated(tx, report, new, Step.SEPARATED)
    if before:  # pragma: no cover  sent twice at once
        return before
    [seen] = await queries.as_seen(tx, principal, [report])
    ACTS["separateReport"].require(principal, seen, tx.today)
    others = await queries.seen(tx, principal, held)
    stays = [report["id"], *(each for each in held if each not in others)]
    async with tx.as_system():
        await tx.connection.execute(MOVE, new_id() if len(stays) > 1 else None, stays)
        by_hand = await tx.connection.fetch(_JOINED_BY_HAND, report["id"])
        beside = [held[row["id"]] for row in by_hand if row["id"] in others]
        silent = new.model_copy(update={"id": None})
        for each in beside:
            await _separate(tx, principal, each, silent, [report], [report["id"]])
        return await _separate(tx, principal, report, new, beside, sorted(others))


async def _separate(
    tx: Tx,
    principal: Principal,
    report: Mapping[str, Any],
    new: stated.Separation,
    beside: Collection[Mapping[str, Any]],
    others: list[UUID],
) -> Taken:
    """Note it on one report; told is who was told that it was joined, and has a part in another."""
    heard = await tx.connection.fetchval(
        _TOLD, report["id"], events.ReportsJoined.wire_name, report["filed_at"]
    )
    there = {party for each in beside for party in await parties(tx, each)}
    deed = Deed(
        Step.SEPARATED,
        new,
        events.ReportSeparated,
        facts={"incident_id": others[0]},
        codes={"incident_id": report["incident_id"], "report_ids": others},
        only_told=[each for each in heard if each in there],
    )
    return await take(tx, principal, report, deed)
