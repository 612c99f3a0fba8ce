"""No one person uses power alone (AZ-11): what is proposed, and who decides it."""

from datetime import date
from typing import Any

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import (
    COUNTY,
    OTHER,
    PATH,
    REASON,
    STATION,
    TOWNSHIP,
    approved,
    code,
    create,
    decide,
    problem,
    propose,
    states,
)
from tests.access.factories import a_caller, a_new_post, an_agency
from tests.agencies.factories import a_post
from tests.regions.factories import some_regions


class TestPropose:
    async def test_what_takes_two_is_refused_and_says_what_to_do(self, client, operators) -> None:
        one, _ = operators
        answer = await create(client, one)
        assert problem(answer) == (403, "approval-required")
        assert "/v1/approvals" in answer.json()["detail"]
        listed = await client.get(PATH, params={"kind": "police"}, headers=one.headers)
        assert listed.json()["items"] == []

    async def test_one_proposes_another_approves_and_it_is_done(self, client, operators) -> None:
        one, two = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        assert proposed.status_code == 201, proposed.text
        place = proposed.headers["location"]
        read = await client.get(place, headers=two.headers)
        shown = read.json()
        assert (shown["body"], shown["reason"], shown["state"]) == (STATION, REASON, "proposed")
        assert shown["permitted"] == ["decideApproval"]
        assert proposed.json()["permitted"] == ["withdrawApproval"]
        decided = await decide(client, two, shown["id"])
        assert (decided.status_code, decided.json()["state"]) == (200, "approved")
        made = await create(client, one, approval=shown["id"])
        assert made.status_code == 201, made.text
        assert await states(client, two) == [("createAgency", "used")]

    async def test_nothing_of_the_trial_stays(self, client, database, operators) -> None:
        one, two = operators
        await approved(client, one, two, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            count = "SELECT count(*) FROM agencies WHERE kind = 'police'"
            assert await tx.connection.fetchval(count) == 0

    async def test_what_one_may_do_alone_takes_no_approval(self, client, operators) -> None:
        one, _ = operators
        school = {**STATION, "kind": "school", "region_code": str(TOWNSHIP)}
        answer = await propose(client, one, "createAgency", PATH, school)
        assert problem(answer) == (422, "not-guarded")
        assert (await create(client, one, school)).status_code == 201

    @pytest.mark.parametrize(
        ("changed", "wanted"),
        [
            ({"operation": "readAgency"}, (422, "not-guarded")),
            ({"operation": "createAgencies"}, (422, "not-guarded")),
            ({"path": "/v1/clients"}, (422, "not-guarded")),
            ({"path": "/v1/agencies/"}, (422, "not-guarded")),
            ({"body": {**STATION, "active": True}}, (422, "validation-failed")),
            ({"body": None}, (422, "validation-failed")),
            ({"body": {**STATION, "uscc": "91110000600037341M"}}, (422, "proposal-unsound")),
            ({"reason": "short"}, (422, "validation-failed")),
            ({"reason": " " * 12}, (422, "validation-failed")),
        ],
    )
    async def test_it_is_judged_when_it_is_proposed(
        self, client, operators, changed: dict[str, Any], wanted
    ) -> None:
        one, _ = operators
        answer = await propose(client, one, "createAgency", PATH, STATION, changed)
        assert problem(answer) == wanted, answer.text

    async def test_what_is_wrong_is_told_where_it_stands_in_the_proposal(
        self, client, operators
    ) -> None:
        one, _ = operators
        answer = await propose(client, one, "createAgency", PATH, {**STATION, "kind": "circus"})
        assert [each["pointer"] for each in answer.json()["errors"]] == ["#/body/kind"]

    async def test_nobody_proposes_what_they_may_not_do(self, client, database, settings) -> None:
        await some_regions(database, TOWNSHIP)
        county = await a_caller(database, settings, "civil_affairs", COUNTY)
        answer = await propose(client, county, "createAgency", PATH, STATION)
        assert problem(answer) == (403, "not-yours-to-propose")
        assert "kind-not-yours" in answer.json()["detail"]
        foreign = f"/v1/posts/{(await a_post(database, 'police', TOWNSHIP, 'police')).id}/holdings"
        body = {"staff_id": str(new_id()), "since": "2026-11-20"}
        answer = await propose(client, county, "holdPost", foreign, body)
        assert problem(answer) == (403, "not-yours-to-propose")

    async def test_a_machine_neither_proposes_nor_decides(
        self, client, database, settings, operators
    ) -> None:
        one, _ = operators
        machine = await a_caller(
            database, settings, "operator", 0, agency_id=one.agency_id, machine=True
        )
        answer = await propose(client, machine, "createAgency", PATH, STATION)
        assert problem(answer) == (403, "person-required")
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        answer = await decide(client, machine, proposed.json()["id"])
        assert problem(answer) == (403, "person-required")

    async def test_it_is_sealed_at_rest(self, client, database, operators) -> None:
        one, _ = operators
        await propose(client, one, "createAgency", PATH, STATION)
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow("SELECT * FROM approvals")
        told = str(dict(row))
        assert STATION["name"] not in told
        assert "公章" not in told


class TestDecide:
    async def test_nobody_approves_their_own(self, client, operators) -> None:
        one, _ = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        answer = await decide(client, one, proposed.json()["id"])
        assert problem(answer) == (403, "another-person-needed")

    @pytest.mark.parametrize("way", ["a second post", "a second account"])
    async def test_nor_by_a_second_post_or_account(
        self, client, database, settings, operators, way: str
    ) -> None:
        one, two = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        approval = proposed.json()["id"]
        if way == "a second post":
            again = await a_new_post(database, settings, one, "operator", 0, date(2026, 11, 20))
        else:
            again = two
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute(
                    "INSERT INTO same_persons SELECT unnest($1::uuid[]), $2",
                    [one.subject_id, two.subject_id],
                    new_id(),
                )
        answer = await decide(client, again, approval)
        assert problem(answer) == (403, "another-person-needed")

    async def test_refused_it_lets_nothing_through(self, client, operators) -> None:
        one, two = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        approval = proposed.json()["id"]
        decided = await decide(client, two, approval, "refused")
        assert (decided.json()["state"], decided.json()["decision_reason"]) == ("refused", REASON)
        assert code(await create(client, one, approval=approval)) == "approval_refused"
        assert problem(await decide(client, two, approval)) == (409, "approval-closed")

    async def test_it_is_refused_also_when_it_can_be_done_no_more(self, client, operators) -> None:
        one, two = operators
        body = {**STATION, "uscc": "91110000600037341L"}
        proposed = await propose(client, one, "createAgency", PATH, body)
        school = {**body, "kind": "school", "name": "测试学校"}
        assert (await create(client, one, school)).status_code == 201
        answer = await decide(client, two, proposed.json()["id"])
        assert problem(answer) == (422, "proposal-unsound")
        assert "agency-already-registered" in answer.json()["detail"]
        decided = await decide(client, two, proposed.json()["id"], "refused")
        assert decided.status_code == 200, decided.text

    async def test_what_one_may_do_alone_by_now_is_not_approved(
        self, client, database, operators
    ) -> None:
        """A second office of a place takes two people; its first was closed meanwhile."""
        one, two = operators
        first = await an_agency(database, "township_government", TOWNSHIP)
        second = {**STATION, "kind": "township_government", "name": "上仓镇人民政府"}
        proposed = await propose(client, one, "createAgency", PATH, second)
        assert proposed.status_code == 201, proposed.text
        closing = {"json": {"reason": REASON}, "headers": one.headers}
        closed = await client.post(f"{PATH}/{first}/closure", **closing)
        assert closed.status_code == 200, closed.text
        answer = await decide(client, two, proposed.json()["id"])
        assert problem(answer) == (422, "not-guarded")
        (wrong,) = answer.json()["errors"]
        assert (wrong["pointer"], wrong["code"]) == ("#/operation", "one_person_may")
        decided = await decide(client, two, proposed.json()["id"], "refused")
        assert (decided.status_code, decided.json()["state"]) == (200, "refused")
        assert (await create(client, one, second)).status_code == 201

    async def test_who_decides_could_do_the_same(
        self, client, database, settings, operators
    ) -> None:
        one, _ = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        county = await a_caller(database, settings, "civil_affairs", COUNTY)
        answer = await decide(client, county, proposed.json()["id"])
        assert problem(answer) == (404, "approval-not-found")
        province = await a_caller(database, settings, "operator", OTHER)
        answer = await decide(client, province, proposed.json()["id"])
        assert problem(answer) == (404, "approval-not-found")

    async def test_of_the_same_agency_and_not_over_it(
        self, client, database, settings, operators
    ) -> None:
        one, _ = operators
        proposed = await propose(client, one, "createAgency", PATH, STATION)
        district = await a_caller(database, settings, "operator", OTHER, agency_id=one.agency_id)
        answer = await decide(client, district, proposed.json()["id"])
        assert problem(answer) == (403, "not-yours-to-decide")

    async def test_who_could_not_do_it_themselves_neither_approves_nor_refuses(
        self, client, database, operators
    ) -> None:
        """It is tried with their own authority: nobody is appointed by their own approval."""
        one, two = operators
        post = await a_post(database, "police", TOWNSHIP, "police")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE staff SET agency_id = $1 WHERE id = $2", post.agency_id, two.subject_id
            )
        path = f"/v1/posts/{post.id}/holdings"
        body = {"staff_id": str(two.subject_id), "since": "2026-11-20"}
        proposed = await propose(client, one, "holdPost", path, body)
        assert proposed.status_code == 201, proposed.text
        for verdict in ("approved", "refused"):
            answer = await decide(client, two, proposed.json()["id"], verdict)
            assert problem(answer) == (403, "not-yours-to-decide")

    async def test_unknown_and_foreign_look_alike(self, client, operators) -> None:
        _, two = operators
        assert problem(await decide(client, two, str(new_id()))) == (404, "approval-not-found")


class TestWithdraw:
    @pytest.mark.parametrize("who", [0, 1])
    async def test_either_of_the_two_takes_it_back_before_it_is_used(
        self, client, database, operators, who
    ) -> None:
        """Who approved it may learn better, too. Both are told."""
        one, two = operators
        approval = await approved(client, one, two, "createAgency", PATH, STATION)
        place = f"/v1/approvals/{approval}/withdrawal"
        page = await client.get(
            "/v1/approvals?permitted=withdrawApproval", headers=operators[who].headers
        )
        assert [each["id"] for each in page.json()["items"]] == [approval]
        answer = await client.post(place, headers=operators[who].headers)
        assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
        assert code(await create(client, one, approval=approval)) == "approval_withdrawn"
        again = await client.post(place, headers=operators[who].headers)
        assert problem(again) == (409, "approval-closed")
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetchval(
                "SELECT told_to FROM events WHERE wire_name = 'approvals.withdrawn'"
            )
        assert str(one.agency_id) in told

    async def test_nobody_else_does(self, client, database, settings, operators) -> None:
        """Not before they approved it, either; nor a third of the same office."""
        one, two = operators
        third = await a_caller(database, settings, "operator", 0, agency_id=two.agency_id)
        made = (await propose(client, one, "createAgency", PATH, STATION)).json()["id"]
        place = f"/v1/approvals/{made}/withdrawal"
        listed = "/v1/approvals?permitted=withdrawApproval"
        for who in (two, third):
            answer = await client.post(place, headers=who.headers)
            assert problem(answer) == (403, "not-yours-to-withdraw")
            assert (await client.get(listed, headers=who.headers)).json()["items"] == []
            await decide(client, two, made)
