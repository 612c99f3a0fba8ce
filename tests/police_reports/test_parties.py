"""The child's own township has a part beside that of the place, and keeps it when the child moves;
an unknown child is identified; the reports of one event are joined.
"""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core.data.db import SYSTEM
from app.regions import operations as regions
from app.regions.rules import lineage
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, a_report, filed, the_offices
from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE, NOTICE, RECEIPT, URL, step
from tests.regions.factories import some_regions

HOME = 120118101000
HOME_VILLAGE = 120118101201
NEXT = 120118102000
NEXT_VILLAGE = 120118102201
THIRD_VILLAGE = 120118103201
IDENTIFY = {"identified_at": AT, "basis": "学校辨认。"}


@pytest.fixture
async def offices(database, settings):
    found = await the_offices(database, settings)
    await some_regions(database, HOME_VILLAGE, NEXT_VILLAGE, THIRD_VILLAGE)
    return found


@pytest.fixture
async def home(database, settings, offices):
    return await a_caller(database, settings, "township_supervisor", HOME)


@pytest.fixture
async def next_home(database, settings, offices):
    return await a_caller(database, settings, "township_supervisor", NEXT)


@pytest.fixture
async def child(database, offices):
    """A boarder: lives in another county than the school."""
    return await lives_in(database, HOME_VILLAGE)


async def lives_in(database, region: int) -> Any:
    return await a_child(database, region, residence={"region_code": f"{region:012d}"})


async def of_child(client, offices, child, **fields: Any) -> str:
    return await filed(client, offices.school, child_id=str(child.id), subject=None, **fields)


async def status(client, caller, report_id: str) -> int:
    answer = await client.get(f"{URL}/{report_id}", headers=caller.headers)
    assert answer.status_code in {200, 404}
    return int(answer.status_code)


async def listed(client, caller, query: str = "") -> list[str]:
    answer = await client.get(f"{URL}?{query}", headers=caller.headers)
    return [item["id"] for item in answer.json()["items"]]


async def told(database, name: str) -> set[UUID]:
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT told_to FROM events WHERE wire_name = $1 ORDER BY id DESC LIMIT 1",
            f"police_reports.{name}",
        )
    return {*map(UUID, row["told_to"])} if row else set()


async def move(client, database, settings, child, region: int, *, by=120118000000) -> None:
    """What the county does when a family moves; the worker hears of it."""
    county = await a_caller(database, settings, "civil_affairs", by)
    url = f"/v1/children/{child.id}"
    tag = (await client.get(url, headers=county.headers)).headers["etag"]
    body = {"residence": {"region_code": f"{region:012d}"}}
    answer = await client.patch(url, json=body, headers={**county.headers, "if-match": tag})
    assert answer.status_code == 200, answer.text
    await run_jobs(database)


class TestHome:
    async def test_civil_affairs_of_the_home_is_told_too(
        self, client, database, settings, offices, child
    ) -> None:
        county = await a_caller(database, settings, "civil_affairs", HOME - HOME % 1_000_000)
        report_id = await of_child(client, offices, child)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        for event in ("report_filed", "report_disposed"):
            assert {county.agency_id, offices.county.agency_id} <= await told(database, event)

    async def test_harm_at_the_boarding_school_a_assesses_and_b_is_told(
        self, client, database, offices, home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        both = {home.agency_id, offices.township.agency_id}
        assert both < await told(database, "report_filed")
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        noticed = await step(client, offices.police, report_id, "township-notice", NOTICE)
        assert noticed.status_code == 201
        assert both < await told(database, "township_notified")
        read = (await client.get(f"{URL}/{report_id}", headers=home.headers)).json()
        assert (read["party"], read["narrative"]) == ("protection", a_report()["narrative"])
        assert read["township_agency_id"] == str(home.agency_id)
        assert {"confirmTownshipNotice", "recordAssessment", "closeReport"} <= {*read["permitted"]}
        for path, body in (
            ("township-notice/receipt", RECEIPT),
            ("assessment", ASSESS),
            ("closure", CLOSE),
        ):
            answer = await step(client, home, report_id, path, body)
            assert answer.status_code == 201, answer.text
        assert both < await told(database, "assessment_recorded")
        assert await listed(client, offices.township) == await listed(client, home) == [report_id]

    async def test_the_township_of_the_home_is_not_told_of_itself(
        self, client, database, offices, home, child
    ) -> None:
        report_id = await of_child(client, offices, child, suspect_agency_id=str(home.agency_id))
        assert await status(client, home, report_id) == 404
        assert await listed(client, home) == []
        await step(client, offices.police, report_id, "township-notice", NOTICE)
        for event in ("report_filed", "township_notified"):
            assert home.agency_id not in await told(database, event)
        read = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
        assert read["township_agency_id"] == str(offices.township.agency_id)

    async def test_neither_is_the_place_of_another_child(
        self, client, offices, next_home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        assert await status(client, next_home, report_id) == 404
        assert await listed(client, next_home) == []

    async def test_the_reporter_learns_nothing_of_where_the_child_lives(
        self, client, offices, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        answer = await client.get(f"{URL}/{report_id}", headers=offices.school.headers)
        assert str(HOME)[:9] not in answer.text
        assert answer.json()["child_id"] is None


class TestMoved:
    async def test_the_new_township_becomes_party_and_the_old_one_goes_on(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        await step(client, home, report_id, "assessment", ASSESS)
        assert await status(client, next_home, report_id) == 404
        await move(client, database, settings, child, NEXT_VILLAGE)
        for caller in (home, next_home, offices.township):
            assert await listed(client, caller) == [report_id]
            again = await step(client, caller, report_id, "assessment", ASSESS)
            assert again.status_code == 201
        assert {home.agency_id, next_home.agency_id} < await told(database, "child_moved")

    async def test_it_keeps_its_part_however_often_the_child_moves(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        await move(client, database, settings, child, NEXT_VILLAGE)
        await move(client, database, settings, child, THIRD_VILLAGE)
        for caller in (home, next_home):
            assert await listed(client, caller) == [report_id]

    async def test_of_a_closed_case_the_new_township_hears_when_it_opens_again(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        await step(client, home, report_id, "assessment", ASSESS)
        await step(client, home, report_id, "closure", CLOSE)
        await move(client, database, settings, child, NEXT_VILLAGE)
        assert await status(client, next_home, report_id) == 404
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        assert await status(client, next_home, report_id) == 200
        assert next_home.agency_id in await told(database, "report_disposed")

    async def test_places_that_change_their_code_take_their_part_along(
        self, client, database, settings, offices, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        await move(client, database, settings, child, NEXT_VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await regions.replace_region(tx, HOME, HOME + 5_000, date(2026, 11, 1))
            await regions.replace_region(tx, NEXT, NEXT + 5_000, date(2026, 11, 1))
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT home_region, former_homes FROM police_reports WHERE id = $1",
                UUID(report_id),
            )
        assert row["home_region"] == NEXT_VILLAGE + 5_000
        assert {*lineage(HOME_VILLAGE + 5_000)[:-1]} <= {*row["former_homes"]}
        assert HOME_VILLAGE not in row["former_homes"]

    async def test_of_a_former_home_that_goes_to_another_county_that_has_a_part(
        self, client, database, settings, offices, child
    ) -> None:
        other = 130102000000
        await some_regions(database, other)
        county = await a_caller(database, settings, "civil_affairs", other)
        report_id = await of_child(client, offices, child)
        await move(client, database, settings, child, NEXT_VILLAGE)
        assert await status(client, county, report_id) == 404
        async with database.begin(SYSTEM) as tx:
            await regions.replace_region(tx, HOME, other + 99_000, date(2026, 11, 1))
        assert await listed(client, county) == [report_id]


class TestIdentification:
    @pytest.mark.parametrize("who", ["police", "township", "county"])
    async def test_the_police_or_the_township_hang_the_report_on_the_file(
        self, client, database, offices, home, child, who
    ) -> None:
        report_id = await filed(client, offices.school)
        caller = getattr(offices, who)
        body = {**IDENTIFY, "child_id": str(child.id), "id": str(uuid4())}
        answer = await step(client, caller, report_id, "child", body)
        assert answer.status_code == 201, answer.text
        assert (await step(client, caller, report_id, "child", body)).status_code == 200
        read = (await client.get(f"{URL}/{report_id}", headers=home.headers)).json()
        assert (read["child_id"], read["party"]) == (str(child.id), "protection")
        assert read["subject"]["name"] == a_report()["subject"]["name"]
        [taken] = read["steps"]
        assert taken["step"] == "identified"
        assert taken["details"]["child_id"] == str(child.id)
        assert home.agency_id in await told(database, "child_identified")
        assert "identifyChild" not in read["permitted"]

    async def test_the_reporter_learns_nothing_of_the_file(self, client, offices, child) -> None:
        report_id = await filed(client, offices.school)
        body = {**IDENTIFY, "child_id": str(child.id)}
        await step(client, offices.police, report_id, "child", body)
        for path in ("", f"/{report_id}", f"/{report_id}/chain"):
            answer = await client.get(f"{URL}{path}", headers=offices.school.headers)
            assert answer.status_code == 200
            assert str(child.id) not in answer.text

    async def test_a_correction_does_not_lose_what_was_found_out(
        self, client, offices, home, child
    ) -> None:
        report_id = await filed(client, offices.school)
        body = {**IDENTIFY, "child_id": str(child.id)}
        await step(client, offices.police, report_id, "child", body)
        corrected = await step(client, offices.school, report_id, "supersession", a_report())
        new = corrected.json()["id"]
        read = (await client.get(f"{URL}/{new}", headers=home.headers)).json()
        assert (read["child_id"], read["joined"]) == (str(child.id), [report_id])
        answer = await client.get(f"{URL}/{new}", headers=offices.school.headers)
        assert str(child.id) not in answer.text

    async def test_before_it_the_home_sees_nothing(self, client, offices, home) -> None:
        assert await status(client, home, await filed(client, offices.school)) == 404

    async def test_not_by_who_reported_it(self, client, offices, child) -> None:
        report_id = await filed(client, offices.school)
        body = {**IDENTIFY, "child_id": str(child.id)}
        answer = await step(client, offices.school, report_id, "child", body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-missing")

    async def test_a_file_that_is_none_is_refused(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        body = {**IDENTIFY, "child_id": str(uuid4())}
        answer = await step(client, offices.police, report_id, "child", body)
        assert answer.json()["errors"][0]["code"] == "child_unknown"

    async def test_a_report_that_names_a_file_keeps_it(
        self, client, database, offices, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        other = await lives_in(database, NEXT_VILLAGE)
        body = {**IDENTIFY, "child_id": str(other.id)}
        answer = await step(client, offices.police, report_id, "child", body)
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "/problems/child-known-already",
        )

    async def test_once_known_the_report_follows_the_child(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await filed(client, offices.school)
        body = {**IDENTIFY, "child_id": str(child.id)}
        await step(client, offices.police, report_id, "child", body)
        await move(client, database, settings, child, NEXT_VILLAGE)
        for caller in (home, next_home):
            assert await status(client, caller, report_id) == 200

    async def test_on_a_closed_case_it_is_a_new_fact(self, client, offices, home, child) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        await step(client, offices.township, report_id, "assessment", ASSESS)
        await step(client, offices.township, report_id, "closure", CLOSE)
        body = {**IDENTIFY, "child_id": str(child.id)}
        answer = await step(client, offices.police, report_id, "child", body)
        assert answer.json()["state"] == "handling"
        assert await status(client, home, report_id) == 200


class TestOneEvent:
    async def test_three_children_of_one_event_are_three_reports_of_one_incident(
        self, client, offices
    ) -> None:
        incident = str(uuid4())
        three = [
            await filed(client, offices.school, incident_id=incident, subject={"name": name})
            for name in ("测大", "测二", "测三")
        ]
        other = await filed(client, offices.school)
        for caller in (offices.school, offices.police, offices.township):
            for one in three:
                read = (await client.get(f"{URL}/{one}", headers=caller.headers)).json()
                assert (read["incident_id"], {*read["joined"], one}) == (min(three), {*three})
            assert {*await listed(client, caller, f"incident_id={incident}")} == {*three}
            read = (await client.get(f"{URL}/{other}", headers=caller.headers)).json()
            assert (read["incident_id"], read["joined"]) == (other, [])

    async def test_the_first_may_lend_its_id(self, client, offices) -> None:
        first = await filed(client, offices.school)
        second = await filed(client, offices.village, incident_id=first)
        for one, another in ((first, second), (second, first)):
            read = await client.get(f"{URL}/{one}", headers=offices.police.headers)
            assert read.json()["joined"] == [another]

    async def test_a_party_to_one_sees_the_others_only_if_party_there(
        self, client, offices
    ) -> None:
        first = await filed(client, offices.school)
        second = await filed(client, offices.village, incident_id=first)
        for caller, mine in ((offices.school, first), (offices.village, second)):
            read = (await client.get(f"{URL}/{mine}", headers=caller.headers)).json()
            assert read["joined"] == []
            assert await listed(client, caller, f"incident_id={first}") == [mine]

    @pytest.mark.parametrize("who", ["police", "township"])
    async def test_the_police_or_the_township_join_reports_and_all_that_was_joined(
        self, client, offices, who
    ) -> None:
        caller = getattr(offices, who)
        ones = [await filed(client, offices.school) for _ in range(4)]
        for one, another in ((ones[0], ones[1]), (ones[2], ones[3]), (ones[0], ones[2])):
            body = {"joined_at": AT, "report_id": another, "id": str(uuid4())}
            for expected in (201, 200):
                answer = await step(client, caller, one, "incident", body)
                assert answer.status_code == expected, answer.text
        for one in ones:
            read = (await client.get(f"{URL}/{one}", headers=caller.headers)).json()
            assert {*read["joined"], one} == {*ones}
            assert "joined" in {taken["step"] for taken in read["steps"]}

    async def test_each_keeps_its_deadlines_and_its_proof(self, client, offices) -> None:
        ones = [await filed(client, offices.school) for _ in range(2)]
        urls = [f"{URL}/{one}/chain" for one in ones]
        kept = ("acknowledge_due_at", "deliveries", "state")

        async def chains() -> list[Any]:
            found = [await client.get(url, headers=offices.police.headers) for url in urls]
            return [[each.json()[name] for name in kept] for each in found]

        before = await chains()
        body = {"joined_at": AT, "report_id": ones[1]}
        assert (await step(client, offices.police, ones[0], "incident", body)).status_code == 201
        assert await chains() == before

    async def test_what_one_has_no_part_in_is_not_joined(self, client, offices) -> None:
        mine = await filed(client, offices.school)
        elsewhere = await filed(client, offices.school, region_code=str(NEXT_VILLAGE))
        for other in (elsewhere, mine, str(uuid4())):
            body = {"joined_at": AT, "report_id": other}
            answer = await step(client, offices.township, mine, "incident", body)
            assert answer.json()["errors"][0]["code"] == "report_unknown"

    @pytest.mark.usefixtures("offices")
    async def test_who_only_reported_does_not_join(self, client, database, settings) -> None:
        away = await a_caller(database, settings, "township_supervisor", NEXT)
        ones = [await filed(client, away, region_code=str(TOWNSHIP)) for _ in range(2)]
        body = {"joined_at": AT, "report_id": ones[1]}
        answer = await step(client, away, ones[0], "incident", body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-part")


def test_the_home_is_in_another_county() -> None:
    assert HOME - HOME % 1_000_000 != COUNTY
