"""What the police leave out for a reason stands only if a second person of theirs says so (REP-20,
REP-22).
"""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, filed, the_offices
from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE
from tests.police_reports.test_closing import CONFIRM, UNASSESSED, Case, problem
from tests.police_reports.test_dispositions import LEFT_OUT, VIOLENCE, refused
from tests.police_reports.test_fast import CARED_FOR
from tests.police_reports.test_owing import owed, states
from tests.unresolved.conftest import tick

LENIENT = {
    **CARED_FOR,
    "omitted": [{"measure": "abandonment_admonished", "reason": "父亲已认错。"}],
}
PUNISHED = {**CARED_FOR, "measures": ["abandonment_punished"]}
DUE = "2026-11-21T02:00:00Z"
"""A day after a disposition of the 20th, 02:00."""


@pytest.fixture
async def case(client, database, settings) -> Case:
    """A child was abandoned, and the police do nothing about that, for a reason."""
    offices = await the_offices(database, settings)
    made = Case(client, offices, await filed(client, offices.school, situations=["abandoned"]))
    await made.taken("police", "dispositions", LENIENT)
    await run_jobs(database)
    return made


@pytest.fixture
def officer(database, settings, case):
    """Returns how to make one more person of the station, or its system."""
    station = {"agency_id": case.offices.police.agency_id}

    async def made(**fields):
        return await a_caller(database, settings, "police", TOWNSHIP, **station, **fields)

    return made


@pytest.fixture
def duties(client, database, case):
    """Returns how the duties to answer, and to judge the reasons, stand for the county."""

    async def read():
        await run_jobs(database)
        rules = ("REP-08", "REP-08.omitted")
        return tuple([(await states(client, case.offices.county, rule)) for rule in rules])

    return read


async def judged(case, **fields):
    step_id = (await case.read())["omission_step_id"]
    words = {"judged_at": AT, "confirmed": True, "explanation": "已核实。"}
    return {**words, "disposition_id": step_id, **fields}


async def test_a_second_person_of_the_police_confirms_why_nothing_was_done(
    case, client, officer, duties
) -> None:
    """REP-22: 处置父母…遗弃留守儿童的不法行为, and nobody alone says that it need not be."""
    for caller in (case.offices.police, case.offices.township, case.offices.county):
        [duty] = await owed(client, caller, "REP-08.omitted")
        assert (duty["state"], duty["due_at"], duty["bearer"]["role"]) == ("open", DUE, "police")
    assert (await case.read("school"))["omission_step_id"] is None
    body, colleague = await judged(case), await officer()
    for who in ("police", await officer(machine=True)):
        answer = await case.take(who, "omissions/judgement", body)
        assert problem(answer) == (403, "another-officer-needed")
        assert "judgeOmissions" not in (await case.read(who))["permitted"]
    assert "judgeOmissions" in (await case.read(colleague))["permitted"]
    await case.taken("township", "assessment", ASSESS)
    answer = await case.take("township", "closure", CLOSE)
    assert answer.json()["errors"][0]["code"] == "explanation_missing", "nobody ends it alone"
    assert (await case.taken(colleague, "omissions/judgement", body))[
        "step"
    ] == "omission_confirmed"
    assert await duties() == (["discharged"], ["discharged"])
    read = await case.read()
    assert (read["unanswered"], read["omission_step_id"]) == ([], None)
    assert read["handled_at"] is not None
    said = read["steps"][-1]["details"] or {}
    assert {"explanation": "已核实。"}.items() <= said.items()
    answer = await case.take(colleague, "omissions/judgement", body)
    assert problem(answer) == (409, "nothing-left-out")
    assert (await case.taken("township", "closure", CLOSE))["state"] == "closed"


async def test_rejected_it_is_owed_again_until_it_is_done(case, officer, duties) -> None:
    """REP-20: 快速查处: reasons why nothing was done are no handling unless they are good."""
    colleague, no = await officer(), {"confirmed": False, "explanation": "应予训诫。"}
    taken = await case.taken(colleague, "omissions/judgement", await judged(case, **no))
    assert taken["step"] == "omission_rejected"
    assert await duties() == (["open"], ["discharged"])
    read = await case.read()
    assert (read["unanswered"], read["handled_at"]) == (["abandoned"], None)
    await case.taken("police", "dispositions", CARED_FOR)
    assert await duties() == (["open"], ["discharged"]), "rejected, it is no reason any more"
    await case.taken("police", "dispositions", LENIENT)
    assert await duties() == (["discharged"], ["open"]), "given again, it is judged again"
    await case.taken("police", "dispositions", PUNISHED)
    assert await duties() == (["discharged"], ["discharged"]), "done, there is nothing to judge"
    assert (await case.read())["omission_step_id"] is None


async def test_nobody_judges_what_they_gave_or_have_not_read(case, officer, duties) -> None:
    second, third, body = await officer(), await officer(), await judged(case)
    await case.taken(second, "dispositions", {**VIOLENCE, "omitted": LEFT_OUT})
    answer = await case.take(third, "omissions/judgement", body)
    assert refused(answer) == (422, "#/disposition_id", "omission_unread")
    body = await judged(case)
    for who in ("police", second):
        answer = await case.take(who, "omissions/judgement", body)
        assert problem(answer) == (403, "another-officer-needed")
    await case.taken(third, "omissions/judgement", body)
    assert await duties() == (["discharged"], ["discharged"])
    await case.taken("police", "dispositions", {**DISPOSE, "kind": "living_alone"})
    assert await duties() == (["discharged"], ["discharged"]), "what was confirmed stays so"


async def test_who_gave_a_reason_never_judges_it_and_who_gave_none_does(case, officer) -> None:
    """REP-12: what nobody asked for when it was left out is asked for once a danger is named."""
    await case.taken("police", "dispositions", PUNISHED)
    away = {"measure": "placed_in_welfare_institution", "reason": "孩子不愿离开。"}
    measures = [*VIOLENCE["measures"], *(each["measure"] for each in LEFT_OUT)]
    done = {**VIOLENCE, "measures": measures, "omitted": []}
    await case.taken("police", "dispositions", {**done, "omitted": [away]})
    assert (await case.read())["omission_step_id"] is None
    second = await officer()
    await case.taken(second, "dispositions", {**done, "dangers": ["nobody_caring"]})
    body = await judged(case)
    answer = await case.take("police", "omissions/judgement", body)
    assert problem(answer) == (403, "another-officer-needed")
    await case.taken(second, "omissions/judgement", body)


_SENT_ON_AND_ON = """
INSERT INTO police_report_steps (id, home_county, report_id, step, at, recorded_at, agency_id,
    codes, content_index, out_of_order)
SELECT gen_random_uuid(), home_county, report_id, step, at, recorded_at - interval '1 minute',
    agency_id, '{"kind": "living_alone", "measures": []}', content_index, false
FROM police_report_steps, generate_series(1, 1000) WHERE step = 'disposed'
"""


async def test_what_is_said_after_a_thousand_steps_counts_and_is_shown(
    case, database, officer
) -> None:
    """REP-20: a system that sends one thing without end buries nothing that is done after it."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_SENT_ON_AND_ON)
    await case.taken(await officer(), "omissions/judgement", await judged(case))
    await case.taken("police", "dispositions", {**DISPOSE, "kind": "living_alone"})
    read = await case.read()
    assert (read["omission_step_id"], read["unanswered"]) == (None, [])
    assert [each["step"] for each in read["steps"][-2:]] == ["omission_confirmed", "disposed"]


async def test_what_a_system_sends_a_person_judges(case, officer, duties) -> None:
    machine = await officer(machine=True)
    await case.taken("police", "dispositions", PUNISHED)
    await case.taken(machine, "dispositions", VIOLENCE)
    assert (await duties())[1] == ["open"]
    await case.taken("police", "omissions/judgement", await judged(case))
    assert (await duties())[1] == ["discharged"]


async def test_two_of_the_township_may_end_it_and_a_rejection_opens_it_again(
    case, officer, duties
) -> None:
    await case.taken("township", "closure", UNASSESSED)
    await case.taken("county", "closure/confirmation", CONFIRM)
    assert (await duties())[1] == ["cancelled"]
    colleague, no = await officer(), {"confirmed": False}
    await case.taken(colleague, "omissions/judgement", await judged(case, **no))
    assert (await case.read())["closed_at"] is None
    assert (await duties())[0] == ["open"]


async def test_unjudged_it_is_late_and_civil_affairs_hear_of_it(
    case, client, database, settings, now, monkeypatch
) -> None:
    """REP-22: 及时…处置."""
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(hours=25))
    for job in ("duties.mark_overdue", "duties.escalate"):
        await tick(database, job)
    county = renewed(database, settings, case.offices.county)
    [duty] = await owed(client, county, "REP-08.omitted")
    assert duty["state"] == "overdue"
    record = (await client.get(f"/v1/duties/{duty['id']}", headers=county.headers)).json()
    assert ["civil_affairs"] in [told["to"] for told in record["told"]]
