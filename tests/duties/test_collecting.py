"""What a left-behind child's file is to say: a school asks class by class (REG-10), and a community
has it by 15 July (REG-08).
"""

from dataclasses import replace
from typing import Any

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import Caller, a_caller, callers, renewed
from tests.children.enrolling import Pupil, a_pupil
from tests.children.factories import a_file
from tests.duties.conftest import COUNTY, TOWNSHIP, VILLAGE, Time
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

OTHER_COUNTY = 120118000000
AT_HOME = [
    {"role": role, "statuses": [{"status": "at_home", "since": "2020-01-01"}]}
    for role in ("father", "mother")
]
AWAY = a_file(VILLAGE)["family"]["parents"]
SOMEBODY = {"sex": "female", "birth_date": "2016-03-01"}
LATE = "SELECT data FROM events WHERE wire_name = 'duties.duty_overdue' AND data ->> 'rule' = $1"


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, VILLAGE, OTHER_COUNTY)


async def _run(database, *names: str) -> None:
    for name in names:
        async with database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, name, [{}])
        await run_jobs(database)


def _named(number: int) -> dict[str, Any]:
    return {"name": f"样小{number}", "resident_id": None, "no_resident_id_reason": "not_issued"}


@pytest.fixture
async def who(database, settings, director) -> dict[str, Caller]:
    """Two schools of two districts and, of each, the education office; those of the first."""
    made = await callers(
        database,
        settings,
        bureau=("education_authority", COUNTY),
        other_bureau=("education_authority", OTHER_COUNTY),
        school=("school", TOWNSHIP),
        other=("school", OTHER_COUNTY),
        township=("township_supervisor", TOWNSHIP),
        county=("civil_affairs", COUNTY),
    )
    return {**made, "director": director}


@pytest.fixture
def a_left_behind(client, database, settings, who):
    """Open the file of a left-behind pupil of the first school."""

    async def open_file(number: int, **education: Any) -> Pupil:
        school, identity = who["school"].agency_id, _named(number)
        return await a_pupil(client, database, settings, school, identity=identity, **education)

    return open_file


@pytest.fixture
def owed(client, database, settings, who):
    """List what somebody sees that schools owe: state, period, place and school, by child."""

    async def listed(by: str, query: str = "") -> dict[str, tuple[str, ...]]:
        headers = renewed(database, settings, who[by]).headers
        answer = await client.get(f"/v1/duties?rule=REG-10.school{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return {
            each["child_id"]: (
                each["state"],
                each["period"],
                each["region_code"],
                each["bearer"]["agency_id"],
            )
            for each in answer.json()["items"]
        }

    return listed


def _duty(school: Caller, state: str = "open", place: int = VILLAGE) -> tuple[str, ...]:
    return (state, "2026Q4", str(place), str(school.agency_id))


async def test_a_school_collects_class_by_class_what_its_pupils_files_lack(
    client, database, who, a_left_behind, owed
) -> None:
    """REG-10: 學校以班級為單位,對在校留守兒童進行信息統計 … 確保信息全面準確."""
    asked = await a_left_behind(1, class_name="三年级2班", stage=None)
    unnamed = await a_left_behind(2, class_name="三年级1班")
    await unnamed.change(guardianship={"guardian": {"name": None}})
    silent = await a_left_behind(3, class_name="三年级2班")
    await silent.change(health={"status": None}, residence={"address": None})
    not_left = await a_left_behind(4, class_name="三年级2班", stage=None)
    await not_left.change(family={"parents": AT_HOME})
    await (await a_left_behind(5, stage=None)).enrol(None)
    await run_jobs(database)
    await _run(database, "duties.open_period")
    pupils, school = [str(asked.id), str(unnamed.id)], who["school"]
    at_school = dict.fromkeys(pupils, _duty(school, place=COUNTY))
    assert await owed("school") == at_school, "in which village they live it does not read"
    for by in ("bureau", "township", "county"):
        assert await owed(by) == dict.fromkeys(pupils, _duty(school)), by
    for by in ("director", "other", "other_bureau"):
        assert await owed(by) == {}, by
    for class_name, pupil in (("三年级２班", pupils[:1]), ("三年级1班", pupils[1:]), ("1班", [])):
        for by in ("school", "bureau"):
            assert [*await owed(by, f"&class_name={class_name}")] == pupil

    async def write(by: Caller, stage: str | None) -> str:
        url = f"/v1/children/{asked.id}"
        etag = (await client.get(url, headers=by.headers)).headers["etag"]
        body = {"education": {"stage": stage}}
        answer = await client.patch(url, json=body, headers={**by.headers, "if-match": etag})
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        return (await owed("bureau"))[str(asked.id)][0]

    director = who["director"]
    assert await write(director, "primary") == "lapsed", "the school did not collect it"
    assert await write(director, None) == "open", "emptied again"
    assert await write(school, "primary") == "discharged"
    assert await write(director, None) == "open", "emptied again in the quarter"


async def test_what_a_school_has_not_collected_goes_with_the_pupil_and_what_is_late_stays(
    database, settings, who, a_left_behind, owed, time: Time
) -> None:
    """Owed by the school where the child is a pupil; overseen by the office of its district."""
    pupil = await a_left_behind(1, stage=None)
    here, there = who["school"], who["other"]
    await run_jobs(database)

    async def enrol(school: Caller | None) -> dict[str, tuple[str, ...]]:
        await pupil.enrol(school and school.agency_id)
        await run_jobs(database)
        return {by: duty for by in who for duty in (await owed(by)).values()}

    assert (await owed("school")) == {str(pupil.id): _duty(here, place=COUNTY)}
    found = await enrol(there)
    assert {*found} == {"other", "other_bureau", "bureau", "township", "county"}
    assert found["other_bureau"] == _duty(there)
    assert (await enrol(None))["bureau"] == _duty(there, "lapsed")
    assert (await enrol(there))["bureau"] == _duty(there)
    time.set(2026, 12, 31, 16)
    await _run(database, "duties.mark_overdue", "duties.open_period")
    async with database.begin(SYSTEM) as tx:
        (late,) = [row["data"] for row in await tx.connection.fetch(LATE, "REG-10.school")]
    assert late["known_to"] == [str(who["other_bureau"].agency_id)]
    assert (late["agency_id"], late["escalates_to"]) == (
        str(there.agency_id),
        ["education_authority"],
    )
    pupil = replace(pupil, office=renewed(database, settings, pupil.office))
    await enrol(here)
    assert await owed("bureau", "&state=overdue") == {str(pupil.id): _duty(there, "overdue")}
    (now,) = (await owed("bureau", "&state=open")).values()
    assert now == ("open", "2027Q1", str(VILLAGE), str(here.agency_id))


async def test_a_community_has_by_15_july_what_the_information_base_holds(
    client, database, settings, director, time: Time
) -> None:
    """REG-08: 7月15日前,各社区服务中心要…建立以留守人数、姓名、监护人情况、父母动态、学习状况等为
    主要内容的留守儿童信息库. What is not done by the day is late, and owed until it is done.
    """
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)

    async def open_file(number: int, **sections: Any) -> str:
        body = a_file(VILLAGE, identity=_named(number) | SOMEBODY, **sections)
        answer = await client.post("/v1/children", json=body, headers=director.headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def write(child: str, **sections: Any) -> None:
        headers = renewed(database, settings, director).headers
        read = await client.get(f"/v1/children/{child}", headers=headers)
        headers = {**headers, "if-match": read.headers["etag"]}
        answer = await client.patch(f"/v1/children/{child}", json=sections, headers=headers)
        assert answer.status_code == 200, answer.text
        await run_jobs(database)

    async def owed(child: str) -> list[tuple[str, str]]:
        headers = renewed(database, settings, township).headers
        params = {"rule": "REG-08", "child_id": child}
        found = (await client.get("/v1/duties", params=params, headers=headers)).json()["items"]
        assert {each["bearer"]["role"] for each in found} <= {"village_director"}
        assert {each["due_at"] for each in found} <= {
            f"{each['period']}T16:00:00Z" for each in found
        }
        return [(each["period"], each["state"]) for each in found]

    parts = [{"guardianship": {}}, {"education": {"status": "enrolled"}}]
    lacking = [await open_file(number, **part) for number, part in enumerate(parts)]
    elsewhere = {"health": {}, "welfare": {}}
    whole = await open_file(4, **elsewhere)
    left = await open_file(5, education={})
    await run_jobs(database)
    assert await owed(whole) == [], "what else a file is to say is no part of it"
    this, following = "2027-07-15", "2028-07-15"
    first = lacking[-1]
    assert [await owed(each) for each in lacking] == [[(this, "open")]] * 2, "seen months before"
    await write(first, education={"stage": "primary"})
    assert await owed(first) == [(this, "discharged")]
    await write(first, education={"stage": None})
    assert await owed(first) == [(this, "open")], "emptied again before the day"
    await write(left, family={"parents": AT_HOME})
    assert await owed(left) == [(this, "lapsed")]
    time.set(2027, 7, 15, 15, 55)
    await _run(database, "duties.mark_overdue", "duties.open_period")
    assert await owed(first) == [(this, "open")]
    time.set(2027, 7, 15, 16)
    await _run(database, "duties.mark_overdue", "duties.open_period")
    assert await owed(first) == [(this, "overdue"), (following, "open")]
    time.set(2027, 9, 1)
    await write(first, education={"stage": "primary"})
    assert await owed(first) == [(this, "discharged"), (following, "discharged")]
    await write(first, education={"stage": None})
    assert await owed(first) == [(this, "discharged"), (following, "open")], "it was done, late"
    await write(left, family={"parents": AWAY})
    await write(left, education={"stage": "primary", "status": "enrolled"})
    assert await owed(left) == [(this, "lapsed"), (following, "discharged")]
