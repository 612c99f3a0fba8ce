"""When the engine runs: on every event a rule names, each night and every five minutes."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.core.jobs.events import Announced
from app.duties import counting, escalating, operations, owners, periodic
from app.duties.rulebook import rules
from app.regions import following
from app.regions.events import RegionReplaced

_MARK: Final = "duties.mark_overdue_in_county"
_ESCALATE: Final = "duties.escalate_in_county"


@events.on_wire_names(*sorted({name for rule in rules().values() for name in rule.listens_to}))
async def weigh_event(tx: Tx, announced: Announced) -> None:
    await operations.weigh_event(tx, announced)


@events.read_by("duties")
def read_by(data: Mapping[str, Any]) -> list[str]:
    """Say who is told what becomes of a duty: who sees those of its rule."""
    rule = rules().get(data["rule"])
    return [] if rule is None else [*rule.seen_by]


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let duties be owed where their place is now; nobody changed them, so the version stays."""
    await following.shift(tx, event, "duties", "region_code", keys=("id", "home_county"))
    gone = "DELETE FROM duty_counts WHERE county_code >= $1 AND county_code < $2"
    await tx.connection.execute(gone, event.old_lo, event.old_hi)  # or both codes are added up


@queue.every("duties.open_period", "5 0 * * *")
async def open_period(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county's duties of this period opened and brought up to date."""
    counties = await operations.counties(tx)
    await queue.enqueue_for(tx.connection, "duties.open_period_in_county", "home_county", counties)


@queue.job("duties.open_period_in_county", of="duties.open_period")
async def open_period_in_county(tx: Tx, payload: dict[str, Any]) -> None:
    """See to the next of a county's children, and queue those after them: the release before sees
    to all of them at once. First let what is owed follow those who moved.
    """
    county = payload["home_county"]
    if "after" not in payload:
        await periodic.follow_children(tx, county)
    children = await periodic.next_children(tx, county, UUID(payload.get("after", queue.FIRST)))
    await periodic.open_period(tx, home_county=county, children=children)
    if len(children) == periodic.SET:
        following_set = {"home_county": county, "after": str(children[-1])}
        await queue.enqueue(tx.connection, "duties.open_period_in_county", [following_set])


@queue.every("duties.find_owners", "*/15 * * * *")
async def find_owners(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county's duties of empty posts owed by whoever is above."""
    counties = await operations.counties(tx)
    await queue.enqueue_for(tx.connection, "duties.find_owners_in_county", "home_county", counties)


@queue.job("duties.find_owners_in_county", of="duties.find_owners")
async def find_owners_in_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Find who owes a batch of a county's; go on while a batch was full."""
    if await owners.find_owners(tx, payload["home_county"]) >= owners.BATCH:
        await queue.enqueue(tx.connection, "duties.find_owners_in_county", [payload])


@queue.every("duties.count", "25 * * * *")
async def count(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county's duties counted, for whoever asks of a larger place."""
    counties = await counting.counties(tx)
    await queue.enqueue_for(tx.connection, "duties.count_county", "county", counties)


@queue.job("duties.count_county", of="duties.count")
async def count_county(tx: Tx, payload: dict[str, Any]) -> None:
    await counting.count_county(tx, payload["county"])


@queue.every("duties.mark_overdue", "*/5 * * * *")
async def mark_overdue(tx: Tx, _: dict[str, Any]) -> None:
    """Have what was due and not done marked in each county where there is some."""
    counties = await escalating.counties_due(tx)
    await queue.enqueue_for(tx.connection, _MARK, "home_county", counties)


@queue.job(_MARK, of="duties.mark_overdue")
async def mark_overdue_in_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Mark a batch of a county's, and queue the next in the same transaction."""
    if await escalating.mark_overdue(tx, payload["home_county"]):
        await queue.enqueue_for(tx.connection, _MARK, "home_county", [payload["home_county"]])


@queue.every("duties.escalate", "*/5 * * * *")
async def escalate(tx: Tx, _: dict[str, Any]) -> None:
    """Have those above told of what is overdue still in each county where it is time."""
    counties = await escalating.counties_waiting(tx)
    await queue.enqueue_for(tx.connection, _ESCALATE, "home_county", counties)


@queue.job(_ESCALATE, of="duties.escalate")
async def escalate_in_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Tell of a batch of a county's, and queue the next in the same transaction."""
    if await escalating.escalate(tx, payload["home_county"]):
        await queue.enqueue_for(tx.connection, _ESCALATE, "home_county", [payload["home_county"]])
