import json
import re
from datetime import date
from typing import Any, get_args

import pytest

from app.access.roles import Purpose
from app.agencies.models import AgencyKind
from app.api.reference import codelists
from app.attendance import models as attendance
from app.children import models as children
from app.children import sections
from app.core.data.db import SYSTEM
from app.core.data_files import BadDataFile
from app.main import document
from app.regions import operations
from app.regions.rules import Level
from app.visits import models as visits
from tests.access.factories import a_caller
from tests.regions.factories import some_regions

VILLAGE = 120119101200
TOWNSHIP = 120119101000


@pytest.fixture
async def headers(database, settings) -> dict[str, str]:
    return (await a_caller(database, settings, "village_director", VILLAGE)).headers


class TestListRegions:
    async def test_walks_down_the_tree_page_by_page(self, client, database, headers) -> None:
        await some_regions(database, VILLAGE, VILLAGE + 1, VILLAGE + 2)
        shown: list[str] = []
        query = {"parent_code": str(TOWNSHIP), "limit": "2"}
        for _ in range(2):
            page = (await client.get("/v1/regions", params=query, headers=headers)).json()
            shown += [region["code"] for region in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert shown == ["120119101200", "120119101201", "120119101202"]
        assert page["next_cursor"] is None

    async def test_provinces_lie_in_the_nation(self, client, database, headers) -> None:
        await some_regions(database, VILLAGE)
        answer = await client.get("/v1/regions?parent_code=000000000000", headers=headers)
        assert [region["level"] for region in answer.json()["items"]] == ["province"]

    async def test_finds_by_level_and_the_beginning_of_the_name(
        self, client, database, headers
    ) -> None:
        await some_regions(database, VILLAGE)
        query = {"level": "township", "q": "测试区划 1201191"}
        found = (await client.get("/v1/regions", params=query, headers=headers)).json()["items"]
        assert [region["code"] for region in found] == ["120119101000"]
        query["q"] = "区划"
        missed = await client.get("/v1/regions", params=query, headers=headers)
        assert missed.json()["items"] == []

    async def test_costs_two_statements(self, client, database, headers, queries) -> None:
        await some_regions(database, VILLAGE)
        queries.clear()
        await client.get("/v1/regions?level=village", headers=headers)
        assert len(queries) == 2, queries.statements

    @pytest.mark.parametrize("query", ["level=hamlet", "parent_code=12", "q=", "q=%00", "name=x"])
    async def test_refuses_a_bad_parameter(self, client, headers, query: str) -> None:
        answer = await client.get(f"/v1/regions?{query}", headers=headers)
        assert answer.status_code == 400

    async def test_refuses_a_strange_cursor(self, client, headers) -> None:
        answer = await client.get("/v1/regions?cursor=abc", headers=headers)
        assert answer.json()["type"] == "/problems/cursor-invalid"


class TestReadRegion:
    async def test_shows_where_it_lies(self, client, database, headers) -> None:
        await some_regions(database, VILLAGE)
        answer = await client.get(f"/v1/regions/{VILLAGE}", headers=headers)
        assert answer.json() == {
            "code": "120119101200",
            "name": "测试区划 120119101200",
            "level": "village",
            "parent_code": "120119101000",
            "valid_from": None,
            "valid_until": None,
            "successor_code": None,
            "succession": None,
        }

    async def test_a_replaced_code_names_its_successor(self, client, database, headers) -> None:
        await some_regions(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await operations.replace_region(tx, VILLAGE, VILLAGE + 9, date(2026, 7, 1))
        old = (await client.get(f"/v1/regions/{VILLAGE}", headers=headers)).json()
        new = (await client.get(f"/v1/regions/{VILLAGE + 9}", headers=headers)).json()
        assert (old["valid_until"], old["successor_code"]) == ("2026-06-30", "120119101209")
        assert (new["valid_from"], new["valid_until"]) == ("2026-07-01", None)

    async def test_an_unknown_code_is_not_found(self, client, headers) -> None:
        answer = await client.get("/v1/regions/120119101999", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/region-not-found")


class TestCodelists:
    async def test_lists_all_of_them(self, client, headers) -> None:
        items = (await client.get("/v1/codelists", headers=headers)).json()["items"]
        assert [item["name"] for item in items] == list(codelists())
        assert {"name": "ethnic_groups", "by_region": False}.items() <= items[1].items()

    async def test_reads_the_58_ethnic_groups(self, client, headers) -> None:
        codes = (await client.get("/v1/codelists/ethnic_groups", headers=headers)).json()["codes"]
        numbers = [f"{number:02d}" for number in (*range(1, 57), 97, 98)]
        assert [each["code"] for each in codes] == numbers
        assert codes[10] == {"code": "11", "zh": "满族", "en": "Man (Manchu)"}

    async def test_a_list_by_policy_depends_on_region_and_day(
        self, client, database, headers
    ) -> None:
        await some_regions(database, 140100000000)
        path = "/v1/codelists/difficulty_classes"
        nation = (await client.get(path, headers=headers)).json()
        shanxi = (await client.get(f"{path}?region_code=140100000000", headers=headers)).json()
        before = (await client.get(f"{path}?on=2010-01-01", headers=headers)).json()
        assert nation["by_region"]
        assert [each["code"] for each in nation["codes"]] == ["family", "self", "guardianship"]
        assert shanxi["codes"][3]["code"] == "temporary"
        assert before["codes"] == []

    async def test_an_unknown_list_is_not_found(self, client, headers) -> None:
        answer = await client.get("/v1/codelists/colours", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/codelist-not-found")

    async def test_refuses_a_number_that_is_no_division(self, client, headers) -> None:
        answer = await client.get("/v1/codelists/sex?region_code=990000000000", headers=headers)
        assert answer.json()["type"] == "/problems/region-code-invalid"

    @pytest.mark.parametrize(
        ("name", "known"),
        [
            ("purposes", Purpose),
            ("child_categories", children.CATEGORIES),
            ("priority_flags", children.PRIORITY_FLAGS),
            ("agency_kinds", AgencyKind),
            ("visitor_types", visits.VisitorType),
            ("region_levels", Level),
            ("attendance_categories", get_args(attendance.Category)),
            ("school_sessions", get_args(attendance.Session)),
        ],
    )
    def test_a_list_is_what_the_code_knows(self, name: str, known: Any) -> None:
        codes = {entry.code for entry in codelists()[name].items}
        assert codes == {str(code) for code in known}


class TestPolicyParameters:
    async def test_the_nearest_region_wins_and_says_why(self, client, database, headers) -> None:
        await some_regions(database, VILLAGE)
        path = "/v1/policy/parameters?name=guardian_eval.rule"
        near = (await client.get(f"{path}&region_code={VILLAGE}", headers=headers)).json()
        far = (await client.get(path, headers=headers)).json()
        assert near["items"][0]["region_code"] == "120000000000"
        assert near["items"][0]["value"] == {"poor_when": ["insufficient_capacity"]}
        assert near["items"][0]["citation"].startswith("RSK-05")
        assert far["items"][0]["region_code"] == "000000000000"

    async def test_the_last_day_of_a_value_is_its_own(self, client, headers) -> None:
        path = "/v1/policy/parameters?name=report.situations&on="
        last = (await client.get(f"{path}2020-05-06", headers=headers)).json()["items"][0]
        next_day = (await client.get(f"{path}2020-05-07", headers=headers)).json()["items"][0]
        assert (last["valid_until"], next_day["valid_from"]) == ("2020-05-06", "2020-05-07")
        assert len(last["value"]) < len(next_day["value"])

    async def test_without_a_name_all_that_hold(self, client, headers) -> None:
        now = (await client.get("/v1/policy/parameters", headers=headers)).json()["items"]
        then = (await client.get("/v1/policy/parameters?on=1990-01-01", headers=headers)).json()
        assert len(now) > 30
        assert then["items"] == []

    async def test_an_unknown_name_is_not_found(self, client, headers) -> None:
        for path in ("/v1/policy/parameters?name=x.y", "/v1/policy/parameters/x.y/values"):
            answer = await client.get(path, headers=headers)
            assert answer.json()["type"] == "/problems/parameter-not-found"

    async def test_reads_every_value_of_one(self, client, headers) -> None:
        path = "/v1/policy/parameters/lbc.age_limit/values"
        history = (await client.get(path, headers=headers)).json()
        regions = [value["region_code"] for value in history["values"]]
        assert regions == ["000000000000", "120000000000", "211381000000", "530902000000"]
        assert history["value_schema"]["type"] == "integer"

    @pytest.mark.parametrize("on", ["2026-02-30", "2026-1-1", "20260101", "today"])
    async def test_refuses_what_is_no_day(self, client, headers, on: str) -> None:
        answer = await client.get(f"/v1/policy/parameters?on={on}", headers=headers)
        assert answer.json()["type"] == "/problems/parameter-invalid"


class TestClauses:
    async def test_shows_all_238_page_by_page(self, client, headers) -> None:
        shown: list[str] = []
        query = {"limit": "100"}
        for _ in range(3):
            page = (await client.get("/v1/policy/clauses", params=query, headers=headers)).json()
            shown += [clause["id"] for clause in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert page["next_cursor"] is None
        assert (len(shown), len(set(shown)), shown[0]) == (238, 238, "DEF-01")

    async def test_narrows_to_an_area_and_a_status(self, client, headers) -> None:
        query = "area=D&limit=200"
        area = (await client.get(f"/v1/policy/clauses?{query}", headers=headers)).json()["items"]
        parts = [
            (
                await client.get(f"/v1/policy/clauses?{query}&status={status}", headers=headers)
            ).json()
            for status in ("carried", "partly", "not_yet")
        ]
        assert {clause["area"] for clause in area} == {"D Visits & contact"}
        assert sum(len(part["items"]) for part in parts) == len(area)
        for part, (tested, missing) in zip(
            parts, [(True, False), (True, True), (False, False)], strict=True
        ):
            for clause in part["items"]:
                assert bool(clause["carried_by"]) == bool(clause["tests"]) == tested
                assert bool(clause["missing"]) is missing

    async def test_quotes_the_source(self, client, headers) -> None:
        page = (await client.get("/v1/policy/clauses?area=D", headers=headers)).json()
        visit = next(clause for clause in page["items"] if clause["id"] == "VIS-03")
        assert "做好走访记录" in visit["original"]

    async def test_refuses_a_cursor_of_no_clause(self, client, headers) -> None:
        answer = await client.get("/v1/policy/clauses?cursor=WyJYIl0", headers=headers)
        assert answer.json()["type"] == "/problems/cursor-invalid"

    async def test_needs_the_scope(self, client, database, settings) -> None:
        hospital = await a_caller(database, settings, "hospital", 120119000000)
        answer = await client.get("/v1/policy/clauses", headers=hospital.headers)
        assert answer.json()["type"] == "/problems/scope-missing"
        codes = await client.get("/v1/codelists/report_situations", headers=hospital.headers)
        assert codes.json()["codes"][0]["code"] == "living_alone"


def test_a_list_of_the_childs_file_is_no_list_by_policy(monkeypatch) -> None:
    monkeypatch.setitem(sections.CODELISTS, "purposes", sections.CODELISTS["sex"])
    with pytest.raises(BadDataFile, match="child's file has a code list purposes"):
        codelists.__wrapped__()


def test_a_list_the_document_names_can_be_looked_up() -> None:
    named = set(re.findall(r"\blist `([^`]+)`", json.dumps(document())))
    assert {"report_situations", "disposition_measures", "duty_bearers"} <= named
    assert named <= set(codelists())
