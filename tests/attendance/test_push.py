"""What a school system may rely on when it pushes (I1–I6, EDU-01)."""

from datetime import date
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from app.children.indexes import external_index
from app.core.data.db import SYSTEM, Reach
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
from tests.children.factories import a_child, moved


@pytest.fixture
async def school(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(database, school):
    return await school.pupil(database)


async def slots(database) -> dict:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT school_day, session, category FROM attendance_slots"
        )
    return {(str(row["school_day"]), row["session"]): row["category"] for row in rows}


async def count(database, table: str) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval(f"SELECT count(*) FROM {table}")


class TestSameBatchAgain:
    async def test_five_times_stores_once(self, client, database, school, pupil) -> None:
        events = [an_event(pupil.id), an_event(pupil.id, "2026-11-19")]
        answers = [await push(client, school, *events) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202] * 5
        assert statuses(answers[0]) == ["accepted", "accepted"]
        assert [statuses(answer) for answer in answers[1:]] == [["duplicate", "duplicate"]] * 4
        assert await count(database, "attendance_events") == 2
        assert await count(database, "events") == 1

    async def test_with_one_key_the_same_answer_comes_back(
        self, client, database, school, pupil
    ) -> None:
        event = an_event(pupil.id)
        first, *again = [
            await push(client, school, event, **{"idempotency-key": "morning"}) for _ in range(5)
        ]
        assert {answer.content for answer in again} == {first.content}
        assert {answer.headers["idempotency-replayed"] for answer in again} == {"true"}
        audited = "SELECT child_ids, since, field_groups, subject_id FROM audit_entries"
        async with database.begin(SYSTEM) as tx:
            rows = [tuple(row) for row in await tx.connection.fetch(audited)]
        batch_id = UUID(first.json()["batch_id"])
        assert rows == [([pupil.id], date(2026, 11, 20), ["education"], batch_id)] * 5

    async def test_the_receipt_is_given_again_though_one_of_its_pupils_has_left(
        self, client, database, school, pupil
    ) -> None:
        events = [an_event(pupil.id), an_event((await school.pupil(database)).id)]
        key = {"idempotency-key": "morning"}
        first = await push(client, school, *events, **key)
        await moved(database, pupil.id, school_id=None)
        assert (await push(client, school, *events, **key)).content == first.content

    async def test_an_id_is_taken_for_pupils_from_every_county(
        self, client, database, school, pupil
    ) -> None:
        other = await a_child(database, 120118000000, school_id=school.id)
        taken = an_event(pupil.id)
        await push(client, school, taken)
        answer = await push(client, school, {**taken, "student": {"child_id": str(other.id)}})
        assert (statuses(answer), codes(answer)) == (["conflict"], ["id_taken"])
        assert await count(database, "attendance_events") == 1

    async def test_an_id_taken_by_other_content_is_a_conflict(self, client, school, pupil) -> None:
        event = an_event(pupil.id)
        await push(client, school, event)
        answer = await push(client, school, {**event, "category": "excused"}, an_event(pupil.id))
        assert statuses(answer) == ["conflict", "accepted"]
        assert answer.json()["results"][0]["pointer"] == "#/events/0/id"

    async def test_repeats_within_a_batch_are_compared_too(self, client, school, pupil) -> None:
        event = an_event(pupil.id)
        answer = await push(client, school, event, event, {**event, "category": "late"})
        assert statuses(answer) == ["accepted", "duplicate", "conflict"]


class TestEachEventByItself:
    async def test_one_bad_event_loses_no_other(self, client, database, school, pupil) -> None:
        good = [an_event(pupil.id, f"2026-11-{day}") for day in (16, 17, 18)]
        bad = [
            {**an_event(pupil.id), "category": "asleep"},
            "not an object",
            an_event(uuid4()),
            {**an_event(pupil.id), "school_day": "2026-02-30"},
            {**an_event(pupil.id), "source": "x" * 70_000},
        ]
        answer = await push(client, school, good[0], *bad, *good[1:])
        assert answer.status_code == 202, answer.text
        results = answer.json()["results"]
        assert [result["index"] for result in results] == list(range(8))
        assert codes(answer)[1:-2] == [
            "literal_error",
            "model_type",
            "child_not_found",
            "date_from_datetime_parsing",
            "event_too_large",
        ]
        assert results[1]["pointer"] == "#/events/1/category"
        assert await count(database, "attendance_events") == 3

    async def test_a_pupil_of_another_school_looks_absent_and_is_audited(
        self, client, database, school, settings
    ) -> None:
        other = await (await a_school(database, settings)).pupil(database)
        answer = await push(client, school, an_event(other.id), an_event(uuid4()))
        first, second = answer.json()["results"]
        assert (first["code"], first["detail"]) == (second["code"], second["detail"])
        async with database.begin(SYSTEM) as tx:
            rules = await tx.connection.fetch("SELECT decision, rule FROM audit_entries")
        assert ("denied", "child-not-found") in {tuple(row) for row in rules}


class TestEnvelope:
    async def test_empty_is_fine(self, client, school) -> None:
        answer = await push(client, school)
        assert answer.status_code == 200
        assert (answer.json()["batch_id"], answer.json()["results"]) == (None, [])

    @pytest.mark.parametrize("body", [{}, {"events": {}}, {"more": 1}, [], {"events": [1] * 1001}])
    async def test_what_is_no_batch_is_refused(self, client, school, body) -> None:
        answer = await client.post(
            "/v1/attendance-events", headers=school.system.headers, json=body
        )
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/envelope-unusable"


class TestCloudEvents:
    @staticmethod
    def wrap(event: dict, **attributes: object) -> dict:
        data = {k: v for k, v in event.items() if k not in {"source", "id", "time"}}
        context = {k: event[k] for k in ("source", "id", "time")}
        return {
            "specversion": "1.0",
            "type": "cn.tonghu.attendance.v1",
            **context,
            "data": data,
            **attributes,
        }

    async def send(self, client, school, body, kind="cloudevents-batch"):
        return await client.post(
            "/v1/attendance-events",
            headers={**school.system.headers, "content-type": f"application/{kind}+json"},
            content=orjson.dumps(body),
        )

    async def test_a_batch_is_the_same_as_native_events(self, client, school, pupil) -> None:
        native = an_event(pupil.id)
        await push(client, school, native)
        wrapped = self.wrap(native, subject=None, gatenumber=3)
        answer = await self.send(client, school, [wrapped, self.wrap(an_event(pupil.id))])
        assert statuses(answer) == ["duplicate", "accepted"]

    async def test_a_single_event(self, client, school, pupil) -> None:
        wrapped = self.wrap(an_event(pupil.id))
        answer = await self.send(client, school, wrapped, "cloudevents")
        assert statuses(answer) == ["accepted"]
        assert (await self.send(client, school, [])).status_code == 200

    async def test_each_is_held_against_the_schema(self, client, school, pupil) -> None:
        event = an_event(pupil.id)
        without_source = self.wrap(event)
        del without_source["source"]
        answer = await self.send(
            client,
            school,
            [
                without_source,
                self.wrap(event, type="other"),
                self.wrap(event, CamelCase=1),
                self.wrap(event, data={**event, "id": "another"}),
                self.wrap(event, data={}),
                self.wrap(event),
            ],
        )
        assert codes(answer) == [
            "cloudevent_invalid",
            "cloudevent_invalid",
            "cloudevent_invalid",
            "attributes_differ",
            "missing",
            "applied",
        ]
        pointers = [result["pointer"] for result in answer.json()["results"]]
        assert pointers[1] == "#/1/type"
        assert pointers[4] == "#/4/data/student"
        assert answer.json()["results"][4]["detail"] == "This is required."


class TestCorrections:
    async def test_the_newest_holds_in_whatever_order(
        self, client, database, school, pupil
    ) -> None:
        early = an_event(pupil.id)
        late = an_event(pupil.id, category="excused", time="2026-11-20T09:00:00+08:00")
        forced = an_event(pupil.id, category="late", sequence=1)
        assert codes(await push(client, school, late)) == ["applied"]
        assert codes(await push(client, school, early)) == ["superseded"]
        assert await slots(database) == {("2026-11-20", "whole_day"): "excused"}
        assert codes(await push(client, school, forced)) == ["applied"]
        assert await slots(database) == {("2026-11-20", "whole_day"): "late"}
        assert await count(database, "attendance_events") == 3

    async def test_of_several_in_one_batch_the_newest_holds(
        self, client, database, school, pupil
    ) -> None:
        answer = await push(
            client,
            school,
            an_event(pupil.id, category="withdrawn", sequence=2),
            an_event(pupil.id, sequence=1, time="2026-11-20T09:00:00+08:00"),
            an_event(pupil.id, "2026-11-19", time="2026-11-19T09:00:00+08:00", category="excused"),
            an_event(pupil.id, "2026-11-19", time="2026-11-19T08:00:00+08:00"),
        )
        assert codes(answer) == ["applied", "superseded"] * 2
        assert await slots(database) == {
            ("2026-11-20", "whole_day"): "withdrawn",
            ("2026-11-19", "whole_day"): "excused",
        }

    async def test_other_sessions_are_other_slots(self, client, database, school, pupil) -> None:
        await push(
            client,
            school,
            an_event(pupil.id, session="morning"),
            an_event(pupil.id, session="afternoon", category="present"),
        )
        assert len(await slots(database)) == 2


class TestStudentNumbers:
    async def test_a_pupil_goes_by_the_number_the_school_knows(
        self, client, database, school, pupil
    ) -> None:
        number = {"system": "xueji", "number": "G000000000000000001"}
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO child_external_ids (index, child_id, home_county, region_code,"
                " pupil_of, section) VALUES ($1, $2, $3, $4, $5, 'education')",
                external_index(tx.keyring, *number.values()),
                pupil.id,
                pupil.home_county,
                pupil.region_code,
                pupil.school_id,
            )
        known = an_event(pupil.id, student=number)
        unknown = an_event(pupil.id, student={**number, "number": "G2"})
        both = an_event(pupil.id, student={**number, "child_id": str(pupil.id)})
        answer = await push(client, school, known, unknown, both)
        assert statuses(answer) == ["accepted", "unresolved", "accepted"]
        assert answer.json()["results"][2]["unread"] == ["student"], "its id says it all"
        assert codes(answer)[1] == "child_not_found"
        again = {**known, "student": {"child_id": str(pupil.id)}}
        assert statuses(await push(client, school, again)) == ["duplicate"]


class TestReading:
    async def test_the_batch_can_be_read_again_by_its_own_school_only(
        self, client, database, settings, school, pupil
    ) -> None:
        pushed = await push(client, school, an_event(pupil.id), an_event(uuid4()))
        path = f"/v1/attendance-batches/{pushed.json()['batch_id']}"
        again = await client.get(path, headers=school.system.headers)
        assert again.json() == pushed.json()
        other = await a_school(database, settings)
        refused = await client.get(path, headers=other.system.headers)
        nowhere = await client.get(
            f"/v1/attendance-batches/{uuid4()}", headers=other.system.headers
        )
        assert refused.status_code == nowhere.status_code == 404
        assert refused.json()["type"] == nowhere.json()["type"] == "/problems/batch-not-found"

    async def test_events_of_a_child_are_listed_with_what_holds_now(
        self, client, database, settings, school, pupil
    ) -> None:
        days = ["2026-11-16", "2026-11-17", "2026-11-18"]
        await push(client, school, *(an_event(pupil.id, day) for day in days))
        await push(client, school, an_event(pupil.id, days[1], category="excused", sequence=1))
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        found, cursor = [], {}
        for _ in range(3):
            page = await client.get(
                "/v1/attendance-events",
                headers=township.headers,
                params={"child_id": str(pupil.id), "limit": 2, **cursor},
            )
            assert page.status_code == 200, page.text
            found += page.json()["items"]
            if page.json()["next_cursor"] is None:
                break
            cursor = {"cursor": page.json()["next_cursor"]}
        assert [(item["school_day"], item["category"], item["in_force"]) for item in found] == [
            ("2026-11-18", "unexcused", True),
            ("2026-11-17", "excused", True),
            ("2026-11-17", "unexcused", False),
            ("2026-11-16", "unexcused", True),
        ]
        looked = "SELECT DISTINCT since FROM audit_entries WHERE operation = 'listAttendanceEvents'"
        async with database.begin(SYSTEM) as tx:
            rows = [row["since"] for row in await tx.connection.fetch(looked)]
        assert rows == [date(2026, 8, 22)]  # 90 days before the 20th of November

    async def test_a_child_out_of_the_remit_looks_absent(self, client, database, settings) -> None:
        elsewhere = await a_child(database, 120118101200)
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        answer = await client.get(
            "/v1/attendance-events",
            headers=township.headers,
            params={"child_id": str(elsewhere.id)},
        )
        assert answer.status_code == 404


class TestRowLevelSecurity:
    async def test_a_school_cannot_write_rows_of_another_schools_pupil(
        self, client, database, settings, school, pupil
    ) -> None:
        stranger = await (await a_school(database, settings)).pupil(database)
        await push(client, school, an_event(pupil.id))
        reach = Reach(TOWNSHIP, TOWNSHIP + 1000, agency=school.id, school=school.id)
        copy = (
            "INSERT INTO attendance_slots SELECT home_county, $1, region_code, $2, school_id,"
            " school_day, session, category, reason, sequence, happened_at, event_row_id, batch_id,"
            " updated_at FROM attendance_slots"
        )
        async with database.begin(reach) as tx:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with tx.connection.transaction():
                    await tx.connection.execute(copy, stranger.id, stranger.school_id)

    async def test_nobody_elses_region_sees_rows(self, client, database, school, pupil) -> None:
        await push(client, school, an_event(pupil.id))
        for table in ("attendance_events", "attendance_slots", "attendance_batches"):
            async with database.begin(Reach(120118000000, 120119000000)) as tx:
                assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 0
            assert await count(database, table) == 1


class TestBudget:
    async def test_statements_do_not_grow_with_the_batch(
        self, client, database, school, queries
    ) -> None:
        pupils = [await school.pupil(database, VILLAGE) for _ in range(3)]
        spent = []
        for size in (1, 1, 60):  # the first also looks up types
            events = [an_event(pupils[n % 3].id, f"2026-11-{16 + n % 5}") for n in range(size)]
            queries.clear()
            answer = await push(client, school, *events)
            assert statuses(answer) == ["accepted"] * size
            spent.append(len(queries))
        # authority, children, events, slots, batch, event, its jobs, audit
        assert spent[1] == spent[2] <= 9, queries.statements
