"""What somebody saw in a post they have left since is taken by the authority of that day."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import Caller, a_caller, a_new_post
from tests.attendance.factories import a_school, an_event, statuses
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.regions.factories import some_regions
from tests.unresolved.conftest import TOWNSHIP, count, listed
from tests.visits.factories import a_visit, something_wrong

ELSEWHERE = 120119102201
LEFT_ON = date(2026, 11, 19)


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, VILLAGE, VILLAGE + 1, ELSEWHERE)


@pytest.fixture
async def transferred(database, settings, director) -> Caller:
    """The director of VILLAGE, since the nineteenth of a village in the next township."""
    return await a_new_post(database, settings, director, "village_director", ELSEWHERE, LEFT_ON)


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


async def test_a_visit_of_a_day_in_it_is_stored_with_the_child(
    client, director, transferred, township, child
) -> None:
    body = a_visit(child.id, findings=[something_wrong()], note="家中无人")
    answer = await _record(client, transferred, body)
    assert answer.status_code == 201, answer.text
    read = await client.get(f"/v1/visits/{body['id']}", headers=township.headers)
    visit = read.json()
    assert (visit["note"], visit["region_code"]) == ("家中无人", str(VILLAGE))
    assert (visit["agency_id"], visit["visitor"]) == (
        str(director.agency_id),
        str(director.subject_id),
    )
    hidden = await client.get(f"/v1/children/{child.id}", headers=transferred.headers)
    assert hidden.status_code == 404, "who has left sees no more of the child"


@pytest.mark.parametrize(
    ("visited_on", "status"), [("2026-11-18", 201), ("2026-11-19", 202), ("2026-11-20", 202)]
)
async def test_until_the_day_before_the_next_post_begins(
    client, transferred, child, visited_on, status
) -> None:
    answer = await _record(client, transferred, a_visit(child.id, visited_on=visited_on))
    assert answer.status_code == status, answer.text


async def test_since_ever_in_the_first_post_there_is(client, transferred, child) -> None:
    """A register begins with the day it is set up, here in 2020."""
    answer = await _record(client, transferred, a_visit(child.id, visited_on="2019-05-06"))
    assert answer.status_code == 201, answer.text


async def test_not_in_a_post_that_records_no_visits(client, database, settings, child) -> None:
    before = await a_caller(database, settings, "education_authority", 120119000000)
    now = await a_new_post(database, settings, before, "village_director", ELSEWHERE, LEFT_ON)
    answer = await _record(client, now, a_visit(child.id, visited_on="2026-11-17"))
    assert answer.status_code == 202, answer.text


_ALSO = """
WITH post AS (
    INSERT INTO posts SELECT (p).* FROM (
        SELECT jsonb_populate_record(p, jsonb_build_object('id', $2::uuid, 'region_code',
            $3::bigint, 'remit_lo', $3::bigint, 'remit_hi', $3::bigint + 1)) AS p
        FROM posts p JOIN post_holdings h ON h.post_id = p.id WHERE h.id = $1) AS other
)
INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)
SELECT $4, $2, staff_id, '2026-01-05', created_at FROM post_holdings WHERE id = $1
"""


async def test_of_two_posts_held_at_once_it_is_the_one_they_act_in(
    client, database, director, township
) -> None:
    async with database.begin(SYSTEM) as tx:
        held = UUID(str(director.claims["grant_id"]))
        await tx.connection.execute(_ALSO, held, uuid4(), ELSEWHERE, uuid4())
    assert (await _record(client, director, a_visit(uuid4()))).status_code == 202
    (item,) = await listed(client, township)
    assert item["sender"]["region_code"] == str(VILLAGE)


async def test_not_of_a_child_that_came_to_the_village_later(
    client, database, transferred, settings
) -> None:
    child = await a_child(database, ELSEWHERE + 1)
    county = await a_caller(database, settings, "civil_affairs", 120119000000)
    read = await client.get(f"/v1/children/{child.id}", headers=county.headers)
    await client.patch(
        f"/v1/children/{child.id}",
        json={"residence": {"region_code": str(VILLAGE)}},
        headers={**county.headers, "if-match": read.headers["etag"]},
    )
    answer = await _record(client, transferred, a_visit(child.id))
    assert answer.status_code == 202, answer.text


async def test_a_child_nobody_knows_is_asked_about_where_the_visit_was(
    client, database, settings, transferred, township, child, act
) -> None:
    next_township = await a_caller(database, settings, "township_supervisor", 120119102000)
    body = a_visit(uuid4())
    held = await _record(client, transferred, body)
    assert held.status_code == 202, held.text
    assert await listed(client, next_township) == []
    (item,) = await listed(client, township)
    assert item["region_code"] == str(TOWNSHIP)
    answer = await act(township, item["id"], "attachment", child_id=str(child.id))
    assert answer.json()["state"] == "attached", answer.text
    again = await _record(client, transferred, body)
    assert (again.status_code, again.json()["id"]) == (200, body["id"])


async def test_a_visit_sent_before_the_transfer_and_after_it_is_one(
    client, database, settings, director, child
) -> None:
    known, unknown = a_visit(child.id), a_visit(uuid4())
    stored = await _record(client, director, known)
    held = await _record(client, director, unknown)
    assert (stored.status_code, held.status_code) == (201, 202)
    transferred = await a_new_post(
        database, settings, director, "village_director", ELSEWHERE, LEFT_ON
    )
    again = await _record(client, transferred, known)
    assert (again.status_code, again.json()["id"]) == (200, known["id"])
    asked = await _record(client, transferred, unknown)
    assert (asked.status_code, asked.json()) == (202, held.json())
    assert (await count(database, "visits"), await count(database, "unresolved_evidence")) == (1, 1)


async def test_an_id_used_for_something_else_is_refused(client, transferred, child) -> None:
    body = a_visit(child.id)
    assert (await _record(client, transferred, body)).status_code == 201
    other = await _record(client, transferred, {**body, "place": "school"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/visit-differs")


async def test_what_the_phone_called_the_child_then_still_means_it(
    client, database, settings, director, alias, child
) -> None:
    transferred = await a_new_post(
        database, settings, director, "village_director", ELSEWHERE, LEFT_ON
    )
    body = a_visit(UUID(alias), visited_on="2026-11-17")
    answer = await _record(client, transferred, body)
    assert answer.status_code == 201, answer.text
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT child_id FROM visits WHERE id = $1", UUID(body["id"])
        )
    assert row["child_id"] == child.id


async def test_a_report_sent_before_the_transfer_and_after_it_is_one(
    client, database, settings, director
) -> None:
    body = {**a_report(region_code=f"{VILLAGE}"), "id": str(uuid4())}
    first = await client.post("/v1/police-reports", json=body, headers=director.headers)
    assert first.status_code == 201, first.text
    transferred = await a_new_post(
        database, settings, director, "village_director", ELSEWHERE, LEFT_ON
    )
    again = await client.post("/v1/police-reports", json=body, headers=transferred.headers)
    assert (again.status_code, again.json()["id"]) == (200, body["id"])
    stranger = await a_caller(database, settings, "village_director", ELSEWHERE)
    other = await client.post("/v1/police-reports", json=body, headers=stranger.headers)
    assert (other.status_code, other.json()["doubts"]) == (201, ["id_taken"])


class TestWithAClockThatRunsFarAhead:
    async def test_a_visit_to_a_child_that_has_moved_reaches_whom_it_now_concerns(
        self, client, database, settings, director, county, child
    ) -> None:
        read = await client.get(f"/v1/children/{child.id}", headers=county.headers)
        await client.patch(
            f"/v1/children/{child.id}",
            json={"residence": {"region_code": str(ELSEWHERE)}},
            headers={**county.headers, "if-match": read.headers["etag"]},
        )
        body = a_visit(child.id, visited_on="2027-03-01", findings=[something_wrong()])
        answer = await _record(client, director, body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["doubts"] == ["date_ahead"]
        theirs = await a_caller(database, settings, "village_director", ELSEWHERE)
        seen = await client.get(f"/v1/visits/{body['id']}", headers=theirs.headers)
        assert (seen.status_code, seen.json()["abnormal"]) == (200, True)

    async def test_nor_does_one_that_was_set_back(
        self, client, database, settings, director, child
    ) -> None:
        transferred = await a_new_post(
            database, settings, director, "village_director", ELSEWHERE, LEFT_ON
        )
        answer = await _record(client, transferred, a_visit(child.id, visited_on="1970-01-01"))
        assert answer.status_code == 201, answer.text

    async def test_a_child_that_was_never_theirs_is_asked_about(
        self, client, database, director
    ) -> None:
        child = await a_child(database, ELSEWHERE)
        answer = await _record(client, director, a_visit(child.id, visited_on="2027-03-01"))
        assert answer.status_code == 202, answer.text

    async def test_each_visit_of_a_question_is_settled_on_its_own(
        self, client, database, director
    ) -> None:
        """Three visits wait for one child; of two days it turns out to have been the sender's."""
        child = await a_child(database, ELSEWHERE)
        bodies = [
            a_visit(child.id, visited_on=day)
            for day in ("2026-11-16", "2026-11-17", "2026-11-20", "2027-03-01")
        ]
        answers = [await _record(client, director, body) for body in bodies]
        assert [answer.status_code for answer in answers] == [202] * 4
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO child_stays (id, home_county, child_id, region_code, lived_in, since,"
                " until) VALUES (gen_random_uuid(), $1, $2, $3, $4, '-infinity', $5)",
                child.home_county,
                child.id,
                ELSEWHERE,
                VILLAGE,
                tx.now.replace(day=18),
            )
        item = answers[0].json()["unresolved_id"]
        read = await client.get(f"/v1/unresolved/{item}", headers=director.headers)
        corrected = await client.post(
            f"/v1/unresolved/{item}/correction",
            json={"child_id": str(child.id), "words": "打错了"},
            headers={**director.headers, "if-match": read.headers["etag"]},
        )
        assert (corrected.status_code, corrected.json()["state"]) == (200, "open")
        waiting = {each["sender_ref"]: each["waiting"] for each in corrected.json()["evidence"]}
        assert waiting == {body["id"]: body is bodies[2] for body in bodies}
        assert corrected.json()["version"] > read.json()["version"]
        await run_jobs(database)
        assert await count(database, "visits") == 3


async def test_an_absence_of_a_day_at_a_former_school_is_stored_for_that_school(
    client, database, settings
) -> None:
    school = await a_school(database, settings)
    pupil = await school.pupil(database)
    teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id)
    transferred = await a_new_post(database, settings, teacher, "school", TOWNSHIP, LEFT_ON)
    events = [an_event(pupil.id, day) for day in ("2026-11-18", "2026-11-20")]
    pushed = await client.post(
        "/v1/attendance-events", json={"events": events}, headers=transferred.headers
    )
    assert statuses(pushed) == ["unresolved", "unresolved"], pushed.text
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT agency_id, school_day FROM attendance_events")
    assert [tuple(row) for row in rows] == [(school.id, date(2026, 11, 18))]
    again = await client.post(
        "/v1/attendance-events", json={"events": events}, headers=transferred.headers
    )
    assert statuses(again) == ["unresolved", "unresolved"], again.text
    await run_jobs(database)
    assert await count(database, "attendance_events") == 1
