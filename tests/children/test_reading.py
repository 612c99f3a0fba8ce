"""readChild, listChildren, searchChildren, readChildHistory: who sees what, at what cost."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.access.roles import roles
from app.children import schemas
from app.core.clock import local_date
from app.core.data.db import SYSTEM
from app.core.http import paging
from tests.access.factories import a_caller, an_agency
from tests.children.conftest import COUNTY, OTHER_TOWNSHIP_VILLAGE, SIBLING, TOWNSHIP, VILLAGE
from tests.children.factories import RESIDENT_ID, a_child, a_file
from tests.regions.factories import some_regions


def place_of(role: str) -> int:
    levels = roles()[role].levels
    return VILLAGE if "village" in levels else TOWNSHIP if "township" in levels else COUNTY


WITH_FILES = sorted(code for code, role in roles().items() if role.relation != "none")
WITHOUT_FILES = sorted(code for code, role in roles().items() if role.relation == "none")


class TestReadsAFile:
    @pytest.mark.parametrize("role", WITH_FILES)
    async def test_shows_what_the_role_reads(
        self, role, open_file, director, client, database, settings
    ) -> None:
        place = place_of(role)
        agency = await an_agency(database, min(roles()[role].agency_kinds), place)
        school = {"school_id": str(agency)} if roles()[role].relation == "enrolled" else {}
        file = (await open_file(director, education=school)).json()
        caller = await a_caller(database, settings, role, place, agency_id=agency)
        answer = await client.get(f"/v1/children/{file['id']}", headers=caller.headers)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        schemas.Child.model_validate(shown)
        reads = roles()[role].reads
        always = {"id", "version", "created_at", "updated_at", "as_sent", "permitted"}
        assert shown.keys() - always == reads
        assert (RESIDENT_ID in answer.text) is ("identity" in reads)
        assert ("样板胡同" in answer.text) is ("residence" in reads)
        assert ("5550 0101" in answer.text) is ("guardianship" in reads)
        assert ("样大甲" in answer.text) is ("family" in reads)
        assert ("过敏" in answer.text) is ("health" in reads)
        if "residence" not in reads:
            assert str(VILLAGE) not in answer.text

    @pytest.mark.parametrize("role", WITHOUT_FILES)
    async def test_roles_without_files_read_none(
        self, role, open_file, director, client, database, settings
    ) -> None:
        file = (await open_file(director)).json()
        caller = await a_caller(database, settings, role, place_of(role))
        answer = await client.get(f"/v1/children/{file['id']}", headers=caller.headers)
        assert answer.status_code == 403

    async def test_outside_the_remit_is_the_same_as_nowhere(
        self, open_file, director, client, database, settings
    ) -> None:
        file = (await open_file(director)).json()
        stranger = await a_caller(database, settings, "village_director", SIBLING)
        paths = (f"/v1/children/{file['id']}", f"/v1/children/{uuid4()}")
        for tail in ("", "/history"):
            there, nowhere = [
                await client.get(path + tail, headers=stranger.headers) for path in paths
            ]
            assert there.status_code == nowhere.status_code == 404
            documents = [answer.json() for answer in (there, nowhere)]
            for document in documents:
                document.pop("request_id", None)
            assert documents[0] == documents[1]
        async with database.begin(SYSTEM) as tx:
            denied = await tx.connection.fetch(
                "SELECT subject_id FROM audit_entries WHERE decision = 'denied'"
            )
        assert str(denied[0]["subject_id"]) in {path.split("/")[-1] for path in paths}

    async def test_other_pupils_are_not_a_schools(
        self, open_file, director, client, database, settings
    ) -> None:
        file = (await open_file(director)).json()
        teacher = await a_caller(database, settings, "school", TOWNSHIP)
        answer = await client.get(f"/v1/children/{file['id']}", headers=teacher.headers)
        assert answer.status_code == 404

    async def test_takes_three_statements(self, open_file, director, client, queries) -> None:
        file = (await open_file(director)).json()
        queries.clear()
        answer = await client.get(f"/v1/children/{file['id']}", headers=director.headers)
        assert answer.status_code == 200
        assert len(queries) == 3, queries.statements

    async def test_is_audited(self, open_file, director, client, database) -> None:
        file = (await open_file(director)).json()
        await client.get(f"/v1/children/{file['id']}", headers=director.headers)
        async with database.begin(SYSTEM) as tx:
            entry = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries WHERE operation = 'readChild'"
            )
        assert [str(child) for child in entry["child_ids"]] == [file["id"]]
        assert {*entry["field_groups"]} == roles()["village_director"].reads

    async def test_needs_a_purpose(self, client, director) -> None:
        headers = {"authorization": director.headers["authorization"]}
        answer = await client.get(f"/v1/children/{uuid4()}", headers=headers)
        assert answer.status_code == 400


class TestListsFiles:
    @pytest.mark.parametrize("limit", [1, 2, 3])
    async def test_pages_through_the_remit_only(self, limit, client, database, township) -> None:
        mine = [await a_child(database, place) for place in (VILLAGE, SIBLING, VILLAGE)]
        await a_child(database, OTHER_TOWNSHIP_VILLAGE)
        seen, cursor = [], None
        while True:
            params = {"limit": limit, **({"cursor": cursor} if cursor else {})}
            page = await client.get("/v1/children", params=params, headers=township.headers)
            assert page.status_code == 200, page.text
            paging.Page[schemas.ChildSummary].model_validate(page.json())
            seen += [
                (item["residence"]["region_code"], item["id"]) for item in page.json()["items"]
            ]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted((str(child.region_code), str(child.id)) for child in mine)

    @pytest.mark.parametrize(
        ("params", "found"),
        [
            ({"region_code": f"{VILLAGE}"}, 2),
            ({"region_code": f"{TOWNSHIP}"}, 3),
            ({"region_code": "120118000000"}, 0),
            ({"category": "orphan"}, 1),
            ({"priority_flag": "no_hukou"}, 1),
            ({"category": "left_behind"}, 0),
            ({"school_id": str(uuid4())}, 0),
            ({"updated_since": "2026-11-20T02:00:00Z"}, 3),
            ({"updated_since": "2026-11-20T02:00:01Z"}, 0),
        ],
    )
    async def test_filters(self, params, found, client, database, township) -> None:
        await some_regions(database, 120118000000)
        await a_child(database, VILLAGE, categories=["orphan"])
        await a_child(database, VILLAGE, priority_flags=["no_hukou"])
        await a_child(database, SIBLING)
        answer = await client.get("/v1/children", params=params, headers=township.headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == found

    async def test_refuses_filters_the_role_cannot_read(self, client, database, settings) -> None:
        bureau = await a_caller(database, settings, "education_authority", COUNTY)
        for params in (
            {"category": "orphan"},
            {"priority_flag": "no_hukou"},
            {"undecided": "orphan"},
            {"region_code": f"{VILLAGE}"},
        ):
            answer = await client.get("/v1/children", params=params, headers=bureau.headers)
            assert answer.status_code == 403
            assert answer.json()["type"] == "/problems/filter-forbidden"

    async def test_shows_only_what_the_role_reads(self, client, database, settings) -> None:
        await a_child(database, VILLAGE)
        bureau = await a_caller(database, settings, "education_authority", COUNTY)
        (item,) = (await client.get("/v1/children", headers=bureau.headers)).json()["items"]
        assert item.keys() == {"id", "version", "updated_at", "permitted", "identity"}

    async def test_takes_three_statements_and_audits_each_child(
        self, client, database, township, queries
    ) -> None:
        made = {(await a_child(database, VILLAGE)).id for _ in range(3)}
        queries.clear()
        await client.get("/v1/children", headers=township.headers)
        assert len(queries) == 3, queries.statements
        async with database.begin(SYSTEM) as tx:
            ids = await tx.connection.fetchval(
                "SELECT child_ids FROM audit_entries WHERE operation = 'listChildren'"
            )
        assert {*ids} == made

    async def test_refuses_a_foreign_cursor(self, client, township) -> None:
        answer = await client.get(
            "/v1/children", params={"cursor": "AAAA"}, headers=township.headers
        )
        assert answer.status_code == 400


class TestSearches:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"resident_id": RESIDENT_ID}, True),
            ({"resident_id": RESIDENT_ID[:-1] + "X"}, False),
            ({"name": "样小一"}, True),
            ({"name": "样小"}, False),
            ({"name": "样小", "match": "prefix"}, True),
            ({"name": "小一", "match": "prefix"}, False),
            ({"name": "小一", "match": "suffix"}, True),
            ({"name": "样小", "match": "suffix"}, False),
            ({"name": "样小一", "match": "infix"}, True),
            ({"name": "%", "match": "prefix"}, False),
            ({"pinyin": "yangx"}, True),
            ({"pinyin": "yxy"}, True),
            ({"pinyin": "yx"}, False),
            ({"name": "样小一", "birth_date": "2016-03-01"}, True),
            ({"name": "样小一", "birth_date": "2016-03-02"}, False),
            ({"name": "样小一", "region_code": f"{VILLAGE}"}, True),
            ({"name": "样小一", "region_code": f"{SIBLING}"}, False),
            ({"name": "样小一", "region_code": "120118000000"}, False),
        ],
    )
    async def test_by(self, wanted, found, open_file, client, township) -> None:
        file = (await open_file(township)).json()
        answer = await client.post("/v1/children/search", json=wanted, headers=township.headers)
        assert answer.status_code == 200, answer.text
        ids = [item["id"] for item in answer.json()["items"]]
        assert ids == ([file["id"]] if found else [])

    async def test_refuses_a_foreign_cursor(self, client, township) -> None:
        wanted = {"name": "样小一", "cursor": "AAAA"}
        answer = await client.post("/v1/children/search", json=wanted, headers=township.headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-invalid")

    async def test_refuses_a_place_the_role_cannot_read(self, client, database, settings) -> None:
        bureau = await a_caller(database, settings, "education_authority", COUNTY)
        wanted = {"name": "样小一", "region_code": f"{VILLAGE}"}
        answer = await client.post("/v1/children/search", json=wanted, headers=bureau.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/filter-forbidden")

    async def test_never_beyond_the_remit(
        self, open_file, client, director, database, settings
    ) -> None:
        await open_file(director)
        stranger = await a_caller(database, settings, "village_director", SIBLING)
        for wanted in ({"resident_id": RESIDENT_ID}, {"name": "样小一"}):
            answer = await client.post("/v1/children/search", json=wanted, headers=stranger.headers)
            assert answer.json() == {"items": [], "next_cursor": None}

    async def test_looks_for_something(self, client, director) -> None:
        answer = await client.post("/v1/children/search", json={}, headers=director.headers)
        assert answer.status_code == 422

    async def test_takes_three_statements(self, client, director, queries) -> None:
        queries.clear()
        await client.post(
            "/v1/children/search", json={"resident_id": RESIDENT_ID}, headers=director.headers
        )
        assert len(queries) == 3, queries.statements


class TestReadsHistory:
    async def test_limited_to_sections_the_role_reads(
        self, open_file, client, director, database, settings
    ) -> None:
        file = (await open_file(director)).json()
        path = f"/v1/children/{file['id']}"
        changed = await client.patch(
            path,
            json={"health": {"status": "chronic"}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert changed.status_code == 200, changed.text
        full = (await client.get(f"{path}/history", headers=director.headers)).json()
        paging.Page[schemas.HistoryEntry].model_validate(full)
        assert [entry["version"] for entry in full["items"]] == [2, 1]
        assert full["items"][0]["changes"] == [
            {"pointer": "/health/status", "before": "healthy", "after": "chronic", "as_sent": None}
        ]
        assert full["items"][0]["actor"] == f"staff:{director.subject_id}"
        bureau = await a_caller(database, settings, "education_authority", COUNTY)
        limited = await client.get(f"{path}/history", headers=bureau.headers)
        (opened,) = limited.json()["items"]
        assert {*opened["sections"]} == {"identity", "education"}
        assert "样板胡同" not in limited.text

    async def test_pages_by_version(self, open_file, client, director) -> None:
        path = f"/v1/children/{(await open_file(director)).json()['id']}"
        for version, status in ((1, "weak"), (2, "chronic")):
            await client.patch(
                path,
                json={"health": {"status": status}},
                headers={**director.headers, "if-match": f'"{version}"'},
            )
        first = await client.get(f"{path}/history", params={"limit": 2}, headers=director.headers)
        rest = await client.get(
            f"{path}/history",
            params={"cursor": first.json()["next_cursor"]},
            headers=director.headers,
        )
        assert [item["version"] for item in rest.json()["items"]] == [1]
        assert a_file(VILLAGE)["identity"]["name"] in rest.text

    async def test_the_audit_says_how_far_back_one_looked(
        self, open_file, client, director, database, settings, now
    ) -> None:
        path = f"/v1/children/{(await open_file(director)).json()['id']}"
        database.clock = lambda: now + timedelta(days=3)
        later = await a_caller(database, settings, "village_director", VILLAGE)
        await client.patch(
            path,
            json={"health": {"status": "weak"}},
            headers={**later.headers, "if-match": '"1"'},
        )
        for limit, opened in ((1, False), (2, True)):
            url = f"{path}/history?limit={limit}"
            assert (await client.get(url, headers=later.headers)).status_code == 200
            async with database.begin(SYSTEM) as tx:
                since = await tx.connection.fetchval(
                    "SELECT since FROM audit_entries WHERE operation = 'readChildHistory'"
                    " ORDER BY id DESC LIMIT 1"
                )
            assert since == local_date(now) + timedelta(days=0 if opened else 3)
