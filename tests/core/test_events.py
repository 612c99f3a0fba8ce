"""What is announced: a fact that stays as it was said, heard by whoever waits for it."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from app.core.data.db import SYSTEM, Database, Tx
from app.core.ids import new_id
from app.core.jobs import bodies, events, queue
from app.core.jobs.events import Announced, Event, publish
from tests import schema
from tests.conftest import NOW
from tests.jobs import run_jobs

VILLAGE = 120119101200
COUNTY = 120119000000


class Happened(Event):
    wire_name: ClassVar[str] = "tests.happened"
    subject: ClassVar[str] = "thing"
    agency_id: UUID


class Undone(Happened):
    wire_name: ClassVar[str] = "tests.undone"


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_handlers", defaultdict(list))
    monkeypatch.setattr(queue, "REGISTRY", {})


def an_event(kind: type[Happened] = Happened, **fields: Any) -> Happened:
    about = {"subject_id": new_id(), "region_code": VILLAGE, "home_county": COUNTY}
    return kind(**{**about, "agency_id": new_id(), **fields})


async def said(database: Database, *what: Event) -> None:
    async with database.begin(SYSTEM) as tx:
        await publish(tx, *what)
    await run_jobs(database)


async def stored(database: Database) -> list[Any]:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch("SELECT * FROM events ORDER BY id")


async def test_it_is_heard_as_it_was_said_by_who_waits_for_its_kind(database: Database) -> None:
    heard: list[Happened] = []

    @events.on(Happened)
    async def note(tx: Tx, happened: Happened) -> None:
        heard.append(happened)

    first, second = an_event(), an_event()
    await said(database, first, an_event(Undone), second)
    assert sorted(heard, key=lambda each: each.event_id) == [first, second]


async def test_no_job_is_queued_for_what_does_not_concern_who_waits(database: Database) -> None:
    first, second = an_event(), an_event()

    @events.on(Happened, concerning=lambda happened: happened.agency_id == second.agency_id)
    async def note(tx: Tx, happened: Happened) -> None: ...

    async with database.begin(SYSTEM) as tx:
        await publish(tx, first, second)
        queued = await tx.connection.fetch("SELECT payload ->> 'event' FROM jobs")
    assert [row[0] for row in queued] == [str(second.event_id)]


async def test_who_hands_out_and_who_works_are_woken(
    live_database: Database, database_urls: schema.Urls
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = await asyncpg.connect(database_urls.app)
    for name in (events.CHANNEL, queue.CHANNEL):
        await listening.add_listener(name, lambda *said: heard.put_nowait(said[2]))
    async with live_database.begin(SYSTEM) as tx:
        await publish(tx, an_event())
    assert {await heard.get(), await heard.get()} == {events.CHANNEL, queue.CHANNEL}
    await listening.close()


async def test_a_package_below_hears_it_with_whom_it_concerns_and_when_it_was(
    database: Database,
) -> None:
    heard: list[Announced] = []

    @events.on_wire_names("tests.happened", "tests.undone")
    async def note(tx: Tx, announced: Announced) -> None:
        heard.append(announced)

    open_to_all, told = an_event(), an_event(Undone, told_to=(new_id(), new_id()))
    await said(database, open_to_all, told)
    assert sorted(heard, key=lambda each: each.event_id) == [
        Announced(
            event_id=each.event_id,
            wire_name=each.wire_name,
            subject_id=each.subject_id,
            region_code=VILLAGE,
            home_county=COUNTY,
            data=each.model_dump(mode="json"),
            told_to=each.told_to,
            occurred_at=NOW,
        )
        for each in (open_to_all, told)
    ]


async def test_it_is_numbered_as_it_was_said(database: Database) -> None:
    subject = new_id()
    last, first = (an_event(subject_id=subject) for _ in range(2))
    said = (first, other := an_event(), last)
    async with database.begin(SYSTEM) as tx:
        numbers = await publish(tx, *said)
        rows = await tx.connection.fetch("SELECT id FROM events ORDER BY n")
    assert numbers == {first.event_id: 1, last.event_id: 2, other.event_id: 1}
    assert [row["id"] for row in rows] == [each.event_id for each in said]
    third, fourth = (an_event(subject_id=subject) for _ in range(2))
    async with database.begin(SYSTEM) as tx:
        assert await publish(tx, third, fourth) == {third.event_id: 3, fourth.event_id: 4}


async def test_who_may_be_told_stands_beside_what_is_told_and_not_in_it(
    database: Database,
) -> None:
    parties = (new_id(), new_id())
    await said(database, an_event(told_to=parties))
    (row,) = await stored(database)
    assert set(row["data"]) == {"subject_id", "region_code", "home_county", "agency_id"}
    assert row["told_to"] == [str(party) for party in parties]


async def test_to_name_nobody_is_another_thing_than_to_name_no_one_in_particular(
    database: Database,
) -> None:
    await said(database, an_event(), an_event(told_to=()))
    assert [row["told_to"] for row in await stored(database)] == [None, []]


def test_it_stays_as_it_was_said() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        an_event().region_code = COUNTY


@pytest.mark.parametrize("field", ["region_code", "home_county"])
@pytest.mark.parametrize("code", [-1, 10**12])
def test_it_happened_at_a_place_that_can_be(field: str, code: int) -> None:
    with pytest.raises(ValidationError, match=field):
        an_event(**{field: code})


def test_a_code_is_a_word_on_the_wire_and_a_closed_list_to_the_rules() -> None:
    class Coded(BaseModel):
        channel: Annotated[Literal["phone", "video"], events.CODE]

    assert Coded.model_json_schema()["properties"]["channel"] == {
        "title": "Channel",
        "type": "string",
        "maxLength": 40,
        "pattern": bodies.WORD,
    }
    with pytest.raises(ValidationError):
        Coded(channel="pigeon")  # type: ignore[arg-type]
