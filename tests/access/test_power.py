"""What takes two people, each thing of it; and power taken away, which another reviews."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import (
    COUNTY,
    PATH,
    REASON,
    STATION,
    TOWNSHIP,
    a_machine_of,
    create,
    problem,
    propose,
    send_by_two,
)
from tests.access.apps import a_key
from tests.access.factories import a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.regions.factories import some_regions


class TestReviews:
    async def test_power_is_taken_away_at_once_and_another_looks(
        self, client, database, operators
    ) -> None:
        one, two = operators
        made = await a_machine_of(client, database, one, two)
        path = f"/v1/clients/{made}/suspension"
        taken = await client.post(path, headers=one.headers)
        assert (taken.status_code, taken.json()["active"]) == (200, False)
        [owed] = (await client.get("/v1/reviews", headers=two.headers)).json()["items"]
        assert (owed["operation"], owed["path"], owed["state"]) == ("suspendClient", path, "owed")
        assert owed["permitted"] == ["finishReview"]
        place = f"/v1/reviews/{owed['id']}"
        said = {"finding": "proper", "note": REASON}
        own = await client.post(f"{place}/finding", json=said, headers=one.headers)
        assert problem(own) == (403, "another-person-needed")
        done = await client.post(f"{place}/finding", json=said, headers=two.headers)
        assert (done.status_code, done.json()["state"]) == (200, "done")
        read = (await client.get(place, headers=one.headers)).json()
        assert (read["finding"], read["note"], read["permitted"]) == ("proper", REASON, [])
        again = await client.post(f"{place}/finding", json=said, headers=two.headers)
        assert problem(again) == (409, "review-done")

    async def test_what_nobody_looked_at_in_time_shows(self, client, database, operators) -> None:
        one, two = operators
        made = await a_machine_of(client, database, one, two)
        await client.post(f"/v1/clients/{made}/suspension", headers=one.headers)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE reviews SET due_at = due_at - interval '73 hours'")
        for state, many in (("late", 1), ("owed", 0), ("done", 0)):
            page = await client.get("/v1/reviews", params={"state": state}, headers=one.headers)
            assert len(page.json()["items"]) == many, state

    async def test_why_it_was_done_is_read_by_who_reviews_it(
        self, client, database, operators
    ) -> None:
        one, two = operators
        made = await a_machine_of(client, database, one, two)
        post = await a_post(database, "police", TOWNSHIP, "police")
        person = await a_person(database, post.agency_id)
        held = await a_holding(database, post, person, date(2026, 1, 1))
        why, ends = {"reason": REASON}, f"posts/{post.id}/holdings/{held.id}/end"
        for path, said in (
            (f"clients/{made}/suspension", why),
            (ends, {**why, "until": "2026-11-20"}),
        ):
            done = await client.post(f"/v1/{path}", json=said, headers=one.headers)
            assert done.status_code == 200, done.text
        owed = (await client.get("/v1/reviews", headers=two.headers)).json()["items"]
        assert len(owed) == 2
        for each in owed:
            read = await client.get(f"/v1/reviews/{each['id']}", headers=two.headers)
            assert read.json()["reason"] == REASON, each["operation"]

    async def test_whose_power_was_taken_is_told(self, client, database, operators) -> None:
        one, two = operators
        made = await a_machine_of(client, database, one, two)
        await client.post(f"/v1/clients/{made}/suspension", headers=one.headers)
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT data, told_to FROM events WHERE wire_name = 'approvals.acted_alone'"
            )
            agency = await tx.connection.fetchval("SELECT id FROM agencies WHERE kind = 'police'")
        assert set(row["told_to"]) == {str(agency), str(one.agency_id)}
        assert row["data"]["operation"] == "suspendClient"

    async def test_giving_it_back_takes_two(self, client, database, operators) -> None:
        one, two = operators
        path = f"/v1/clients/{await a_machine_of(client, database, one, two)}/suspension"
        await client.post(path, headers=one.headers)
        answer = await client.delete(path, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        back = await send_by_two(client, one, two, "resumeClient", "DELETE", path)
        assert (back.status_code, back.json()["active"]) == (200, True)

    async def test_unknown_ones_and_systems(self, client, database, settings, operators) -> None:
        one, two = operators
        machine = await a_caller(
            database, settings, "operator", 0, agency_id=one.agency_id, machine=True
        )
        made = await a_machine_of(client, database, one, two)
        await client.post(f"/v1/clients/{made}/suspension", headers=machine.headers)
        [owed] = (await client.get("/v1/reviews", headers=one.headers)).json()["items"]
        assert owed["done_by"] is None
        said = {"finding": "improper", "note": REASON}
        place = f"/v1/reviews/{owed['id']}/finding"
        answer = await client.post(place, json=said, headers=machine.headers)
        assert problem(answer) == (403, "person-required")
        assert (await client.post(place, json=said, headers=one.headers)).status_code == 200
        lost = f"/v1/reviews/{new_id()}/finding"
        answer = await client.post(lost, json=said, headers=one.headers)
        assert problem(answer) == (404, "review-not-found")


class TestGuarded:
    """Each thing that takes two people, and what of its kind takes one."""

    @pytest.mark.parametrize("kind", ["police", "operator", "supervision", "education"])
    async def test_agencies_of_power(self, client, operators, kind: str) -> None:
        one, two = operators
        body = {**STATION, "kind": kind, "region_code": str(COUNTY)}
        assert problem(await create(client, one, body)) == (403, "approval-required")
        made = await send_by_two(client, one, two, "createAgency", "POST", PATH, body)
        assert made.status_code == 201, made.text

    async def test_a_second_office_of_a_place(self, client, operators) -> None:
        one, _ = operators
        body = {**STATION, "kind": "township_government"}
        assert (await create(client, one, body)).status_code == 201
        again = {**body, "name": "第二乡政府"}
        assert problem(await create(client, one, again)) == (403, "approval-required")
        proposed = await propose(client, one, "createAgency", PATH, again)
        assert proposed.json()["concerns_id"] is not None

    async def test_posts_and_holdings(self, client, database, operators) -> None:
        one, two = operators
        agency = await an_agency(database, "police", TOWNSHIP)
        body = {
            "agency_id": str(agency),
            "role": "police",
            "local_title": "民警",
            "region_code": str(TOWNSHIP),
        }
        answer = await client.post("/v1/posts", json=body, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        made = await send_by_two(client, one, two, "addPost", "POST", "/v1/posts", body)
        assert made.status_code == 201, made.text
        assert "holdPost" in made.json()["permitted_by_two"]
        assert "leavePost" in made.json()["permitted"]
        path = f"/v1/posts/{made.json()['id']}/holdings"
        held = {"staff_id": str(await a_person(database, agency)), "since": "2026-11-20"}
        answer = await client.post(path, json=held, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        holding = await send_by_two(client, one, two, "holdPost", "POST", path, held)
        assert holding.status_code == 201, holding.text
        end = f"{path}/{holding.json()['id']}/end"
        left = await client.post(end, json={"until": "2026-11-20"}, headers=one.headers)
        assert left.status_code == 200, left.text
        [owed] = (await client.get("/v1/reviews", headers=two.headers)).json()["items"]
        assert owed["operation"] == "leavePost"

    async def test_a_client_of_another_agency_and_its_keys(
        self, client, database, operators
    ) -> None:
        one, two = operators
        school = await an_agency(database, "school", TOWNSHIP)
        body = {
            "name": "考勤系统",
            "agency_id": str(school),
            "role": "school_system",
            "region_code": str(TOWNSHIP),
        }
        answer = await client.post("/v1/clients", json=body, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        made = await send_by_two(client, one, two, "registerClient", "POST", "/v1/clients", body)
        assert set(made.json()["permitted_by_two"]) == {
            *("allowBearerTokens", "replaceClientKeys", "resumeClient")
        }
        assert set(made.json()["permitted"]) == {"suspendClient", "endBearerTokens"}
        listed = await client.get(
            "/v1/clients", params={"permitted": "replaceClientKeys"}, headers=one.headers
        )
        assert listed.json()["items"] == []

    async def test_new_keys_of_ones_own(self, client, database, settings) -> None:
        await some_regions(database, COUNTY)
        one = await a_caller(database, settings, "civil_affairs", COUNTY)
        two = await a_caller(database, settings, "civil_affairs", COUNTY, agency_id=one.agency_id)
        body = {"name": "系统", "role": "civil_affairs", "region_code": str(COUNTY)}
        answer = await client.post("/v1/clients", json=body, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        how = ("registerClient", "POST", "/v1/clients", body)
        made = (await send_by_two(client, one, two, *how)).json()
        assert made["permitted_by_two"] == ["replaceClientKeys"]
        assert set(made["permitted"]) == {"suspendClient", "resumeClient"}
        place = f"/v1/clients/{made['id']}"
        keys = {"keys": [a_key()[1]]}
        answer = await client.put(f"{place}/jwks", json=keys, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        await client.post(f"{place}/suspension", headers=one.headers)
        back = await client.delete(f"{place}/suspension", headers=one.headers)
        assert back.status_code == 200, back.text

    async def test_apps_through_which_people_sign_in(self, client, operators) -> None:
        one, two = operators
        body = {"name": "走访", "redirect_uris": ["https://app.example/back"]}
        path = "/v1/clients/apps"
        answer = await client.post(path, json=body, headers=one.headers)
        assert problem(answer) == (403, "approval-required")
        made = await send_by_two(client, one, two, "registerApp", "POST", path, body)
        assert made.status_code == 201, made.text
