"""What only grows goes when it is old, batch by batch, and an open case loses nothing."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.children.queries import ChildRef
from app.core.clock import utc_now
from app.core.data import retention, sql
from app.core.data.db import SYSTEM, Database, Tx
from app.core.data.retention import KINDS
from app.core.ids import new_id
from app.core.jobs import queue
from app.policy import operations
from app.policy.queries import values
from tests.conftest import NOW, VILLAGE, undone
from tests.jobs import run_jobs
from tests.matrix import rows
from tests.matrix.facts import Target
from tests.matrix.stage import a_person, an_agency
from tests.recorder import QueryRecorder
from tests.waiting import PATIENCE

NIGHT = datetime.fromisoformat("2030-12-01T02:00:00+08:00").astimezone(UTC)  # as clocks tell it
OLD = NOW - timedelta(days=1)
COUNTY = 120119000000


async def an_event(tx: Tx, subject: UUID, *, at: datetime = OLD, **fields: Any) -> UUID:
    """Store an event that was handed out."""
    chosen, place = new_id(), await tx.connection.fetchval("SELECT count(*) + 1 FROM events")
    said = {"wire_name": "tests.happened", "data": "{}", "position": place, **fields}
    where = {"region_code": VILLAGE, "place": VILLAGE, "home_county": COUNTY}
    row = {"id": chosen, "subject_id": subject, "occurred_at": at, "sequence": 1, **where, **said}
    await sql.insert(tx.connection, "events", row)
    named = {"agency_id": new_id(), "position": place, "relation": "any", "event_id": chosen}
    await sql.insert(tx.connection, "event_named", named)
    return chosen


async def forget(tx: Tx, table: str) -> int:
    """Delete all that is due; returns how many rows went."""
    deleted, after = 0, None
    while True:
        batch = await operations.forget(tx, KINDS[table], after=after)
        deleted, after = deleted + batch.deleted, batch.last
        if after is None:
            return deleted


async def left(tx: Tx, table: str) -> set[Any]:
    return {row["id"] for row in await tx.connection.fetch(f"SELECT id FROM {table}")}


@pytest.fixture
async def ids(database: Database, child: ChildRef) -> Mapping[str, UUID]:
    """A child with an alert, a referral, a report, a question, duties and a delivery, all of them
    open, four years ago; their ids.
    """
    known: defaultdict[str, UUID] = defaultdict(new_id, child_id=child.id)
    nothing: dict[str, Any] = {"before": None, "passed_on_by": None, "suspect": None}
    nothing |= {"accused_before": None, "unclear_whom": False, "overseer": None, "told_to": None}
    nothing |= {"addressed": (), "opened_as": "hospital"}
    async with database.begin(SYSTEM) as tx:
        agency, police = (an_agency(tx, kind, COUNTY) for kind in ("school", "police"))
        await tx.flush()
        places = {"region": VILLAGE, "scene": VILLAGE, "owner_region": COUNTY}
        whose = {"owner": agency, "school": agency, "police": police, "reporter": agency}
        whose["opener"] = a_person(tx, agency, COUNTY)
        await tx.flush()
        target = Target(label="here", **places, **whose, **nothing, ids=known)
        await rows.store(tx, target, child)
    database.clock = lambda: NIGHT
    return known


ENDS = {
    "alert": "UPDATE dropout_alerts SET state = 'closed', ended_on = '2026-11-30'",
    "called for": "UPDATE duties SET state = 'cancelled' WHERE period = ''",
    "every quarter": "UPDATE duties SET state = 'cancelled' WHERE period <> ''",
    "referral": "UPDATE referrals SET state = 'cancelled'",
    "report": "UPDATE police_reports SET state = 'closed'",
    "question": "UPDATE unresolved SET state = 'dismissed', settled_at = now()",
    "delivery": "UPDATE webhook_deliveries SET delivery_class = 'S', state = 'succeeded'",
    "dead letter": "UPDATE webhook_deliveries SET delivery_class = 'S', state = 'succeeded'",
    "mandatory": "UPDATE webhook_deliveries SET delivery_class = 'S', state = 'succeeded'",
    "job": "DELETE FROM jobs",
}
"""How each case is over."""
EARLIER = "UPDATE dropout_alerts SET state = 'absent'"
LATE = "UPDATE duties SET state = 'overdue', overdue_at = due_at WHERE state = 'open'"
STATED = """
UPDATE police_reports SET stated_child_id = child_id, child_id = NULL, child_county = NULL
"""


async def test_an_event_stays_as_long_as_anything_it_is_about_is_open(
    database: Database, ids: Mapping[str, UUID]
) -> None:
    named = {"data": orjson.dumps({"child_id": str(ids["child_id"])}).decode()}
    async with database.begin(SYSTEM) as tx:
        of_child = await an_event(tx, ids["child_id"])
        names_child = await an_event(tx, new_id(), **named)
        since = await an_event(tx, ids["child_id"], at=NOW + timedelta(hours=1))
        of_alert, of_referral = [await an_event(tx, ids[f"{k}_id"]) for k in ("alert", "referral")]
        of_question = await an_event(tx, ids["unresolved_id"])
        told, handled, awaited, _ = [
            await an_event(tx, new_id()) for _ in range(4)
        ]  # one that nothing keeps
        for_ever = {
            await an_event(tx, ids["report_id"]),
            await an_event(tx, ids["duty_id"]),
            await an_event(tx, new_id(), wire_name="visits.finding_looked_at"),
            await an_event(tx, new_id(), wire_name="visits.finding_left_open"),
            await an_event(tx, new_id(), position=None),
            await an_event(tx, new_id(), at=NIGHT - timedelta(days=1096)),
        }
        await tx.connection.execute("UPDATE webhook_deliveries SET event_id = $1", told)
        about = {"event": str(handled)}
        await queue.hold(tx.connection, "visits.tell_followed_up", about, "KeyError")
        waiting = [{"event": str(awaited)}]
        await queue.enqueue(tx.connection, "visits.tell_followed_up", waiting)

    child = {of_child, names_child, since}
    cases: list[tuple[str, str, set[UUID]]] = [
        ("alert", "", {of_alert, *child}),
        ("alert", EARLIER, {of_alert, *child}),
        ("called for", "", {of_alert, *child}),
        ("called for", LATE, {of_alert, *child}),
        ("every quarter", "", {since}),
        ("referral", "", {of_referral, *child}),
        ("referral", "UPDATE referrals SET state = 'accepted'", {of_referral, *child}),
        ("report", "", child),
        ("report", STATED, child),
        ("question", "", {of_question}),
        ("delivery", "UPDATE webhook_deliveries SET delivery_class = 'S'", {told}),
        (
            "dead letter",
            f"{ENDS['delivery']}; UPDATE webhook_deliveries SET state = 'exhausted'",
            {told},
        ),
        ("mandatory", "UPDATE webhook_deliveries SET state = 'succeeded'", {told}),
        ("job", "", {handled, awaited}),
    ]
    for case, before, stays in cases:
        async with undone(database), database.begin(SYSTEM) as tx:
            for end in ENDS.values():
                if end != ENDS[case]:
                    await tx.connection.execute(end)
            await tx.connection.execute(before or "SELECT")
            await forget(tx, "events")
            assert await left(tx, "events") == for_ever | stays, (case, before)
            await tx.connection.execute(ENDS[case])
            assert await forget(tx, "events") == len(stays), (case, before)
            assert await left(tx, "events") == for_ever


def test_how_long_each_kind_is_kept_names_its_law() -> None:
    said = [value for value in values() if value.name.startswith("retention.")]
    assert {value.name for value in said} == {kind.parameter for kind in KINDS.values()}
    assert [value.name for value in said if not re.search(r"法|条例", value.citation)] == []
    assert [value.name for value in said if "Art. " not in value.citation] == []


async def test_attempts_and_deliveries_go_when_nobody_needs_them(
    database: Database, ids: Mapping[str, UUID]
) -> None:
    both = "UPDATE webhook_deliveries SET state = $1, delivery_class = $2"
    needed = (("succeeded", "M"), ("exhausted", "S"), ("pending", "S"))
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_deliveries SET ordering_key = $1", new_id())
        for needs in needed:
            await tx.connection.execute(both, *needs)
            assert await forget(tx, "webhook_deliveries") == 0, needs
        delivery = await tx.connection.fetchrow("SELECT * FROM webhook_deliveries")
        whose = {"delivery_id": delivery["id"], "agency_id": delivery["agency_id"], "key_ids": []}
        said = {"number": 1, "trigger": "auto", "duration_ms": 1, "response_truncated": False}
        row = {"id": new_id(), "started_at": NOW, **said, **whose}
        await sql.insert(tx.connection, "webhook_attempts", row)
        for needs in needed:
            await tx.connection.execute(both, *needs)
            assert await forget(tx, "webhook_attempts") == 0, needs
        await tx.connection.execute(ENDS["delivery"])
        assert await forget(tx, "webhook_deliveries") == 0  # while an attempt tells of it
        assert await forget(tx, "webhook_attempts") == 1
        assert await forget(tx, "webhook_deliveries") == 1


@pytest.mark.parametrize("case", ["report", "alert", "referral"])
async def test_what_was_told_of_an_open_case_stays(
    database: Database, ids: Mapping[str, UUID], case: str
) -> None:
    async with database.begin(SYSTEM) as tx:
        for end in (ENDS[name] for name in ENDS if name != case):
            await tx.connection.execute(end)
        about = "UPDATE webhook_deliveries SET ordering_key = $1 RETURNING id, agency_id"
        [delivery] = await tx.connection.fetch(about, ids[f"{case}_id"])
        whose = {"delivery_id": delivery["id"], "agency_id": delivery["agency_id"], "key_ids": []}
        said = {"number": 1, "trigger": "auto", "duration_ms": 1, "response_truncated": False}
        row = {"id": new_id(), "started_at": NOW, **said, **whose}
        await sql.insert(tx.connection, "webhook_attempts", row)
        assert await forget(tx, "webhook_attempts") == 0
        await tx.connection.execute("DELETE FROM webhook_attempts")
        assert await forget(tx, "webhook_deliveries") == 0
        await sql.insert(tx.connection, "webhook_attempts", row)
        await tx.connection.execute(ENDS[case])
        assert await forget(tx, "webhook_attempts") == 1
        assert await forget(tx, "webhook_deliveries") == 1


async def test_what_contradicts_stays_as_long_as_the_child_is_sought(
    database: Database, ids: Mapping[str, UUID], child: ChildRef
) -> None:
    said = {"agency_id": new_id(), "source": "school", "event_id": "1", "batch_id": new_id()}
    digest = {"content_sha256": b"-", "received_at": NOW}
    below = {"child_id": child.id, "home_county": child.home_county, "region_code": VILLAGE}
    async with database.begin(SYSTEM) as tx:
        spoken = {"category": "unexcused", "session": "morning", "school_day": NOW.date()}
        event = {"id": new_id(), **said, **digest, **below, **spoken}
        event |= {"happened_at": NOW, "sequence": 1}
        await sql.insert(tx.connection, "attendance_events", event)
        against = {"id": new_id(), **said, **digest, "said_sealed": b"-"}
        await sql.insert(tx.connection, "attendance_contradictions", against)
        cases = ("alert", "called for", "report", "referral")
        otherwise = (("alert", EARLIER), ("called for", LATE), ("report", STATED))
        for case, before in (*((each, "SELECT") for each in cases), *otherwise):
            async with tx.connection.transaction():
                await tx.connection.execute("SAVEPOINT all_open")
                for each in cases:
                    await tx.connection.execute(before if each == case else ENDS[each])
                assert await forget(tx, "attendance_contradictions") == 0, case
                await tx.connection.execute(ENDS[case])
                assert await forget(tx, "attendance_contradictions") == 1, case
                await tx.connection.execute("ROLLBACK TO SAVEPOINT all_open")


async def test_a_batch_is_bounded_begins_after_the_last_and_finds_nothing_twice(
    database: Database, queries: QueryRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    database.clock = lambda: NIGHT
    async with database.begin(SYSTEM) as tx:
        waits = [await an_event(tx, new_id(), position=None) for _ in range(2)]
        for _ in range(3):
            await an_event(tx, new_id())
        young = [await an_event(tx, new_id(), at=NIGHT) for _ in range(4)]
        queries.clear()
        kind, after, each = KINDS["events"], None, []
        while after is not None or not each:
            batch = await operations.forget(tx, kind, after=after)
            after = batch.last
            each.append(batch.deleted)
        assert each == [0, 2, 1, 0, 0]  # those that stay, two, one beside a young one, young ones
        assert len(queries) == 2 * len(each)
        assert await left(tx, "events") == {*waits, *young}
        named = await tx.connection.fetch("SELECT event_id FROM event_named")
        assert {row["event_id"] for row in named} == {*waits, *young}
        assert await forget(tx, "events") == 0


async def test_at_night_all_that_is_due_goes_and_in_the_morning_no_more_is_begun(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await keys(database, NOW, 5)
    database.clock = lambda: NIGHT
    await keys(database, NIGHT - timedelta(days=29), 1)
    database.clock = lambda: NIGHT + timedelta(hours=4)
    await run(database)
    assert await count(database) == 4
    database.clock = lambda: NIGHT
    done = await run(database)
    assert await count(database) == 1
    assert done.count("policy.forget") == len(KINDS) + 1  # three go in two batches


async def test_at_night_what_stays_is_passed_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    database.clock = lambda: NIGHT
    async with database.begin(SYSTEM) as tx:
        waits = [await an_event(tx, new_id(), position=None) for _ in range(4)]
        await an_event(tx, new_id())
    async with asyncio.timeout(PATIENCE):
        done = await run(database)
    assert done.count("policy.forget") == len(KINDS) + 2
    async with database.begin(SYSTEM) as tx:
        assert await left(tx, "events") == {*waits}


async def keys(database: Database, at: datetime, number: int) -> None:
    """Keep answers to that many requests of a moment, a second after one another."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO idempotency_keys (caller, operation, key, body_sha256, created_at)"
            " SELECT 'test', 'test', gen_random_uuid()::text, '', at FROM generate_series("
            " $1::timestamptz, $1::timestamptz + $2 * interval '1 second', '1 second') AS at",
            at,
            number - 1,
        )


async def count(database: Database) -> int:
    async with database.begin(SYSTEM) as tx:
        found: int = await tx.connection.fetchval("SELECT count(*) FROM idempotency_keys")
        return found


async def run(database: Database) -> list[str]:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "policy.begin_forgetting", [{}])
    return await run_jobs(database)


async def test_nobody_who_writes_waits_for_it_nor_it_for_them(live_database: Database) -> None:
    later = Database(live_database.engine, live_database.keyring, lambda: NIGHT)
    await keys(live_database, NOW, 3)
    hold = "UPDATE idempotency_keys SET answer = '' WHERE created_at = $1"
    async with asyncio.timeout(PATIENCE), later.begin(SYSTEM) as writer:
        await writer.connection.execute(hold, NOW + timedelta(seconds=1))
        async with later.begin(SYSTEM) as tx:
            assert await forget(tx, "idempotency_keys") == 2  # the one that is held is passed over
            async with later.begin(SYSTEM) as other:  # a second run beside it has nothing to do
                assert await forget(other, "idempotency_keys") == 0
            await keys(live_database, NOW, 1)
            await writer.connection.execute(hold, NOW + timedelta(seconds=1))
    assert await count(live_database) == 2


_SAID = """
INSERT INTO events
    (id, wire_name, subject_id, region_code, home_county, data, occurred_at, position)
VALUES ($1, 'x', $1, 1, 1, '{}', $2, $3)
"""


async def test_it_is_told_how_much_is_due_what_stays_and_since_when(database, monkeypatch) -> None:
    """An operator decides by it: what stays is not due, and the oldest comes first."""
    kind = retention.KINDS["events"]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM events")
        for minutes, position in ((3, 1), (2, None), (1, None)):
            then = tx.now - timedelta(minutes=minutes)
            await tx.connection.execute(_SAID, new_id(), then, position)
        before = utc_now() + timedelta(days=1)
        told = await retention.figures(tx.connection, kind, before)
        assert (told["due"], told["stay"], told["more"]) == (1, 2, False)
        assert told["oldest"] == tx.now - timedelta(minutes=3)
        monkeypatch.setattr(retention, "LOOKED_AHEAD", 2)
        told = await retention.figures(tx.connection, kind, before)
        assert (told["due"], told["stay"], told["more"]) == (1, 1, True)
