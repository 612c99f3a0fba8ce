"""Posts change, are handed over and given up; what is open stays with the post."""

from datetime import date

import pytest

from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import queue
from tests.access.approving import problem, send_by_two
from tests.access.factories import Caller, a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.children.factories import a_child
from tests.duties.factories import announce, work
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.regions.factories import some_regions

OTHER = 120119101201
TODAY = "2026-11-20"


@pytest.fixture
async def county(database, settings) -> Caller:
    await some_regions(database, VILLAGE, OTHER)
    return await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)


@pytest.fixture
async def post(database):
    return await a_post(database, "village_committee", VILLAGE, "village_director")


async def holding_of(client, county, post):
    answer = await client.get(f"/v1/posts/{post.id}/holdings", headers=county.headers)
    return answer.json()["items"]


async def hand_over(client, who, post, held, successor, since=TODAY):
    body = {"holding_id": str(held), "successor_id": str(successor), "since": since}
    return await client.post(f"/v1/posts/{post}/handover", json=body, headers=who.headers)


class TestHandedOver:
    async def test_in_one_act_and_on_no_day_is_it_nobodys(
        self, client, database, county, post
    ) -> None:
        first, second = [await a_person(database, post.agency_id) for _ in range(2)]
        held = await a_holding(database, post, first, date(2026, 9, 1))
        answer = await hand_over(client, county, post.id, held.id, second)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["staff_id"], answer.json()["since"]) == (str(second), TODAY)
        now, before = await holding_of(client, county, post)
        assert (now["staff_id"], now["until"]) == (str(second), None)
        assert (before["staff_id"], before["until"]) == (str(first), TODAY)

    @pytest.mark.parametrize(
        ("successor", "since", "expected"),
        [
            ("stranger", TODAY, (422, "staff-not-of-agency", "#/successor_id")),
            ("second", "2026-08-31", (422, "end-before-beginning", "#/since")),
        ],
    )
    async def test_what_cannot_be_leaves_it_with_who_has_it(
        self, client, database, county, post, successor, since, expected
    ) -> None:
        people = {"second": await a_person(database, post.agency_id), "stranger": new_id()}
        first = await a_person(database, post.agency_id)
        held = await a_holding(database, post, first, date(2026, 9, 1))
        answer = await hand_over(client, county, post.id, held.id, people[successor], since)
        assert (*problem(answer), answer.json()["errors"][0]["pointer"]) == expected
        [now] = await holding_of(client, county, post)
        assert (now["staff_id"], now["until"]) == (str(first), None)

    async def test_not_twice_nor_to_oneself_nor_what_there_is_not(
        self, client, database, county, post
    ) -> None:
        first, second = [await a_person(database, post.agency_id) for _ in range(2)]
        held = await a_holding(database, post, first, date(2026, 9, 1))
        oneself = await hand_over(client, county, post.id, held.id, county.subject_id)
        assert problem(oneself) == (403, "role-not-yours")
        none = await hand_over(client, county, post.id, new_id(), second)
        assert problem(none) == (404, "holding-not-found")
        assert (await hand_over(client, county, post.id, held.id, second)).status_code == 200
        again = await hand_over(client, county, post.id, held.id, second)
        assert problem(again) == (409, "holding-ended")

    async def test_not_to_who_holds_it_already(self, client, database, county, post) -> None:
        first, second = [await a_person(database, post.agency_id) for _ in range(2)]
        held = await a_holding(database, post, first, date(2026, 9, 1))
        await a_holding(database, post, second, date(2026, 10, 1))
        answer = await hand_over(client, county, post.id, held.id, second)
        assert problem(answer) == (409, "already-held")
        ends = {each["staff_id"]: each["until"] for each in await holding_of(client, county, post)}
        assert ends == {str(first): None, str(second): None}, "and who has it keeps it"

    async def test_not_once_it_is_given_up(self, client, database, county, post) -> None:
        first, second = [await a_person(database, post.agency_id) for _ in range(2)]
        held = await a_holding(database, post, first, date(2026, 9, 1))
        why = {"reason": "村级岗位撤并,另行设岗。"}
        closed = await client.post(f"/v1/posts/{post.id}/closure", json=why, headers=county.headers)
        assert closed.status_code == 200, closed.text
        answer = await hand_over(client, county, post.id, held.id, second)
        assert problem(answer) == (409, "post-given-up")

    async def test_at_the_police_by_two(self, client, database, settings) -> None:
        one = await a_caller(database, settings, "operator", 0, machine=False)
        two = await a_caller(
            database, settings, "operator", 0, agency_id=one.agency_id, machine=False
        )
        post = await a_post(database, "police", TOWNSHIP, "police")
        first, second = [await a_person(database, post.agency_id) for _ in range(2)]
        held = await a_holding(database, post, first, date(2026, 9, 1))
        alone = await hand_over(client, one, post.id, held.id, second)
        assert problem(alone) == (403, "approval-required")
        body = {"holding_id": str(held.id), "successor_id": str(second), "since": TODAY}
        path = f"/v1/posts/{post.id}/handover"
        done = await send_by_two(client, one, two, "handOverPost", "POST", path, body)
        assert done.status_code == 200, done.text

    async def test_who_leaves_and_who_comes_see_the_same(
        self, client, database, settings, county
    ) -> None:
        """And so does who oversees; an operator, who is told of no duty, is not told of none."""
        leaves = await a_caller(database, settings, "village_director", VILLAGE)
        comes = await a_caller(
            database, settings, "village_director", VILLAGE, agency_id=leaves.agency_id
        )
        async with database.begin(SYSTEM) as tx:
            posts = await tx.connection.fetch(
                "SELECT h.post_id, h.id FROM post_holdings h WHERE h.id = ANY ($1::uuid[])",
                [leaves.claims["grant_id"], comes.claims["grant_id"]],
            )
        of = {row["id"]: row["post_id"] for row in posts}
        post = of[leaves.claims["grant_id"]]
        child = await a_child(database, VILLAGE)
        await announce(database, "visits.abnormal_finding", child=child, visited_on="2026-11-18")
        await work(database)
        url = f"/v1/posts/{post}/open-business"
        told = [
            (await client.get(url, headers=who.headers)).json() for who in (leaves, comes, county)
        ]
        assert told[0] == told[1] == told[2]
        once = {"kind": "duties", "open": 1, "overdue": 0}
        assert told[0]["by_kind"] == [
            {**once, "code": "VIS-03"},
            {**once, "code": "VIS-03.explain"},
        ]
        operator = await a_caller(database, settings, "operator", 0)
        refused = await client.get(url, headers=operator.headers)
        assert problem(refused) == (403, "business-not-yours")

    async def test_what_an_office_was_asked_is_counted(
        self, client, database, settings, county
    ) -> None:
        village = await a_caller(database, settings, "village_director", VILLAGE)
        hospital = await a_caller(database, settings, "hospital", COUNTY, machine=False)
        child = await a_child(database, VILLAGE)
        body = {"to_agency_id": str(hospital.agency_id), "needs": ["ill"]}
        asked = await client.post(
            f"/v1/children/{child.id}/referrals", json=body, headers=village.headers
        )
        assert asked.status_code == 201, asked.text
        async with database.begin(SYSTEM) as tx:
            post = await tx.connection.fetchval(
                "SELECT id FROM posts WHERE agency_id = $1", hospital.agency_id
            )
        answer = await client.get(f"/v1/posts/{post}/open-business", headers=county.headers)
        assert answer.json()["by_kind"] == [
            {"kind": "referrals", "code": None, "open": 1, "overdue": 0}
        ]


class TestEmpty:
    async def test_an_empty_post_is_seen(self, client, database, county, post) -> None:
        """Also by who would not know of it: it is asked for."""
        held = await a_post(database, "village_committee", OTHER, "village_director")
        person = await a_person(database, held.agency_id)
        holding = await a_holding(database, held, person, date(2026, 9, 1))

        async def listed(**query):
            query = {"role": "village_director", **query}
            answer = await client.get("/v1/posts", params=query, headers=county.headers)
            return {(each["id"], each["held"]) for each in answer.json()["items"]}

        empty, full = (str(post.id), False), (str(held.id), True)
        assert await listed() == {empty, full}
        assert await listed(held="false") == {empty}
        assert await listed(held="true") == {full}
        async with database.begin(SYSTEM) as tx:
            sql = "UPDATE post_holdings SET until = $2 WHERE id = $1"
            await tx.connection.execute(sql, holding.id, date(2026, 11, 20))
            sql = "UPDATE posts SET active = false WHERE id = $1"
            await tx.connection.execute(sql, post.id)
        assert await listed(held="false") == {(str(held.id), False)}, "what was given up is no gap"


class TestChanged:
    async def change(self, client, who, post, version=1, **body):
        said = {"based_on": version, **body}
        return await client.post(f"/v1/posts/{post}/changes", json=said, headers=who.headers)

    async def test_what_it_is_called_and_where_it_is(self, client, database, county) -> None:
        post = await a_post(database, "civil_affairs", COUNTY, "civil_affairs")
        answer = await self.change(client, county, post.id, local_title="儿童福利科科长")
        assert answer.status_code == 200, answer.text
        assert (answer.json()["local_title"], answer.json()["version"]) == ("儿童福利科科长", 2)
        stale = await self.change(client, county, post.id, local_title="科长")
        assert problem(stale) == (412, "precondition-failed")
        low = await self.change(client, county, post.id, 2, region_code=str(VILLAGE))
        assert problem(low) == (422, "role-does-not-fit")
        moved = await self.change(client, county, post.id, 2, region_code=str(COUNTY))
        assert moved.status_code == 200, moved.text

    async def test_not_out_of_its_agency_or_ones_remit(
        self, client, database, county, post
    ) -> None:
        for place, expected in (
            (OTHER, (422, "post-outside-agency")),
            (120118101201, (403, "outside-remit")),
        ):
            await some_regions(database, place)
            answer = await self.change(client, county, post.id, region_code=str(place))
            assert problem(answer) == expected

    async def test_whoever_holds_it_is_elsewhere_with_the_next_request(
        self, client, database, settings
    ) -> None:
        agency = await an_agency(database, "hospital", COUNTY)
        person = await a_caller(
            database, settings, "hospital", TOWNSHIP, agency_id=agency, machine=False
        )
        await some_regions(database, COUNTY)
        async with database.begin(SYSTEM) as tx:
            post = await tx.connection.fetchval("SELECT id FROM posts WHERE agency_id = $1", agency)
        operator = await a_caller(database, settings, "operator", 0, machine=False)
        for place in (TOWNSHIP, COUNTY):
            me = await client.get("/v1/me", headers=person.headers)
            assert me.json()["region_code"] == str(place)
            answer = await self.change(client, operator, post, region_code=str(COUNTY))
        assert problem(answer) == (412, "precondition-failed")


class TestGivenUp:
    async def test_whoever_holds_it_leaves_and_who_is_above_owes(
        self, client, database, settings, county
    ) -> None:
        director = await a_caller(database, settings, "village_director", VILLAGE)
        await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        child = await a_child(database, VILLAGE)
        await announce(database, "visits.abnormal_finding", child=child, visited_on="2026-11-18")
        await work(database)
        async with database.begin(SYSTEM) as tx:
            post = await tx.connection.fetchval(
                "SELECT post_id FROM post_holdings WHERE id = $1", director.claims["grant_id"]
            )
        why = {"reason": "村级岗位撤并,另行设岗。"}
        answer = await client.post(f"/v1/posts/{post}/closure", json=why, headers=county.headers)
        assert (answer.status_code, answer.json()["active"]) == (200, False), answer.text
        assert (answer.json()["held"], answer.json()["permitted"]) == (
            False,
            ["listHolders", "leavePost", "readOpenBusiness"],
        )
        assert (await client.get("/v1/me", headers=director.headers)).status_code == 401
        again = await client.post(f"/v1/posts/{post}/closure", headers=county.headers)
        assert problem(again) == (409, "post-given-up")
        async with database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, "duties.find_owners", [{}])
        await work(database)
        async with database.begin(SYSTEM) as tx:
            owes = await tx.connection.fetchval("SELECT bearer_role FROM duties")
        assert owes == "township_supervisor"
        reviews = await client.get("/v1/reviews", headers=county.headers)
        (owed,) = reviews.json()["items"]
        read = await client.get(f"/v1/reviews/{owed['id']}", headers=county.headers)
        assert (owed["operation"], read.json()["reason"]) == ("closePost", why["reason"])


async def test_nobody_puts_another_entry_of_theirs_into_a_post(
    client, database, county, post
) -> None:
    """Nor lets it take one over: two entries that are known as one person are one."""
    first, mine = [await a_person(database, post.agency_id) for _ in range(2)]
    held = await a_holding(database, post, first, date(2026, 9, 1))
    async with database.begin(SYSTEM) as tx:
        await note_same_person(tx, county.subject_id, mine)
    body = {"staff_id": str(mine), "since": TODAY}
    taken = await client.post(f"/v1/posts/{post.id}/holdings", json=body, headers=county.headers)
    over = await hand_over(client, county, post.id, held.id, mine)
    assert [problem(each) for each in (taken, over)] == [(403, "role-not-yours")] * 2


async def test_a_remit_ends_before_the_first_code_of_the_next(client, database, county) -> None:
    beside = await a_post(database, "village_committee", COUNTY + 1_000_000, "village_director")
    read = await client.get(f"/v1/posts/{beside.id}", headers=county.headers)
    assert problem(read) == (404, "post-not-found")


class TestRefused:
    ACTS = pytest.mark.parametrize(
        ("what", "body"), [("changes", {"based_on": 1, "local_title": "科长"}), ("closure", None)]
    )

    async def send(self, client, who, post, what, body):
        return await client.post(f"/v1/posts/{post}/{what}", json=body, headers=who.headers)

    @ACTS
    async def test_to_whom_its_role_is_not_theirs_to_give(
        self, client, database, county, what, body
    ) -> None:
        post = await a_post(database, "hospital", COUNTY, "hospital")
        before = (await client.get(f"/v1/posts/{post.id}", headers=county.headers)).json()
        answer = await self.send(client, county, post.id, what, body)
        assert problem(answer) == (403, "role-not-yours")
        after = (await client.get(f"/v1/posts/{post.id}", headers=county.headers)).json()
        assert (after, after["active"]) == (before, True)

    @ACTS
    async def test_of_none_that_there_is(self, client, county, what, body) -> None:
        answer = await self.send(client, county, new_id(), what, body)
        assert problem(answer) == (404, "post-not-found")

    @ACTS
    async def test_once_it_was_given_up(self, client, county, post, what, body) -> None:
        given_up = await self.send(client, county, post.id, "closure", None)
        assert given_up.status_code == 200, given_up.text
        answer = await self.send(client, county, post.id, what, body)
        assert problem(answer) == (409, "post-given-up")

    @pytest.mark.parametrize("place", ["120119101999", "999999999999"])
    async def test_a_place_that_is_none(self, client, county, post, place) -> None:
        body = {"based_on": 1, "region_code": place}
        answer = await self.send(client, county, post.id, "changes", body)
        assert problem(answer) == (422, "region-unknown")
        (wrong,) = answer.json()["errors"]
        assert (wrong["pointer"], wrong["code"]) == ("#/region_code", "region_unknown")
