"""What counts of what was done: nothing of whom a report speaks against. All of it stays in the
journal and is shown.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports import answered, events, fetching, rules
from app.police_reports.fetching import COLUMNS
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.operations.standing import NOT_PROPOSED, change, deadlines
from app.police_reports.operations.telling import announce

_OF_CHAIN: Final = f"""{CHAIN}
SELECT {COLUMNS} FROM police_reports r JOIN chain ON chain.id = r.id ORDER BY r.id FOR UPDATE OF r
"""
STEPS: Final = """
SELECT * FROM police_report_steps WHERE report_id = $1
ORDER BY recorded_at, step <> 'reopened', id
"""
_TOO_SMALL: Final = """
SELECT coalesce(array_agg(id), '{}') FROM agencies WHERE id = ANY ($1) AND region_code % $2 <> 0
"""
UNHANDED: Final[Mapping[str, Any]] = {
    "police_agency_id": None,
    "routing": "no_agency",
    "also_told": [],
    "state": "filed",
    "delivered_at": None,
    "acknowledged_at": None,
    "police_reference": None,
    "acknowledgement_alarmed_at": None,
    "delivery_alarmed_at": None,
}
"""Of a report whose police are accused, or closed: a job finds others (`route_waiting`)."""


async def count_anew(tx: Tx, report_id: UUID, named: Collection[UUID] = ()) -> None:
    """Let the reports of a chain say what was done by others than those they are hidden from, once
    that has changed; `named`: who was accused and is no longer. A notice to a township that must
    learn nothing is none: the police owe it to another.
    """
    async with tx.as_system():
        for report in await fetching.reports(tx, _OF_CHAIN, report_id):
            hidden = report["hidden_from"]
            changes: dict[str, Any] = {}
            steps = await fetching.steps(tx, STEPS, report["id"])
            if any(step["agency_id"] in {*hidden, *named} for step in steps):
                changes = _by_others(tx, report, steps)
            township, below = report["township_agency_id"], report["hidden_below"]
            if township in [*hidden, *await _smaller(tx, [township], below)]:
                changes["township_agency_id"] = None
                in_charge = {"police_agency_id": report["police_agency_id"]}
                await announce(tx, events.TownshipNoticeVoid, {**report, **changes}, **in_charge)
            told = [each for each in (report["police_agency_id"], *report["also_told"]) if each]
            gone = {*told} & {*hidden, *await _smaller(tx, told, report["police_below"])}
            if report["police_agency_id"] in gone:
                changes |= {**UNHANDED, **deadlines(tx, report["region_code"])}
            elif gone:
                changes["also_told"] = sorted({*report["also_told"]} - gone)
            if gone:  # they see it again if it turns out to be others
                changes["former_police"] = sorted({*report["former_police"], *gone})
            if changes:
                await change(tx, report["id"], **changes)


async def _smaller(tx: Tx, agencies: Collection[UUID | None], below: int) -> Collection[UUID]:
    """Return which agencies have remits of less than so many codes."""
    if not below:
        return ()
    found: list[UUID] = await tx.connection.fetchval(_TOO_SMALL, agencies, below)
    return found


def _by_others(
    tx: Tx, report: Mapping[str, Any], steps: Collection[Mapping[str, Any]]
) -> dict[str, Any]:
    hidden = report["hidden_from"]
    counted = [step for step in steps if step["agency_id"] not in hidden]
    said = rules.standing(counted, report["police_agency_id"])
    doubts = report["doubts"]
    if _understood(steps) and not _understood(counted):  # on the accused's word alone
        doubts = [*dict.fromkeys([*doubts, "situation_unknown"])]
    known = {**said, "doubts": doubts}
    changes = {**known, **answered.columns(tx, {**report, **known}, counted)}
    if all(changes[name] == report[name] for name in _ENDED_BY):
        del changes["state"]
        return changes
    return {**changes, **dict.fromkeys(("closed_at", "outcome")), **NOT_PROPOSED}


_ENDED_BY: Final = ("disposed_as", "assessed_at", "handled_at", "doubts")
"""What an end rests on."""


def _understood(steps: Collection[Mapping[str, Any]]) -> bool:
    said = (step["codes"] for step in steps)  # `situations`: as the release before wrote it
    return any(codes.get("understood") or codes.get("situations") for codes in said)
