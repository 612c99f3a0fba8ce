"""Queueing in the caller's transaction, fan-out, overdue."""

from datetime import timedelta
from uuid import UUID

import orjson
import pytest

from app.core.data.db import SYSTEM, Database, Reach
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.core.jobs.events import publish
from app.regions.rules import subtree
from app.webhooks import jobs
from app.webhooks.operations import deliveries, fan_out
from tests.access.factories import an_agency
from tests.jobs import run_jobs
from tests.webhooks.workshop import HOME, TOWNSHIP, an_endpoint, an_event, facts_of

VILLAGE = 120119101200


async def queued(database: Database) -> list:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch("SELECT * FROM webhook_deliveries ORDER BY sequence")


class TestQueueMandatory:
    async def test_works_for_somebody_who_may_not_see_the_receiver(self, database) -> None:
        police = await an_agency(database, "police", HOME)
        endpoint, _ = await an_endpoint(database, police, "https://receiver.example.org/")
        committee = await an_agency(database, "village_committee", VILLAGE)
        reach = Reach(*subtree(VILLAGE), agency=committee, caller="staff:somebody")
        event = an_event()
        async with database.begin(reach) as tx:
            (made,) = await deliveries.tell(tx, event, agency_id=police)
            # The caller is who they were, and sees nothing of it.
            assert await tx.connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
            caller = await tx.connection.fetchval("SELECT current_setting('tonghu.caller')")
            assert caller == "staff:somebody"
        (row,) = await queued(database)
        assert (row["id"], row["endpoint_id"], row["agency_id"]) == (made, endpoint, police)
        assert (row["delivery_class"], row["state"], row["ordering_key"]) == (
            "M",
            "pending",
            event.subject_id,
        )
        assert row["webhook_id"].startswith("msg_")

    async def test_says_of_what_kind_it_is_when_it_was_and_which_in_order(self, database) -> None:
        """In order: of what it is about, whoever was told of what came between."""
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")
        report = new_id()
        both = [an_event(report), an_event(report)]
        async with database.begin(SYSTEM) as tx:
            await publish(tx, an_event(report), an_event())
        async with database.begin(SYSTEM) as tx:
            for event in both:
                await deliveries.tell(tx, event, agency_id=police)
        assert [orjson.loads(row["body"]) for row in await queued(database)] == [
            {
                "type": "webhooks.delivery_overdue",
                "timestamp": "2026-11-20T02:00:00.000000Z",
                "data": {**facts_of(event), "sequence": sequence},
            }
            for sequence, event in enumerate(both, 2)
        ]

    async def test_is_undone_with_the_transaction(self, database) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")

        async def file_and_fail() -> None:
            async with database.begin(SYSTEM) as tx:
                await deliveries.tell(tx, an_event(), agency_id=police)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await file_and_fail()
        assert await queued(database) == []

    async def test_takes_five_statements(self, database, queries) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")
        async with database.begin(SYSTEM) as tx:
            queries.clear()
            await deliveries.tell(tx, an_event(), agency_id=police)
        assert len(queries) == 5, queries.statements

    @pytest.mark.parametrize("takes", ["webhooks.delivery_overdue", "webhooks.*"])
    async def test_who_takes_this_event_or_all_of_its_package_gets_it(
        self, database, takes
    ) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(
            database, police, "https://receiver.example.org/", event_types=("visits.*", takes)
        )
        async with database.begin(SYSTEM) as tx:
            made = await deliveries.tell(tx, an_event(), agency_id=police)
        assert len(made) == 1

    async def test_says_so_when_nobody_takes_it(self, database) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://a.example.org/", event_types=("visits.*",))
        idle, _ = await an_endpoint(database, police, "https://b.example.org/")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE webhook_endpoints SET active = false WHERE id = $1", idle
            )
            made = await deliveries.tell(tx, an_event(), agency_id=police)
            announced = await tx.connection.fetchval("SELECT count(*) FROM events")
        assert (made, announced) == ([], 0)

    async def test_refuses_a_fat_payload(self, database, monkeypatch) -> None:
        monkeypatch.setattr(deliveries, "_MANDATORY_BYTES", 200)
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")
        async with database.begin(SYSTEM) as tx:
            with pytest.raises(deliveries.PayloadTooLarge):
                await deliveries.tell(tx, an_event(), agency_id=police)


class TestFanOut:
    async def subscribers(self, database: Database) -> dict[UUID, str]:
        """Agencies with an endpoint each, by what makes them different."""
        found = {}
        for name, kind, relation, region in (
            ("county", "civil_affairs", "region", HOME),
            ("township", "township_government", "region", TOWNSHIP),
            ("elsewhere", "civil_affairs", "region", 120110000000),
            ("school", "school", "enrolled", TOWNSHIP),
            ("police", "police", "none", HOME),
        ):
            agency = await an_agency(database, kind, region)
            await an_endpoint(
                database,
                agency,
                f"https://{name}.example.org/",
                relation=relation,
                region=subtree(region),
            )
            found[agency] = name
        return found

    async def told(self, database: Database, names: dict[UUID, str]) -> set[str]:
        return {names[row["agency_id"]] for row in await queued(database)}

    async def test_reaches_the_region_and_nobody_else(self, database) -> None:
        names = await self.subscribers(database)
        async with database.begin(SYSTEM) as tx:
            await publish(tx, an_event(region_code=VILLAGE))
        await run_jobs(database)
        assert await self.told(database, names) == {"county", "township"}
        row = (await queued(database))[0]
        body = orjson.loads(row["body"])
        assert (row["delivery_class"], body["data"]["region_code"]) == ("S", "120119101200")
        assert body["data"]["event_id"] == str(row["event_id"])

    async def test_reaches_who_takes_such_events_with_all_it_says(self, database) -> None:
        county = await an_agency(database, "civil_affairs", HOME)
        await an_endpoint(database, county, "https://a.example.org/", event_types=("visits.*",))
        hearing, _ = await an_endpoint(database, county, "https://b.example.org/")
        event = an_event(region_code=VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await publish(tx, event)
        await run_jobs(database)
        (row,) = await queued(database)
        assert row["endpoint_id"] == hearing
        assert orjson.loads(row["body"]) == {
            "type": "webhooks.delivery_overdue",
            "timestamp": "2026-11-20T02:00:00.000000Z",
            "data": {
                **event.model_dump(mode="json"),
                "region_code": str(VILLAGE),
                "home_county": str(HOME),
                "event_id": str(event.event_id),
                "sequence": 1,
            },
        }

    async def test_reaches_subscribers_though_others_were_told_directly(self, database) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://police.example.org/", relation="none")
        names = await self.subscribers(database)
        event = an_event(region_code=VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await deliveries.tell(tx, event, agency_id=police)
        await run_jobs(database)
        names[police] = "told directly"
        assert await self.told(database, names) == {"county", "township", "told directly"}

    async def test_says_when_it_happened_however_late_it_is_told(self, database, now) -> None:
        await self.subscribers(database)
        async with database.begin(SYSTEM) as tx:
            await publish(tx, an_event(region_code=VILLAGE))
        database.clock = lambda: now + timedelta(minutes=3)
        await run_jobs(database)
        assert {orjson.loads(row["body"])["timestamp"] for row in await queued(database)} == {
            "2026-11-20T02:00:00.000000Z"
        }

    async def test_reaches_exactly_those_the_event_names(self, database) -> None:
        names = await self.subscribers(database)
        chosen = {agency for agency, name in names.items() if name in {"school", "elsewhere"}}
        event = an_event(region_code=VILLAGE).model_copy(update={"told_to": tuple(chosen)})
        async with database.begin(SYSTEM) as tx:
            await publish(tx, event)
        await run_jobs(database)
        assert await self.told(database, names) == {"school", "elsewhere"}

    async def test_reaches_the_agency_the_event_is_about(self, database) -> None:
        """One that works on a region hears of that, though another region's event names it."""
        names = await self.subscribers(database)
        for named, told in (("elsewhere", set()), ("police", {"police"})):
            (agency,) = (agency for agency, name in names.items() if name == named)
            event = an_event(region_code=VILLAGE).model_copy(update={"agency_id": agency})
            async with database.begin(SYSTEM) as tx:
                await publish(tx, event)
            await run_jobs(database)
            assert await self.told(database, names) == {"county", "township"} | told

    async def test_reaches_a_school_it_names_only_if_schools_read_such(
        self, database, monkeypatch
    ) -> None:
        """Who is told of what a role reads alone has that role, wherever it happened (AZ-5)."""
        names = await self.subscribers(database)
        (school,) = (agency for agency, name in names.items() if name == "school")
        for readers, told in ((["school"], {"school"}), (["civil_affairs"], {"county"})):
            monkeypatch.setitem(spine._readers, "webhooks", lambda _, said=readers: said)
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute("DELETE FROM webhook_deliveries")
                await tx.connection.execute(_OF_A_PUPIL, new_id(), VILLAGE, HOME, school, tx.now)
            await run_jobs(database)
            assert await self.told(database, names) == told

    async def test_neither_repeats_itself_nor_a_mandatory_delivery(self, database) -> None:
        county = await an_agency(database, "civil_affairs", HOME)
        await an_endpoint(database, county, "https://county.example.org/")
        event = an_event()
        async with database.begin(SYSTEM) as tx:
            await deliveries.tell(tx, event, agency_id=county)
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            await fan_out.hand_out_one(tx, event.event_id)
        assert [row["delivery_class"] for row in await queued(database)] == ["M"]


_OF_A_PUPIL = """
INSERT INTO events (id, wire_name, subject_id, region_code, home_county, data, occurred_at)
VALUES ($1, 'webhooks.delivery_overdue', $1, $2, $3,
    jsonb_build_object('school_id', $4::uuid::text), $5)
"""


class TestAnnounceOverdue:
    async def test_tells_of_none_that_arrived_and_is_sent_once_more(self, database, now) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")
        async with database.begin(SYSTEM) as tx:
            (made,) = await deliveries.tell(tx, an_event(), agency_id=police)
            again = "UPDATE webhook_deliveries SET delivered_at = created_at, replays_due = 1"
            await tx.connection.execute(again)
        database.clock = lambda: now + timedelta(hours=1)
        assert await self.announced(database, made) == []

    async def test_tells_once_after_a_quarter_of_an_hour(self, database, now) -> None:
        police = await an_agency(database, "police", HOME)
        await an_endpoint(database, police, "https://receiver.example.org/")
        parties = (police, new_id())
        event = an_event().model_copy(update={"told_to": parties})
        async with database.begin(SYSTEM) as tx:
            (made,) = await deliveries.tell(tx, event, agency_id=police)
        database.clock = lambda: now + timedelta(minutes=14, seconds=59)
        assert await self.announced(database, made) == []
        database.clock = lambda: now + timedelta(minutes=15)
        (row,) = await self.announced(database, made)
        assert row["wire_name"] == "webhooks.delivery_overdue"
        assert row["subject_id"] == event.subject_id
        assert row["delivery_id"] == str(made)
        assert set(orjson.loads(row["told_to"])) == {str(party) for party in parties}
        assert len(await self.announced(database, made)) == 1

    async def announced(self, database: Database, delivery_id: UUID) -> list:
        async with database.begin(SYSTEM) as tx:
            await jobs.announce_overdue(tx, {})
            return await tx.connection.fetch(
                "SELECT wire_name, subject_id, data ->> 'delivery_id' AS delivery_id,"
                " told_to::text AS told_to FROM events WHERE data ->> 'delivery_id' = $1",
                str(delivery_id),
            )
