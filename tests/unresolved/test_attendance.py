"""What a school pushes under a number nobody has is kept, and stored when somebody has it."""

from datetime import timedelta

from app.core.data.db import SYSTEM
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import settling
from tests.access.factories import a_caller
from tests.attendance.factories import VILLAGE, a_school, an_event, codes, push, statuses
from tests.children.enrolling import a_pupil
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import (
    COUNTY,
    NUMBER,
    TOWNSHIP,
    count,
    listed,
    numbered,
    of_number,
    slots,
)


class TestKept:
    async def test_and_said_so_in_the_receipt(self, client, database, school, pupil) -> None:
        answer = await push(client, school, an_event(pupil.id), of_number())
        assert answer.status_code == 202
        assert statuses(answer) == ["accepted", "unresolved"]
        assert codes(answer)[1] == "child_not_found"
        assert answer.json()["results"][1]["pointer"] == "#/events/1/student"
        assert await count(database, "attendance_events") == 1
        assert await count(database, "unresolved_evidence") == 1

    async def test_five_times_once(self, client, database, school) -> None:
        event = of_number()
        for _ in range(5):
            assert statuses(await push(client, school, event, event)) == ["unresolved"] * 2
        assert await count(database, "unresolved_evidence") == 1
        other = {**event, "category": "excused"}
        assert statuses(await push(client, school, other)) == ["conflict"]

    async def test_in_one_question_for_all_events_of_a_number(
        self, client, school, teacher
    ) -> None:
        days = ("2026-11-18", "2026-11-19", "2026-11-20")
        dressed = {**NUMBER, "number": "g 0000 0000 0000 000001"}
        events = [of_number(day) for day in days] + [of_number(student=dressed)]
        await push(client, school, *events)
        (item,) = await listed(client, teacher)
        read = await client.get(f"/v1/unresolved/{item['id']}", headers=teacher.headers)
        assert len(read.json()["evidence"]) == 4
        assert item["claim"]["student"] == NUMBER

    async def test_in_a_fixed_number_of_statements(self, client, school, queries) -> None:
        counted = []
        for size in (1, 40):
            batch = [
                {**of_number(), "student": {**NUMBER, "number": f"N{size}-{at}"}}
                for at in range(size)
            ]
            queries.clear()
            await push(client, school, *batch)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries.statements

    async def test_not_at_all_if_all_or_nothing_was_asked_for(
        self, client, database, school, pupil
    ) -> None:
        answer = await push(
            client, school, an_event(pupil.id), of_number(), prefer="handling=strict"
        )
        assert answer.status_code == 422
        assert await count(database, "unresolved_evidence") == 0

    async def test_up_to_a_schools_share(self, client, school, monkeypatch) -> None:
        monkeypatch.setattr(
            "app.unresolved.operations.holding.MOST_WAITING", {UnresolvedKind.attendance: 2}
        )
        events = [of_number(day) for day in ("2026-11-18", "2026-11-19", "2026-11-20")]
        answer = await push(client, school, *events)
        assert statuses(answer) == ["unresolved", "unresolved", "rejected"]

    async def test_however_late_it_comes(self, client, database, school) -> None:
        assert statuses(await push(client, school, of_number("2020-01-01"))) == ["unresolved"]
        assert await count(database, "unresolved_evidence") == 1


class TestOwned:
    async def test_the_school_owes_the_number_then_its_bureau(
        self, client, database, settings, school, teacher, now
    ) -> None:
        bureau = await a_caller(database, settings, "education_authority", COUNTY)
        welfare = await a_caller(database, settings, "civil_affairs", COUNTY)
        await push(client, school, of_number())
        await run_jobs(database)
        for caller in (teacher, bureau):
            (item,) = await listed(client, caller)
            owner = {"role": "school", "agency_id": str(school.id), "answers_alone": False}
            assert item["owner"] == owner
            assert set(item["permitted"]) == {
                *("attachUnresolved", "correctUnresolved", "dismissUnresolved")
            }
        assert await listed(client, welfare) == []
        duties = (await client.get("/v1/duties", headers=teacher.headers)).json()["items"]
        (owed,) = [duty for duty in duties if duty["rule"] == "EDU-01"]
        assert owed["bearer"]["agency_id"] == str(school.id)
        assert owed["due_at"] == (now + timedelta(days=7)).isoformat().replace("+00:00", "Z")

    async def test_another_school_sees_nothing_of_it(
        self, client, database, settings, school
    ) -> None:
        other = await a_school(database, settings)
        await push(client, school, of_number())
        assert await listed(client, other.system) == []


class TestStored:
    async def test_of_a_pupil_that_has_left_since(
        self, client, database, settings, school, teacher
    ) -> None:
        """As it would be if it were pushed now: the school tells of the days of its pupils then."""
        await some_regions(database, VILLAGE)
        child = await a_pupil(
            client, database, settings, school.id, student_numbers=[], since="2026-09-01"
        )
        await push(client, school, of_number("2026-11-03"))
        new = await a_school(database, settings)
        await child.enrol(new.id, since="2026-11-09")
        await child.change(education={"student_numbers": [NUMBER]})
        await run_jobs(database)
        assert [(row["child_id"], row["day"]) for row in await slots(database)] == [
            (child.id, "2026-11-03")
        ]
        assert [each["state"] for each in await listed(client, teacher)] == ["attached"]

    async def test_all_that_waited_when_the_number_appears(
        self, client, database, settings, school, pupil, now
    ) -> None:
        days = ("2026-11-18", "2026-11-19", "2026-11-20")
        pushed = [await push(client, school, of_number(day)) for day in days]
        database.clock = lambda: now + timedelta(minutes=2)
        county = await a_caller(database, settings, "civil_affairs", COUNTY)
        read = await client.get(f"/v1/children/{pupil.id}", headers=county.headers)
        numbers = [{"system": "xueji", "number": NUMBER["number"]}]
        changed = await client.patch(
            f"/v1/children/{pupil.id}",
            json={"education": {"student_numbers": numbers}},
            headers={**county.headers, "if-match": read.headers["etag"]},
        )
        assert changed.status_code == 200, changed.text
        await run_jobs(database)
        found = await slots(database)
        assert [(row["child_id"], row["day"]) for row in found] == [(pupil.id, day) for day in days]
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT batch_id, received_at, agency_id FROM attendance_events ORDER BY school_day"
            )
        batches = [answer.json()["batch_id"] for answer in pushed]
        assert [str(row["batch_id"]) for row in rows] == batches, "each with what brought it"
        assert {row["received_at"] for row in rows} == {now}
        assert {row["agency_id"] for row in rows} == {school.id}

    async def test_what_follows_from_absence_follows(
        self, client, database, school, teacher, pupil, act
    ) -> None:
        days = ("2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
        await push(client, school, *(of_number(day) for day in days))
        await run_jobs(database)
        (item,) = await listed(client, teacher)
        answer = await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        alerts = await client.get("/v1/dropout-alerts", headers=teacher.headers)
        (alert,) = alerts.json()["items"]
        assert (alert["child_id"], alert["unexcused_days"]) == (str(pupil.id), 5)

    async def test_later_events_of_a_number_that_was_attached(
        self, client, database, school, teacher, pupil, act
    ) -> None:
        await push(client, school, of_number("2026-11-18"))
        (item,) = await listed(client, teacher)
        await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
        assert statuses(await push(client, school, of_number("2026-11-19"))) == ["unresolved"]
        await run_jobs(database)
        assert [row["day"] for row in await slots(database)] == ["2026-11-18", "2026-11-19"]

    async def test_a_number_mistyped_and_corrected(
        self, client, database, school, teacher, pupil, act
    ) -> None:
        await numbered(database, pupil, **NUMBER)
        wrong = {**NUMBER, "number": "G000000000000000007"}
        await push(client, school, of_number(student=wrong))
        (item,) = await listed(client, teacher)
        answer = await act(teacher, item["id"], "correction", student=NUMBER)
        assert answer.json()["state"] == "corrected"
        assert [row["child_id"] for row in await slots(database)] == [pupil.id]

    async def test_is_marked_as_it_was_when_it_was_received(
        self, client, database, school, pupil, now
    ) -> None:
        await push(client, school, of_number("2026-11-23"))  # a day that had not come
        await numbered(database, pupil, **NUMBER)
        database.clock = lambda: now + timedelta(days=4)
        async with database.begin(SYSTEM) as tx:
            await settling.look_again(tx, pupil.id)
        database.clock = lambda: now
        asked = {"child_id": str(pupil.id)}
        read = await client.get(
            "/v1/attendance-events", headers=school.system.headers, params=asked
        )
        assert [each["doubt"] for each in read.json()["items"]] == ["day_ahead"]

    async def test_not_for_a_pupil_of_another_school(
        self, client, database, settings, school
    ) -> None:
        other = await a_school(database, settings)
        theirs = await a_child(database, VILLAGE, school_id=other.id)
        await push(client, school, of_number())
        await numbered(database, theirs, **NUMBER)
        async with database.begin(SYSTEM) as tx:
            await settling.look_again(tx, theirs.id)
        assert await count(database, "attendance_events") == 0

    async def test_an_id_taken_meanwhile_stays_what_it_was(
        self, client, database, school, teacher, pupil, act
    ) -> None:
        held = of_number()
        await push(client, school, held)
        await push(client, school, {**held, "student": {"child_id": str(pupil.id)}})
        (item,) = await listed(client, teacher)
        answer = await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
        assert answer.json()["state"] == "attached"
        assert await count(database, "attendance_events") == 1


async def test_what_was_corrected_holds_for_what_comes_later(
    client, database, school, teacher, pupil, act
) -> None:
    await push(client, school, of_number("2026-11-19"))
    (item,) = await listed(client, teacher)
    right = {**NUMBER, "number": "G000000000000000002"}
    await numbered(database, pupil, *right.values())
    corrected = await act(teacher, item["id"], "correction", student=right)
    assert corrected.json()["state"] == "corrected", corrected.text
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM child_external_ids")
    assert statuses(await push(client, school, of_number(student=right))) == ["unresolved"]
    await run_jobs(database)
    assert [(row["child_id"], row["day"]) for row in await slots(database)] == [
        (pupil.id, "2026-11-19"),
        (pupil.id, "2026-11-20"),
    ]


async def test_a_number_another_system_gives_the_child_settles_it(
    client, database, settings, school
) -> None:
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    await some_regions(database, VILLAGE)
    file = await client.post(
        "/v1/children",
        json=a_file(VILLAGE, education={"school_id": str(school.id), "status": "enrolled"}),
        headers=township.headers,
    )
    assert file.status_code == 201, file.text
    assert statuses(await push(client, school, of_number())) == ["unresolved"]
    await run_jobs(database)
    assert await slots(database) == []
    given = await client.patch(
        f"/v1/children/{file.json()['id']}",
        json={"external": {"numbers": [NUMBER]}},
        headers={**township.headers, "if-match": '"1"'},
    )
    assert given.status_code == 200, given.text
    await run_jobs(database)
    assert [str(row["child_id"]) for row in await slots(database)] == [file.json()["id"]]
