"""POST /v1/visits (VIS-01, VIS-03, VIS-08)."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from app.children.models import ChildStay
from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.conftest import SIBLING
from tests.children.factories import a_child, moved
from tests.conftest import VILLAGE
from tests.jobs import told
from tests.printed import readable
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

NEW_HOME = 120119102201


async def _record(client, caller, body, **headers):
    return await client.post("/v1/visits", json=body, headers={**caller.headers, **headers})


async def _events(database):
    return [(row["wire_name"], row["data"]) for row in await told(database)]


async def test_stores_announces_and_audits(client, database, director, child) -> None:
    body = a_visit(child.id, findings=[something_wrong()], note="家中整洁", guardian_present=False)
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    visit = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/visits/{body['id']}"
    assert visit["visitor"] == str(director.subject_id)
    assert visit["abnormal"] is True
    assert visit["note"] == "家中整洁"
    assert visit["findings"][0]["note"] == "合成记录:监护人外出未归"
    assert visit["region_code"] == str(VILLAGE)
    (recorded, data), (abnormal, found) = await _events(database)
    assert (recorded, data["channel"]) == ("visits.visit_recorded", "in_person")
    assert (abnormal, found["types"]) == ("visits.abnormal_finding", ["guardian_failure"])
    assert found["refer_to"] == ["police"]
    assert "家中" not in str(data) + str(found)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM audit_entries")
    assert (row["operation"], row["child_ids"]) == ("recordVisit", [child.id])


async def test_words_are_not_readable_in_the_database(client, database, director, child) -> None:
    await _record(client, director, a_visit(child.id, findings=[something_wrong()], note="秘密"))
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT v::text AS all FROM visits v")
    for words in ("秘密", "合成记录"):
        assert words not in readable(row["all"])


async def test_sent_again_is_one_visit(client, database, director, child) -> None:
    body = a_visit(child.id, findings=[something_wrong()])
    first = await _record(client, director, body)
    again = await _record(client, director, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(await _events(database)) == 2


async def test_the_original_sent_after_a_correction_is_still_that_visit(
    client, director, child
) -> None:
    body = a_visit(child.id)
    await _record(client, director, body)
    await client.patch(
        f"/v1/visits/{body['id']}",
        json={"place": "school"},
        headers={**director.headers, "if-match": '"1"'},
    )
    again = await _record(client, director, body)
    assert (again.status_code, again.json()["place"]) == (200, "school")


async def test_same_id_other_content(client, director, child) -> None:
    body = a_visit(child.id)
    await _record(client, director, body)
    answer = await _record(client, director, {**body, "place": "school"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/visit-differs"


async def test_id_of_a_visit_nobody_here_may_know_of_reveals_nothing(
    client, database, director, neighbour, child
) -> None:
    taken = a_visit(child.id)
    await _record(client, director, taken)
    own = await a_child(database, VILLAGE + 1)
    answer = await _record(client, neighbour, a_visit(own.id, id=taken["id"]))
    assert (answer.status_code, answer.json()["child_id"]) == (201, str(own.id))
    assert str(child.id) not in answer.text
    same = await _record(client, neighbour, taken)
    unknown = await _record(client, neighbour, a_visit(uuid4()))
    assert (same.status_code, same.json().keys()) == (202, unknown.json().keys())


async def test_an_id_of_another_county_reveals_nothing_and_names_the_first_received(
    client, database, settings, director, child, now
) -> None:
    other_county = 120118101200
    stranger = await a_caller(database, settings, "village_director", other_county)
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    theirs = await a_child(database, other_county)
    first = a_visit(child.id)
    assert (await _record(client, director, first)).status_code == 201
    database.clock = lambda: now + timedelta(minutes=1)
    second = a_visit(theirs.id, id=first["id"], place="school")
    assert (await _record(client, stranger, second)).status_code == 201
    assert (await _record(client, stranger, second)).status_code == 200
    places = {}
    for caller in (director, stranger, province):
        answer = await client.get(f"/v1/visits/{first['id']}", headers=caller.headers)
        places[caller.subject_id] = answer.json()["place"]
    assert list(places.values()) == ["home", "school", "home"]
    corrected = await client.patch(
        f"/v1/visits/{first['id']}",
        json={"channel": "phone"},
        headers={**province.headers, "if-match": '"1"'},
    )
    assert corrected.status_code == 200, corrected.text
    versions = f"/v1/visits/{first['id']}/versions"
    assert len((await client.get(versions, headers=province.headers)).json()["items"]) == 1
    assert (await client.get(versions, headers=stranger.headers)).json()["items"] == []
    untouched = await client.get(f"/v1/visits/{first['id']}", headers=stranger.headers)
    assert (untouched.json()["channel"], untouched.headers["etag"]) == ("in_person", '"1"')
    await client.patch(
        f"/v1/visits/{first['id']}",
        json={"place": "other"},
        headers={**stranger.headers, "if-match": '"1"'},
    )
    for caller in (province, stranger):
        kept = (await client.get(versions, headers=caller.headers)).json()["items"]
        assert len(kept) == 1, "a version of the other county's visit"
    whoever_sees_both = await _record(client, province, a_visit(theirs.id, id=first["id"]))
    assert (whoever_sees_both.status_code, whoever_sees_both.json()["doubts"]) == (
        201,
        ["id_in_use"],
    )


async def test_other_village_looks_unknown_and_is_audited(
    client, database, neighbour, child
) -> None:
    for somebody in (child.id, uuid4()):
        answer = await _record(client, neighbour, a_visit(somebody))
        assert (answer.status_code, answer.json()["status"]) == (202, "unresolved")
        assert answer.json().keys() == {"unresolved_id", "status"}
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM visits") == 0
        row = await tx.connection.fetchrow(
            "SELECT decision, child_ids FROM audit_entries WHERE child_ids = $1", [child.id]
        )
    assert tuple(row) == ("allowed", [child.id])


@pytest.mark.parametrize("body", [{}, {"id": None}, []])
async def test_refuses_what_says_nothing(client, database, director, body) -> None:
    answer = await _record(client, director, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/problems/validation-failed"
    assert await _events(database) == []


async def test_today_in_china_is_not_the_future(client, director, child) -> None:
    body = a_visit(child.id, visited_on="2026-11-20", started_at="2026-11-20T00:30:00+08:00")
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["doubts"] == []


@pytest.mark.parametrize(
    ("fields", "doubts"),
    [
        ({"visited_on": "2026-11-21"}, ["date_ahead"]),
        ({"visited_on": "2036-01-01"}, ["date_ahead"]),
        ({"visited_on": "1970-01-01"}, ["before_birth"]),
        ({"visited_on": "2016-02-29"}, ["before_birth"]),
        ({"visited_on": "2016-03-01"}, []),
        ({"started_at": "2026-11-17T15:59:59Z"}, ["start_on_another_day"]),
        ({"started_at": "2026-11-17T16:00:00Z"}, []),
    ],
)
async def test_a_wrong_clock_is_taken_and_marked(client, director, child, fields, doubts) -> None:
    body = a_visit(child.id, **fields)
    answer = await _record(client, director, body)
    assert (answer.status_code, answer.json()["doubts"]) == (201, doubts)
    again = await _record(client, director, body)
    assert (again.status_code, again.json()) == (200, answer.json())
    (listed,) = (await client.get("/v1/visits", headers=director.headers)).json()["items"]
    assert listed["doubts"] == doubts


async def test_school_may_not_record(client, database, settings, child) -> None:
    school = await a_caller(database, settings, "school", 120119101000)
    answer = await _record(client, school, a_visit(child.id))
    assert answer.status_code == 403


async def test_query_budget(client, queries, director, child) -> None:
    queries.clear()
    await _record(client, director, a_visit(child.id))
    # authority; child and visit in one; event with the jobs of all waiting handlers; audit
    assert len(queries) == 4, queries.statements


async def test_a_retry_is_answered_once_the_child_has_moved_away(
    client, database, director, child
) -> None:
    body = a_visit(child.id)
    first = await _record(client, director, body, **{"idempotency-key": "phone-8"})
    await moved(database, child.id, region_code=SIBLING)
    again = await _record(client, director, body, **{"idempotency-key": "phone-8"})
    assert (again.status_code, again.content) == (201, first.content)


async def test_a_retry_without_news_is_a_secret_if_others_had_corrected_it(
    client, database, director, child
) -> None:
    body, key = a_visit(child.id), {"idempotency-key": "phone-9"}
    await _record(client, director, body)
    assert (await _record(client, director, body, **key)).status_code == 200
    await moved(database, child.id, region_code=SIBLING)
    assert (await _record(client, director, body, **key)).status_code == 410


async def test_idempotency_key_gives_the_same_answer(client, queries, director, child) -> None:
    body = a_visit(child.id)
    first = await _record(client, director, body, **{"idempotency-key": "phone-7"})
    queries.clear()
    again = await _record(client, director, body, **{"idempotency-key": "phone-7"})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["etag"] == '"1"'
    # authority, key, kept answer, audit
    assert len(queries) == 4, queries.statements
    other = await _record(
        client, director, {**body, "place": "school"}, **{"idempotency-key": "phone-7"}
    )
    assert other.json()["type"] == "/problems/visit-differs"


async def test_a_leap_second_is_taken(client, director, child) -> None:
    body = a_visit(child.id, visited_on="2026-07-01", started_at="2026-06-30T23:59:60Z")
    answer = await _record(client, director, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["started_at"] == "2026-07-01T00:00:00Z"
    minute = a_visit(child.id, visited_on="2026-07-01", started_at="2026-07-01T08:30:60+08:00")
    assert (await _record(client, director, minute)).json()["started_at"] is None


class TestMovedMeanwhile:
    """Whoever looked after a child on the day may say what they saw, also when it has moved."""

    @pytest.fixture(autouse=True)
    async def new_home(self, client, database, settings, child):
        """The county moves the file to a village of the next township; its director."""
        county = await a_caller(database, settings, "civil_affairs", 120119000000)
        await some_regions(database, NEW_HOME)
        read = await client.get(f"/v1/children/{child.id}", headers=county.headers)
        residence = {"region_code": str(NEW_HOME)}
        answer = await client.patch(
            f"/v1/children/{child.id}",
            json={"residence": residence},
            headers={**county.headers, "if-match": read.headers["etag"]},
        )
        assert answer.status_code == 200, answer.text
        return await a_caller(database, settings, "village_director", NEW_HOME)

    async def test_it_is_kept_and_reaches_whom_it_now_concerns(
        self, client, database, director, child, new_home
    ) -> None:
        body = a_visit(child.id, findings=[something_wrong()], note="家中无人")
        answer = await _record(client, director, body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["region_code"] == str(VILLAGE)
        read = await client.get(f"/v1/visits/{body['id']}", headers=new_home.headers)
        assert (read.status_code, read.json()["note"]) == (200, "家中无人")
        announced = [data for name, data in await _events(database) if name.startswith("visits.")]
        async with database.begin(SYSTEM) as tx:
            places = await tx.connection.fetch(
                "SELECT DISTINCT region_code FROM events WHERE wire_name LIKE 'visits.%'"
            )
        assert len(announced) == 2
        assert [row["region_code"] for row in places] == [NEW_HOME]

    async def test_who_sent_it_sees_no_more_of_the_child(self, client, director, child) -> None:
        body = a_visit(child.id)
        await _record(client, director, body)
        for url in (f"/v1/visits/{body['id']}", f"/v1/children/{child.id}/visits"):
            assert (await client.get(url, headers=director.headers)).status_code == 404

    async def test_sent_again_it_is_what_was_sent_whatever_others_made_of_it(
        self, client, director, child, new_home
    ) -> None:
        body = a_visit(child.id, note="家中无人")
        first = await _record(client, director, body)
        change = {"note": "已纠正"}
        headers = {**new_home.headers, "if-match": '"1"'}
        changed = await client.patch(f"/v1/visits/{body['id']}", json=change, headers=headers)
        assert changed.status_code in {200, 403}, changed.text
        again = await _record(client, director, body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()

    async def test_sent_before_the_move_and_again_after_it(
        self, client, database, director, child
    ) -> None:
        body = a_visit(child.id, note="家中无人")
        first = await _record(client, director, body)
        await moved(database, child.id, region_code=SIBLING)
        again = await _record(client, director, body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["note"] == "家中无人"

    async def test_another_content_under_its_id_is_refused(self, client, director, child) -> None:
        body = a_visit(child.id)
        await _record(client, director, body)
        other = await _record(client, director, {**body, "note": "另一件事"})
        assert other.status_code == 409

    @pytest.mark.parametrize(
        ("visited_on", "status"),
        [("2026-10-31", 202), ("2026-11-01", 201), ("2026-11-10", 201), ("2026-11-11", 202)],
    )
    async def test_of_the_days_the_child_was_theirs(
        self, client, database, director, visited_on, status
    ) -> None:
        """It came on the first of November in the evening and left on the tenth in the morning."""
        child = await a_child(database, SIBLING)
        async with database.begin(SYSTEM) as tx:
            came, left = [
                datetime.fromisoformat(f"{at}+08:00")
                for at in ("2026-11-01T23:30", "2026-11-10T00:30")
            ]
            place = {**child.place(), "lived_in": VILLAGE}
            tx.session.add(ChildStay(**place, since=came, until=left))
        answer = await _record(client, director, a_visit(child.id, visited_on=visited_on))
        assert answer.status_code == status, answer.text

    async def test_a_stranger_is_still_a_stranger(self, client, database, settings, child) -> None:
        other = await a_caller(database, settings, "village_director", SIBLING)
        assert (await _record(client, other, a_visit(child.id))).status_code == 202
