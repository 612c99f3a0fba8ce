"""A report goes to the nearest police who can take it, and waits for nobody else's."""

from uuid import UUID

import orjson
import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.police_reports import jobs
from tests.access.factories import a_caller
from tests.conftest import calling
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    filed,
    police_at,
    rows,
    the_offices,
)
from tests.regions.factories import some_regions

URL = "/v1/police-reports"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


pytestmark = pytest.mark.usefixtures("swept")

_ON_THEIR_WAY = """
INSERT INTO police_reports SELECT (jsonb_populate_record(r, jsonb_build_object(
    'id', gen_random_uuid(), 'region_code', 120119000000 + n * 1000))).*
FROM police_reports r, generate_series(1, 1000) AS n
"""


class TestJurisdiction:
    async def test_nearest_police_up_the_tree(self, client, database, settings) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        county = await police_at(database, COUNTY)
        station = await police_at(database, TOWNSHIP)
        await police_at(database, 120119102000)
        nearby = await filed(client, reporter)
        elsewhere = await filed(client, reporter, region_code="120119103201")
        chosen = {
            str(r["id"]): r["police_agency_id"] for r in await rows(database, "police_reports")
        }
        assert chosen == {nearby: station, elsewhere: county}

    async def test_police_that_are_closed_get_none(self, client, database, settings) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        county = await police_at(database, COUNTY)
        closed = await police_at(database, TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", closed)
        await filed(client, reporter)
        [report] = await rows(database, "police_reports")
        assert report["police_agency_id"] == county

    async def test_police_that_is_reported_is_passed_over(self, client, database, settings) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        county = await police_at(database, COUNTY)
        station = await police_at(database, TOWNSHIP)
        await filed(client, reporter, suspect_agency_id=str(station))
        [report] = await rows(database, "police_reports")
        assert report["police_agency_id"] == county

    async def test_the_nearest_police_with_an_endpoint_gets_it(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        county = await police_at(database, COUNTY)
        await police_at(database, TOWNSHIP, endpoint=False)
        await filed(client, reporter)
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (county, "routed")

    async def test_without_any_endpoint_every_level_is_told_and_the_first_takes_charge(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        station, county, province = [
            await a_caller(database, settings, "police", region)
            for region in (TOWNSHIP, COUNTY, 120000000000)
        ]
        report_id = await filed(client, reporter)
        assert {each["reason"] for each in await told(database, "report_unrouted")} == {
            "no_endpoint"
        }
        for each in (station, county, province):
            read = await client.get(f"{URL}/{report_id}", headers=each.headers)
            assert (read.json()["party"], read.json()["narrative"]) == (
                "police",
                a_report()["narrative"],
            )
            assert "acknowledgeReport" in read.json()["permitted"]
        [filing] = [
            row
            for row in await rows(database, "events")
            if row["wire_name"] == "police_reports.report_filed"
        ]
        assert {str(each.agency_id) for each in (station, county, province)} <= {*filing["told_to"]}
        taken = await client.post(
            f"{URL}/{report_id}/acknowledgement",
            json={"police_reference": "1", "accepted_at": "2026-11-20T09:59:00+08:00"},
            headers=county.headers,
        )
        assert taken.status_code == 201, taken.text
        assert (await client.get(f"{URL}/{report_id}", headers=county.headers)).status_code == 200
        for each in (station, province):
            read = await client.get(f"{URL}/{report_id}", headers=each.headers)
            assert (read.json()["party"], read.json()["narrative"]) == ("onlooker", None)

    async def test_one_places_crowd_waiting_does_not_hold_up_anothers_one(
        self, client, database, settings, monkeypatch
    ) -> None:
        """A thousand nobody can take, two that somebody can; the last place's one came after. Nor
        do the places of one county hold up another's.
        """
        reporter = await a_caller(database, settings, "hospital", 120000000000)
        for place in (120117101000, 120117101000, 120117102000, VILLAGE):
            await filed(client, reporter, region_code=str(place))
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_CROWD)
        for place in (120117101000, 120117102000, TOWNSHIP):
            await police_at(database, place)
        monkeypatch.setattr("app.police_reports.jobs._PER_RUN", 2)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        routed = [r for r in await rows(database, "police_reports") if r["routing"] == "routed"]
        assert sorted(r["region_code"] // 10**6 for r in routed) == [120117, 120119]

    async def test_the_only_police_near_is_reported_and_holds_up_nobody(
        self, client, database, settings, monkeypatch
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", 120000000000)
        station = await police_at(database, TOWNSHIP, endpoint=False)
        for suspect in (station, station, None):
            named = suspect and str(suspect)
            await filed(client, reporter, suspect_agency_id=named)
        await an_endpoint(database, station, TOWNSHIP)
        monkeypatch.setattr("app.police_reports.jobs._PER_RUN", 1)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        found = [
            (r["suspect_agency_id"], r["routing"]) for r in await rows(database, "police_reports")
        ]
        assert sorted(found, key=str) == sorted(
            [(station, "no_agency"), (station, "no_agency"), (None, "routed")], key=str
        )

    async def test_police_who_have_it_get_it_once_they_have_an_endpoint(
        self, client, database, settings
    ) -> None:
        """Though others, that have none, were registered nearer meanwhile."""
        station = await police_at(database, TOWNSHIP, endpoint=False)
        reporter = await a_caller(database, settings, "hospital", TOWNSHIP)
        await filed(client, reporter, region_code="120117101000")
        await police_at(database, 120117000000, endpoint=False)
        await an_endpoint(database, station, TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (station, "routed")

    async def test_an_endpoint_that_is_held_stops_no_other(
        self, app, settings, live_database
    ) -> None:
        stations = [
            await police_at(live_database, place, endpoint=False)
            for place in (120117101000, TOWNSHIP)
        ]
        async with calling(app, settings, live_database) as client:
            reporter = await a_caller(live_database, settings, "hospital", 120000000000)
            for place in ("120117101000", str(TOWNSHIP)):
                await filed(client, reporter, region_code=place)
        held, _ = [await an_endpoint(live_database, each, TOWNSHIP) for each in stations]
        async with live_database.begin(SYSTEM) as other:
            await other.connection.execute(
                "SELECT FROM webhook_endpoints WHERE id = $1 FOR UPDATE", held
            )
            async with live_database.begin(SYSTEM) as tx:
                await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        routed = {
            row["police_agency_id"]: row["routing"]
            for row in await rows(live_database, "police_reports")
        }
        assert routed == {stations[0]: "no_endpoint", stations[1]: "routed"}

    async def test_waiting_reports_are_found_without_reading_the_others(
        self, client, database, settings
    ) -> None:
        """The partial index serves the job: it would not, if what it says were not asked for."""
        reporter = await a_caller(database, settings, "hospital", TOWNSHIP)
        await some_regions(database, TOWNSHIP)
        await police_at(database, TOWNSHIP)
        await filed(client, reporter)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_ON_THEIR_WAY)
            await tx.connection.execute("SELECT count_rows('police_reports')")
            plan = await tx.connection.fetch(f"EXPLAIN {jobs._WAITING}", 200, ["police_reports.*"])
        read = [row[0] for row in plan if "police_reports" in row[0] and "Scan" in row[0]]
        # Where they are, and which of them: the row itself comes by its key, to be locked.
        narrow = ("ix_police_reports_unrouted", "pk_police_reports")  # and `…_unrouted_of`
        assert any(narrow[0] in line for line in read), plan
        assert all(any(index in line for index in narrow) for line in read), plan

    @pytest.mark.parametrize(
        ("place", "where"),
        [
            ("130102000000", TOWNSHIP),  # of a province nobody has loaded: those of the reporter
            (str(COUNTY), TOWNSHIP),  # a county that has only a township's: those below
            (str(COUNTY), 120119102000),
        ],
    )
    async def test_a_place_without_police_of_its_own_is_in_somebodys_hands(
        self, client, database, settings, place, where
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", TOWNSHIP)
        await some_regions(database, TOWNSHIP)
        police = await police_at(database, where)
        await filed(client, reporter, region_code=place)
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (police, "routed")

    async def test_who_is_told_for_want_of_others_gets_it_once_they_have_an_endpoint(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", TOWNSHIP)
        police = await police_at(database, TOWNSHIP, endpoint=False)
        await filed(client, reporter, region_code="130102000000")
        await an_endpoint(database, police, TOWNSHIP)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (police, "routed")

    async def test_police_who_were_told_keep_it_when_others_get_an_endpoint(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        nearest = await a_caller(database, settings, "police", TOWNSHIP)
        above = await a_caller(database, settings, "police", COUNTY)
        report_id = await filed(client, reporter)
        await an_endpoint(database, above.agency_id, COUNTY)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
        [report] = await rows(database, "police_reports")
        assert (report["police_agency_id"], report["routing"]) == (above.agency_id, "routed")
        assert report["also_told"] == [nearest.agency_id]
        for caller in (nearest, above):
            read = await client.get(f"{URL}/{report_id}", headers=caller.headers)
            assert (read.status_code, read.json()["party"]) == (200, "police")

    async def test_no_police_registered_is_taken_in_and_escalated(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        answer = await client.post(URL, json=a_report(), headers=reporter.headers)
        assert (answer.status_code, answer.json()["routing"]) == (201, "no_agency")
        events = await rows(database, "events")
        assert sorted(event["wire_name"] for event in events) == [
            "police_reports.report_filed",
            "police_reports.report_unrouted",
        ]

    async def test_report_goes_on_its_way_once_police_are_registered(
        self, client, database, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        report_id = await filed(client, reporter)
        police = await police_at(database, TOWNSHIP, endpoint=False)
        route = queue.REGISTRY["police_reports.route_waiting"].handler
        for routing in ("no_endpoint", "routed"):
            async with database.begin(SYSTEM) as tx:
                await route(tx, {})
            [report] = await rows(database, "police_reports")
            assert (report["routing"], report["police_agency_id"]) == (routing, police)
            await the_endpoint(database, police)
        [delivery] = await rows(database, "webhook_deliveries")
        assert delivery["ordering_key"] == UUID(report_id)
        assert orjson.loads(delivery["body"])["data"]["police_agency_id"] == str(police)
        names = [event["wire_name"] for event in await rows(database, "events")]
        assert names.count("police_reports.report_forwarded") == 1


_CROWD = """
INSERT INTO police_reports (id, home_county, region_code, situations, urgency, channel, found_at,
    filed_at, reporter_agency_id, narrative_sealed, subject_sealed, content_index, routing, state,
    acknowledge_due_at, deliver_alarm_at, version, updated_at)
SELECT gen_random_uuid(), home_county, 120118101000, situations, urgency, channel, found_at,
    filed_at - interval '1 day', reporter_agency_id, narrative_sealed, subject_sealed,
    content_index, routing, state, acknowledge_due_at, deliver_alarm_at, version, updated_at
FROM police_reports, generate_series(1, 1000) WHERE region_code = 120119101200
"""


async def told(database, wire_name: str) -> list[dict[str, str]]:
    """What events of a kind said."""
    return [
        row["data"]
        for row in await rows(database, "events")
        if row["wire_name"] == f"police_reports.{wire_name}"
    ]


async def the_endpoint(database, agency_id: UUID) -> None:
    if not await rows(database, "webhook_endpoints"):
        await an_endpoint(database, agency_id, TOWNSHIP)
