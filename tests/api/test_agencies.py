from dataclasses import dataclass, replace
from datetime import date

import pytest

from app.access.roles import Purpose
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import send_by_two
from tests.access.factories import Caller, a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.regions.factories import some_regions

VILLAGE, TOWNSHIP, COUNTY, OTHER = 120119101200, 120119101000, 120119000000, 120118101000
USCC = "91110000600037341L"
NEW = {"kind": "hospital", "name": "测试卫生院", "region_code": str(TOWNSHIP)}


@pytest.fixture
async def county(database, settings) -> Caller:
    """Civil affairs of the county."""
    await some_regions(database, VILLAGE, OTHER)
    return await a_caller(database, settings, "civil_affairs", COUNTY)


@pytest.fixture
async def operator(database, settings) -> Caller:
    return await a_caller(database, settings, "operator", 0)


@pytest.fixture
async def colleague(database, settings, operator) -> Caller:
    """The second operator."""
    return await a_caller(database, settings, "operator", 0, agency_id=operator.agency_id)


class TestReadAgency:
    async def test_shows_it_with_its_version(self, client, county) -> None:
        answer = await client.get(f"/v1/agencies/{county.agency_id}", headers=county.headers)
        assert answer.headers["etag"] == '"1"'
        assert answer.json()["region_code"] == "120119000000"

    async def test_an_unknown_id_is_not_found(self, client, county) -> None:
        answer = await client.get(f"/v1/agencies/{new_id()}", headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/agency-not-found")


class TestCreateAgency:
    async def test_registers_it_and_says_where(self, client, database, county) -> None:
        answer = await client.post(
            "/v1/agencies", json={**NEW, "uscc": USCC}, headers=county.headers
        )
        found = await client.get(answer.headers["location"], headers=county.headers)
        assert (answer.status_code, found.json()) == (201, answer.json())
        async with database.begin(SYSTEM) as tx:
            sql = "SELECT subject_id FROM audit_entries WHERE operation = 'createAgency'"
            noted = await tx.connection.fetchval(sql)
        assert str(noted) == answer.json()["id"]

    async def test_the_same_request_again_registers_nothing_more(
        self, client, database, county
    ) -> None:
        headers = {**county.headers, "idempotency-key": '"register-1"'}
        once = await client.post("/v1/agencies", json=NEW, headers=headers)
        again = await client.post("/v1/agencies", json=NEW, headers=headers)
        assert (again.status_code, again.json()) == (201, once.json())
        async with database.begin() as tx:
            sql = "SELECT count(*) FROM agencies WHERE kind = 'hospital'"
            assert await tx.connection.fetchval(sql) == 1

    @pytest.mark.parametrize(
        ("change", "status", "problem"),
        [
            ({"region_code": str(OTHER)}, 403, "outside-remit"),
            ({"region_code": "120119999000"}, 422, "region-unknown"),
            ({"region_code": "999999999999"}, 422, "region-unknown"),
            ({"region_code": "0" * 12}, 422, "region-unknown"),
            ({"uscc": "91110000600037341M"}, 422, "credit-code-invalid"),
            ({"uscc": "9111"}, 422, "validation-failed"),
            ({"kind": "circus"}, 422, "validation-failed"),
            ({"name": " "}, 422, "validation-failed"),
            ({"name": "测\u0000试"}, 400, "malformed-request"),
            ({"region_code": [TOWNSHIP]}, 422, "validation-failed"),
            ({"active": False}, 422, "validation-failed"),
        ],
    )
    async def test_refuses_what_breaks_a_rule(
        self, client, county, change: dict, status: int, problem: str
    ) -> None:
        answer = await client.post("/v1/agencies", json={**NEW, **change}, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")

    @pytest.mark.parametrize("kind", ["police", "supervision", "operator"])
    async def test_whoever_gets_reports_or_power_is_registered_by_two_operators_alone(
        self, client, county, operator, colleague, kind
    ) -> None:
        body = {**NEW, "kind": kind, "region_code": str(COUNTY)}
        refused = await client.post("/v1/agencies", json=body, headers=county.headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/kind-not-yours")
        listed = await client.get(f"/v1/agencies?kind={kind}", headers=county.headers)
        assert NEW["name"] not in listed.text
        how = ("createAgency", "POST", "/v1/agencies", body)
        answer = await send_by_two(client, operator, colleague, *how)
        assert answer.status_code == 201, answer.text

    @pytest.mark.parametrize(
        ("kind", "place"),
        [
            ("township_government", VILLAGE),
            ("township_government", COUNTY),
            ("civil_affairs", TOWNSHIP),
            ("village_committee", TOWNSHIP),
        ],
    )
    async def test_no_office_beside_the_one_in_charge(
        self, client, county, queries, kind, place
    ) -> None:
        """What a place is told goes to the nearest office: a lower one would draw it away."""
        body = {**NEW, "kind": kind, "region_code": str(place)}
        answer = await client.post("/v1/agencies", json=body, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/kind-not-at-level")
        assert not [said for said in queries.statements if "INSERT INTO agencies" in said]

    async def test_refuses_a_registered_credit_code(self, client, county) -> None:
        for _ in range(2):
            body = {**NEW, "uscc": USCC}
            answer = await client.post("/v1/agencies", json=body, headers=county.headers)
        assert answer.json()["type"] == "/problems/agency-already-registered"

    async def test_needs_the_scope(self, client, database, settings) -> None:
        director = await a_caller(database, settings, "village_director", VILLAGE)
        answer = await client.post("/v1/agencies", json=NEW, headers=director.headers)
        assert answer.json()["type"] == "/problems/scope-missing"


class TestAddPost:
    async def test_sets_it_up_and_lists_it(self, client, database, county) -> None:
        agency_id = await an_agency(database, "township_government", TOWNSHIP)
        body = a_post_body(agency_id)
        answer = await client.post("/v1/posts", json=body, headers=county.headers)
        assert answer.status_code == 201, answer.text
        query = f"agency_id={agency_id}&role=township_supervisor&region_code={COUNTY}"
        listed = await client.get(f"/v1/posts?{query}", headers=county.headers)
        assert listed.json()["items"] == [answer.json()]
        assert answer.json()["local_title"] == "儿童福利督导员"

    async def test_pages_through_posts(self, client, database, county) -> None:
        for place in (VILLAGE, TOWNSHIP):
            await a_post(database, "village_committee", place, "village_director")
        query = {"role": "village_director", "limit": "1"}
        first = (await client.get("/v1/posts", params=query, headers=county.headers)).json()
        query["cursor"] = first["next_cursor"]
        second = (await client.get("/v1/posts", params=query, headers=county.headers)).json()
        shown = [page["items"][0]["region_code"] for page in (first, second)]
        assert shown == ["120119101000", "120119101200"]

    @pytest.mark.parametrize(
        ("kind", "place", "change", "problem"),
        [
            ("township_government", TOWNSHIP, {"role": "police"}, "role-not-yours"),
            ("township_government", TOWNSHIP, {"role": "operator"}, "role-not-yours"),
            ("township_government", TOWNSHIP, {"role": "village_director"}, "role-does-not-fit"),
            ("township_government", TOWNSHIP, {"region_code": str(VILLAGE)}, "role-does-not-fit"),
            ("township_government", TOWNSHIP, {"region_code": "120119999000"}, "region-unknown"),
            ("township_government", OTHER, {}, "outside-remit"),
            ("township_government", TOWNSHIP, {"region_code": str(OTHER)}, "outside-remit"),
            ("township_government", VILLAGE, {}, "post-outside-agency"),
        ],
    )
    async def test_refuses_what_the_caller_or_the_agency_may_not_give(
        self, client, database, county, kind: str, place: int, change: dict, problem: str
    ) -> None:
        body = a_post_body(await an_agency(database, kind, place)) | change
        answer = await client.post("/v1/posts", json=body, headers=county.headers)
        assert answer.json()["type"] == f"/problems/{problem}"

    async def test_an_unknown_agency_is_not_found(self, client, county) -> None:
        answer = await client.post("/v1/posts", json=a_post_body(new_id()), headers=county.headers)
        assert answer.json()["type"] == "/problems/agency-not-found"

    async def test_nor_is_one_that_was_closed(self, client, database, county) -> None:
        agency_id = await an_agency(database, "township_government", TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            sql = "UPDATE agencies SET active = false, closed_on = $2 WHERE id = $1"
            await tx.connection.execute(sql, agency_id, tx.today)
        answer = await client.post("/v1/posts", json=a_post_body(agency_id), headers=county.headers)
        assert answer.json()["type"] == "/problems/agency-not-found"

    async def test_two_give_every_role(self, client, database, operator, colleague) -> None:
        await some_regions(database, TOWNSHIP)
        agency_id = await an_agency(database, "police", TOWNSHIP)
        body = a_post_body(agency_id) | {"role": "police"}
        answer = await send_by_two(
            client, operator, colleague, "addPost", "POST", "/v1/posts", body
        )
        assert answer.status_code == 201, answer.text


@dataclass(frozen=True)
class Seat:
    """A village post, its path and somebody its committee employs."""

    path: str
    staff_id: str


@pytest.fixture
async def seat(database, county) -> Seat:
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    person = await a_person(database, post.agency_id, "测试主任")
    return Seat(f"/v1/posts/{post.id}/holdings", str(person))


class TestHoldings:
    async def test_somebody_takes_a_post_and_leaves_it(self, client, county, seat: Seat) -> None:
        body = {"staff_id": seat.staff_id, "since": "2026-01-01"}
        taken = await client.post(seat.path, json=body, headers=county.headers)
        assert taken.status_code == 201, taken.text
        end = f"{seat.path}/{taken.json()['id']}/end"
        left = await client.post(end, json={"until": "2026-11-20"}, headers=county.headers)
        assert left.json() == {**taken.json(), "until": "2026-11-20"}
        again = await client.post(end, json={"until": "2026-11-21"}, headers=county.headers)
        assert again.json()["type"] == "/problems/holding-ended"

    async def test_whoever_has_left_their_posts_takes_one_of_another_agency(
        self, client, database, settings, county, seat: Seat
    ) -> None:
        director = await a_caller(database, settings, "village_director", VILLAGE)
        body = {"staff_id": str(director.subject_id), "since": "2026-11-20"}
        held = await client.post(seat.path, json=body, headers=county.headers)
        assert (held.status_code, held.json()["type"]) == (422, "/problems/staff-not-of-agency")
        async with database.begin(SYSTEM) as tx:
            sql = "SELECT id, post_id FROM post_holdings WHERE staff_id = $1"
            row = await tx.connection.fetchrow(sql, director.subject_id)
        end = f"/v1/posts/{row['post_id']}/holdings/{row['id']}/end"
        await client.post(end, json={"until": "2026-11-20"}, headers=county.headers)
        early = await client.post(
            seat.path, json={**body, "since": "2026-11-19"}, headers=county.headers
        )
        assert early.json()["type"] == "/problems/staff-not-of-agency"
        taken = await client.post(seat.path, json=body, headers=county.headers)
        assert taken.status_code == 201, taken.text
        holders = await client.get(seat.path, headers=county.headers)
        assert [each["staff_id"] for each in holders.json()["items"]] == [str(director.subject_id)]

    async def test_whoever_leaves_loses_authority_at_once(
        self, client, database, settings, county
    ) -> None:
        director = await a_caller(database, settings, "village_director", VILLAGE)
        async with database.begin(SYSTEM) as tx:
            sql = "SELECT id, post_id FROM post_holdings WHERE staff_id = $1"
            row = await tx.connection.fetchrow(sql, director.subject_id)
        end = f"/v1/posts/{row['post_id']}/holdings/{row['id']}/end"
        await client.post(end, json={"until": "2026-11-20"}, headers=county.headers)
        assert (await client.get("/v1/me", headers=director.headers)).status_code == 401

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            ({"staff_id": str(new_id())}, "staff-not-of-agency"),
            ({"since": "2026-02-30"}, "validation-failed"),
            ({"since": 20260101}, "validation-failed"),
        ],
    )
    async def test_refuses_a_stranger_or_no_day(
        self, client, county, seat: Seat, body: dict, problem: str
    ) -> None:
        sent = {"staff_id": seat.staff_id, "since": "2026-01-01", **body}
        answer = await client.post(seat.path, json=sent, headers=county.headers)
        assert answer.json()["type"] == f"/problems/{problem}"

    async def test_refuses_the_post_twice_and_an_end_before_the_beginning(
        self, client, database, county, seat: Seat
    ) -> None:
        body = {"staff_id": seat.staff_id, "since": "2026-01-01"}
        taken = await client.post(seat.path, json=body, headers=county.headers)
        again = await client.post(seat.path, json=body, headers=county.headers)
        assert again.json()["type"] == "/problems/already-held"
        end = f"{seat.path}/{taken.json()['id']}/end"
        early = await client.post(end, json={"until": "2025-12-31"}, headers=county.headers)
        assert early.json()["type"] == "/problems/end-before-beginning"
        unknown = f"{seat.path}/{new_id()}/end"
        other = await a_post(database, "police", TOWNSHIP, "police")
        person = await a_person(database, other.agency_id)
        holding = await a_holding(database, other, person, date(2026, 1, 1))
        for end in (unknown, f"{seat.path}/{holding.id}/end"):  # nor by the way of one's own post
            lost = await client.post(end, json={"until": "2026-12-31"}, headers=county.headers)
            assert lost.json()["type"] == "/problems/holding-not-found"

    async def test_nobody_appoints_themselves(self, client, database, county) -> None:
        post = await a_post(database, "civil_affairs", COUNTY, "civil_affairs")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE staff SET agency_id = $1 WHERE id = $2", post.agency_id, county.subject_id
            )
        answer = await client.post(
            f"/v1/posts/{post.id}/holdings",
            json={"staff_id": str(county.subject_id), "since": "2026-01-01"},
            headers=county.headers,
        )
        assert answer.json()["type"] == "/problems/role-not-yours"

    async def test_nobody_ends_what_they_could_not_give(self, client, database, county) -> None:
        post = await a_post(database, "police", TOWNSHIP, "police")
        person = await a_person(database, post.agency_id)
        holding = await a_holding(database, post, person, date(2026, 1, 1))
        end = f"/v1/posts/{post.id}/holdings/{holding.id}/end"
        answer = await client.post(end, json={"until": "2026-11-20"}, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/role-not-yours")

    async def test_names_are_shown_for_a_purpose_and_audited(
        self, client, database, county, seat: Seat
    ) -> None:
        for since in ("2024-01-01", "2025-01-01"):
            body = {"staff_id": seat.staff_id, "since": since}
            taken = await client.post(seat.path, json=body, headers=county.headers)
            end = f"{seat.path}/{taken.json()['id']}/end"
            await client.post(end, json={"until": f"{since[:4]}-12-31"}, headers=county.headers)
        first = (await client.get(f"{seat.path}?limit=1", headers=county.headers)).json()
        more = f"{seat.path}?limit=1&cursor={first['next_cursor']}"
        second = (await client.get(more, headers=county.headers)).json()
        shown = [
            (each["staff_name"], each["since"]) for each in (*first["items"], *second["items"])
        ]
        assert shown == [("测试主任", "2025-01-01"), ("测试主任", "2024-01-01")]
        assert second["next_cursor"] is None
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT purpose FROM audit_entries WHERE operation = 'listHolders'"
            )
        assert [row["purpose"] for row in rows] == [str(county.purpose)] * 2

    async def test_names_need_a_purpose_the_role_has(
        self, client, county, operator, seat: Seat
    ) -> None:
        without = {"authorization": county.headers["authorization"]}
        assert (await client.get(seat.path, headers=without)).status_code == 400
        headers = replace(operator, purpose=Purpose.care).headers
        answer = await client.get(seat.path, headers=headers)
        assert answer.json()["type"] == "/problems/purpose-not-allowed"

    async def test_a_post_elsewhere_is_as_absent_as_one_that_is_not(
        self, client, database, county
    ) -> None:
        other = await a_post(database, "village_committee", OTHER, "village_director")
        person = await a_person(database, other.agency_id)
        holding = await a_holding(database, other, person, date(2026, 1, 1))
        answers = [
            await client.get(f"/v1/posts/{post}/holdings", headers=county.headers)
            for post in (other.id, new_id())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        bodies = [{**answer.json(), "request_id": ""} for answer in answers]
        assert bodies[0] == bodies[1]
        assert bodies[0]["type"] == "/problems/post-not-found"
        end = f"/v1/posts/{other.id}/holdings/{holding.id}/end"
        refused = await client.post(end, json={"until": "2026-11-20"}, headers=county.headers)
        assert refused.status_code == 404
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT subject_id FROM audit_entries WHERE rule = 'post-not-found'"
            )
        assert other.id in {row["subject_id"] for row in rows}


def a_post_body(agency_id: object) -> dict[str, str]:
    return {
        "agency_id": str(agency_id),
        "role": "township_supervisor",
        "local_title": "儿童福利督导员",
        "region_code": str(TOWNSHIP),
    }
