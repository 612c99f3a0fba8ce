"""Whom a referral concerns is told what happens to it."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from app.core.data import keys
from app.core.data.db import Tx
from app.core.jobs.events import Event
from app.referrals.models import codes

AnyEvent = TypeVar("AnyEvent", bound=Event)
_HIDDEN: Final = """
SELECT coalesce(array_agg(agency), '{}') FROM hidden_subjects h, unnest(h.hidden_from) AS agency
WHERE h.subject_id IN ($1, $2)
"""


async def about(tx: Tx, kind: type[AnyEvent], row: Mapping[str, Any], **facts: Any) -> AnyEvent:
    """Make an event about a referral. What came of a report is told to its parties alone, and to
    none of whom it is hidden from by now (AZ-8).
    """
    told = row["told_to"]
    if told is not None:
        async with tx.as_system():
            hidden = await tx.connection.fetchval(_HIDDEN, row["id"], row["source_id"])
        parties = {*told, row["from_id"], row["to_id"]}
        told = tuple(sorted(parties.difference(hidden)))
    return kind(
        subject_id=row["id"],
        **{name: row[name] for name in ("region_code", "home_county", "child_id")},
        **{name: row[name] for name in ("from_id", "to_id")},
        known_to=tuple(sorted({row["from_id"], row["to_id"]})),
        told_to=told,
        **facts,
    )


async def owed(tx: Tx, kind: type[AnyEvent], row: Mapping[str, Any]) -> AnyEvent:
    """Make an event that says what is asked of whom."""
    await keys.of_rows(tx, [row])
    said = {name: row[name] for name in ("to_kind", "waits", "due_at")}
    said["needs"] = codes(tx.keyring, row, "needs")
    return await about(tx, kind, row, **said)
