"""What was found abnormal is followed up by whoever looks at it again (VIS-03)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.core.data import keys
from app.core.data.db import Tx
from app.core.ids import standing_for
from app.core.jobs import events as spine
from app.duties.rulebook import rules as duties
from app.visits import queries, rules
from app.visits.events import (
    FindingLeftOpen,
    FindingLookedAt,
    VisitCorrected,
    VisitRecorded,
    VisitTakenBack,
)
from app.visits.operations import storing

# `told`: of whom it was said last that they looked at all of it. Two visits at once are weighed one
# after the other.
_CHILD: Final = "SELECT pg_advisory_xact_lock(hashtextextended('visits/' || $1::text, 3))"
_VISITS: Final = """
SELECT v.id, v.home_county, v.region_code, v.child_id, v.visited_on, v.received_at, v.channel,
       v.visitor_type, v.as_role, v.abnormal, v.findings, v.words_sealed, ARRAY(
    SELECT said.role FROM (
        SELECT DISTINCT ON (e.role) e.role, e.wire_name FROM (
            SELECT coalesce(data ->> 'as_role', $3) AS role, wire_name, id FROM events
            WHERE subject_id = v.id AND wire_name IN ($4, $5)) e
        ORDER BY e.role, e.id DESC) said
    WHERE said.wire_name = $4) AS told
FROM visits v
WHERE v.child_id = $1 AND v.home_county = $2 AND (v.words_sealed IS NOT NULL OR v.findings <> '[]')
ORDER BY v.visited_on, v.id
"""
_DIRECTOR: Final = "village_director"
_RECORDED_BY: Final = (_DIRECTOR, None)
"""The roles of a director's own record; None: from before that was kept."""


@spine.on_wire_names(VisitRecorded.wire_name, VisitCorrected.wire_name, VisitTakenBack.wire_name)
async def tell_followed_up(tx: Tx, announced: spine.Announced) -> None:
    """Announce of each visit to the child that found something whether later ones looked at all of
    it, and what they left open, of each role that may owe that. Said again, it changes nothing.
    """
    about = (announced.data["child_id"], announced.home_county)
    await tx.connection.execute(_CHILD, about[0])
    kinds = (FindingLookedAt.wire_name, FindingLeftOpen.wire_name)
    rows = await tx.connection.fetch(_VISITS, *about, _DIRECTOR, *kinds)
    await keys.of_rows(tx, rows)
    visits = [{**row, "findings": found} for row in rows if (found := queries.found(tx, row))]
    looking = [each for each in visits if _looks(tx, each)]
    said: list[spine.Event] = []
    for each in visits:
        later = [one for one in looking if one["visited_on"] > each["visited_on"]]
        for role in duties()["VIS-03"].owners:
            looked = each["abnormal"] and any(_who(one) == role for one in later)
            if looked or role in each["told"]:
                said.append(_told(each, later, role))
    await spine.publish(tx, *said)


def _looks(tx: Tx, visit: Mapping[str, Any]) -> bool:
    """Tell whether a visit can pay attention: in person, on a day that somebody said, by whoever
    recorded it, as its role says and not as was typed.
    """
    there = _who(visit) is not None and visit["channel"] == "in_person"
    return there and storing.day_known(queries.words_of(tx, visit), visit)


def _who(visit: Mapping[str, Any]) -> str | None:
    """Return the role of who went there and recorded it; None if another went."""
    if visit["as_role"] in _RECORDED_BY:
        return _DIRECTOR if visit["visitor_type"] == "child_director" else None
    own = visit["as_role"] == visit["visitor_type"]
    return str(visit["as_role"]) if own else None


def _told(visit: Mapping[str, Any], later: Sequence[Mapping[str, Any]], role: str) -> spine.Event:
    """Tell whether a role, with what the director did, looked at all of it."""
    left = [each for each in visit["findings"] if each["abnormal"]]
    for one in later:
        if left and _who(one) in {_DIRECTOR, role}:
            left = rules.not_looked_at(left, one["findings"])
            if not left:
                return FindingLookedAt(**_about(visit, one["visited_on"], role))
    return FindingLeftOpen(**_about(visit, visit["visited_on"], role), left=rules.domains(left))


def _about(visit: Mapping[str, Any], on: date, role: str) -> dict[str, Any]:
    """Say which visit found it, the day, and whose look at it that is, if not the director's."""
    named = ("home_county", "region_code", "child_id")
    about = {"subject_id": visit["id"], "visited_on": on, **{name: visit[name] for name in named}}
    if role == _DIRECTOR:
        return about
    return {**about, "as_role": role, "look_id": standing_for("look", [str(visit["id"]), role])}
