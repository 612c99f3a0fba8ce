"""A code that was valid once is understood wherever a place is named, and answered with today's.

蓟县 120225 is 蓟州区 120119 since 2016; what ships says so. Codes that never were are refused.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.children.queries import ChildRef
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.regions import divisions, operations
from app.regions import queries as regions
from tests.access.approving import send_by_two
from tests.access.factories import a_caller
from tests.children.factories import a_child, a_file
from tests.conftest import NOW, PinnedDatabase, pinned, undone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit

COUNTY, TOWNSHIP, VILLAGE = 120119000000, 120119101000, 120119101200
OLD_COUNTY, OLD_TOWNSHIP, OLD_VILLAGE = "120225000000", "120225101000", "120225101200"
NEVER = "120119999000"
_IN_FORCE = " ".join(regions._IN_FORCE.split())


@pytest.fixture(scope="module")
async def divided(pool: Database, keyring: Keyring) -> AsyncIterator[PinnedDatabase]:
    """The divisions of today and before."""
    async with pinned(pool, keyring, NOW) as database:
        await some_regions(database, VILLAGE, VILLAGE + 1)
        async with database.begin(SYSTEM) as tx:
            await operations.import_replaced(tx.connection, divisions.replaced())
        yield database


@pytest.fixture
async def database(divided: PinnedDatabase) -> AsyncIterator[PinnedDatabase]:
    async with undone(divided):
        yield divided


@pytest.fixture
async def county(database, settings):
    return await a_caller(database, settings, "civil_affairs", COUNTY)


class TestAFile:
    async def test_is_opened_with_old_codes(self, client, director) -> None:
        file = a_file(int(OLD_VILLAGE), hukou={"registered": True, "region_code": OLD_COUNTY})
        answer = await client.post("/v1/children", json=file, headers=director.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["residence"]["region_code"] == str(VILLAGE)
        assert answer.json()["hukou"]["region_code"] == str(COUNTY)

    async def test_is_changed_with_an_old_code(self, client, director) -> None:
        answer = await self._patched(client, director, OLD_TOWNSHIP)
        assert answer.status_code == 200, answer.text
        assert answer.json()["hukou"]["region_code"] == str(TOWNSHIP)
        assert answer.json()["version"] == 2

    async def test_that_says_the_same_place_makes_no_version(self, client, director) -> None:
        answer = await self._patched(client, director, OLD_VILLAGE)
        assert (answer.status_code, answer.json()["version"]) == (200, 1)

    @pytest.mark.parametrize("section", ["residence", "hukou"])
    async def test_with_a_code_that_never_was_is_refused(self, client, director, section) -> None:
        file = a_file(VILLAGE)
        file[section]["region_code"] = NEVER
        answer = await client.post("/v1/children", json=file, headers=director.headers)
        assert answer.status_code == 422, answer.text
        errors = answer.json()["errors"]
        assert [(e["pointer"], e["code"]) for e in errors] == [
            (f"#/{section}/region_code", "region_unknown")
        ]

    async def test_asks_for_all_codes_in_one_statement(self, client, director, queries) -> None:
        queries.clear()
        await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
        asked = [each for each in queries.statements if each == _IN_FORCE]
        assert len(asked) == 1
        assert not any("AS heir" in each for each in queries.statements), "they all hold"

    @staticmethod
    async def _patched(client, caller, hukou: str):
        """Open a file registered in VILLAGE, then say where it is registered."""
        made = await client.post("/v1/children", json=a_file(VILLAGE), headers=caller.headers)
        return await client.patch(
            f"/v1/children/{made.json()['id']}",
            json={"hukou": {"region_code": hukou}},
            headers={**caller.headers, "if-match": '"1"'},
        )


class TestWithoutZeros:
    """On paper, the zeros behind a code of a county or a township are left out."""

    async def test_a_file_is_opened_and_changed(self, client, county) -> None:
        file = a_file(VILLAGE, hukou={"registered": True, "region_code": "120225"})
        file["residence"]["region_code"] = OLD_TOWNSHIP[:9]
        answer = await client.post("/v1/children", json=file, headers=county.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["hukou"]["region_code"] == str(COUNTY)
        assert answer.json()["residence"]["region_code"] == str(TOWNSHIP)
        same = await client.patch(
            f"/v1/children/{answer.json()['id']}",
            json={"hukou": {"region_code": "120119"}},
            headers={**county.headers, "if-match": '"1"'},
        )
        assert (same.status_code, same.json()["version"]) == (200, 1)

    @pytest.mark.parametrize("path", ["/v1/children", "/v1/visits", "/v1/agencies", "/v1/duties"])
    @pytest.mark.usefixtures("child")
    async def test_a_filter_finds_the_same(self, client, county, path) -> None:
        found = []
        for code in ("120119", "120119101", str(COUNTY), str(TOWNSHIP)):
            answer = await client.get(path, params={"region_code": code}, headers=county.headers)
            assert answer.status_code == 200, answer.text
            found.append(answer.json()["items"])
        assert found[:2] == found[2:]

    async def test_a_search_and_the_table_understand_it(self, client, county, child) -> None:
        wanted = {"pinyin": "ceyi", "region_code": "120225"}
        answer = await client.post("/v1/children/search", json=wanted, headers=county.headers)
        assert [item["id"] for item in answer.json()["items"]] == [str(child.id)]
        read = await client.get("/v1/regions/120119101", headers=county.headers)
        assert read.json()["code"] == str(TOWNSHIP)

    @pytest.mark.parametrize("code", ["12011", "1201191", "12011910", "1201191012", "12011x"])
    async def test_what_is_no_code_is_refused(self, client, county, code) -> None:
        answer = await client.get(
            "/v1/children", params={"region_code": code}, headers=county.headers
        )
        assert answer.status_code == 400, answer.text


NARROWED = [
    (path.replace("{name}", "report.situations"), parameter["name"])
    for path, operations in json.loads(Path("openapi/v1.json").read_bytes())["paths"].items()
    for parameter in operations.get("get", {}).get("parameters", ())
    if parameter["name"] in {"region_code", "parent_code"}
]
"""Every list that is narrowed to a division, and by which parameter."""


class TestAFilter:
    @pytest.fixture
    async def visited(self, client, database, director, child) -> ChildRef:
        """A child with a file of before, a visit and what is owed for it."""
        answer = await client.post("/v1/visits", json=a_visit(child.id), headers=director.headers)
        assert answer.status_code == 201, answer.text
        await a_child(database, VILLAGE + 1)
        await run_jobs(database)
        return child

    @pytest.mark.parametrize("path", ["/v1/children", "/v1/visits", "/v1/agencies", "/v1/posts"])
    @pytest.mark.usefixtures("visited")
    async def test_finds_the_same_by_either_code(self, client, county, path) -> None:
        found = [
            (await client.get(path, params={"region_code": code}, headers=county.headers)).json()
            for code in (OLD_VILLAGE, str(VILLAGE))
        ]
        old, new = ([item["id"] for item in page["items"]] for page in found)
        assert old == new != []

    @pytest.mark.parametrize("code", [NEVER, "999999000000", "121234567890"])
    @pytest.mark.parametrize(("path", "name"), NARROWED)
    async def test_what_never_was_a_code_is_refused(self, client, county, path, name, code) -> None:
        """Codes that never existed are refused, in every list alike."""
        answer = await client.get(path, params={name: code}, headers=county.headers)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (400, "/problems/region-code-invalid"), path
        [error] = problem["errors"]
        assert error["pointer"] == name
        assert error["code"] in {"region_unknown", "region_code_invalid"}

    @pytest.mark.parametrize("code", [NEVER, "999999000000"])
    async def test_nor_does_a_search_take_it(self, client, county, code) -> None:
        wanted = {"pinyin": "ceyi", "region_code": code}
        answer = await client.post("/v1/children/search", json=wanted, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/region-code-invalid")
        assert answer.json()["errors"][0]["pointer"] == "#/region_code"

    async def test_a_place_abolished_without_a_successor_holds_nothing(
        self, client, database, county
    ) -> None:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO regions (code, name, level, parent_code, source, valid_until)"
                " VALUES (120119998000, '撤销乡', 'township', 120119000000, 'test', '2010-01-01')"
            )
        answer = await client.get("/v1/children?region_code=120119998", headers=county.headers)
        assert (answer.status_code, answer.json()["items"]) == (200, [])

    @pytest.mark.usefixtures("visited")
    async def test_of_duties_finds_the_same(self, client, county) -> None:
        answers = [
            await client.get("/v1/duties", params={"region_code": code}, headers=county.headers)
            for code in (OLD_COUNTY, str(COUNTY))
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["items"] == answers[1].json()["items"]

    async def test_of_a_search_finds_the_child(self, client, county, visited) -> None:
        wanted = {"pinyin": "ceyi", "region_code": OLD_VILLAGE}
        answer = await client.post("/v1/children/search", json=wanted, headers=county.headers)
        assert [item["id"] for item in answer.json()["items"]] == [str(visited.id)]

    async def test_of_policy_asks_for_the_place_of_today(self, client, county) -> None:
        said = [
            (
                await client.get(
                    "/v1/policy/parameters", params={"region_code": code}, headers=county.headers
                )
            ).json()
            for code in (OLD_COUNTY, str(COUNTY))
        ]
        assert said[0] == said[1]


class TestAnOffice:
    async def test_is_registered_with_an_old_code(self, client, county) -> None:
        new = {"kind": "village_committee", "name": "测试村委会", "region_code": OLD_VILLAGE}
        answer = await client.post("/v1/agencies", json=new, headers=county.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["region_code"] == str(VILLAGE)

    async def test_gets_a_post_with_an_old_code(self, client, county, director) -> None:
        new = {
            "agency_id": str(director.agency_id),
            "role": "village_director",
            "local_title": "儿童主任",
            "region_code": OLD_VILLAGE,
        }
        answer = await client.post("/v1/posts", json=new, headers=county.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["region_code"] == str(VILLAGE)

    async def test_gets_a_system_with_an_old_code(self, client, database, settings, county) -> None:
        new = {"name": "测试系统", "role": "civil_affairs", "region_code": OLD_COUNTY}
        asked, of = ("registerClient", "POST", "/v1/clients", new), {"agency_id": county.agency_id}
        other = await a_caller(database, settings, "civil_affairs", COUNTY, **of)
        answer = await send_by_two(client, county, other, *asked)
        assert (answer.status_code, answer.json()["region_code"]) == (201, str(COUNTY))

    async def test_is_told_of_a_place_by_its_old_code(self, client, county) -> None:
        new = {
            "url": "https://receiver.example.org/in",
            "description": "案件系统",
            "event_types": ["children.*"],
            "region_code": OLD_TOWNSHIP,
        }
        answer = await client.post("/v1/webhook-endpoints", json=new, headers=county.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["region_code"] == str(TOWNSHIP)

    async def test_of_a_place_that_never_was_is_refused(self, client, county) -> None:
        new = {"kind": "village_committee", "name": "测试村委会", "region_code": NEVER[:9] + "999"}
        answer = await client.post("/v1/agencies", json=new, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/region-unknown")

    async def test_does_not_reach_another_county_by_its_old_code(self, client, county) -> None:
        """邢台县 130521 is 信都区 130503: not this county's to arrange, by whatever code."""
        new = {"kind": "village_committee", "name": "测试村委会", "region_code": "130521000000"}
        answer = await client.post("/v1/agencies", json=new, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/outside-remit")


class TestTheTable:
    async def test_names_the_successor_and_how_it_took_over(self, client, county) -> None:
        answer = await client.get(f"/v1/regions/{OLD_COUNTY}", headers=county.headers)
        told = answer.json()
        assert (told["name"], told["successor_code"]) == ("蓟县", str(COUNTY))
        assert (told["valid_until"], told["succession"]) == ("2015-09-30", "whole")

    async def test_answers_a_village_of_before_with_the_one_of_today(self, client, county) -> None:
        answer = await client.get(f"/v1/regions/{OLD_VILLAGE}", headers=county.headers)
        assert answer.json()["code"] == str(VILLAGE)

    async def test_lists_what_lies_in_the_successor(self, client, county) -> None:
        found = await client.get(
            "/v1/regions", params={"parent_code": OLD_TOWNSHIP}, headers=county.headers
        )
        assert [item["code"] for item in found.json()["items"]] == [str(VILLAGE), str(VILLAGE + 1)]


class TestSearchedByName:
    @pytest.fixture(autouse=True)
    async def named(self, database) -> None:
        async with database.begin(SYSTEM) as tx:
            for place in ((COUNTY, "蓟州区"), (TOWNSHIP, "开发区（测试片区）")):
                await tx.connection.execute("UPDATE regions SET name = $2 WHERE code = $1", *place)

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("蓟州", [(COUNTY, [])]),
            ("蓟 州", [(COUNTY, [])]),
            ("\u3000蓟\u200b州 区", [(COUNTY, [])]),
            ("蓟县", [(COUNTY, ["蓟县"])]),
            ("蓟 县", [(COUNTY, ["蓟县"])]),
            ("蓟", [(COUNTY, ["蓟县"])]),
            ("开发区(测试", [(TOWNSHIP, [])]),
            ("州区", []),
            ("通县", []),
        ],
    )
    async def test_in_any_form_and_by_its_name_of_before(
        self, client, county, typed, found
    ) -> None:
        answer = await client.get("/v1/regions", params={"q": typed}, headers=county.headers)
        assert answer.status_code == 200, answer.text
        assert [(int(item["code"]), item["formerly"]) for item in answer.json()["items"]] == found

    async def test_within_what_else_is_asked(self, client, county) -> None:
        for asked, codes in (({"level": "township"}, []), ({"level": "county"}, [str(COUNTY)])):
            query = {"q": "蓟县", **asked}
            answer = await client.get("/v1/regions", params=query, headers=county.headers)
            assert [item["code"] for item in answer.json()["items"]] == codes

    async def test_costs_four_statements(self, client, county, queries) -> None:
        queries.clear()
        await client.get("/v1/regions", params={"q": "蓟县"}, headers=county.headers)
        assert len(queries) <= 5, queries.statements


class TestOfNoCertainSuccessor:
    """石家庄 桥东区 130103 was divided among others: nobody knows what became of a place in it."""

    GONE, IN_IT = "130103000000", "130103001000"

    @pytest.fixture(autouse=True)
    async def abolished(self, database) -> None:
        await some_regions(database, 130102001000)
        async with database.begin(SYSTEM) as tx:
            await operations.import_replaced(tx.connection, divisions.abolished())

    @pytest.mark.parametrize("code", [GONE, GONE[:6], IN_IT])
    async def test_a_file_keeps_where_the_child_is_registered_as_it_was_sent(
        self, client, director, code
    ) -> None:
        file = a_file(VILLAGE, hukou={"registered": True, "region_code": code})
        opened = await client.post("/v1/children", json=file, headers=director.headers)
        assert opened.status_code == 201, opened.text
        assert opened.json()["hukou"]["region_code"] == code.ljust(12, "0")
        changed = await client.patch(
            f"/v1/children/{opened.json()['id']}",
            json={"hukou": {"type": "rural"}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert changed.status_code == 200, changed.text
        assert changed.json()["hukou"]["region_code"] == code.ljust(12, "0")

    async def test_so_does_one_that_is_changed(self, client, director) -> None:
        answer = await TestAFile._patched(client, director, self.GONE)
        assert answer.status_code == 200, answer.text
        assert answer.json()["hukou"]["region_code"] == self.GONE

    @pytest.mark.parametrize(("path", "name"), NARROWED)
    async def test_no_filter_refuses_it(self, client, county, path, name) -> None:
        for code in (self.GONE, self.IN_IT):
            answer = await client.get(path, params={name: code}, headers=county.headers)
            assert answer.json().get("type") != "/problems/region-code-invalid"

    async def test_a_search_takes_it(self, client, county) -> None:
        wanted = {"pinyin": "ceyi", "region_code": self.GONE}
        answer = await client.post("/v1/children/search", json=wanted, headers=county.headers)
        assert (answer.status_code, answer.json()["items"]) == (200, [])

    async def test_the_table_says_that_it_ended_and_names_no_successor(
        self, client, county
    ) -> None:
        told = (await client.get(f"/v1/regions/{self.GONE}", headers=county.headers)).json()
        assert (told["name"], told["successor_code"], told["valid_until"]) == (
            "桥东区",
            None,
            "2014-12-31",
        )

    async def test_a_report_is_of_the_longest_part_that_exists(self, client, director) -> None:
        body = {
            "region_code": self.IN_IT,
            "situations": ["living_alone"],
            "narrative": "邻居听见打骂",
        }
        answer = await client.post("/v1/police-reports", json=body, headers=director.headers)
        assert answer.status_code == 201, answer.text
        read = await client.get(answer.headers["location"], headers=director.headers)
        assert read.json()["region_code"] == "130100000000"
        assert read.json()["doubts"] == ["place_unknown"]

    async def test_in_a_county_that_exists_what_never_was_stays_refused(
        self, client, county
    ) -> None:
        answer = await client.get(f"/v1/children?region_code={NEVER}", headers=county.headers)
        assert answer.json()["type"] == "/problems/region-code-invalid"
