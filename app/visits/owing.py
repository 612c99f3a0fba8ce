"""What was found abnormal is followed up by whoever looks at it again (VIS-03)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import asyncpg

from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.visits import queries, rules
from app.visits.events import (
    FindingLeftOpen,
    FindingLookedAt,
    VisitCorrected,
    VisitRecorded,
    VisitTakenBack,
)
from app.visits.operations import storing

# `asked`: what is owed of it, if it was heard already that something is. Two visits at once are
# weighed one after the other.
_CHILD: Final = "SELECT pg_advisory_xact_lock(hashtextextended('visits/' || $1::text, 3))"
_VISITS: Final = """
SELECT v.id, v.home_county, v.region_code, v.child_id, v.visited_on, v.received_at, v.channel,
       v.visitor_type, v.as_role, v.abnormal, v.findings, v.words_sealed, d.state AS asked
FROM visits v LEFT JOIN duties d ON d.rule = 'VIS-03' AND d.home_county = v.home_county
    AND d.subject_id = v.id AND d.child_id = v.child_id
WHERE v.child_id = $1 AND v.home_county = $2 AND v.findings <> '[]' ORDER BY v.visited_on, v.id
"""
_DIRECTOR: Final = "village_director"
_RECORDED_BY: Final = (_DIRECTOR, None)
"""The roles of a director's own record; None: from before that was kept."""


@spine.on_wire_names(VisitRecorded.wire_name, VisitCorrected.wire_name, VisitTakenBack.wire_name)
async def tell_followed_up(tx: Tx, announced: spine.Announced) -> None:
    """Announce of each visit to the child that found something whether later ones looked at all of
    it, and what they left open. Said again, it changes nothing.
    """
    about = (announced.data["child_id"], announced.home_county)
    await tx.connection.execute(_CHILD, about[0])
    visits = await tx.connection.fetch(_VISITS, *about)
    looking = [each for each in visits if _looks(tx, each)]
    said: list[spine.Event] = []
    for each in visits:
        later = [one for one in looking if one["visited_on"] > each["visited_on"]]
        if each["abnormal"] and later:
            said.append(_told(each, later))
        elif each["asked"] == "discharged":
            said.append(FindingLeftOpen(**_about(each), left=rules.domains(each["findings"])))
    await spine.publish(tx, *said)


def _looks(tx: Tx, visit: asyncpg.Record) -> bool:
    """Tell whether a visit can pay attention: in person, on a day that somebody said, by whoever
    recorded it, as its role says and not as was typed.
    """
    there = _who(visit) is not None and visit["channel"] == "in_person"
    return there and storing.day_known(queries.words_of(tx, visit), visit)


def _who(visit: asyncpg.Record) -> str | None:
    """Return the role of who went there and recorded it; None if another went."""
    if visit["as_role"] in _RECORDED_BY:
        return _DIRECTOR if visit["visitor_type"] == "child_director" else None
    own = visit["as_role"] == visit["visitor_type"]
    return str(visit["as_role"]) if own else None


def _told(visit: asyncpg.Record, later: Sequence[asyncpg.Record]) -> spine.Event:
    """Tell whether the director looked at all of it, or else with whom."""
    left, on = _look(visit, later, _DIRECTOR)
    if on is not None:
        return FindingLookedAt(**_about(visit, on))
    for other in sorted({str(_who(one)) for one in later} - {_DIRECTOR}):
        _, on = _look(visit, later, _DIRECTOR, other)
        if on is not None:
            return FindingLookedAt(**_about(visit, on), as_role=other)
    return FindingLeftOpen(**_about(visit), left=rules.domains(left))


def _look(
    visit: asyncpg.Record, later: Sequence[asyncpg.Record], *by: str
) -> tuple[list[Mapping[str, Any]], date | None]:
    """Return what of a visit's findings some roles left, or the day on which nothing was left."""
    left = [each for each in visit["findings"] if each["abnormal"]]
    for one in later:
        if _who(one) in by:
            left = rules.not_looked_at(left, one["findings"])
        if not left:
            return left, one["visited_on"]
    return left, None


def _about(visit: asyncpg.Record, on: date | None = None) -> dict[str, Any]:
    named = ("home_county", "region_code", "child_id")
    day = on or visit["visited_on"]
    return {"subject_id": visit["id"], "visited_on": day, **{name: visit[name] for name in named}}
