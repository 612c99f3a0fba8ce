"""Offices change, close, and go on in the place of another."""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.webhooks.claiming import claim, rooms
from tests.access.approving import problem, send_by_two
from tests.access.factories import Caller, a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    the_offices,
)
from tests.regions.factories import some_regions

OTHER = 120118101000
WHY = {"reason": "合成记录:机构撤并,县编办来函。"}


@pytest.fixture
async def county(database, settings) -> Caller:
    await some_regions(database, VILLAGE, OTHER)
    return await a_caller(database, settings, "civil_affairs", COUNTY)


@pytest.fixture
async def colleague(database, settings, county) -> Caller:
    return await a_caller(
        database, settings, "civil_affairs", COUNTY, agency_id=county.agency_id, machine=False
    )


@pytest.fixture
async def county_person(database, settings, county) -> Caller:
    return await a_caller(
        database, settings, "civil_affairs", COUNTY, agency_id=county.agency_id, machine=False
    )


@pytest.fixture
async def operators(database, settings) -> tuple[Caller, Caller]:
    one = await a_caller(database, settings, "operator", 0, machine=False)
    two = await a_caller(database, settings, "operator", 0, agency_id=one.agency_id, machine=False)
    return one, two


async def change(client, who, agency, body, version=1):
    said = {"based_on": version, **body}
    return await client.post(f"/v1/agencies/{agency}/changes", json=said, headers=who.headers)


async def close(client, who, agency):
    return await client.post(f"/v1/agencies/{agency}/closure", json=WHY, headers=who.headers)


def codes(answer):
    assert problem(answer) == (422, "open-business"), answer.text
    return [each["code"] for each in answer.json()["errors"]]


class TestChanged:
    async def test_ones_own_by_one(self, client, county) -> None:
        body = {"name": "蓟州区民政局", "name_en": "Civil affairs of Jizhou"}
        answer = await change(client, county, county.agency_id, body)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert {name: shown[name] for name in body} == body
        assert (answer.headers["etag"], shown["region_code"]) == ('"2"', str(COUNTY))
        again = await change(client, county, county.agency_id, body)
        assert problem(again) == (412, "precondition-failed")

    async def test_anothers_by_two(self, client, database, county) -> None:
        office = await an_agency(database, "township_government", TOWNSHIP)
        answer = await change(client, county, office, {"name": "上仓镇人民政府"})
        assert problem(answer) == (403, "approval-required")

    async def test_of_power_by_operators_alone(self, client, database, county, operators) -> None:
        station = await an_agency(database, "police", TOWNSHIP)
        body = {"region_code": str(COUNTY)}
        assert problem(await change(client, county, station, body)) == (403, "kind-not-yours")
        assert problem(await change(client, operators[0], station, body)) == (
            403,
            "approval-required",
        )

    async def test_what_may_be_done_is_told(self, client, database, county, county_person) -> None:
        office = await an_agency(database, "township_government", TOWNSHIP)
        police = await an_agency(database, "police", TOWNSHIP)
        told = {}
        for agency in (county.agency_id, office, police):
            found = await client.get(f"/v1/agencies/{agency}", headers=county_person.headers)
            told[agency] = found.json()["permitted"], found.json()["permitted_by_two"]
        assert told == {
            county.agency_id: (["changeAgency"], ["setPublicContact"]),
            office: (["closeAgency"], ["changeAgency", "setPublicContact", "mergeAgency"]),
            police: ([], ["setPublicContact"]),
        }

    @pytest.mark.parametrize(
        ("kind", "place", "change_to", "expected"),
        [
            ("school", TOWNSHIP, {"region_code": str(OTHER)}, (403, "outside-remit")),
            ("school", TOWNSHIP, {"region_code": "120119999000"}, (422, "region-unknown")),
            ("school", TOWNSHIP, {"region_code": str(VILLAGE)}, (422, "post-outside-agency")),
            (
                "village_committee",
                VILLAGE,
                {"region_code": str(TOWNSHIP)},
                (422, "kind-not-at-level"),
            ),
            ("education", TOWNSHIP, {"region_code": str(COUNTY)}, (409, "place-served")),
            ("school", TOWNSHIP, {"active": False}, (422, "validation-failed")),
        ],
    )
    async def test_refuses_what_breaks_a_rule(
        self, client, database, county, kind, place, change_to, expected
    ) -> None:
        await an_agency(database, "education", COUNTY)
        post = await a_post(database, kind, place, "school")
        answer = await change(client, county, post.agency_id, change_to)
        assert problem(answer) == expected

    async def test_its_people_go_along_and_its_systems_stay_inside(
        self, client, database, settings, county, county_person, colleague
    ) -> None:
        system = await a_caller(database, settings, "school_system", TOWNSHIP)
        answer = await change(client, county, system.agency_id, {"region_code": str(VILLAGE)})
        assert problem(answer) == (422, "systems-outside")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE clients SET active = false WHERE kind = 'machine'")
        await a_person(database, system.agency_id)
        path = f"/v1/agencies/{system.agency_id}/changes"
        body = {"based_on": 1, "region_code": str(VILLAGE)}
        how = ("changeAgency", "POST", path, body)
        done = await send_by_two(client, county_person, colleague, *how)
        assert done.status_code == 200, done.text
        async with database.begin(SYSTEM) as tx:
            places = await tx.connection.fetchval(
                "SELECT array_agg(region_code) FROM staff WHERE agency_id = $1", system.agency_id
            )
        assert places == [VILLAGE]


class TestClosed:
    async def test_at_once_and_for_good_and_looked_at_afterwards(
        self, client, database, settings, county_person
    ) -> None:
        system = await a_caller(database, settings, "hospital", TOWNSHIP, machine=True)
        assert (await client.get("/v1/me", headers=system.headers)).status_code == 200
        answer = await close(client, county_person, system.agency_id)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["active"], shown["closed_on"], shown["permitted"]) == (
            False,
            "2026-11-20",
            [],
        )
        assert (await client.get("/v1/me", headers=system.headers)).status_code == 401
        again = await close(client, county_person, system.agency_id)
        assert problem(again) == (409, "agency-closed")
        body = {"region_code": str(TOWNSHIP)}
        moved = await change(client, county_person, system.agency_id, body, 2)
        assert problem(moved) == (409, "agency-closed")
        reviews = await client.get("/v1/reviews", headers=county_person.headers)
        [owed] = reviews.json()["items"]
        assert (owed["operation"], owed["state"]) == ("closeAgency", "owed")

    async def test_not_ones_own(self, client, county) -> None:
        answer = await close(client, county, county.agency_id)
        assert problem(answer) == (403, "own-agency")

    async def test_nor_what_there_is_not(self, client, county) -> None:
        answer = await close(client, county, county.subject_id)
        assert problem(answer) == (404, "agency-not-found")

    async def test_while_somebody_holds_a_post_there_or_is_about_to(
        self, client, database, county
    ) -> None:
        post = await a_post(database, "village_committee", VILLAGE, "village_director")
        person = await a_person(database, post.agency_id)
        held = await a_holding(database, post, person, (await _today(database)))
        assert codes(await close(client, county, post.agency_id)) == ["posts_held"]
        left = await client.post(
            f"/v1/posts/{post.id}/holdings/{held.id}/end",
            json={"until": "2026-11-20"},
            headers=county.headers,
        )
        assert left.status_code == 200, left.text
        assert (await close(client, county, post.agency_id)).status_code == 200
        shown = await client.get(f"/v1/posts/{post.id}", headers=county.headers)
        assert not shown.json()["active"], "its posts go with it"
        taken = await client.post(
            f"/v1/posts/{post.id}/holdings",
            json={"staff_id": str(person), "since": "2026-11-21"},
            headers=county.headers,
        )
        assert problem(taken) == (409, "post-given-up")

    async def test_while_reports_are_in_its_hands(self, client, database, settings) -> None:
        """And once it is closed, none comes there: the next office of the place has it."""
        offices = await the_offices(database, settings)
        bureau = await an_agency(database, "police", COUNTY)
        station = offices.police.agency_id
        report = await client.post(
            "/v1/police-reports", json=a_report(), headers=offices.village.headers
        )
        assert report.status_code == 201, report.text
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE post_holdings SET until = since")
        operator = await a_caller(database, settings, "operator", 0, machine=True)
        found = codes(await close(client, operator, station))
        assert "reports_in_hand" in found
        assert "duties_open" in found
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE police_reports SET state = 'closed'")
            await tx.connection.execute("UPDATE duties SET state = 'cancelled'")
        assert (await close(client, operator, station)).status_code == 200
        village = await a_caller(database, settings, "village_director", VILLAGE)
        later = await client.post("/v1/police-reports", json=a_report(), headers=village.headers)
        async with database.begin(SYSTEM) as tx:
            has = await tx.connection.fetchval(
                "SELECT police_agency_id FROM police_reports WHERE id = $1", later.json()["id"]
            )
        assert has == bureau

    async def test_while_pupils_are_enrolled(self, client, database, county) -> None:
        school = await an_agency(database, "school", TOWNSHIP)
        child = await a_child(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE children SET school_id = $1 WHERE id = $2", school, child.id
            )
        assert codes(await close(client, county, school)) == ["pupils_enrolled"]


async def _today(database):
    async with database.begin() as tx:
        return tx.today


async def refer(client, who, child, to):
    body = {"to_agency_id": str(to.agency_id), "needs": ["ill"]}
    url = f"/v1/children/{child.id}/referrals"
    answer = await client.post(url, json=body, headers=who.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


class TestGoesOnForAnother:
    async def merge(self, client, one, two, agency, successor):
        path = f"/v1/agencies/{agency}/merger"
        body = {"successor_id": str(successor)}
        return await send_by_two(client, one, two, "mergeAgency", "POST", path, body)

    async def test_with_its_posts_its_people_and_what_it_was_asked(
        self, client, database, settings, county_person, colleague
    ) -> None:
        """Whoever holds a post goes on where they were; whoever was referred to it is answered."""
        old = await a_caller(database, settings, "hospital", TOWNSHIP, machine=False)
        new = await a_caller(database, settings, "hospital", COUNTY, machine=False)
        village = await a_caller(database, settings, "village_director", VILLAGE)
        child = await a_child(database, VILLAGE)
        await refer(client, village, child, old)
        await run_jobs(database)
        refused = await close(client, county_person, old.agency_id)
        assert codes(refused) == ["duties_open", "posts_held", "referrals_open"]
        alone = await client.post(
            f"/v1/agencies/{old.agency_id}/merger",
            json={"successor_id": str(new.agency_id)},
            headers=county_person.headers,
        )
        assert problem(alone) == (403, "approval-required")
        done = await self.merge(client, county_person, colleague, old.agency_id, new.agency_id)
        assert (done.status_code, done.json()["active"]) == (200, False), done.text
        assert (await client.get("/v1/me", headers=old.headers)).status_code == 401
        listed = await client.get("/v1/referrals", headers=new.headers)
        [referral] = listed.json()["items"]
        assert referral["to_agency_id"] == str(new.agency_id)
        assert "answerReferral" in referral["permitted"]
        duties = await client.get("/v1/duties", headers=new.headers)
        assert [each["bearer"]["agency_id"] for each in duties.json()["items"]] == [
            str(new.agency_id)
        ]
        async with database.begin(SYSTEM) as tx:
            moved = await tx.connection.fetch(
                "SELECT p.agency_id, s.agency_id AS employer, s.region_code"
                " FROM post_holdings h JOIN posts p ON p.id = h.post_id"
                " JOIN staff s ON s.id = h.staff_id WHERE h.id = $1",
                old.claims["grant_id"],
            )
            told = await tx.connection.fetchval(
                "SELECT data ->> 'agency_id' FROM events"
                " WHERE wire_name = 'duties.duty_changed_hands'"
            )
        assert [tuple(row) for row in moved] == [(new.agency_id, new.agency_id, COUNTY)]
        assert told == str(new.agency_id)

    async def test_only_one_of_its_kind_that_works(self, client, database, county_person) -> None:
        office = await an_agency(database, "hospital", TOWNSHIP)
        closed = await an_agency(database, "hospital", TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            sql = "UPDATE agencies SET active = false WHERE id = $1"
            await tx.connection.execute(sql, closed)
        others = [
            await an_agency(database, "school", TOWNSHIP),
            closed,
            office,
            office.__class__(int=7),
        ]
        for other in others:
            answer = await client.post(
                f"/v1/agencies/{office}/merger",
                json={"successor_id": str(other)},
                headers=county_person.headers,
            )
            assert problem(answer) == (409, "successor-unfit")

    async def test_whose_places_hold_its_posts(self, client, database, county_person) -> None:
        post = await a_post(database, "hospital", TOWNSHIP, "hospital")
        other = await an_agency(database, "hospital", OTHER)
        answer = await client.post(
            f"/v1/agencies/{post.agency_id}/merger",
            json={"successor_id": str(other)},
            headers=county_person.headers,
        )
        assert problem(answer) == (422, "post-outside-agency")

    async def test_what_it_was_told_alone_goes_to_nobody(
        self, client, database, settings, county_person
    ) -> None:
        """It came of a report that the successor was not told of: the merger waits for its end."""
        old = await a_caller(database, settings, "hospital", TOWNSHIP, machine=False)
        new = await an_agency(database, "hospital", COUNTY)
        village = await a_caller(database, settings, "village_director", VILLAGE)
        child = await a_child(database, VILLAGE)
        asked = await refer(client, village, child, old)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE referrals SET told_to = ARRAY[$1::uuid] WHERE id = $2",
                old.agency_id,
                asked,
            )
        answer = await client.post(
            f"/v1/agencies/{old.agency_id}/merger",
            json={"successor_id": str(new)},
            headers=county_person.headers,
        )
        assert "referrals_open" in codes(answer)

    async def test_reports_in_its_hands_go_to_who_has_jurisdiction(
        self, client, database, settings, operators
    ) -> None:
        """By their own chain, with what is owed for them; its system hears of nothing more."""
        offices = await the_offices(database, settings)
        station, one, two = offices.police.agency_id, *operators
        bureau = await an_agency(database, "police", COUNTY)
        await an_endpoint(database, bureau, COUNTY)
        report = await client.post(
            "/v1/police-reports", json=a_report(), headers=offices.village.headers
        )
        await run_jobs(database)
        done = await self.merge(client, one, two, station, bureau)
        assert done.status_code == 200, done.text
        async with database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, "police_reports.route_waiting", [{}])
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            has = await tx.connection.fetchval(
                "SELECT police_agency_id FROM police_reports WHERE id = $1", report.json()["id"]
            )
            owe = await tx.connection.fetch(
                "SELECT DISTINCT bearer_agency_id FROM duties WHERE state IN ('open', 'overdue')"
                " AND bearer_role = 'police'"
            )
            sent = await claim(tx, timedelta(minutes=1), rooms(50, 0, 50), {})
        assert has == bureau
        assert [row["bearer_agency_id"] for row in owe] == [bureau]
        assert {each["agency_id"] for each in sent} == {bureau}
