"""Events of packages above duties, as those announce them."""

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from app.children.queries import ChildRef
from app.core.data.db import SYSTEM, Database, Tx
from app.core.ids import new_id
from app.core.jobs import events
from app.core.jobs.events import Event
from app.duties import escalating
from tests.jobs import run_jobs

TRIED = ("VIS-01", "VIS-03", "EDU-04", "REP-07", "REP-14")
"""The rules these tests are about: a rule that opens on the same events changes none of them."""


class Announcement(Event):
    """Any event: the wire name and fields are given by the test."""

    model_config: ClassVar[Any] = {"extra": "allow", "frozen": True}
    wire_name: str = ""  # type: ignore[misc]
    sections: tuple[str, ...] = ()


async def announce(
    database: Database,
    wire_name: str,
    *,
    child: ChildRef,
    subject_id: UUID | None = None,
    **data: Any,
) -> UUID:
    """Publish an event about a child; returns its subject."""
    subject = subject_id or new_id()
    event = Announcement(
        wire_name=wire_name,
        subject_id=subject,
        region_code=child.region_code,
        home_county=child.home_county,
        child_id=str(child.id),
        **data,
    )
    async with database.begin(SYSTEM) as tx:
        await events.publish(tx, event)
    return subject


async def visited(database: Database, child: ChildRef, on: date, **data: Any) -> UUID:
    """Announce a visit of the child director on site."""
    fields = {"channel": "in_person", "visitor_type": "child_director", "day_known": True, **data}
    name = fields.pop("wire_name", "visits.visit_recorded")
    return await announce(database, name, child=child, visited_on=on.isoformat(), **fields)


async def work(database: Database) -> None:
    """Run the jobs of duties alone: what others make of these events is theirs to test."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM jobs WHERE name NOT LIKE 'duties.%'")
    await run_jobs(database)


async def mark_overdue(tx: Tx) -> None:
    """Mark whatever is due by now, in every county."""
    for county in await escalating.counties_due(tx):
        while await escalating.mark_overdue(tx, county):
            pass


async def ledger(database: Database, rule: str | None = None) -> list[dict[str, Any]]:
    """All duties (of a rule) that are tried, as stored, oldest deadline first."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT * FROM duties WHERE rule = ANY ($1) ORDER BY due_at, id",
            [rule] if rule else TRIED,
        )
    return [dict(row) for row in rows]
