"""A visit that names a child nobody here knows is taken, owned, and stored when that is known."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import queue
from app.unresolved import rules
from app.unresolved.models import UnresolvedKind
from tests.access.factories import a_caller
from tests.children.factories import a_child, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import count, listed
from tests.visits.factories import a_visit, something_wrong


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


class TestTaken:
    async def test_with_an_owner_and_a_deadline(
        self, client, director, township, neighbour, county, now
    ) -> None:
        body = a_visit(uuid4(), note="家中无人", findings=[something_wrong()])
        answer = await _record(client, director, body)
        assert answer.status_code == 202, answer.text
        item = answer.json()["unresolved_id"]
        (theirs,) = await listed(client, township)
        assert (theirs["id"], theirs["kind"], theirs["state"]) == (item, "visit", "open")
        assert theirs["owner"]["role"] == "township_supervisor"
        assert theirs["region_code"] == "120119101000"
        assert theirs["sender"]["role"] == "village_director"
        assert theirs["claim"]["child_id"] == body["child_id"]
        due = (now + timedelta(days=1)).isoformat().replace("+00:00", "Z")
        assert (theirs["due_at"], theirs["overdue"]) == (due, False)
        read = await client.get(f"/v1/unresolved/{item}", headers=township.headers)
        (waiting,) = read.json()["evidence"]
        assert (waiting["sender_ref"], waiting["waiting"]) == (body["id"], True)
        assert waiting["sent"]["note"] == "家中无人"
        assert await listed(client, county) != []
        assert await listed(client, neighbour) == []
        hidden = await client.get(f"/v1/unresolved/{item}", headers=neighbour.headers)
        assert (hidden.status_code, hidden.json()["type"]) == (
            404,
            "/problems/unresolved-not-found",
        )

    async def test_something_abnormal_is_owed_sooner(
        self, client, database, director, township, now
    ) -> None:
        """VIS-03, REP-01: at once. It may come beside what is asked already."""
        child = uuid4()
        for findings, days in (([], 7), ([something_wrong()], 1), ([], 1)):
            body = a_visit(child, findings=findings)
            assert (await _record(client, director, body)).status_code == 202
            await run_jobs(database)
            due = (now + timedelta(days=days)).isoformat().replace("+00:00", "Z")
            (item,) = await listed(client, township)
            params = {"rule": "REG-11"}
            owed = await client.get("/v1/duties", headers=township.headers, params=params)
            (duty,) = owed.json()["items"]
            assert (item["due_at"], duty["due_at"], duty["state"]) == (due, due, "open")

    async def test_above_townships_civil_affairs_owes_it_too(
        self, client, database, county
    ) -> None:
        """The queue and the duty name one owner: no township reaches a place of the county."""
        answer = await _record(client, county, a_visit(uuid4()))
        assert answer.status_code == 202, answer.text
        await run_jobs(database)
        (item,) = await listed(client, county)
        owed = await client.get("/v1/duties", headers=county.headers, params={"rule": "REG-11"})
        bearers = [duty["bearer"]["role"] for duty in owed.json()["items"]]
        assert bearers == [item["owner"]["role"]] == ["civil_affairs"]

    async def test_sealed(self, client, database, director) -> None:
        await _record(client, director, a_visit(uuid4(), note="秘密"))
        async with database.begin(SYSTEM) as tx:
            for table in ("unresolved", "unresolved_evidence"):
                row = await tx.connection.fetchval(f"SELECT t::text FROM {table} t")
                assert "秘密" not in row
                assert "秘密".encode().hex() not in row

    async def test_its_sender_sees_where_it_stands_and_may_correct_it(
        self, client, director
    ) -> None:
        await _record(client, director, a_visit(uuid4()))
        (mine,) = await listed(client, director)
        assert mine["permitted"] == ["correctUnresolved"]
        assert await listed(client, director, "?permitted=dismissUnresolved") == []

    async def test_sent_again_it_is_one(self, client, database, director) -> None:
        body = a_visit(uuid4())
        first = await _record(client, director, body)
        again = await _record(client, director, body)
        assert (again.status_code, again.json()) == (202, first.json())
        assert await count(database, "unresolved_evidence") == 1
        other = await _record(client, director, {**body, "place": "school"})
        assert (other.status_code, other.json()["type"]) == (409, "/problems/visit-differs")

    async def test_a_question_is_asked_once_for_all_its_visits(
        self, client, director, township
    ) -> None:
        unknown = uuid4()
        answers = [
            await _record(client, director, a_visit(unknown, visited_on=day))
            for day in ("2026-11-17", "2026-11-18")
        ]
        assert len({answer.json()["unresolved_id"] for answer in answers}) == 1
        assert len(await listed(client, township)) == 1

    async def test_a_flood_fills_the_share_of_its_sender_and_of_nobody_else(
        self, client, director, neighbour, monkeypatch
    ) -> None:
        monkeypatch.setattr(
            "app.unresolved.operations.holding.MOST_WAITING", {UnresolvedKind.visit: 2}
        )
        bodies = [a_visit(uuid4()) for _ in range(3)]
        answers = [await _record(client, director, body) for body in bodies]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].json()["type"] == "/problems/too-many-unplaced"
        assert (await _record(client, director, bodies[0])).status_code == 202
        abnormal = [a_visit(uuid4(), findings=[something_wrong()]) for _ in range(3)]
        answers = [await _record(client, director, body) for body in abnormal]
        assert [answer.status_code for answer in answers] == [202, 202, 429], "that is kept longer"
        assert (await _record(client, neighbour, a_visit(uuid4()))).status_code == 202

    async def test_what_is_settled_makes_room(
        self, client, director, township, child, act, monkeypatch
    ) -> None:
        monkeypatch.setattr(
            "app.unresolved.operations.holding.MOST_WAITING", {UnresolvedKind.visit: 1}
        )
        first = await _record(client, director, a_visit(uuid4()))
        body = a_visit(uuid4())
        assert (await _record(client, director, body)).status_code == 429
        item = first.json()["unresolved_id"]
        await act(township, item, "attachment", child_id=str(child.id))
        assert (await _record(client, director, body)).status_code == 202

    async def test_a_finding_is_found_among_anothers_many(
        self, client, director, neighbour, township
    ) -> None:
        for _ in range(3):
            await _record(client, director, a_visit(uuid4()))
        body = a_visit(uuid4(), findings=[something_wrong()])
        item = (await _record(client, neighbour, body)).json()["unresolved_id"]
        for query in ("abnormal=true", f"sender={neighbour.agency_id}"):
            found = await listed(client, township, f"?limit=1&state=open&{query}")
            assert [each["id"] for each in found] == [item], query
        assert len(await listed(client, township, "?abnormal=false")) == 3
        assert await listed(client, director, f"?sender={neighbour.agency_id}") == []


class TestAttached:
    @pytest.fixture
    async def held(self, client, director):
        body = a_visit(uuid4(), findings=[something_wrong()], note="家中无人")
        answer = await _record(client, director, body)
        return {**body, "unresolved_id": answer.json()["unresolved_id"]}

    async def test_it_is_stored_as_if_it_had_come_rightly(
        self, client, database, director, township, child, held, act, now
    ) -> None:
        database.clock = lambda: now + timedelta(seconds=200)
        item = held.pop("unresolved_id")
        answer = await act(township, item, "attachment", child_id=str(child.id))
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["child_id"]) == ("attached", str(child.id))
        assert answer.json()["evidence"][0]["waiting"] is False
        visit = (await client.get(f"/v1/visits/{held['id']}", headers=director.headers)).json()
        assert visit["child_id"] == str(child.id)
        assert visit["visitor"] == str(director.subject_id)
        assert visit["agency_id"] == str(director.agency_id)
        assert visit["received_at"] == now.isoformat().replace("+00:00", "Z")
        assert visit["note"] == "家中无人"
        again = await _record(client, director, held)
        assert (again.status_code, again.json()["id"]) == (200, held["id"])

    async def test_its_events_and_duties_follow(
        self, client, database, township, child, held, act
    ) -> None:
        await run_jobs(database)
        answer = await act(township, held["unresolved_id"], "attachment", child_id=str(child.id))
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        duties = (await client.get("/v1/duties", headers=township.headers)).json()["items"]
        states = {duty["rule"]: duty["state"] for duty in duties}
        assert states["VIS-03"] == "open", "an abnormal finding is followed up"
        assert states["REG-11"] == "discharged", "the township said who it was"

    async def test_what_is_sent_afterwards_under_the_id_reaches_the_file(
        self, client, director, township, child, held, act
    ) -> None:
        await act(township, held["unresolved_id"], "attachment", child_id=str(child.id))
        later = a_visit(held["child_id"], visited_on="2026-11-19")
        answer = await _record(client, director, later)
        assert (answer.status_code, answer.json()["child_id"]) == (201, str(child.id))

    async def test_only_to_a_child_the_caller_sees(self, database, township, held, act) -> None:
        far = await a_child(database, 120118101201)
        for somebody in (far.id, uuid4()):
            answer = await act(
                township, held["unresolved_id"], "attachment", child_id=str(somebody)
            )
            assert (answer.status_code, answer.json()["type"]) == (
                404,
                "/problems/child-not-found",
            )

    async def test_whose_child_it_is_is_not_told_to_whoever_sent_it(
        self, client, database, director, township, held, act
    ) -> None:
        theirs = await a_child(database, VILLAGE + 1)
        await act(township, held["unresolved_id"], "attachment", child_id=str(theirs.id))
        read = await client.get(f"/v1/unresolved/{held['unresolved_id']}", headers=director.headers)
        assert (read.json()["state"], read.json()["child_id"]) == ("attached", None)
        assert str(theirs.id) not in read.text

    async def test_not_by_whoever_sent_it(self, director, child, held, act) -> None:
        item = held["unresolved_id"]
        for what, body in (
            ("attachment", {"child_id": str(child.id)}),
            ("dismissal", {"words": "无"}),
        ):
            answer = await act(director, item, what, **body)
            assert answer.json()["type"] == "/problems/not-yours-to-settle"

    async def test_once(self, township, child, held, act) -> None:
        item = held["unresolved_id"]
        await act(township, item, "attachment", child_id=str(child.id))
        answer = await act(township, item, "attachment", child_id=str(child.id))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/settled-already")

    async def test_every_act_is_audited(self, database, township, child, held, act) -> None:
        await act(township, held["unresolved_id"], "attachment", child_id=str(child.id))
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries WHERE operation = 'attachUnresolved'"
            )
        assert child.id in row["child_ids"]
        assert row["field_groups"] == ["unresolved"]
        assert str(row["subject_id"]) == held["unresolved_id"]


class TestCorrected:
    async def test_by_its_sender_who_typed_the_wrong_id(self, client, director, child, act) -> None:
        body = a_visit(uuid4())
        item = (await _record(client, director, body)).json()["unresolved_id"]
        still = await act(director, item, "correction", child_id=str(uuid4()))
        assert (still.status_code, still.json()["state"]) == (200, "open")
        answer = await act(director, item, "correction", child_id=str(child.id))
        assert (answer.status_code, answer.json()["state"]) == (200, "corrected")
        visit = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
        assert visit.json()["child_id"] == str(child.id)

    async def test_tried_by_the_authority_of_its_sender(
        self, client, database, director, township, act
    ) -> None:
        """The township sees the neighbour's children; the director who sent it does not."""
        other = await a_child(database, VILLAGE + 1)
        item = (await _record(client, director, a_visit(uuid4()))).json()["unresolved_id"]
        answer = await act(township, item, "correction", child_id=str(other.id))
        assert answer.json()["state"] == "open"

    async def test_to_what_is_asked_already_it_is_one_question(
        self, client, director, township, act
    ) -> None:
        first, second = uuid4(), uuid4()
        one = (await _record(client, director, a_visit(first))).json()["unresolved_id"]
        other = (await _record(client, director, a_visit(second))).json()["unresolved_id"]
        answer = await act(director, one, "correction", child_id=str(second))
        assert len(answer.json()["evidence"]) == 2
        (open_,) = await listed(client, township, "?state=open")
        assert open_["id"] == one
        assert other in {item["id"] for item in await listed(client, township, "?state=corrected")}


async def test_dismissed_with_a_reason_in_words(client, director, township, act) -> None:
    body = a_visit(uuid4())
    item = (await _record(client, director, body)).json()["unresolved_id"]
    assert (await act(township, item, "dismissal")).status_code == 422
    answer = await act(township, item, "dismissal", words="测试设备误发")
    assert (answer.json()["state"], answer.json()["words"]) == ("dismissed", "测试设备误发")
    assert answer.json()["evidence"][0]["sent"]["id"] == body["id"], "what was sent is kept"
    again = await _record(client, director, body)
    assert (again.status_code, again.json()["unresolved_id"]) == (202, item)


class TestByItself:
    async def test_a_file_that_appeared_while_it_was_sent_takes_it(
        self, client, database, director
    ) -> None:
        chosen = new_id()
        body = a_visit(chosen)
        assert (await _record(client, director, body)).status_code == 202
        await a_child(database, VILLAGE, id=chosen)
        await run_jobs(database)
        read = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
        assert read.status_code == 200, read.text

    async def test_a_file_opened_under_the_id_takes_what_waited(
        self, client, database, director
    ) -> None:
        chosen = new_id()
        body = a_visit(chosen)
        assert (await _record(client, director, body)).status_code == 202
        await run_jobs(database)
        opened = await client.post(
            "/v1/children", json=a_file(VILLAGE, id=str(chosen)), headers=director.headers
        )
        assert opened.status_code == 201, opened.text
        await run_jobs(database)
        visit = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
        assert (visit.status_code, visit.json()["child_id"]) == (200, str(chosen))

    async def test_nobody_answers_and_it_is_overdue(
        self, client, database, settings, director, township, now
    ) -> None:
        await _record(client, director, a_visit(uuid4()))
        await run_jobs(database)
        database.clock = lambda: now + timedelta(days=7)
        late = await a_caller(
            database, settings, "township_supervisor", 120119101000, agency_id=township.agency_id
        )
        async with database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, "duties.mark_overdue", [{}])
        await run_jobs(database)
        (item,) = await listed(client, late)
        assert item["overdue"] is True
        async with database.begin(SYSTEM) as tx:
            data = await tx.connection.fetchval(
                "SELECT data FROM events WHERE wire_name = 'duties.duty_overdue'"
            )
        assert (data["rule"], data["escalates_to"]) == ("REG-11", ["civil_affairs"])


def test_everybody_is_bounded_whose_messages_can_wait() -> None:
    assert set(rules.MOST_WAITING) == {UnresolvedKind.visit, UnresolvedKind.attendance}
