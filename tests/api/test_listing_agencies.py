import pytest

from app.core.http.cursors import Cursors
from app.core.ids import new_id
from tests.access.factories import Caller, a_caller, an_agency
from tests.children.factories import a_child
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


class TestListAgencies:
    async def test_by_place_page_by_page(self, client, database, county) -> None:
        made = [await an_agency(database, "police", place) for place in (TOWNSHIP, OTHER, COUNTY)]
        query = {"kind": "police", "limit": "1", "region_code": str(COUNTY)}
        first = (await client.get("/v1/agencies", params=query, headers=county.headers)).json()
        query["cursor"] = first["next_cursor"]
        second = (await client.get("/v1/agencies", params=query, headers=county.headers)).json()
        shown = [item["id"] for page in (first, second) for item in page["items"]]
        assert shown == [str(made[2]), str(made[0])]
        assert second["next_cursor"] is None

    async def test_a_cursor_leads_to_nothing_outside_the_region(
        self, client, database, county
    ) -> None:
        await an_agency(database, "police", OTHER)
        await an_agency(database, "police", TOWNSHIP)
        query = {"kind": "police", "limit": "1"}
        page = (await client.get("/v1/agencies", params=query, headers=county.headers)).json()
        await some_regions(database, 130000000000)
        query |= {"cursor": page["next_cursor"], "region_code": "130000000000"}
        other = (await client.get("/v1/agencies", params=query, headers=county.headers)).json()
        assert other["items"] == []

    async def test_costs_two_statements(self, client, county, queries) -> None:
        queries.clear()
        answer = await client.get("/v1/agencies", headers=county.headers)
        assert len(queries) == 2, queries.statements
        assert answer.status_code == 200

    async def test_refuses_a_strange_cursor(self, client, database, county) -> None:
        whose = f"list_agencies {county.claims['subject']}"
        beyond = Cursors(database.keyring, lambda: whose).seal([2**63, new_id()])
        for cursor in ("abc", beyond):
            answer = await client.get(f"/v1/agencies?cursor={cursor}", headers=county.headers)
            assert answer.json()["type"] == "/problems/cursor-invalid"

    async def test_refuses_a_cursor_of_children(self, client, database, county) -> None:
        """It holds the same: a place and an id."""
        for _ in range(2):
            await a_child(database, TOWNSHIP)
        children = await client.get("/v1/children?limit=1", headers=county.headers)
        cursor = children.json()["next_cursor"]
        assert (
            await client.get(f"/v1/children?cursor={cursor}", headers=county.headers)
        ).status_code == 200
        answer = await client.get(f"/v1/agencies?cursor={cursor}", headers=county.headers)
        assert answer.json()["type"] == "/problems/cursor-invalid"
