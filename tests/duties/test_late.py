"""What falls due is marked and told in order, county by county."""

import pytest

from app.core.data.db import SYSTEM
from app.duties import escalating
from tests.children.factories import a_child
from tests.duties.conftest import VILLAGE
from tests.duties.factories import announce, ledger, work
from tests.duties.test_operations import _mark_overdue, _open_period, _run


@pytest.mark.usefixtures("child")
async def test_is_late_since_it_was_due_however_often_it_is_told(database, time) -> None:
    """Whoever changes it by what they read before it was told is refused: the version."""
    await _open_period(database)
    (opened,) = await ledger(database)
    time.set(2027, 1, 1)
    await _mark_overdue(database)
    (marked,) = [duty for duty in await ledger(database) if duty["id"] == opened["id"]]
    late_since = time.now
    time.set(2027, 1, 9)
    await _run(database, "duties.escalate")
    (told,) = [duty for duty in await ledger(database) if duty["id"] == opened["id"]]
    assert told["escalated"] == marked["escalated"] + 1
    assert (marked["overdue_at"], told["overdue_at"]) == (late_since, late_since)
    versions = [duty["version"] for duty in (opened, marked, told)]
    assert versions == sorted({*versions})


async def test_is_seen_to_county_by_county(database, time) -> None:
    """What one county has to be told of waits for no other, and is told in no other's job."""
    children = [await a_child(database, at) for at in (VILLAGE, 130102001001)]
    for child in children:
        await announce(database, "police_reports.report_filed", child=child)
    await work(database)
    time.set(2026, 11, 21)
    theirs, others = (child.home_county for child in children)
    states = "SELECT home_county, state, escalated FROM duties WHERE rule = 'REP-07'"
    async with database.begin(SYSTEM) as tx:
        await escalating.mark_overdue(tx, theirs)
        rows = {row["home_county"]: row["state"] for row in await tx.connection.fetch(states)}
        assert rows == {theirs: "overdue", others: "open"}
        await escalating.mark_overdue(tx, others)
        await tx.connection.execute("UPDATE duties SET escalated = 1, escalates_at = due_at")
        before = {row["home_county"]: row for row in await tx.connection.fetch(states)}
        await tx.connection.execute("UPDATE duties SET escalates_at = $1", tx.now)
        await escalating.escalate(tx, theirs)
        still = "SELECT home_county FROM duties WHERE escalates_at = $1 AND rule = 'REP-07'"
        waiting = {row["home_county"] for row in await tx.connection.fetch(still, tx.now)}
    assert before.keys() == {theirs, others}
    assert waiting == {others}


async def test_what_was_due_first_is_marked_first(database, child, time, monkeypatch) -> None:
    """Where more falls due than a batch, it is the latest that wait."""
    monkeypatch.setattr(escalating, "BATCH", 1)
    for minute in (20, 10, 30):
        time.set(2026, 11, 20, 1, minute)
        await announce(database, "police_reports.report_filed", child=child)
        await work(database)
    time.set(2026, 11, 21)
    for marked in (1, 2):
        async with database.begin(SYSTEM) as tx:
            assert await escalating.mark_overdue(tx, child.home_county)
        states = [duty["state"] for duty in await ledger(database, "REP-07")]
        assert states == ["overdue"] * marked + ["open"] * (3 - marked)
