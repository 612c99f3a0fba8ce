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
from tests.police_reports.test_chain import ACCEPT, ASSESS, AT, DISPOSE, URL, step

NAME = "样板乡人民政府"
ELSEWHERE = 130102001000


@pytest.fixture
async def offices(database, settings):
    found = await the_offices(database, settings)
    await called(database, found.township.agency_id, NAME)
    return found


def named(caller) -> dict[str, str]:
    return {"named_at": AT, "suspect_agency_id": str(caller.agency_id), "basis": "查证。"}


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


async def test_of_two_ids_it_is_open_which_is_meant_though_one_is_nobodys(client, offices) -> None:
    said = f"{offices.township.agency_id} / {uuid4()}"
    report_id = await filed(client, offices.school, suspect_agency_id=said)
    assert await seen_by(client, offices, report_id) == {"school", "police", "county"}
    read = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
    assert (read["suspect_agency_id"], read["doubts"]) == (None, ["agency_unknown"])


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
            ("小李", {"police"}),
            ("县一中的人", {"police", "county"}),
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
        naming = {"named_at": AT, "suspect_agency_id": None, "basis": "查证。"}
        answer = await step(client, offices.police, report_id, "suspect", naming)
        assert answer.status_code == 201, answer.text
        seen = await seen_by(client, offices, report_id)
        assert seen == {"school", "police", "township", "county"}

    async def test_police_who_are_meant_lose_it_to_others(self, client, database, offices) -> None:
        county = await police_at(database, COUNTY)
        report_id = await filed(client, offices.school, suspect_agency_id="村干部")
        answer = await step(client, offices.county, report_id, "suspect", named(offices.police))
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
        naming = {"named_at": AT, "suspect_agency_id": None, "basis": "查证。"}
        answer = await step(client, offices.township, report_id, "suspect", naming)
        assert answer.json()["type"] == "/problems/not-your-part"
        read = await client.get(f"{URL}/{report_id}", headers=offices.county.headers)
        assert "nameSuspect" in read.json()["permitted"]
        mine = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert "nameSuspect" not in mine.json()["permitted"]


NOBODY = {"named_at": AT, "suspect_agency_id": None, "basis": "查证。"}
SAID_SO = {"withdrawn_at": AT, "basis": "查错了人。"}


class TestWordsThatSayPolice:
    @pytest.mark.parametrize("said", ["派出所民警王某", "当地警察"])
    async def test_police_below_the_county_are_passed_over_and_no_police_say_who_it_is(
        self, client, database, settings, offices, said
    ) -> None:
        county = await a_caller(database, settings, "police", COUNTY)
        await an_endpoint(database, county.agency_id, COUNTY)
        report_id = await filed(client, offices.school, suspect_agency_id=said)
        assert "police" not in await seen_by(client, offices, report_id)
        [sent] = await rows(database, "webhook_deliveries")
        assert sent["agency_id"] == county.agency_id
        station = Reach(TOWNSHIP, TOWNSHIP + 1000, agency=offices.police.agency_id)
        async with database.begin(station) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM police_reports") == 0
        body = {"forwarded_at": AT, "police_agency_id": str(offices.police.agency_id)}
        passed = await step(client, county, report_id, "forwarding", body)
        assert passed.json()["errors"][0]["code"] == "agency_unknown"
        for naming in (NOBODY, named(offices.county)):
            refused = await step(client, county, report_id, "suspect", naming)
            assert refused.json()["type"] == "/problems/not-your-part"
        read = await client.get(f"{URL}/{report_id}", headers=county.headers)
        assert "nameSuspect" not in read.json()["permitted"]
        answer = await step(client, offices.county, report_id, "suspect", named(offices.police))
        assert answer.status_code == 201, answer.text
        assert (await client.get(f"{URL}/{report_id}", headers=county.headers)).status_code == 200

    @pytest.mark.parametrize("said", ["那个人", "小李"])
    async def test_of_words_that_may_mean_anybody_no_station_says_who_it_is(
        self, client, database, settings, offices, said
    ) -> None:
        """The station is told, and may be meant: who is above it says who is (AZ-8)."""
        county = await a_caller(database, settings, "police", COUNTY)
        province = await a_caller(database, settings, "civil_affairs", 120000000000)
        for above in (county, province):
            report_id = await filed(client, offices.school, suspect_agency_id=said)
            refused = await step(client, offices.police, report_id, "suspect", NOBODY)
            assert refused.json()["type"] == "/problems/not-your-part"
            read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
            assert read.json()["party"] == "police"
            assert "nameSuspect" not in read.json()["permitted"]
            body = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
            passed = await step(client, offices.police, report_id, "forwarding", body)
            assert passed.status_code == 201, passed.text
            listed = await client.get(f"{URL}?permitted=nameSuspect", headers=above.headers)
            assert report_id in {each["id"] for each in listed.json()["items"]}
            answer = await step(client, above, report_id, "suspect", NOBODY)
            assert answer.status_code == 201, answer.text

    async def test_a_correction_takes_it_from_the_station_and_waits_for_others(
        self, client, database, settings, offices
    ) -> None:
        first = await filed(client, offices.school)
        body = a_report(suspect_agency_id="派出所民警")
        second = (await step(client, offices.school, first, "supersession", body)).json()["id"]
        for each in (first, second):
            assert await seen_by(client, offices, each) == {"school", "county"}
        county = await a_caller(database, settings, "police", COUNTY)
        await an_endpoint(database, county.agency_id, COUNTY)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        answer = await client.get(f"{URL}/{second}", headers=county.headers)
        assert answer.json()["party"] == "police"

    async def test_civil_affairs_do_not_say_it_where_the_words_say_civil_affairs(
        self, client, database, settings, offices
    ) -> None:
        province = await a_caller(database, settings, "civil_affairs", 120000000000)
        report_id = await filed(client, offices.school, suspect_agency_id="民政局的人")
        refused = await step(client, province, report_id, "suspect", NOBODY)
        assert refused.json()["type"] == "/problems/not-your-part"
        both = await filed(client, offices.school, suspect_agency_id="民政局和派出所的人")
        assert (await step(client, province, both, "suspect", NOBODY)).status_code == 201


class TestNamedWrongly:
    async def test_a_person_names_with_a_reason(self, client, database, settings, offices) -> None:
        machine = await a_caller(
            database, settings, "police", TOWNSHIP, agency_id=offices.police.agency_id, machine=True
        )
        report_id = await filed(client, offices.school, suspect_agency_id="乡政府的人")
        refused = await step(client, machine, report_id, "suspect", named(offices.county))
        assert refused.json()["type"] == "/problems/person-required"
        bare = {"named_at": AT, "suspect_agency_id": None}
        assert (await step(client, offices.police, report_id, "suspect", bare)).status_code == 422

    @pytest.mark.parametrize("wrong", ["county", "school", "police"])
    async def test_taken_back_by_a_person_whom_it_was_hidden_from_sees_it_again(
        self, client, database, settings, offices, wrong
    ) -> None:
        """And what they did counts again."""
        report_id = await filed(client, offices.school, suspect_agency_id="乡政府的人")
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        await step(client, offices.county, report_id, "assessment", ASSESS)
        before = await seen_by(client, offices, report_id)
        assert before == {"school", "police", "county"}
        others = {"county": offices.police, "school": offices.police, "police": offices.county}
        who = others[wrong]
        early = await step(client, who, report_id, "suspect/withdrawal", SAID_SO)
        assert early.json()["type"] == "/problems/no-suspect-named"
        naming = named(getattr(offices, wrong))
        assert (await step(client, who, report_id, "suspect", naming)).status_code == 201
        assert wrong not in await seen_by(client, offices, report_id)
        role, place = ("civil_affairs", COUNTY) if who is offices.county else ("police", TOWNSHIP)
        machine = await a_caller(
            database, settings, role, place, agency_id=who.agency_id, machine=True
        )
        refused = await step(client, machine, report_id, "suspect/withdrawal", SAID_SO)
        assert refused.json()["type"] == "/problems/person-required"
        refused = await step(client, offices.township, report_id, "suspect/withdrawal", SAID_SO)
        assert refused.json()["type"] == "/problems/not-your-part"
        body = {**SAID_SO, "id": str(uuid4())}
        for again in (201, 200):
            answer = await step(client, who, report_id, "suspect/withdrawal", body)
            assert answer.status_code == again, answer.text
        assert await seen_by(client, offices, report_id) == before
        read = (await client.get(f"{URL}/{report_id}", headers=who.headers)).json()
        assert (read["suspect_agency_id"], read["doubts"]) == (None, ["agency_unknown"])
        [report] = await rows(database, "police_reports")
        assert None not in {report["handled_at"], report["assessed_at"]}
        right = named(offices.township)
        assert (await step(client, who, report_id, "suspect", right)).status_code == 201
        seen = await seen_by(client, offices, report_id)
        assert seen == {"school", "police", "county"}

    async def test_taken_back_the_reporters_own_may_be_meant_again(self, client, offices) -> None:
        report_id = await filed(client, offices.school, suspect_agency_id="本校校长")
        before = await seen_by(client, offices, report_id)
        assert "school" not in before
        naming = named(offices.township)
        assert (await step(client, offices.police, report_id, "suspect", naming)).status_code == 201
        answer = await step(client, offices.police, report_id, "suspect/withdrawal", SAID_SO)
        assert answer.status_code == 201, answer.text
        assert await seen_by(client, offices, report_id) == before

    async def test_a_correction_that_names_another_frees_nobody_whom_a_person_named(
        self, client, offices
    ) -> None:
        """Else whoever is accused at the reporter's own agency corrects it away (AZ-8)."""
        report_id = await filed(client, offices.school, suspect_agency_id="乡政府的人")
        await step(client, offices.police, report_id, "suspect", named(offices.county))
        assert "county" not in await seen_by(client, offices, report_id)
        body = a_report(suspect_agency_id=str(offices.township.agency_id))
        second = (await step(client, offices.school, report_id, "supersession", body)).json()["id"]
        for each in (report_id, second):
            assert await seen_by(client, offices, each) == {"school", "police"}
        answer = await step(client, offices.police, report_id, "suspect/withdrawal", SAID_SO)
        assert answer.status_code == 201, answer.text
        for each in (report_id, second):
            assert await seen_by(client, offices, each) == {"school", "police", "county"}

    async def test_an_accused_reporter_does_not_correct_the_accusation_away(
        self, client, offices
    ) -> None:
        report_id = await filed(client, offices.school, suspect_agency_id="本校校长")
        await step(client, offices.police, report_id, "suspect", named(offices.school))
        body = a_report(suspect_agency_id=str(offices.village.agency_id), narrative="误报。")
        answer = await step(client, offices.school, report_id, "supersession", body)
        for each in (report_id, answer.json()["id"]):
            assert await seen_by(client, offices, each) == {"police", "township", "county"}

    async def test_with_none_named_those_of_that_name_learn_nothing(
        self, client, database, offices
    ) -> None:
        await called(database, offices.village.agency_id, NAME)
        report_id = await filed(client, offices.village, suspect_agency_id=NAME)
        assert (await step(client, offices.police, report_id, "suspect", NOBODY)).status_code == 201
        assert await seen_by(client, offices, report_id) == {"police", "county"}
