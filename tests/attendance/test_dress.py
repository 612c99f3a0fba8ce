"""Evidence is never refused for its dress: what of an absence reads in one way only is read so,
the rest is kept as it was sent, and said (EDU-01).
"""

import hashlib
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest

from app.attendance.reading import read_batch
from app.attendance.storing import digests
from app.children.enrolments import class_key
from app.core.data.db import SYSTEM
from app.core.data.sql import insert
from tests.access.factories import a_caller
from tests.attendance.factories import (
    TOWNSHIP,
    VILLAGE,
    a_school,
    an_event,
    codes,
    push,
    statuses,
)
from tests.attendance.test_push import TestCloudEvents
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import NUMBER, a_pupil
from tests.jobs import run_jobs
from tests.police_reports.factories import an_endpoint
from tests.regions.factories import some_regions

DAY = "2026-11-20"
NONE = "0001-01-03T00:00:00Z"


@pytest.fixture
async def school(database, settings):
    await some_regions(database, VILLAGE)
    return await a_school(database, settings)


@pytest.fixture
async def pupil(client, database, settings, school):
    return await a_pupil(client, database, settings, school.id)


@pytest.fixture
async def teacher(database, settings, school):
    return await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id)


async def kept(client, teacher, pupil) -> list[dict]:
    params = {"child_id": str(pupil.id), "since": "2026-11-01"}
    answer = await client.get("/v1/attendance-events", headers=teacher.headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


SAME = [
    ({}, {"sent_at": 1}),
    ({"sent_at": 1}, {"sent_at": 2}),
    ({"sent_at": 1}, {}),
    ({"category": "unexcused"}, {"category": "旷课"}),
    ({"time": f"{DAY}T08:05:00+08:00"}, {"time": 1795133100}),
    ({"session": "AM"}, {"session": "上午"}),
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("first", "then"), SAME, ids=str)
async def test_in_another_dress_it_is_the_same(
    client, database, school, pupil, first, then, known
) -> None:
    """Compared is what was understood; words that say more are other content."""
    event = {**an_event(pupil.id if known else uuid4(), time=f"{DAY}T08:05:00+08:00"), **first}
    other = {**event, "reason": "家里农忙"}
    pushed = await push(client, school, event)
    assert statuses(pushed) == ["accepted" if known else "unresolved"]
    again = {name: said for name, said in event.items() if name not in first or name != "sent_at"}
    again = await push(client, school, {**again, **then})
    assert statuses(again) == ["duplicate" if known else "unresolved"]
    table = "attendance_events" if known else "unresolved_evidence"
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 1
    assert statuses(await push(client, school, other)) == ["conflict"]


async def test_what_the_release_before_stored_is_known_again(
    client, database, school, pupil
) -> None:
    """It kept a digest of all that was sent."""
    event = {**an_event(pupil.id), "sent_at": 1}
    assert statuses(await push(client, school, event)) == ["accepted"]
    [read] = read_batch("application/json", {"events": [event]})
    async with database.begin(SYSTEM) as tx:
        said = digests(pupil.id, read.event)[1]
        row = await tx.connection.fetchrow("DELETE FROM attendance_events RETURNING *")
        await insert(tx.connection, "attendance_events", {**row, "content_sha256": said})
    assert statuses(await push(client, school, event)) == ["duplicate"]


@pytest.mark.parametrize(
    ("sent", "read", "aside"),
    [
        ({"reason": "病假"}, {"reason": None}, {"reason": "病假"}),
        ({"reason": "a" * 61}, {"reason": None}, {"reason": "a" * 61}),
        ({"reason": "Sick"}, {"reason": "sick"}, {}),
        ({"reason": ""}, {"reason": None}, {}),
        ({"category": "UNEXCUSED"}, {"category": "unexcused"}, {}),
        ({"category": "旷课"}, {"category": "unexcused"}, {"category": "旷课"}),
        ({"category": "缺勤"}, {"category": "unexcused"}, {"category": "缺勤"}),
        ({"category": "Absent"}, {"category": "unexcused"}, {"category": "Absent"}),
        ({"category": "病假"}, {"category": "excused"}, {"category": "病假"}),
        ({"session": "AM"}, {"session": "morning"}, {"session": "AM"}),
        ({"time": f"{DAY}T08:05:00"}, {"time": f"{DAY}T00:05:00Z"}, {"time": f"{DAY}T08:05:00"}),
        ({"time": None}, {"time": NONE, "doubt": "clock"}, {}),
        ({"time": "早上"}, {"time": NONE, "doubt": "clock"}, {"time": "早上"}),
        ({"time": 1795133100}, {"time": f"{DAY}T00:05:00Z"}, {"time": 1795133100}),
        ({"time": 1795133100000}, {"time": f"{DAY}T00:05:00Z"}, {"time": 1795133100000}),
        ({"time": 1e300}, {"time": NONE, "doubt": "clock"}, {"time": 1e300}),
        ({"time": f"{DAY}T08:05:60"}, {"time": f"{DAY}T00:05:59Z"}, {"time": f"{DAY}T08:05:60"}),
        ({"class_name": "三年级2班"}, {}, {"class_name": "三年级2班"}),
        ({"sequence": "9" * 5000}, {}, {"sequence": "9" * 5000}),
        ({"school_day": "20261120"}, {"school_day": DAY}, {}),
        ({"school_day": "２０２６年11月20日"}, {"school_day": DAY}, {}),
        ({"school_day": f"{DAY}T00:00:00+08:00"}, {"school_day": DAY}, {}),
        ({"school_day": 20261120}, {"school_day": DAY}, {}),
        ({"school_day": "2026/11/20 08:00:00"}, {"school_day": DAY}, {}),
        ({"school_day": "2026-11-19T16:00:00Z"}, {"school_day": DAY}, {}),
        ({"sequence": 1795133100000}, {"sequence": 2**31 - 1}, {"sequence": 1795133100000}),
        ({"sequence": "9" * 5000}, {"sequence": 2**31 - 1}, {"sequence": "9" * 5000}),
        ({"sequence": "0" * 5000 + "7"}, {"sequence": 7}, {}),
        ({"sequence": -1}, {"sequence": 0}, {"sequence": -1}),
        ({"sequence": 1.0}, {"sequence": 1}, {}),
        ({"sequence": True}, {"sequence": 0}, {"sequence": True}),
        ({"id": 17}, {"id": "17"}, {}),
        ({"source": "系统一"}, {"source": "%E7%B3%BB%E7%BB%9F%E4%B8%80"}, {}),
        ({"teacher": "王"}, {}, {"teacher": "王"}),
        ({"as_sent": {"x": 1}}, {}, {"as_sent": {"x": 1}}),
    ],
)
async def test_it_is_kept_and_what_was_not_read_is_said(
    client, school, pupil, teacher, sent, read, aside
) -> None:
    event = {**an_event(pupil.id), **sent}
    answer = await push(client, school, event)
    assert statuses(answer) == ["accepted"], answer.text
    assert answer.json()["results"][0]["unread"] == sorted(aside)
    (stored,) = await kept(client, teacher, pupil)
    assert {name: stored[name] for name in read} == read
    assert stored["as_sent"] == (aside or None)
    assert statuses(await push(client, school, event)) == ["duplicate"]


@pytest.mark.parametrize(
    "said",
    [
        {"system": "Student_Status"},
        {"system": "student_status "},
        {"number": f"\t{NUMBER['number']}\r\n"},
        {"name": "样小一"},
        {"child_id": "G-123"},
    ],
)
async def test_whom_it_is_about_is_known(client, school, pupil, teacher, said) -> None:
    student = {**NUMBER, **said}
    answer = await push(client, school, {**an_event(uuid4()), "student": student})
    assert statuses(answer) == ["accepted"], answer.text
    assert len(await kept(client, teacher, pupil)) == 1


async def test_a_number_may_be_a_number(client, database, settings, school) -> None:
    numbers = [{"system": "student_status", "number": "123456"}]
    await a_pupil(client, database, settings, school.id, student_numbers=numbers)
    student = {"system": "student_status", "number": 123456}
    answer = await push(client, school, {**an_event(uuid4()), "student": student})
    assert statuses(answer) == ["accepted"], answer.text


async def test_other_words_under_one_id_are_kept_beside_it_and_told(
    client, database, settings, school, pupil, teacher
) -> None:
    """A retry whose content differs: the first stays what counts, what differs is not lost, and
    those above the school hear that there is something to put right.
    """
    office = await a_caller(database, settings, "education_authority", TOWNSHIP)
    takes = {"relation": "region", "takes": "attendance.*"}
    await an_endpoint(database, office.agency_id, TOWNSHIP, **takes)
    event, roll = an_event(pupil.id), a_roll()
    said = [*({**event, "reason": word} for word in ("病假", "事假", "事假", "外出"))]
    said += [roll, {**roll, "class_name": "四班"}]
    answer = await push(client, school, *said)
    assert statuses(answer) == ["accepted", *["conflict"] * 3, "accepted", "conflict"]
    new = {**event, "reason": "旅行"}
    assert statuses(await push(client, school, said[2])) == ["conflict"]
    assert statuses(await push(client, school, said[2], new)) == ["conflict"] * 2
    other = await a_school(database, settings, TOWNSHIP)
    theirs = {**event, "student": {"child_id": str((await other.pupil(database)).id)}}
    for word, status in (("病假", "accepted"), ("事假", "conflict")):
        assert statuses(await push(client, other, {**theirs, "reason": word})) == [status]
    (stored,) = await kept(client, teacher, pupil)
    assert stored["as_sent"] == {"reason": "病假"}
    assert [each["as_sent"] for each in stored["also_said"]] == [
        {"reason": w} for w in ("事假", "外出", "旅行")
    ]
    (above,) = await kept(client, office, pupil)
    assert above["also_said"] == [], "it may be about another child"
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetch(
            "SELECT e.data FROM webhook_deliveries d JOIN events e ON e.id = d.event_id"
            " WHERE d.wire_name = 'attendance.contradicted' AND d.agency_id = $1",
            office.agency_id,
        )
        kept_beside = await tx.connection.fetch("SELECT * FROM attendance_contradictions")
    assert sorted(row["data"]["contradicted"] for row in told) == [1, 1, 3]
    assert len(kept_beside) == 5
    assert not any("事假".encode() in row["said_sealed"] for row in kept_beside)


async def test_all_that_is_said_under_one_id_is_kept(client, database, school, pupil) -> None:
    event = an_event(pupil.id)
    for number in range(22):
        await push(client, school, {**event, "sequence": number})
    async with database.begin(SYSTEM) as tx:
        count = "SELECT count(*) FROM attendance_contradictions"
        assert await tx.connection.fetchval(count) == 21


async def test_what_was_not_read_is_kept_encrypted(client, database, school, pupil) -> None:
    await push(client, school, {**an_event(pupil.id), "reason": "病假"})
    async with database.begin(SYSTEM) as tx:
        sealed = await tx.connection.fetchval("SELECT as_sent_sealed FROM attendance_events")
    assert sealed
    assert "病假".encode() not in sealed


async def test_of_nobody_the_school_has_it_waits_with_all_that_was_sent(client, school) -> None:
    event = {**an_event(uuid4()), "reason": "病假"}
    answers = [await push(client, school, event) for _ in range(2)]
    assert [statuses(answer) for answer in answers] == [["unresolved"]] * 2
    assert statuses(await push(client, school, {**event, "reason": "事假"})) == ["conflict"]


@pytest.mark.parametrize(
    "sent",
    [
        {"id": None},
        {"student": {"name": "样小一"}},
        {"student": {"system": "student_status"}},
        {"school_day": "2026-02-30"},
        {"school_day": 2026111},
        {"school_day": "2026-111"},
        {"school_day": "202611"},
        {"school_day": "2026-W47"},
        {"school_day": True},
        {"category": "asleep"},
        {"session": "第一节"},
    ],
)
async def test_refused_is_what_would_corrupt(client, school, pupil, sent) -> None:
    answer = await push(client, school, {**an_event(pupil.id), **sent})
    assert statuses(answer) == ["rejected"]
    (result,) = answer.json()["results"]
    assert result["pointer"].startswith(f"#/events/0/{next(iter(sent))}")
    assert result["unread"] == []


class TestACloudEventAndItsData:
    """Its own source and id name it; how its data spell them, and the time, refuses nothing."""

    @pytest.mark.parametrize(
        ("own", "data", "aside"),
        [
            ({"time": f"{DAY}T08:05:00"}, {"time": f"{DAY}T08:05:00+08:00"}, "time"),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": f"{DAY}T08:05:00+08:00"}, None),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": f"{DAY}T08:05:00"}, None),
            ({"time": f"{DAY}T00:05:00+00:00"}, {"time": f"{DAY} 00:05:00.000Z"}, None),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": 1795133100}, None),
            ({"time": "早上"}, {"time": f"{DAY}T00:05:00Z"}, "data.time"),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": "早上"}, "data.time"),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": f"{DAY}T09:00:00Z"}, "data.time"),
            ({"time": f"{DAY}T00:05:00Z"}, {"time": None, "id": None, "source": None}, None),
            ({"id": "17", "source": "urn:a/%E7%B3%BB"}, {"id": 17, "source": " urn:a/系"}, None),
            ({"id": 17, "source": "系统一"}, {"id": "１７", "source": "%e7%b3%bb统一"}, None),
            ({"subject": "", "datacontenttype": "application/json; charset=utf-8"}, {}, None),
        ],
    )
    async def test_one_event_in_two_spellings_is_one(
        self, client, school, pupil, teacher, own, data, aside
    ) -> None:
        event = an_event(pupil.id, time=f"{DAY}T00:05:00Z")
        envelope = TestCloudEvents.wrap(event, **own)
        envelope["data"] |= data
        answer = await TestCloudEvents().send(client, school, [envelope])
        assert statuses(answer) == ["accepted"], answer.text
        (stored,) = await kept(client, teacher, pupil)
        assert stored["time"] == f"{DAY}T00:05:00Z"
        assert answer.json()["results"][0]["unread"] == ([aside] if aside else [])
        assert statuses(await TestCloudEvents().send(client, school, [envelope])) == ["duplicate"]

    @pytest.mark.parametrize("data", [{"id": "another"}, {"source": "urn:b"}, {"id": ["17"]}])
    async def test_data_that_name_another_event_are_refused(
        self, client, school, pupil, data
    ) -> None:
        """Sent by itself it would be a second event, and nothing would know it again."""
        envelope = TestCloudEvents.wrap(an_event(pupil.id))
        envelope["data"] |= data
        answer = await TestCloudEvents().send(client, school, [envelope])
        assert (statuses(answer), codes(answer)) == (["rejected"], ["attributes_differ"])


@pytest.mark.parametrize(
    "more",
    [
        {"absent": ["样小一"]},
        {"reason": "除样小一外"},
        {"student": {"name": "样小一"}},
        {"teacher": ["样小一"]},
        {"teacher": "样小一未到"},
        {"班主任": "两人不在"},
        {"学校": "停课"},
        {"period": "absent"},
        {"version": "0draft"},
        {"qj": "样小一"},
    ],
    ids=str,
)
async def test_a_roll_that_says_more_is_kept_and_speaks_for_nobody(
    client, database, school, pupil, more
) -> None:
    """Who was not there may stand in what is not read: nobody is there by it, nor is it lost."""
    await pupil.enrol(school.id, class_name="三年级2班", since="2026-09-01")
    plain = a_roll()
    answer = await push(client, school, plain, {**plain, "id": "more", **more})
    assert (statuses(answer), codes(answer)) == (["accepted"] * 2, ["applied", "says_more"])
    plainly, said = answer.json()["results"]
    assert (plainly["spoke_for"], said["spoke_for"], said["unread"]) == (1, 0, [*more])
    again = await push(client, school, {**plain, "id": "more", **more}, {**plain, "id": "more"})
    assert statuses(again) == ["duplicate", "conflict"]
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT * FROM attendance_rolls ORDER BY event_id")
    [row] = [row for row in rows if row["event_id"] == "more"]
    assert (row["listed"], "样小一".encode() in row["as_sent_sealed"]) == ([], False)


async def test_who_called_a_class_says_nothing_of_who_was_there(
    client, database, school, pupil
) -> None:
    """What cannot change what a roll says is kept and told, and the roll speaks. The release before
    stored it with what it says there, and is known again.
    """
    await pupil.enrol(school.id, class_name="三年级2班", since="2026-09-01")
    said = {**a_roll(), "teacher_id": "T-07", "班主任": None, "device_id": 7}
    [result] = (await push(client, school, said)).json()["results"]
    assert (result["code"], result["spoke_for"]) == ("applied", 1)
    assert result["unread"] == ["device_id", "teacher_id", "班主任"]
    assert statuses(await push(client, school, {**said, "device_id": 8})) == ["duplicate"]
    key, unread = class_key(said["class_name"]), {name: said[name] for name in result["unread"]}
    called = (
        key,
        said["school_day"],
        said["session"],
        datetime.fromisoformat(said["time"]).astimezone(UTC),
    )
    before = orjson.dumps((*called, unread), option=orjson.OPT_SORT_KEYS)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM attendance_rolls")
        stored = {
            "id": uuid4(),
            "event_id": "old",
            "content_sha256": hashlib.sha256(before).digest(),
        }
        await insert(tx.connection, "attendance_rolls", {**row, **stored})
    said["id"] = "old"
    assert statuses(await push(client, school, said)) == ["duplicate"]
    assert statuses(await push(client, school, {**said, "session": "afternoon"})) == ["conflict"]


@pytest.mark.parametrize(
    ("beside", "spoke_for"), [({"teacher": "T-07"}, 1), ({"absent": "样小一"}, 0)]
)
async def test_what_stands_beside_a_batch_refuses_none_of_it(
    client, school, pupil, beside, spoke_for
) -> None:
    """Each event keeps it; a roll to which it may add who was missing speaks for nobody."""
    await pupil.enrol(school.id, class_name="三年级2班", since="2026-09-01")
    body = {"events": [an_event(pupil.id, DAY), a_roll(school_day="2026-11-18")], **beside}
    answers = [
        await client.post("/v1/attendance-events", json=said, headers=school.system.headers)
        for said in (body, {"events": body["events"][:1]})
    ]
    assert [statuses(each) for each in answers] == [["accepted"] * 2, ["duplicate"]]
    event, roll = answers[0].json()["results"]
    assert event["unread"] == roll["unread"] == [f"batch.{name}" for name in beside]
    assert roll["spoke_for"] == spoke_for
