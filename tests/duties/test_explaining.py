"""Why something is owed or not, in words for who runs the service."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from app.duties import explaining, owners, queries
from app.duties.rulebook import rules
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import TOWNSHIP, VILLAGE
from tests.duties.factories import announce, visited, work

STATE = """
UPDATE duties SET state = $1, discharged_at = NULL, discharged_by = NULL, discharged_on = NULL,
    overdue_at = $2, lapsed_at = $2
"""


async def explained(database, rule: str, about) -> str:
    async with database.begin(SYSTEM) as tx:
        return "\n".join(await explaining.explain(tx, rules()[rule], about))


async def test_a_rule_of_periods_says_for_whom_it_is_owed_and_which_deed_counts(
    database, child
) -> None:
    await announce(database, "children.child_changed", child=child, subject_id=child.id)
    by_phone = await visited(database, child, date(2026, 11, 19), channel="phone")
    before = await visited(database, child, date(2026, 9, 30))
    await work(database)
    said = await explained(database, "VIS-01", child.id)
    assert "VIS-01 每季度实地走访 / Home visit every quarter (VIS-01, VIS-02, VIS-08)" in said
    assert "by: village_director" in said
    assert "today the child is one of these: categories left_behind" in said
    assert f"open: 2026Q4, subject {child.id}" in said
    assert "until 2026-12-31T16:00:00+00:00" in said
    assert f"{by_phone}, 2026-11-19: does not count, channel is phone, not in_person" in said
    assert f"{before}, 2026-09-30: does not count, before 2026-10-01" in said
    there = await visited(database, child, date(2026, 11, 19))
    await work(database)
    said = await explained(database, "VIS-01", child.id)
    assert f"discharged: 2026Q4, subject {child.id}" in said
    assert f"{there}, 2026-11-19: discharged it" in said
    other = await a_child(database, VILLAGE)
    said = await explained(database, "VIS-01", other.id)
    assert "today the child is not one of these" in said
    assert "Nothing is or was owed under it" in said


async def test_who_stands_in_is_said_and_whose_deed_counts(database, settings, child) -> None:
    """What who stands in did when it was owed by the director, and does, and what another did."""
    await announce(database, "children.child_changed", child=child, subject_id=child.id)
    visits = {}
    for role in ("civil_affairs", "township_supervisor"):
        by = {"as_role": role, "visitor_type": role}
        visits[role] = await visited(database, child, date(2026, 11, 19), **by)
    await work(database)
    said = await explained(database, "VIS-01", child.id)
    for role, visit in visits.items():
        why = f"visitor_type is {role}, not child_director; as_role is {role}, not village_director"
        assert f"{visit}, 2026-11-19: does not count, {why}/None" in said
    await a_caller(database, settings, "township_supervisor", TOWNSHIP, machine=False)
    async with database.begin(SYSTEM) as tx:
        await owners.find_owners(tx, child.home_county)
    said = await explained(database, "VIS-01", child.id)
    assert "by: township_supervisor, for the empty post of village_director, place" in said
    assert f"{visits['township_supervisor']}, 2026-11-19: discharged it" in said
    why = "visitor_type is civil_affairs, not child_director/township_supervisor"
    assert f"{visits['civil_affairs']}, 2026-11-19: does not count, {why}" in said
    again = await visited(database, child, date(2026, 11, 20), **by)
    await work(database)
    for state, counts in (("overdue", "counts"), ("lapsed", "does not count, ")):
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(STATE, state, tx.now)
        said = await explained(database, "VIS-01", child.id)
        assert f"{again}, 2026-11-20: {counts}" in said


async def test_what_a_school_owes_and_what_is_due_by_a_day_are_said_so(database) -> None:
    school = await an_agency(database, "school", VILLAGE)
    lacks = {"categories": ["left_behind"], "lacking": ["education.stage"]}
    pupil = await a_child(database, VILLAGE, school_id=school, **lacks)
    await announce(database, "children.child_changed", child=pupil, subject_id=pupil.id)
    await work(database)
    said = await explained(database, "REG-10.school", pupil.id)
    assert "by: school, the agency in school_id of the child" in said
    assert f", {school}), place {VILLAGE}" in said
    assert "owed: every quarter, for each child with category left_behind, lacking school" in said
    said = await explained(database, "REG-08", pupil.id)
    assert "due: day 07-15" in said
    assert "open: 2027-07-15, subject" in said


async def test_a_deed_that_does_not_count_says_why_not(database, child) -> None:
    await announce(database, "children.child_changed", child=child, subject_id=child.id)
    gone = await visited(database, child, date(2026, 11, 18))
    about = {"child": child, "subject_id": gone, "visited_on": "2026-11-18"}
    await announce(database, "visits.visit_taken_back", **about)
    ahead = await visited(database, child, date(2027, 1, 1))
    await work(database)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE duties SET state = 'overdue', overdue_at = $1", tx.now)
    said = await explained(database, "VIS-01", child.id)
    assert "  overdue since 2026-11-20T02:00:00+00:00" in said
    assert f"{gone}, 2026-11-18: does not count, taken back, or passed on" in said
    assert f"{ahead}, 2027-01-01: does not count, after 2026-12-31; its day has not come" in said


def test_of_a_rule_without_periods_nobody_is_chosen() -> None:
    with pytest.raises(ValueError, match="VIS-03 is not owed in periods"):
        queries.chosen(rules()["VIS-03"], date(2026, 11, 20))


async def test_a_rule_of_events_says_what_opened_it_and_what_ended_it(database, child) -> None:
    visit = await visited(database, child, date(2026, 11, 18))
    about = {"child": child, "subject_id": visit, "visited_on": "2026-11-18"}
    found = {"types": ["poverty"], "refer_to": []}
    await announce(database, "visits.abnormal_finding", **about, **found)
    await work(database)
    await announce(database, "visits.visit_taken_back", **about)
    await work(database)
    for asked in (child.id, visit):
        said = await explained(database, "VIS-03", asked)
        assert f"cancelled: once, subject {visit}" in said
        assert "why: visits.abnormal_finding, 2026-11-20T02:00:00+00:00" in said
        assert "why: visits.visit_taken_back" in said
        assert f"{visit}, 2026-11-18: does not count, " in said
