"""What each owes along the chain from absence to return, by when, and what discharges it."""

import pytest

from app.core.data.db import SYSTEM
from app.dropout_alerts import acts
from app.policy import parameters, queries
from app.policy.rules import effective
from tests.access.factories import a_caller, an_agency
from tests.attendance.factories import TOWNSHIP, a_school, an_event, push
from tests.conftest import VILLAGE
from tests.dropout_alerts.factories import a_report, an_attempt, everyone
from tests.jobs import run_jobs
from tests.police_reports.factories import rows
from tests.unresolved.conftest import tick

FAR, FAR_TOWNSHIP = 120116000000, 120116101000
DEMO_TOWNSHIP = 120101001000
CLOSED = "UPDATE agencies SET active = false WHERE id = $1"
WITNESSED = "audit_entries WHERE operation = 'dropout_alerts.reassess'"
SIX_DAYS = tuple(f"2026-11-{day}" for day in (13, 16, 17, 18, 19, 20))


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


async def owed(client, caller, rule: str) -> list[tuple[str, str, str]]:
    answer = await client.get("/v1/duties", params={"rule": rule}, headers=caller.headers)
    return [(d["bearer"]["role"], d["state"], d["due_at"]) for d in answer.json()["items"]]


async def test_a_school_owes_a_word_with_the_parents_then_persuasion(
    client, database, around
) -> None:
    """EDU-01 (预防未成年人犯罪法 34: 及时联系); EDU-03: 劝返, in three school days."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, "2026-11-13")
    assert [each[:2] for each in await owed(client, around.teacher, "EDU-01.contact")] == [
        ("school", "open")
    ]
    assert await owed(client, around.teacher, "EDU-03") == []
    spoken = {"spoken_on": "2026-11-20", "method": "phone", "note": "奶奶说孩子发烧"}
    told = await around.step(
        around.teacher, await around.alert(pupil.id), "parent-contacts", spoken
    )
    assert told.status_code == 201, told.text
    assert (told.json()["state"], told.json()["registered_on"]) == ("absent", None)
    (kept,) = told.json()["journal"]
    assert {"kind": "spoken", **spoken}.items() <= kept.items()
    await run_jobs(database)
    assert [each[1] for each in await owed(client, around.teacher, "EDU-01.contact")] == [
        "discharged"
    ]
    await around.absent(pupil.id, *(f"2026-11-{day}" for day in (16, 17, 18, 19, 20)))
    for caller in (around.teacher, around.education):
        assert await owed(client, caller, "EDU-03") == [("school", "open", "2026-11-25T16:00:00Z")]
    alert = await around.alert(pupil.id)
    await around.step(around.teacher, alert, "persuasions", an_attempt())
    await run_jobs(database)
    for rule in ("EDU-01.contact", "EDU-03"):
        assert [each[1] for each in await owed(client, around.teacher, rule)] == ["discharged"]


async def test_an_attempt_in_vain_ends_nothing_until_the_child_is_back_or_the_school_gives_up(
    client, database, around
) -> None:
    """EDU-03: 劝返复学; EDU-04: 劝返无效的 — whoever tries once and leaves it at that is late."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *SIX_DAYS)
    alert = await around.alert(pupil.id)
    for outcome in ("unreachable", "promised", "refused"):
        tried = await around.step(around.teacher, alert, "persuasions", an_attempt(outcome=outcome))
        assert tried.status_code == 201, tried.text
        alert = tried.json()
        await run_jobs(database)
        for caller in (around.teacher, around.education, around.township):
            due = ("school", "open", "2026-11-25T16:00:00Z")
            assert await owed(client, caller, "EDU-03.ended") == [due], outcome
    assert await owed(client, around.teacher, "EDU-04") == []
    await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    await run_jobs(database)
    for rule, state in (("EDU-03.ended", "discharged"), ("EDU-04", "open")):
        assert [each[1] for each in await owed(client, around.teacher, rule)] == [state]

    other = await around.school.pupil(database)
    await around.absent(other.id, *SIX_DAYS)
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    await around.step(around.teacher, await around.alert(other.id), "return", back)
    await run_jobs(database)
    states = [each[1] for each in await owed(client, around.teacher, "EDU-03.ended")]
    assert sorted(states) == ["cancelled", "discharged"]


async def test_each_addressee_owes_what_it_does_for_itself(client, database, around) -> None:
    """EDU-07: the education authority and the township, each by measures of its own."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *SIX_DAYS)
    alert = await around.alert(pupil.id)
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    await run_jobs(database)
    due = "2026-11-27T16:00:00Z"
    both = [("education_authority", "open", due), ("township_supervisor", "open", due)]
    assert sorted(await owed(client, around.education, "EDU-07")) == both
    measure = {"kind": "talk_with_guardian", "ordered_on": "2026-11-20"}
    acted = await around.step(around.township, sent.json(), "measures", measure)
    assert acted.status_code == 201, acted.text
    await run_jobs(database)
    assert sorted(each[:2] for each in await owed(client, around.education, "EDU-07")) == [
        ("education_authority", "open"),
        ("township_supervisor", "discharged"),
    ]
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    await around.step(around.teacher, acted.json(), "return", back)
    await run_jobs(database)
    assert sorted(each[:2] for each in await owed(client, around.education, "EDU-07")) == [
        ("education_authority", "cancelled"),
        ("township_supervisor", "discharged"),
    ]


async def test_whoever_orders_the_child_back_by_a_day_owes_that_it_is(
    client, database, around
) -> None:
    """EDU-07: 依法采取措施劝返复学, by an order with a number and a day."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *SIX_DAYS)
    alert = await around.alert(pupil.id)
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    order = {"kind": "order_to_guardian", "ordered_on": "2026-11-20"}
    paper = {"order_number": "责令2026-7", "back_by": "2026-11-24"}
    too_early = {**order, **paper, "back_by": "2026-11-19"}
    refused = await around.step(around.education, sent.json(), "measures", too_early)
    assert refused.status_code == 422
    await run_jobs(database)
    acted = sent
    for said, unsaid, state in (
        ({"kind": "home_visit"}, [], "discharged"),
        ({"back_by": paper["back_by"]}, ["order_number"], "open"),  # taken, and owed still
        ({"order_number": "7"}, ["back_by"], "open"),
        (paper, [], "discharged"),
    ):
        acted = await around.step(around.education, acted.json(), "measures", {**order, **said})
        assert acted.status_code == 201, acted.text
        kept = acted.json()["measures"]
        assert kept[-1]["unsaid"] == unsaid
        await run_jobs(database)
        owing = [each[:2] for each in await owed(client, around.education, "EDU-07")]
        assert ("education_authority", state) in owing, said
    assert {name: kept[-1][name] for name in paper} == paper
    assert [each["unsaid"] for each in kept] == [[]] * 4
    due = "2026-11-24T16:00:00Z"
    for caller in (around.education, around.township):
        rows = await owed(client, caller, "EDU-07.back")
        assert rows == [("education_authority", "open", due)] * 2  # of the orders that name a day
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    await around.step(around.teacher, acted.json(), "return", back)
    await run_jobs(database)
    rows = await owed(client, around.education, "EDU-07.back")
    assert [each[1] for each in rows] == ["discharged"] * 2


async def test_an_order_is_void_once_somebody_says_that_the_child_was_not_away(
    client, database, around
) -> None:
    """EDU-07, I6: struck off by a named person, after the days were taken back."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *SIX_DAYS)
    alert = await around.alert(pupil.id)
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    order = {"kind": "order_to_guardian", "ordered_on": "2026-11-20", "back_by": "2026-11-24"}
    await around.step(around.education, sent.json(), "measures", order)
    await around.absent(pupil.id, *SIX_DAYS, category="withdrawn", sequence=1)
    [duty] = await owed(client, around.education, "EDU-07.back")
    assert duty[1] == "open", "a doubt alone ends nothing"
    struck_off = {"decision": "struck_off", "note": "点名点错了人"}
    alert = await around.alert(pupil.id)
    answer = await around.step(around.teacher, alert, "doubt/decision", struck_off)
    assert (answer.status_code, answer.json()["state"]) == (200, "closed"), answer.text
    await run_jobs(database)
    [duty] = await owed(client, around.education, "EDU-07.back")
    assert duty[1] == "cancelled"


async def test_the_register_says_why_and_where_from_the_beginning(client, database, around) -> None:
    """EDU-02: 落实辍学学生登记, with cause and whereabouts; the last word counts, each is kept."""
    pupil, other = [await around.school.pupil(database) for _ in range(2)]
    await around.absent(other.id, "2026-11-20")
    await around.absent(pupil.id, *SIX_DAYS)
    for caller in (around.teacher, around.education):
        assert await owed(client, caller, "EDU-02") == [("school", "open", "2026-11-21T02:00:00Z")]
    assert await owed(client, around.teacher, "EDU-02.doubt") == [], "nothing is in doubt"
    alert = await around.alert(pupil.id)
    assert (alert["cause"], alert["whereabouts"]) == (None, None)
    first, last = [
        {"cause": "working", "whereabouts": where} for where in ("unknown", "working_away")
    ]
    for said in (first, {**last, "note": "同乡说在外地工厂"}):
        answer = await around.step(around.teacher, alert, "register-entries", said)
        assert answer.status_code == 201, answer.text
        alert = answer.json()
    assert {name: alert[name] for name in last} == last
    told = [(each["kind"], each["whereabouts"], each["note"]) for each in alert["journal"]]
    assert told == [
        ("entered", "unknown", None),
        ("entered", "working_away", "同乡说在外地工厂"),
    ]
    register = await around.alerts(around.education, registered="true")
    assert [each["child_id"] for each in register] == [str(pupil.id)]
    for narrowed in ({"cause": "working"}, {"whereabouts": "working_away"}):
        (found,) = await around.alerts(around.education, **narrowed)
        assert found["child_id"] == str(pupil.id)
    for narrowed in ({"cause": "illness"}, {"whereabouts": "unknown"}):
        assert await around.alerts(around.education, **narrowed) == []
    await run_jobs(database)
    assert [each[1] for each in await owed(client, around.teacher, "EDU-02")] == ["discharged"]
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    assert (sent.json()["cause"], sent.json()["whereabouts"]) == ("tired_of_school", "at_home")

    by_hand = await around.step(
        around.teacher, await around.alert(other.id), "register-entries", first
    )
    assert (by_hand.json()["state"], by_hand.json()["registered_on"]) == (
        "registered",
        "2026-11-20",
    )


@pytest.mark.parametrize(
    ("role", "place"), [("education_authority", FAR), ("township_supervisor", FAR_TOWNSHIP)]
)
async def test_an_office_registered_later_has_what_was_written_and_owes_its_answer(
    client, database, settings, around, role, place
) -> None:
    """EDU-05: 应书面报告县级教育行政部门和乡镇人民政府, whichever is there first."""
    # Where the school stands, or where the child lives, there is none yet.
    stands_in, lives_in = TOWNSHIP, FAR_TOWNSHIP + 201
    if role == "education_authority":
        stands_in, lives_in = FAR_TOWNSHIP, VILLAGE
    school = await a_school(database, settings, stands_in)
    teacher = await a_caller(database, settings, "school", stands_in, agency_id=school.id)
    written, silent, back = [await school.pupil(database, lives_in) for _ in range(3)]
    for pupil in (written, silent, back):
        await push(client, school, *(an_event(pupil.id, day) for day in SIX_DAYS))
    await run_jobs(database)
    (alert,) = await around.alerts(teacher, child_id=str(back.id))
    returned = {"returned_on": "2026-11-20", "kind": "same_school"}
    assert (await around.step(teacher, alert, "return", returned)).is_success
    (alert,) = await around.alerts(teacher, child_id=str(written.id))
    failed = await around.step(teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(teacher, failed.json(), "written-report", a_report())
    assert len(sent.json()["written_report"]["receipts"]) == 1
    there = around.township if role == "education_authority" else around.education
    measure = {"kind": "home_visit", "ordered_on": "2026-11-20"}
    acted = await around.step(there, sent.json(), "measures", measure)
    assert acted.json()["state"] == "measures"
    await run_jobs(database)
    kind = "education" if role == "education_authority" else "township_government"
    closed = await an_agency(database, kind, place)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(CLOSED, closed)
    office = await a_caller(database, settings, role, place)
    witnessed = await rows(database, WITNESSED)
    await tick(database, "dropout_alerts.address_later")
    assert [each[:2] for each in await owed(client, office, "EDU-07") if each[0] == role] == [
        (role, "open")
    ]
    [told] = await rows(database, "events WHERE wire_name LIKE '%.written_report_addressed'")
    assert str(office.agency_id) in told["told_to"]
    read = {each["child_id"]: each for each in await around.alerts(office)}
    assert "acknowledgeWrittenReport" in read[str(written.id)]["permitted"]
    assert read[str(written.id)]["version"] == acted.json()["version"] + 1
    lives_there = {str(back.id)} if role == "township_supervisor" else set()
    assert read.keys() == {str(written.id), str(silent.id), *lives_there}, "not what is over"
    assert len(await rows(database, WITNESSED)) == len(witnessed) + 1
    taken = await around.step(office, read[str(written.id)], "written-report/receipt")
    assert taken.status_code == 200, taken.text


@pytest.mark.parametrize("place", [TOWNSHIP, DEMO_TOWNSHIP])
async def test_where_the_place_says_at_once_the_school_writes_as_soon_as_it_finds_the_absence(
    client, database, settings, monkeypatch, place
) -> None:
    """EDU-06: 发现留守儿童旷课、辍学现象时,第一时间向教育部门书面汇报."""
    demo = parameters.demo_values_in(parameters.demo_file(), queries.parameters())
    there = [each for each in (*queries.values(), *demo) if each.name == "dropout.escalate_when"]
    monkeypatch.setattr(
        acts, "_escalate_when", lambda code, on: effective(there, there[0].name, code, on).value
    )
    around = await everyone(client, database, settings)
    school = await a_school(database, settings, place)
    teacher = await a_caller(database, settings, "school", place, agency_id=school.id)
    await a_caller(database, settings, "education_authority", place // 10**6 * 10**6)
    pupil = await school.pupil(database)
    await push(client, school, an_event(pupil.id, "2026-11-20"))
    await run_jobs(database)
    (alert,) = await around.alerts(teacher)
    at_once = place == DEMO_TOWNSHIP
    due = [("school", "open", "2026-11-21T02:00:00Z")]
    assert await owed(client, teacher, "EDU-06") == due * at_once
    sent = await around.step(teacher, alert, "written-report", a_report())
    assert sent.status_code == (201 if at_once else 409), sent.text
    await run_jobs(database)
    said = [each[1] for each in await owed(client, teacher, "EDU-06")]
    assert said == ["discharged"] * at_once
    if at_once:  # it stands in the register with that, and the file is told
        assert "child_registered" in await around.announced()
