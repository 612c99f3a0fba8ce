"""Places no table shipped has, and successors nobody knew: `tonghu regions add` and `replace`.

Any code ever valid is understood everywhere, and answered with its successor.
"""

from datetime import date
from typing import Any

import pytest

from app.core.data.db import SYSTEM, Database
from app.police_reports.jobs import route_waiting
from app.police_reports.operations import placing
from app.regions import divisions, entering, operations
from app.regions.divisions import Replaced
from app.regions.operations import RegionNotReplaceable
from tests.access.factories import a_caller
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report, an_endpoint, police_at
from tests.police_reports.test_chain import ACCEPT
from tests.regions.factories import some_regions

COUNTY, TOWNSHIP, VILLAGE = 120119000000, 120119101000, 120119101200
NEW_COUNTY, NEW_TOWNSHIP = 120120000000, 120120101000
GONE, HEIR = 130103000000, 130104000000
ON = date(2026, 7, 1)
SOURCE = "国函〔2026〕测试号"


@pytest.fixture(autouse=True)
async def divided(database: Database) -> None:
    await some_regions(database, VILLAGE)


@pytest.fixture
async def county(database, settings):
    return await a_caller(database, settings, "civil_affairs", 120100000000)


async def added(database: Database, code: int, name: str = "测试新区", **said: Any) -> None:
    async with database.begin(SYSTEM) as tx:
        await entering.add_region(tx, code, name, ON, source=SOURCE, **said)


async def replaced(database: Database, old: int, new: int) -> None:
    async with database.begin(SYSTEM) as tx:
        await operations.replace_region(tx, old, new, ON)


async def reported(client, caller, code: str) -> str:
    answer = await client.post(
        "/v1/police-reports", json=a_report(region_code=code), headers=caller.headers
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


class TestANewCounty:
    async def test_is_understood_where_a_place_is_named(
        self, client, database, county, director
    ) -> None:
        async def asked() -> tuple[Any, Any, Any]:
            file = a_file(VILLAGE, hukou={"registered": True, "region_code": "120120"})
            return (
                (await client.get("/v1/children?region_code=120120", headers=county.headers)),
                (await client.get(f"/v1/regions/{NEW_COUNTY}", headers=county.headers)),
                (await client.post("/v1/children", json=file, headers=director.headers)),
            )

        assert [each.status_code for each in await asked()] == [400, 404, 422]
        await added(database, NEW_COUNTY)
        listed, read, opened = await asked()
        assert [listed.status_code, read.status_code, opened.status_code] == [200, 200, 201]
        assert (read.json()["name"], read.json()["valid_from"]) == ("测试新区", str(ON))
        assert opened.json()["hukou"]["region_code"] == str(NEW_COUNTY)

    async def test_takes_a_township_of_another_with_its_children(
        self, client, database, county
    ) -> None:
        """A place is split into a new county: its townships go there one by one."""
        child = await a_child(database, VILLAGE)
        with pytest.raises(RegionNotReplaceable, match="lies in is unknown"):
            await replaced(database, TOWNSHIP, NEW_TOWNSHIP)
        await added(database, NEW_COUNTY, out_of=COUNTY)
        await replaced(database, TOWNSHIP, NEW_TOWNSHIP)
        found = await client.get(
            "/v1/children", params={"region_code": str(NEW_COUNTY)}, headers=county.headers
        )
        assert [
            (item["id"], item["residence"]["region_code"]) for item in found.json()["items"]
        ] == [(str(child.id), "120120101200")]
        old = (await client.get(f"/v1/regions/{COUNTY}", headers=county.headers)).json()
        assert (old["valid_until"], old["successor_code"]) == (None, None)

    async def test_gets_the_reports_that_wait_and_named_it(
        self, client, database, director, monkeypatch
    ) -> None:
        """What is reported is routed by the longest prefix that exists: now it is the place."""
        monkeypatch.setattr(placing, "_AT_A_TIME", 1)
        exact = await reported(client, director, str(NEW_COUNTY))
        below = await reported(client, director, "120120101999")
        more = await reported(client, director, f"{NEW_COUNTY}1")
        other = await reported(client, director, "120131")
        await run_jobs(database)
        await added(database, NEW_COUNTY)
        await run_jobs(database)
        police = await police_at(database, NEW_COUNTY)
        async with database.begin(SYSTEM) as tx:
            await route_waiting(tx, {})
        await run_jobs(database)
        told = [
            (await client.get(path, headers=director.headers)).json()
            for path in (exact, below, more, other)
        ]
        assert [(each["region_code"], each["doubts"]) for each in told] == [
            (str(NEW_COUNTY), []),
            (str(NEW_COUNTY), ["place_unknown"]),
            (str(NEW_COUNTY), ["place_unknown"]),
            ("120100000000", ["place_unknown"]),
        ]
        assert [each["police_agency_id"] for each in told] == [str(police)] * 3 + [None]
        assert [each["routing"] for each in told] == ["routed"] * 3 + ["no_agency"]

    async def test_takes_no_report_from_who_has_it_nor_one_that_was_replaced(
        self, client, database, settings, director
    ) -> None:
        """Registering a place can't take a report away from somebody who had it."""
        city = await a_caller(database, settings, "police", 120100000000)
        taken, old, sent = [await reported(client, director, str(NEW_COUNTY)) for _ in range(3)]
        body = a_report(region_code=str(NEW_COUNTY), narrative="更正。")
        for caller, path, said in (
            (city, f"{taken}/acknowledgement", ACCEPT),
            (director, f"{old}/supersession", body),
        ):
            answer = await client.post(path, json=said, headers=caller.headers)
            assert answer.status_code == 201, answer.text
        await an_endpoint(database, city.agency_id, 120100000000)
        async with database.begin(SYSTEM) as tx:
            await route_waiting(tx, {})
        await added(database, NEW_COUNTY)
        await run_jobs(database)
        for path in (taken, old, sent):
            read = (await client.get(path, headers=director.headers)).json()
            assert (read["region_code"], read["doubts"]) == ("120100000000", ["place_unknown"])

    async def test_gets_those_that_wait_at_what_took_the_place_of_all_above_it(
        self, client, database, director
    ) -> None:
        """Any code ever valid is understood: the township's of a county that was replaced since."""
        gone = Replaced(120225101000, "测试乡", date(2015, 12, 31), None, None)
        heir = Replaced(120225000000, "测试县", date(2016, 6, 30), COUNTY, "whole")
        async with database.begin(SYSTEM) as tx:
            await operations.import_replaced(tx.connection, [gone, heir])
        report = await reported(client, director, str(gone.code))
        at = (await client.get(report, headers=director.headers)).json()["region_code"]
        await replaced(database, gone.code, TOWNSHIP)
        await run_jobs(database)
        read = (await client.get(report, headers=director.headers)).json()
        assert (at, read["region_code"], read["doubts"]) == (str(COUNTY), str(TOWNSHIP), [])


class TestTheSecondPartOfASplit:
    REST, PART = 120119101210, 120119101211

    async def test_stands_beside_the_first_and_the_old_code_says_that_it_was_split(
        self, client, database, county
    ) -> None:
        await replaced(database, VILLAGE, self.REST)
        with pytest.raises(RegionNotReplaceable, match="not in force.*120119101210.*add that"):
            await replaced(database, VILLAGE, self.PART)
        await added(database, self.PART, "测试村二", out_of=VILLAGE)
        old = (await client.get(f"/v1/regions/{VILLAGE}", headers=county.headers)).json()
        assert (old["successor_code"], old["succession"]) == (str(self.REST), "split")
        child = await a_child(database, self.REST)
        moved = await client.patch(
            f"/v1/children/{child.id}",
            json={"residence": {"region_code": str(self.PART)}},
            headers={**county.headers, "if-match": '"1"'},
        )
        assert moved.status_code == 200, moved.text
        assert moved.json()["residence"]["region_code"] == str(self.PART)


class TestACodeThatEndedWithoutASuccessor:
    """石家庄 桥东区 130103, here said to have become a part of 桥西区."""

    @pytest.fixture(autouse=True)
    async def gone(self, database) -> None:
        await some_regions(database, HEIR)
        async with database.begin(SYSTEM) as tx:
            rows = [row for row in divisions.abolished() if row.code == GONE]
            await operations.import_replaced(tx.connection, rows)

    async def test_gets_one_and_what_hung_on_it_follows(self, client, database, director) -> None:
        opened = []
        for name, code in (("样甲", str(GONE)), ("样乙", "130103001000")):
            file = a_file(VILLAGE, hukou={"registered": True, "region_code": code})
            file["identity"] |= {"name": name, "resident_id": None}
            file["education"]["student_numbers"] = []
            answer = await client.post("/v1/children", json=file, headers=director.headers)
            assert answer.status_code == 201, answer.text
            opened.append(answer.json()["id"])
        report = await reported(client, director, "130103001")
        police = await police_at(database, HEIR)
        await run_jobs(database)
        await replaced(database, GONE, HEIR)
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            await route_waiting(tx, {})
        for child in opened:
            read = await client.get(f"/v1/children/{child}", headers=director.headers)
            assert read.json()["hukou"]["region_code"] == str(HEIR)
            assert read.headers["etag"] == '"1"', "nobody changed the file"
        told = (await client.get(report, headers=director.headers)).json()
        assert (told["region_code"], told["police_agency_id"]) == (str(HEIR), str(police))
        assert told["doubts"] == []
        place = (await client.get(f"/v1/regions/{GONE}", headers=director.headers)).json()
        assert (place["successor_code"], place["succession"]) == (str(HEIR), "merged")
        assert place["valid_until"] == "2014-12-31"

    async def test_a_child_may_be_opened_at_what_became_of_it(
        self, client, database, settings
    ) -> None:
        await replaced(database, GONE, HEIR)
        county = await a_caller(database, settings, "civil_affairs", HEIR)
        made = await client.post("/v1/children", json=a_file(GONE), headers=county.headers)
        assert made.status_code == 201, made.text
        assert made.json()["residence"]["region_code"] == str(HEIR)

    async def test_gets_the_one_that_a_newer_release_knows(
        self, client, database, director
    ) -> None:
        """通县 110223 is 通州区 110112, 国函〔1997〕30号; an older release had no successor."""
        await some_regions(database, 110112000000)
        old = divisions.Replaced(110223000000, "通县", date(1996, 12, 31), None, None)
        async with database.begin(SYSTEM) as tx:
            await operations.import_replaced(tx.connection, [old])
        file = a_file(VILLAGE, hukou={"registered": True, "region_code": "110223101000"})
        opened = await client.post("/v1/children", json=file, headers=director.headers)
        assert opened.json()["hukou"]["region_code"] == "110223101000"
        for named in (1, 0):
            async with database.begin(SYSTEM) as tx:
                rows = [row for row in divisions.replaced() if row.code == 110223000000]
                assert await operations.import_replaced(tx.connection, rows) == 0
                assert await entering.import_successors(tx, rows) == named
        await run_jobs(database)
        read = await client.get(f"/v1/children/{opened.json()['id']}", headers=director.headers)
        assert read.json()["hukou"]["region_code"] == "110112000000"

    async def test_may_have_one_of_another_level(self, client, database, director) -> None:
        """重庆市 510200, of 四川 until 1997, is a municipality."""
        await some_regions(database, 500101000000)
        async with database.begin(SYSTEM) as tx:
            row = divisions.Replaced(510200000000, "重庆市", date(1996, 12, 31), None, None)
            await operations.import_replaced(tx.connection, [row])
        await replaced(database, 510200000000, 500000000000)
        report = await reported(client, director, "510200")
        told = (await client.get(report, headers=director.headers)).json()
        assert (told["region_code"], told["doubts"]) == ("500000000000", [])

    async def test_a_code_that_lay_in_it_is_answered_with_the_place_as_filters_take_it(
        self, client, county
    ) -> None:
        answer = await client.get("/v1/regions/130103101000", headers=county.headers)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["code"], answer.json()["successor_code"]) == (str(GONE), None)
        assert (
            await client.get("/v1/regions/130104101000", headers=county.headers)
        ).status_code == 404

    @pytest.mark.parametrize(
        ("new", "on", "told"),
        [
            (HEIR, date(2026, 11, 21), "still to come"),
            (GONE, ON, "new code is not in force"),
            (130105000000, ON, "new code is not in force"),
        ],
    )
    async def test_no_ring_and_nothing_unknown_becomes_one(self, database, new, on, told) -> None:
        async with database.begin(SYSTEM) as tx:
            with pytest.raises(RegionNotReplaceable, match=told):
                await operations.replace_region(tx, GONE, new, on)

    async def test_has_only_one(self, database) -> None:
        await some_regions(database, 130105000000)
        await replaced(database, GONE, HEIR)
        with pytest.raises(RegionNotReplaceable, match="has a successor: 130104000000"):
            await replaced(database, GONE, 130105000000)


@pytest.mark.parametrize(
    ("code", "name", "said", "told"),
    [
        (VILLAGE, "样", {}, "the code is in force"),
        (GONE, "样", {}, "was a place's before"),
        (120120101000, "样", {}, "lies in is unknown"),
        (NEW_COUNTY, " ", {}, "name or the source"),
        (NEW_COUNTY, "样", {"source": ""}, "name or the source"),
        (NEW_COUNTY, "样", {"on": date(2026, 11, 21)}, "still to come"),
        (NEW_COUNTY, "样", {"out_of": TOWNSHIP}, "another level"),
        (NEW_COUNTY, "样", {"out_of": 120121000000}, "is unknown"),
        (120119101999, "样", {"on": date(1899, 1, 1)}, "began later"),
    ],
)
async def test_what_cannot_be_a_new_place_is_refused(database, code, name, said, told) -> None:
    async with database.begin(SYSTEM) as tx:
        row = divisions.Replaced(GONE, "桥东区", date(2014, 12, 31), None, None)
        await operations.import_replaced(tx.connection, [row])
        with pytest.raises(RegionNotReplaceable, match=told):
            await entering.add_region(tx, code, name, **{"on": ON, "source": SOURCE, **said})


async def test_a_change_stands_in_the_audit_trail(database) -> None:
    await added(database, NEW_COUNTY)
    await replaced(database, TOWNSHIP, NEW_TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT a.operation, a.actor, e.region_code FROM audit_entries a"
            " JOIN events e ON e.subject_id = a.subject_id ORDER BY a.id"
        )
    assert [tuple(row) for row in rows] == [
        ("add_region", "operator", NEW_COUNTY),
        ("replace_region", "operator", NEW_TOWNSHIP),
    ]
