"""Whom a report concerns is told what happens to it, and nobody else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.police_reports import jurisdiction, rules


async def announce(
    tx: Tx,
    kind: type[spine.Event],
    report: Mapping[str, Any],
    *,
    beside: Mapping[str, Any] | None = None,
    also: Sequence[UUID] = (),
    only: Sequence[UUID] | None = None,
    **fields: Any,
) -> None:
    """Publish an event to the parties of a report, and to nobody else (AZ-8). Whoever
    filed it hears that it was, and its results (`ResultTold`); to those alone that
    have a part in another `beside` it, too; `also` to these, or to these `only`.
    """
    offices = await jurisdiction.offices(tx, report)
    told = about(report, offices, fields.get("police_agency_id"), *also)
    if only is not None:
        told["told_to"] = tuple(only)
    if beside is not None:
        there = await parties(tx, beside)
        told["told_to"] = tuple(party for party in told["told_to"] if party in there)
    await spine.publish(tx, kind(**told, **fields))


async def parties(tx: Tx, report: Mapping[str, Any]) -> tuple[UUID, ...]:
    """Return who hears of a report, but for who filed it."""
    told: tuple[UUID, ...] = about(report, await jurisdiction.offices(tx, report))["told_to"]
    return told


def about(
    report: Mapping[str, Any], offices: rules.Offices, *others: UUID | None
) -> dict[str, Any]:
    """Return what every event about a report says: the report, its place, and who is told of it."""
    # A township that was told before somebody was accused without a clear name hears no more.
    township = None if report["hidden_below"] else report["township_agency_id"]
    parties = (
        *(report["police_agency_id"], township),
        *(*report["also_told"], *others),
    )
    return {
        "subject_id": report["id"],
        "region_code": report["region_code"],
        "home_county": report["home_county"],
        "told_to": offices.told(*parties, hidden=report["hidden_from"]),
    }
