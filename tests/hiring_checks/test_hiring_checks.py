"""Staff near children are checked before they come and every year, by date and result alone."""

from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import pytest

from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.hiring_checks.jobs import follow_region_change
from app.hiring_checks.rules import due_on
from app.regions.events import RegionReplaced
from tests.access.approving import problem
from tests.access.factories import Caller, a_caller, an_agency, renewed
from tests.agencies.factories import a_person, a_post
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.regions.factories import some_regions

ASKED, ANSWERED = "2026-11-10", "2026-11-16"


class Scene(NamedTuple):
    head: Caller
    """Of the school."""
    county: Caller
    """The education authority."""
    operator: Caller
    teacher: UUID
    post: UUID
    office: UUID
    """The police."""


@pytest.fixture
async def scene(database, settings) -> Scene:
    await some_regions(database, VILLAGE)
    post = await a_post(database, "school", TOWNSHIP, "school")
    head = await a_caller(
        database, settings, "school", TOWNSHIP, agency_id=post.agency_id, machine=False
    )
    county = await a_caller(database, settings, "education_authority", COUNTY, machine=False)
    operator = await a_caller(database, settings, "operator", 0, machine=False)
    teacher = await a_person(database, post.agency_id)
    office = await an_agency(database, "police", COUNTY)
    return Scene(head, county, operator, teacher, post.id, office)


async def ask(client, scene, who=None, **changed):
    said = {"staff_id": str(scene.teacher), "office_id": str(scene.office), "asked_on": ASKED}
    who = who or scene.head
    return await client.post("/v1/hiring-checks", json=said | changed, headers=who.headers)


async def answered(client, scene, result="clear", on=ANSWERED, asked_on=ASKED, who=None):
    asked = await ask(client, scene, asked_on=asked_on)
    assert asked.status_code == 201, asked.text
    who = who or scene.head
    url = f"/v1/hiring-checks/{asked.json()['id']}"
    if result == "not_clear":
        said = {"answered_on": on}
        return await client.post(f"{url}/finding", json=said, headers=who.headers)
    said = {"result": result, "answered_on": on}
    return await client.post(f"{url}/answer", json=said, headers=who.headers)


async def take_post(client, scene):
    body = {"staff_id": str(scene.teacher), "since": "2026-11-20"}
    url = f"/v1/posts/{scene.post}/holdings"
    return await client.post(url, json=body, headers=scene.operator.headers)


NEEDED = (409, "check-needed")


class TestBeforeAPost:
    async def test_nobody_comes_near_children_unchecked(self, client, scene) -> None:
        assert problem(await take_post(client, scene)) == NEEDED
        await ask(client, scene)
        assert problem(await take_post(client, scene)) == NEEDED, "asked is not answered"
        assert (await answered(client, scene, "no_answer")).status_code == 200
        assert problem(await take_post(client, scene)) == NEEDED, "no answer is not clear"
        assert (await answered(client, scene)).status_code == 200
        taken = await take_post(client, scene)
        assert taken.status_code == 201, taken.text

    async def test_nor_who_takes_over(self, client, database, scene) -> None:
        first = await a_person(database, scene.head.agency_id)
        async with database.begin(SYSTEM) as tx:
            hold = "INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)"
            hold += " VALUES ($1, $2, $3, $4, now())"
            held = new_id()
            await tx.connection.execute(hold, held, scene.post, first, date(2026, 9, 1))
        body = {
            "holding_id": str(held),
            "successor_id": str(scene.teacher),
            "since": "2026-11-20",
        }
        url = f"/v1/posts/{scene.post}/handover"
        refused = await client.post(url, json=body, headers=scene.operator.headers)
        assert problem(refused) == NEEDED
        await answered(client, scene)
        done = await client.post(url, json=body, headers=scene.operator.headers)
        assert done.status_code == 200, done.text

    @pytest.mark.parametrize(("asked_on", "counts"), [("2025-11-20", False), ("2025-11-21", True)])
    async def test_a_check_counts_a_year(self, client, scene, asked_on, counts) -> None:
        await answered(client, scene, on="2025-11-25", asked_on=asked_on)
        assert ((await take_post(client, scene)).status_code == 201) == counts

    async def test_a_village_is_not_among_those_the_law_names(
        self, client, database, settings
    ) -> None:
        post = await a_post(database, "village_committee", VILLAGE, "village_director")
        person = await a_person(database, post.agency_id)
        body = {"staff_id": str(person), "since": "2026-11-20"}
        url = f"/v1/posts/{post.id}/holdings"
        county = await a_caller(database, settings, "civil_affairs", COUNTY)
        assert (await client.post(url, json=body, headers=county.headers)).status_code == 201


class TestNotClear:
    async def test_ends_what_they_hold_near_children_and_is_looked_at(
        self, client, database, scene
    ) -> None:
        """Their posts elsewhere stand: it is about children."""
        await answered(client, scene)
        await take_post(client, scene)
        other = await a_post(database, "village_committee", VILLAGE, "village_director")
        async with database.begin(SYSTEM) as tx:
            hold = "INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)"
            hold += " VALUES ($1, $2, $3, $4, now())"
            await tx.connection.execute(hold, new_id(), other.id, scene.teacher, date(2026, 9, 1))
        found = await answered(client, scene, "not_clear", on="2026-11-19", asked_on="2026-11-18")
        assert (found.status_code, found.json()["result"]) == (200, "not_clear"), found.text
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT post_id, until FROM post_holdings WHERE staff_id = $1", scene.teacher
            )
            review = await tx.connection.fetchrow("SELECT operation, done_by FROM reviews")
        ends = {row["post_id"]: row["until"] for row in rows}
        assert ends == {scene.post: date(2026, 11, 20), other.id: None}
        assert tuple(review) == ("recordNotClear", scene.head.subject_id)
        assert problem(await take_post(client, scene)) == NEEDED

    async def test_keeps_them_away_wherever_and_a_later_question_lets_them_in(
        self, client, scene
    ) -> None:
        """What is refused says not why: it is nobody's business who may not read checks."""
        await answered(client, scene, "not_clear", on="2026-11-12")
        refused = await take_post(client, scene)
        assert problem(refused) == NEEDED
        assert "not_clear" not in refused.text
        await answered(client, scene, on="2026-11-19", asked_on="2026-11-18")
        assert (await take_post(client, scene)).status_code == 201

    async def test_nor_does_another_entry_of_theirs(self, client, database, scene) -> None:
        await answered(client, scene)
        other = await a_person(database, scene.head.agency_id)
        async with database.begin(SYSTEM) as tx:
            await note_same_person(tx, scene.teacher, other)
        await answered(client, scene._replace(teacher=other), "not_clear", on="2026-11-19")
        assert problem(await take_post(client, scene)) == NEEDED

    async def test_a_question_of_the_same_day_does_not(self, client, scene) -> None:
        await answered(client, scene, "not_clear", on="2026-11-12")
        await answered(client, scene, on="2026-11-13", asked_on="2026-11-12")
        assert problem(await take_post(client, scene)) == NEEDED

    async def test_where_a_place_only_tells_nothing_ends_and_nobody_not_clear_comes(
        self, client, database, scene, monkeypatch
    ) -> None:
        for name in ("_ends", "_needed"):
            monkeypatch.setattr(f"app.hiring_checks.operations.{name}", lambda *_: "tells")
        assert (await take_post(client, scene)).status_code == 201, "overdue from the first day"
        await answered(client, scene, "not_clear")
        async with database.begin(SYSTEM) as tx:
            sql = "UPDATE post_holdings SET until = '2026-11-20' WHERE until IS NULL"
            sql += " AND staff_id = $1"
            assert await tx.connection.execute(sql, scene.teacher) == "UPDATE 1"
        assert problem(await take_post(client, scene)) == NEEDED

    async def test_what_another_office_answers_later_of_before_takes_nothing_back(
        self, client, scene
    ) -> None:
        """Each knows its own: the silence of one is no good news beside the word of the other."""
        url = "/v1/hiring-checks"
        asked = [await ask(client, scene, asked_on=on) for on in ("2026-11-10", "2026-11-12")]
        told = [f"{url}/{each.json()['id']}" for each in asked]
        headers = scene.head.headers
        said = {"answered_on": "2026-11-13"}
        await client.post(f"{told[0]}/finding", json=said, headers=headers)
        said = {"result": "clear", "answered_on": "2026-11-19"}
        await client.post(f"{told[1]}/answer", json=said, headers=headers)
        assert problem(await take_post(client, scene)) == NEEDED
        await answered(client, scene, on="2026-11-19", asked_on="2026-11-14")
        assert (await take_post(client, scene)).status_code == 201

    async def test_is_of_the_person_by_whatever_account(self, client, database, scene) -> None:
        post = await a_post(database, "school", TOWNSHIP, "school")
        other = await a_person(database, post.agency_id)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO same_persons (person_id, staff_id) VALUES ($1, $1), ($1, $2)",
                *(scene.teacher, other),
            )
            hold = "INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)"
            hold += " VALUES ($1, $2, $3, '2026-09-01', now())"
            await tx.connection.execute(hold, new_id(), post.id, other)
        await answered(client, scene, "not_clear")
        async with database.begin(SYSTEM) as tx:
            left = "SELECT until FROM post_holdings WHERE staff_id = $1"
            assert await tx.connection.fetchval(left, other) == date(2026, 11, 20)
        refused = await take_post(client, scene._replace(teacher=other))
        assert problem(refused) == NEEDED

    async def test_is_overdue_whatever_was_known_before(self, client, scene, monkeypatch) -> None:
        """Where a place only tells: it is what tells."""
        monkeypatch.setattr("app.hiring_checks.operations._ends", lambda *_: "tells")
        await answered(client, scene)
        await take_post(client, scene)
        await answered(client, scene, "not_clear", on="2026-11-19", asked_on="2026-11-18")
        url = "/v1/staff-near-children?overdue=true"
        page = await client.get(url, headers=scene.head.headers)
        known = {each["staff_id"]: each["clear_on"] for each in page.json()["items"]}
        assert known[str(scene.teacher)] is None


class TestRecorded:
    async def test_by_date_and_result_and_never_why(self, client, scene) -> None:
        shown = (await answered(client, scene)).json()
        assert (shown["asked_on"], shown["answered_on"], shown["result"]) == (
            ASKED,
            ANSWERED,
            "clear",
        )
        assert shown["asked_by"] == shown["recorded_by"] == str(scene.head.subject_id)
        refused = await ask(client, scene, reason="盗窃")
        assert problem(refused) == (422, "validation-failed")

    async def test_nobody_of_themselves(self, client, scene) -> None:
        own = str(scene.head.subject_id)
        assert problem(await ask(client, scene, staff_id=own)) == (403, "own-check")
        asked = await ask(client, scene, scene.county, staff_id=own)
        url = f"/v1/hiring-checks/{asked.json()['id']}/answer"
        said = {"result": "clear", "answered_on": ANSWERED}
        answer = await client.post(url, json=said, headers=scene.head.headers)
        assert problem(answer) == (403, "own-check")

    async def test_of_the_people_of_ones_school_or_those_overseen(
        self, client, database, settings, scene
    ) -> None:
        other = await a_caller(database, settings, "school", TOWNSHIP, machine=False)
        assert problem(await ask(client, scene, other)) == (422, "person-not-yours")
        by_county = await ask(client, scene, scene.county)
        assert by_county.status_code == 201
        url = f"/v1/hiring-checks/{by_county.json()['id']}"
        assert (await client.get(url, headers=scene.head.headers)).status_code == 200
        hidden = await client.get(url, headers=other.headers)
        assert problem(hidden) == (404, "hiring-check-not-found")
        civil = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
        assert (await client.get(url, headers=civil.headers)).status_code == 404, "not their line"
        listed = {}
        for who in (scene.head, scene.county, other, civil):
            page = await client.get(
                "/v1/hiring-checks",
                params={"staff_id": str(scene.teacher), "permitted": "answerHiringCheck"},
                headers=who.headers,
            )
            listed[who.subject_id] = len(page.json()["items"])
        assert [*listed.values()] == [1, 1, 0, 0]

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            ({"office_id": "school"}, (422, "office-not-asked")),
            ({"office_id": "nobody"}, (422, "office-not-asked")),
            ({"asked_on": "2026-11-21"}, (422, "day-not-yet")),
        ],
    )
    async def test_refuses_what_cannot_be(self, client, scene, changed, expected) -> None:
        ids = {"school": str(scene.head.agency_id), "nobody": str(new_id())}
        body = {name: ids.get(value, value) for name, value in changed.items()}
        assert problem(await ask(client, scene, **body)) == expected

    async def test_nor_does_an_office_answer_that_is_no_more(self, client, database, scene) -> None:
        async with database.begin(SYSTEM) as tx:
            sql = "UPDATE agencies SET active = false WHERE id = $1"
            await tx.connection.execute(sql, scene.office)
        assert problem(await ask(client, scene)) == (422, "office-not-asked")

    @pytest.mark.parametrize("result", ["clear", "not_clear"])
    @pytest.mark.parametrize("on", ["2026-11-09", "2026-11-21"])
    async def test_no_answer_before_the_question_or_after_today(
        self, client, scene, on, result
    ) -> None:
        refused = await answered(client, scene, result, on=on)
        assert problem(refused) == (422, "day-not-yet")
        [error] = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == ("#/answered_on", "date_out_of_order")

    @pytest.mark.parametrize(
        ("what", "said"), [("finding", {}), ("answer", {"result": "no_answer"})]
    )
    async def test_an_answer_stands(self, client, scene, what, said) -> None:
        first = await answered(client, scene)
        url = f"/v1/hiring-checks/{first.json()['id']}"
        said = {"answered_on": ANSWERED, **said}
        again = await client.post(f"{url}/{what}", json=said, headers=scene.head.headers)
        assert problem(again) == (409, "answered-already")
        now = await client.get(url, headers=scene.head.headers)
        assert now.json()["result"] == "clear"


class TestEveryYear:
    async def test_who_is_near_children_and_due_is_seen(
        self, client, database, settings, scene
    ) -> None:
        """Also who never was checked; by the school itself and by who oversees it."""
        await answered(client, scene, on="2025-11-25", asked_on="2025-11-21")
        await take_post(client, scene)
        url = "/v1/staff-near-children"

        async def due(**query):
            of = []
            for one in (scene.head, scene.county):
                who = renewed(database, settings, one)
                page = await client.get(url, params=query, headers=who.headers)
                assert page.status_code == 200, page.text
                of.append({each["staff_id"]: each for each in page.json()["items"]})
            assert of[0] == of[1]
            return of[0]

        teacher, head = str(scene.teacher), str(scene.head.subject_id)
        shown = await due()
        assert {teacher, head} == set(shown)
        assert (shown[teacher]["due_on"], shown[teacher]["overdue"]) == ("2026-11-21", False)
        assert (shown[head]["clear_on"], shown[head]["overdue"]) == (None, True)
        assert set(await due(overdue="true")) == {head}
        assert set(await due(overdue="false")) == {teacher}
        database.clock = lambda: datetime(2026, 11, 20, 16, tzinfo=UTC)  # the 21st, in China
        assert set(await due(overdue="true")) == {head, teacher}

    async def test_pages_through_them(self, client, database, settings, scene) -> None:
        for _ in range(2):
            await a_caller(database, settings, "school", TOWNSHIP, agency_id=scene.head.agency_id)
        await a_caller(database, settings, "school", TOWNSHIP)
        seen, query = [], {"limit": "1"}
        while query.get("cursor", "") is not None:
            page = await client.get(
                "/v1/staff-near-children", params=query, headers=scene.county.headers
            )
            seen += [each["id"] for each in page.json()["items"]]
            query["cursor"] = page.json()["next_cursor"]
        assert len(seen) == len(set(seen)) == 4

    def test_from_the_question_on(self) -> None:
        assert due_on(date(2026, 1, 1), date(2025, 1, 1), 365) == date(2027, 1, 1)
        assert due_on(None, date(2025, 1, 1), 365) == date(2025, 1, 1)


async def test_checks_go_along_when_a_place_gets_another_code(database, scene, client) -> None:
    await ask(client, scene)
    change = RegionReplaced(
        subject_id=new_id(),
        region_code=120119201000,
        home_county=COUNTY,
        old_lo=TOWNSHIP,
        old_hi=TOWNSHIP + 1000,
        shift=100_000,
        on=date(2026, 11, 20),
    )
    async with database.begin(SYSTEM) as tx:
        await follow_region_change(tx, change)
        place = await tx.connection.fetchval("SELECT region_code FROM hiring_checks")
    assert place == TOWNSHIP + 100_000
