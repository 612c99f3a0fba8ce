"""Print what a row of each kind takes on disk, and what a province and the nation would.

python -m tests.plans.sizes                    of a register of 50,000 children, kept between runs
TONGHU_PLANS=200000 python -m tests.plans.sizes

What a child makes in a year (`A_YEAR`) is assumed, and stands here to be argued with; bytes are
measured, with their indexes; what is deleted when it is old goes by the policy's own days.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import asyncpg

from app import wiring
from app.core.data import distribution, retention
from app.policy import queries as policy
from tests.plans import world

YEARS: Final = 10
"""After so many years it is asked what there is: of what is kept for ever, all of them."""
REGISTERS: Final = {"a province": 10_000_000, "the nation": 260_000_000}

STANDING: Final = {
    "children": 1.0,
    "child_enrolments": 1.5,
    "child_facts": 3.0,
    "child_stays": 0.2,
    "child_external_ids": 1.0,
    "resident_ids": 1.0,
    "child_names": 6.2,  # of three characters mostly
    "subject_sequences": 1.0,
}
"""Rows that each child has at any time."""
A_YEAR: Final = {
    "visits": 4.0,  # each quarter (VIS-01)
    "visit_versions": 0.2,
    "duties": 6.0,  # a visit a quarter, a confirmation, and what events call for
    "duty_evidence": 5.0,
    "confirmations": 1.0,
    "child_changes": 3.0,
    "attendance_events": 6.0,  # 60 % at school, 200 days, 5 % of them said to be absent
    "attendance_slots": 6.0,
    "attendance_rolls": 3.0,  # classes of 40 called in full
    "attendance_batches": 0.3,  # a school of 330 sends one a day
    "dropout_alerts": 0.01,
    "police_reports": 0.001,
    "police_report_steps": 0.01,
    "police_reporters": 0.001,
    "referrals": 0.02,
    "unresolved": 0.02,
    "unresolved_evidence": 0.02,
    "events": 25.0,  # each visit, duty opened and done, change, confirmation; batches
    "event_named": 25.0,
    "subject_sequences": 12.0,
    "audit_entries": 40.0,  # each of the above written, and as often looked at
    "audit_children": 40.0,
    "audit_leaves": 40.0,
    "webhook_deliveries": 10.0,
    "webhook_attempts": 11.0,
    "idempotency_keys": 20.0,
}
"""Rows that come of each child in a year."""

_SIZES: Final = """
SELECT c.relname::text AS name, sum(greatest(p.reltuples, 0))::bigint AS rows,
    sum(pg_table_size(p.oid))::bigint AS heap, sum(pg_indexes_size(p.oid))::bigint AS indexes
FROM pg_class c CROSS JOIN LATERAL (
    SELECT c.oid WHERE c.relkind = 'r' UNION ALL
    SELECT t.relid FROM pg_partition_tree(c.oid) AS t WHERE c.relkind = 'p' AND t.isleaf
) AS part (oid) JOIN pg_class p ON p.oid = part.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
"""
_FEW: Final = 200
"""Of fewer rows, pages that are not full say more than the rows."""


class Size(NamedTuple):
    """Bytes a row of a table takes: itself, with what lies apart of it, and in indexes."""

    heap: float
    indexes: float

    @property
    def all(self) -> float:
        return self.heap + self.indexes


async def measured(owner_url: str) -> dict[str, Size]:
    """Return the bytes of a row of each table that has enough of them."""
    connection = await asyncpg.connect(owner_url)
    rows = await connection.fetch(_SIZES)
    await connection.close()
    return {
        row["name"]: Size(row["heap"] / row["rows"], row["indexes"] / row["rows"])
        for row in rows
        if row["rows"] >= _FEW
    }


def kept_years(table: str, days: Mapping[str, int]) -> float:
    """Return for how many of the YEARS what a table gets in one is there at their end."""
    return min(days[table] / 365, YEARS) if table in days else YEARS


def bytes_a_child(sizes: Mapping[str, Size], days: Mapping[str, int]) -> dict[str, float]:
    """Return what a child takes in each table after YEARS."""
    return {
        table: size.all * (STANDING.get(table, 0) + A_YEAR.get(table, 0) * kept_years(table, days))
        for table, size in sizes.items()
        if table in STANDING or table in A_YEAR
    }


def told(sizes: Mapping[str, Size], days: Mapping[str, int]) -> Iterator[str]:
    """Write both tables."""
    yield "| rows of | lie | bytes a row, of these in indexes | a child a year | kept |"
    yield "|---|---|---|---|---|"
    of_child = bytes_a_child(sizes, days)
    for table in sorted(of_child, key=of_child.__getitem__, reverse=True):
        where = "apart" if table in distribution.SPREAD else "in one place"
        size, years = sizes[table], kept_years(table, days)
        much = f"{A_YEAR[table]:g}" if table in A_YEAR else f"{STANDING[table]:g} at any time"
        kept = "ever" if table not in days else f"{years:.2g} years"
        yield f"| `{table}` | {where} | {size.all:,.0f}, {size.indexes:,.0f} | {much} | {kept} |"
    apart = sum(each for table, each in of_child.items() if table in distribution.SPREAD)
    here = sum(of_child.values()) - apart
    added = sum(sizes[t].all * n for t, n in A_YEAR.items() if t in sizes)
    facts = A_YEAR["events"] / 365
    yield ""
    yield "| | " + " | ".join(f"{name}, {n / 1e6:g} M" for name, n in REGISTERS.items()) + " |"
    yield "|---" * (len(REGISTERS) + 1) + "|"
    for what, each, unit in (
        ("facts a day, M", facts / 1e6, ",.1f"),
        ("facts a second, eight hours a day", facts / 8 / 3600, ",.0f"),
        ("written in a year, TB", added / 1e12, ",.1f"),
        (f"there after {YEARS} years: spread by county or school, TB", apart / 1e12, ",.1f"),
        (f"there after {YEARS} years: in one place, TB", here / 1e12, ",.1f"),
    ):
        yield f"| {what} | " + " | ".join(f"{each * n:{unit}}" for n in REGISTERS.values()) + " |"
    missing = sorted({*STANDING, *A_YEAR} - set(sizes))
    if missing:
        yield f"\nToo few to be measured, and left out: {', '.join(missing)}."


def days_kept() -> dict[str, int]:
    """Return for how many days the policy keeps what it lets go."""
    on = world.NOW.date()
    days = {
        kind.table: policy.effective_value(kind.parameter, 0, on).value
        for kind in retention.KINDS.values()
    }
    return {**days, "event_named": days["events"]}


def run(children: int) -> None:
    wiring.load()
    with world.server() as superuser_url:
        _, urls = world.at(superuser_url, children)
        sizes = asyncio.run(measured(urls.owner))
    print("\n".join(told(sizes, days_kept())))


if __name__ == "__main__":
    run(int(os.environ.get("TONGHU_PLANS", "50000")))
