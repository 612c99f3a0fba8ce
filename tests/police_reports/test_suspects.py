"""Whom a report speaks against, however it is written; nobody it may mean reads it."""

from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM, Reach
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    a_report,
    an_endpoint,
    filed,
    police_at,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, URL, step

NAME = "样板乡人民政府"
ELSEWHERE = 130102001000


@pytest.fixture
async def offices(database, settings):
    found = await the_offices(database, settings)
    await called(database, found.township.agency_id, NAME)
    return found


async def called(database, agency_id, name: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET name = $2 WHERE id = $1", agency_id, name)


async def seen_by(client, offices, report_id: str) -> set[str]:
    found = set()
    for who in ("village", "school", "police", "township", "county"):
        caller = getattr(offices, who)
        answer = await client.get(f"{URL}/{report_id}", headers=caller.headers)
        found |= {who} if answer.status_code == 200 else set()
    return found


def spellings(agency_id) -> list[str]:
    said = str(agency_id)
    wide = said.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789abcdef"})
    return [
        *(f" {said}", f"{said} ", said.upper(), said.replace("-", ""), f"{{{said}}}"),
        *(f"urn:uuid:{said}", f"agency:{said}", wide, said.replace("-", "－")),
        *(said.replace("-", "–"), NAME, f" {NAME} ", "样板乡 人民政府"),
    ]


async def test_a_suspect_is_known_in_every_spelling(client, database, offices) -> None:
    for said in spellings(offices.township.agency_id):
        report_id = await filed(client, offices.school, suspect_agency_id=said)
        assert await seen_by(client, offices, report_id) == {"school", "police", "county"}, said
        read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        assert read.json()["doubts"] == [], said
        assert read.json()["suspect_agency_id"] == str(offices.township.agency_id)


async def test_who_reports_their_own_agency_by_its_name_loses_sight_of_it(
    client, database, offices
) -> None:
    await called(database, offices.school.agency_id, "样板中心小学")
    report_id = await filed(client, offices.school, suspect_agency_id="样板中心小学")
    assert await seen_by(client, offices, report_id) == {"police", "township", "county"}


async def test_of_two_agencies_of_one_name_neither_reads_it(client, database, offices) -> None:
    await called(database, offices.village.agency_id, NAME)
    report_id = await filed(client, offices.school, suspect_agency_id=NAME)
    assert await seen_by(client, offices, report_id) == {"school", "police", "county"}
    [report] = await rows(database, "police_reports")
    assert {*report["hidden_from"]} == {offices.village.agency_id, offices.township.agency_id}
    assert report["doubts"] == ["agency_unknown"]


async def test_a_name_at_a_home_the_reporter_does_not_see_hides_and_tells_nothing(
    client, database, settings, offices
) -> None:
    home = await a_caller(database, settings, "township_supervisor", ELSEWHERE)
    await called(database, home.agency_id, "远方镇人民政府")
    child = await a_child(database, ELSEWHERE + 200)
    told = {}
    for child_id in (child.id, uuid4()):
        body = a_report(child_id=str(child_id), suspect_agency_id="远方镇人民政府")
        answer = await client.post(URL, json=body, headers=offices.school.headers)
        told[child_id] = answer.json()["doubts"]
        mine = await client.get(answer.headers["location"], headers=home.headers)
        assert mine.status_code == 404
    assert [*told.values()] == [["child_unconfirmed", "agency_unknown"]] * 2


class TestWhileItIsOpenWhoIsMeant:
    @pytest.mark.parametrize(
        ("said", "seen"),
        [
            ("乡政府的人", {"school", "police", "county"}),
            ("村干部", {"school", "police", "county"}),
            ("我们村的干部", {"police", "county"}),
            ("校长", {"police", "county"}),
            ("民政办", {"school", "police"}),
            ("那个人", {"police"}),
            ("01995f3c-2b40-7d66-8c55-1e0f3a7b8d02", {"school", "police", "county"}),
        ],
    )
    async def test_none_it_may_mean_is_told_or_sees_it(
        self, client, database, offices, said, seen
    ) -> None:
        for who in ("township", "county"):
            region = getattr(offices, who)
            place = TOWNSHIP if who == "township" else COUNTY
            await an_endpoint(database, region.agency_id, place, relation="region")
        report_id = await filed(client, offices.school, suspect_agency_id=said)
        assert await seen_by(client, offices, report_id) == seen
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        await run_jobs(database)
        told = {row["agency_id"] for row in await rows(database, "webhook_deliveries")}
        expected = {offices.police.agency_id}
        assert told == (expected | {offices.county.agency_id} if "county" in seen else expected)
        township = Reach(TOWNSHIP, TOWNSHIP + 1000, agency=offices.township.agency_id)
        county = Reach(COUNTY, COUNTY + 10**6, agency=offices.county.agency_id)
        for reach, who in ((township, "township"), (county, "county")):
            async with database.begin(reach) as tx:
                count = await tx.connection.fetchval("SELECT count(*) FROM police_reports")
            assert count == (who in seen), who

    async def test_the_county_says_who_it_is_and_all_others_see_it_again(
        self, client, database, offices
    ) -> None:
        await an_endpoint(database, offices.township.agency_id, TOWNSHIP, relation="region")
        report_id = await filed(client, offices.school, suspect_agency_id="村干部")
        body = a_report(suspect_agency_id="村里的干部")
        again = await step(client, offices.school, report_id, "supersession", body)
        newest = again.json()["id"]
        village = str(offices.village.agency_id)
        naming = {"named_at": AT, "suspect_agency_id": village, "basis": "学校说明。"}
        refused = await step(client, offices.township, newest, "suspect", naming)
        assert refused.status_code == 404
        nobody = {**naming, "suspect_agency_id": str(uuid4())}
        unknown = await step(client, offices.county, newest, "suspect", nobody)
        assert unknown.json()["errors"][0]["code"] == "agency_unknown"
        answer = await step(client, offices.county, newest, "suspect", naming)
        assert answer.status_code == 201, answer.text
        for each in (report_id, newest):
            seen = await seen_by(client, offices, each)
            assert seen == {"school", "police", "township", "county"}
            read = (await client.get(f"{URL}/{each}", headers=offices.township.headers)).json()
            assert (read["suspect_agency_id"], read["doubts"]) == (village, [])
        late = await step(client, offices.police, newest, "suspect", naming)
        assert late.json()["type"] == "/problems/suspect-known-already"
        await run_jobs(database)
        told = {
            row["wire_name"]
            for row in await rows(database, "webhook_deliveries")
            if row["agency_id"] == offices.township.agency_id
        }
        assert told == {"police_reports.suspect_named"}

    async def test_nobody_registered_is_meant(self, client, offices) -> None:
        report_id = await filed(client, offices.school, suspect_agency_id="我校门口的乡村超市")
        assert await seen_by(client, offices, report_id) == {"police", "county"}
        naming = {"named_at": AT, "suspect_agency_id": None}
        answer = await step(client, offices.police, report_id, "suspect", naming)
        assert answer.status_code == 201, answer.text
        seen = await seen_by(client, offices, report_id)
        assert seen == {"school", "police", "township", "county"}

    async def test_police_who_are_meant_lose_it_to_others(self, client, database, offices) -> None:
        county = await police_at(database, COUNTY)
        report_id = await filed(client, offices.school, suspect_agency_id="派出所")
        named = {"named_at": AT, "suspect_agency_id": str(offices.police.agency_id)}
        answer = await step(client, offices.county, report_id, "suspect", named)
        assert answer.status_code == 201, answer.text
        assert "police" not in await seen_by(client, offices, report_id)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (county, "routed")

    async def test_a_township_that_reports_its_own_cannot_say_it_is_another(
        self, client, offices
    ) -> None:
        report_id = await filed(client, offices.township, suspect_agency_id="中心小学")
        naming = {"named_at": AT, "suspect_agency_id": None}
        answer = await step(client, offices.township, report_id, "suspect", naming)
        assert answer.json()["type"] == "/problems/not-your-part"
        read = await client.get(f"{URL}/{report_id}", headers=offices.county.headers)
        assert "nameSuspect" in read.json()["permitted"]
        mine = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert "nameSuspect" not in mine.json()["permitted"]
