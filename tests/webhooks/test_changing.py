"""What a change of an endpoint, or of a delivery, does to what is under way."""

import asyncio
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs.events import publish
from app.webhooks.operations import deliveries
from tests.access.factories import a_caller
from tests.at_once import all_waiting
from tests.conftest import NOW, calling
from tests.webhooks.test_router import DELIVERIES, PLACE, announced, police, queued, registered
from tests.webhooks.workshop import HOME, an_event, row_of

__all__ = ["police"]


async def test_hears_of_what_it_takes_now_at_once(client, database, settings) -> None:
    county = await a_caller(database, settings, "civil_affairs", HOME)
    made = await registered(client, county, event_types=["duties.*", "webhooks.*"])
    path = made.headers["location"]
    changes = (
        {"event_types": ["webhooks.delivery_overdue", "webhooks.*"]},
        {"event_types": ["duties.*"]},
    )
    for version, change in enumerate(changes, 1):
        headers = {**county.headers, "if-match": f'"{version}"'}
        assert (await client.patch(path, json=change, headers=headers)).status_code == 200
        await announced(database, an_event(region_code=PLACE["region_code"]))
    page = await client.get(DELIVERIES, headers=county.headers)
    assert len(page.json()["items"]) == 1


@pytest.mark.parametrize("change", [{"active": True}, {"url": "https://b.example.org/"}])
async def test_what_waits_for_it_is_due_when_it_is_put_right(
    client, police, database, change
) -> None:
    path = (await registered(client, police, event_types=["webhooks.*"])).headers["location"]
    delivery = await queued(database, police.agency_id)
    async with database.begin(SYSTEM) as tx:
        later = "UPDATE webhook_deliveries SET next_at = next_at + interval '1 day'"
        await tx.connection.execute(later)
    headers = {**police.headers, "if-match": '"1"'}
    assert (await client.patch(path, json=change, headers=headers)).status_code == 200
    assert (await row_of(database, UUID(delivery)))["next_at"] == NOW


async def test_what_is_closed_while_it_is_sent_stays_so(client, police, database) -> None:
    await registered(client, police, event_types=["webhooks.*"])
    delivery = await queued(database, police.agency_id)
    async with database.begin(SYSTEM) as tx:
        leased = "UPDATE webhook_deliveries SET state = 'leased', lease = gen_random_uuid()"
        await tx.connection.execute(leased)
    path, body = f"{DELIVERIES}/{delivery}/closure", {"reason": "已电话告知"}
    assert (await client.post(path, json=body, headers=police.headers)).status_code == 201
    row = await row_of(database, UUID(delivery))
    assert (row["state"], row["lease"]) == ("closed", None), "no result of it counts"


async def test_cannot_switch_off_while_a_report_is_put_on_its_way(
    app, settings, live_database
) -> None:
    """Else it would wait for ever at an endpoint that nobody sends to (REP-07)."""
    police = await a_caller(live_database, settings, "police", HOME)
    async with calling(app, settings, live_database) as client:
        made = await registered(client, police, event_types=["webhooks.*"])
        headers = {**police.headers, "if-match": '"1"'}

        async def off():
            path = made.headers["location"]
            return await client.patch(path, json={"active": False}, headers=headers)

        async def report():
            async with live_database.begin(SYSTEM) as tx:
                said = an_event(event.subject_id)
                await deliveries.tell(tx, said, agency_id=police.agency_id)

        event = an_event()
        async with live_database.begin(SYSTEM) as tx:
            await publish(tx, event)
            waiting = [asyncio.ensure_future(report())]  # it knows by now who takes it
            await all_waiting(live_database, waiting, 1)
            waiting.append(asyncio.ensure_future(off()))
            await all_waiting(live_database, waiting, 2)
        _, answer = await asyncio.gather(*waiting)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/deliveries-open")
