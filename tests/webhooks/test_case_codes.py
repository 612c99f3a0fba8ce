"""What an event says of a case is sealed under the key of whom it is about, and so is what is sent
of it.
"""

from collections import defaultdict
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import pytest

from app.core.data import former, keys, resealing
from app.core.data.db import SYSTEM, Database
from app.core.data.envelopes import of_child, owner_of
from app.core.ids import new_id
from app.core.jobs import bodies, events, queue
from app.core.jobs.case_codes import fields_of, with_codes
from app.referrals.events import SituationFound
from app.webhooks import claiming
from app.webhooks.models import body_of
from app.webhooks.operations import deliveries, fan_out
from tests.access.factories import an_agency
from tests.children.factories import a_child
from tests.former import left
from tests.jobs import run_jobs
from tests.webhooks.workshop import HOME, an_endpoint, row_of

CODE = b"domestic_violence"


def found(child_id: UUID) -> SituationFound:
    about = {"subject_id": new_id(), "region_code": HOME, "home_county": HOME // 10**6 * 10**6}
    ids = dict.fromkeys(("from_id", "to_id", "agency_id", "change_id"), new_id())
    return SituationFound(**about, **ids, child_id=child_id, known_to=(), found=[CODE.decode()])


async def told(database: Database) -> tuple[UUID, UUID, UUID]:
    """Announce that something was found and hand it out: the child's id, the event's, and that of
    a delivery of it.
    """
    agency = await an_agency(database, "civil_affairs", HOME)
    await an_endpoint(database, agency, "http://127.0.0.1:9", event_types=("referrals.*",))
    child = await a_child(database, HOME)
    event = found(child.id)
    async with database.begin(SYSTEM) as tx:
        await events.publish(tx, event)
        await fan_out.hand_out(tx, 10)
        sql = "SELECT id FROM webhook_deliveries WHERE event_id = $1"
        return child.id, event.event_id, await tx.connection.fetchval(sql, event.event_id)


async def erase(database: Database, child_id: UUID) -> None:
    async with database.begin(SYSTEM) as tx:
        sql = "UPDATE child_keys SET wrapped = $2 WHERE child_id = $1"
        await tx.connection.execute(sql, child_id, keys.ERASED)


async def stored(database: Database, event_id: UUID) -> tuple[Any, dict[str, Any]]:
    """Return an event as it is stored, and what it says."""
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM events WHERE id = $1", event_id)
        [opened] = await with_codes(tx, [row])
    return row, opened["data"]


async def claimed(database: Database) -> list[dict[str, Any]]:
    async with database.begin(SYSTEM) as tx:
        room = claiming.Room(9, 9, 9)
        return await claiming.claim(tx, former.LATER, room, {})


async def test_it_lies_sealed_and_goes_out_whole(live) -> None:
    child_id, event_id, delivery_id = await told(live)
    row, said = await stored(live, event_id)
    assert "found" not in row["data"]
    assert said["found"] == [CODE.decode()]
    assert owner_of(row["codes_sealed"]) == of_child(child_id)
    delivery = await row_of(live, delivery_id)
    assert CODE not in delivery["body"]
    assert owner_of(delivery["body"]) == of_child(child_id)
    [sent] = await claimed(live)
    assert CODE in sent["body"]


async def test_whose_key_is_gone_of_them_nothing_is_sent(live) -> None:
    child_id, event_id, delivery_id = await told(live)
    await erase(live, child_id)
    assert await claimed(live) == []
    assert (await row_of(live, delivery_id))["state"] == "withheld"
    _, said = await stored(live, event_id)
    assert "found" not in said
    assert said["child_id"] == str(child_id)


async def test_one_that_waits_as_its_key_goes_is_handed_out_without(live) -> None:
    child_id, *_ = await told(live)
    again = found(child_id)
    async with live.begin(SYSTEM) as tx:
        await events.publish(tx, again)
    await erase(live, child_id)
    async with live.begin(SYSTEM) as tx:
        assert await fan_out.hand_out(tx, 10) == fan_out.Pass(1, 1)
        sql = "SELECT body, event_id FROM webhook_deliveries WHERE event_id = $1"
        body = body_of(tx.keyring, await tx.connection.fetchrow(sql, again.event_id))
    assert str(child_id).encode() in body
    assert CODE not in body


async def test_nothing_follows_from_what_was_erased(live, monkeypatch) -> None:
    monkeypatch.setattr(events, "_handlers", defaultdict(list))
    monkeypatch.setattr(queue, "REGISTRY", {})
    heard: list[Any] = []

    @events.on(SituationFound)
    async def one(_: Any, event: SituationFound) -> None:
        heard.append(event.found)

    @events.on_wire_names(SituationFound.wire_name)
    async def other(_: Any, announced: events.Announced) -> None:
        heard.append(announced.data["found"])

    child_id, *_ = await told(live)
    await run_jobs(live)
    assert heard == [[CODE.decode()]] * 2
    async with live.begin(SYSTEM) as tx:
        await events.publish(tx, found(child_id))
    await erase(live, child_id)
    await run_jobs(live)
    assert len(heard) == 2


async def test_what_a_release_before_left_in_the_clear_is_sealed(
    live, database_urls, clock
) -> None:
    await left(database_urls.owner, clock())
    child_id, event_id, delivery_id = await told(live)
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("DELETE FROM former_release")
    await owner.close()
    row, _ = await stored(live, event_id)
    assert (row["codes_sealed"], row["data"]["found"]) == (None, [CODE.decode()])
    assert CODE in (await row_of(live, delivery_id))["body"]
    wanted = [each for each in resealing.IN_PLAIN if each.table in {"events", "webhook_deliveries"}]
    ring = Database(live.engine, live.keyring, clock)
    for plain in wanted:
        async with ring.begin(SYSTEM) as tx:
            await tx.connection.execute("RESET ROLE")
            some = await tx.connection.fetch(f"SELECT t.* FROM {plain.table} t")
            owners = [plain.owner(tx.keyring, each) for each in some]
            assert owners == [of_child(child_id)]
            await keys.load(tx, [each for each in owners if each])
            new = plain.anew(tx, some[0])
            assert owner_of(new[plain.column]) == of_child(child_id)
            assert CODE not in b"".join(
                each if isinstance(each, bytes) else each.encode() for each in new.values()
            )


async def test_what_is_mandatory_tells_of_no_case(live) -> None:
    child = await a_child(live, HOME)
    async with live.begin(SYSTEM) as tx:
        with pytest.raises(events.BadEvent, match="tells of a case"):
            await deliveries.tell(tx, found(child.id), agency_id=new_id())


def test_a_list_of_codes_is_of_a_case_and_says_whose() -> None:
    class Said(events.Event):
        subject: ClassVar[str] = "thing"
        kinds_of_it: list[bodies.Code]
        one: bodies.Code = "a"

    assert fields_of(Said) == {"kinds_of_it"}
    with pytest.raises(events.BadEvent, match="not whose"):

        class Unowned(Said):
            __module__ = "app.tests"
            wire_name: ClassVar[str] = "tests.unowned"
