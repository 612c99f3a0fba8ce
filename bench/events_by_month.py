"""What reading events would cost if each month lay in a partition of its own: pages read for the
same in a flat table and in one of 37 months and 3 ahead.

python -m bench.events_by_month
"""

import asyncio
import json
from datetime import UTC, datetime
from itertools import pairwise

import asyncpg

from app import wiring
from app.core.data import migrations, months
from app.embedded import postgres

_MONTHS, _AHEAD, _A_MONTH = 37, 3, 30_000
_FIRST = 2023 * 12 + 10
_COUNTIES, _FACTS_OF_ONE = 226, 5
_INDEXES = """
CREATE INDEX ON {0} (subject_id);
CREATE INDEX ON {0} (position) WHERE position > 0;
CREATE INDEX ON {0} (place, position) WHERE position > 0 AND told_to IS NULL;
CREATE INDEX ON {0} ((place / 1000000), position) INCLUDE (place)
    WHERE position > 0 AND told_to IS NULL;
CREATE INDEX ON {0} (n, id) WHERE position IS NULL
"""
# Facts of a subject lie a month apart, as those of a case do.
_FILL = """
INSERT INTO {} (id, wire_name, subject_id, region_code, home_county, data, occurred_at, n, sequence,
    position, place)
SELECT overlay(md5(i::text || $1::text)::uuid::text PLACING left($3::text, 13) FROM 1 FOR 13)::uuid,
    'VisitRecorded', md5((i * 1000 + $1::int / $4::int)::text)::uuid,
    place, place / 1000000 * 1000000, jsonb_build_object('visit_id', md5(i::text)), $5, at, 1, at,
    place
FROM (SELECT i, $1::bigint * $2 + i AS at, (110000 + i % $6::int) * 1000000::bigint + i / 226 % 80
        * 1000 AS place FROM generate_series(1, $2::int) AS i) AS row
"""
_OF_A_COUNTY = (
    "SELECT position FROM {} WHERE place / 1000000 = 110007 AND position > {}"
    " AND position > 0 AND told_to IS NULL ORDER BY position LIMIT 100"
)
_ASKED = {
    "the facts about one subject": ("SELECT * FROM {} WHERE subject_id = {}", "subject"),
    "one by its place in the feed": (
        "SELECT * FROM {} WHERE position = {} AND position > 0",
        "place",
    ),
    "100 of the feed, from its end": (
        "SELECT * FROM {} WHERE position > {} AND position > 0 ORDER BY position LIMIT 100",
        "end",
    ),
    "100 of a county's, from where one stopped a day ago": (
        _OF_A_COUNTY,
        "end",
    ),
    "the same of a county, from the beginning": (
        _OF_A_COUNTY,
        "beginning",
    ),
    "those that wait": (
        "SELECT * FROM {} WHERE position IS NULL AND n > {} ORDER BY n, id LIMIT 1000",
        "beginning",
    ),
}


def _begins(month: int) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


async def _pages(connection: asyncpg.Connection, statement: str) -> tuple[int, int]:
    """Read twice, so that what the first finds out is known; return pages and rows."""
    for _ in range(2):
        said = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
    plan = json.loads(said)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], int(plan["Actual Rows"])


async def _measure(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE flat (LIKE events INCLUDING DEFAULTS, PRIMARY KEY (id));"
        " CREATE TABLE cut (LIKE events INCLUDING DEFAULTS, PRIMARY KEY (id))"
        " PARTITION BY RANGE (id)"
    )
    ends = [_begins(_FIRST + month) for month in range(_MONTHS + _AHEAD + 1)]
    for number, (begins, until) in enumerate(pairwise(ends)):
        first, last = months.first_id(begins), months.first_id(until)
        await connection.execute(
            f"CREATE TABLE cut_{number} PARTITION OF cut FOR VALUES FROM ('{first}') TO ('{last}')"
        )
        for table in ("flat", "cut") if number < _MONTHS else ():
            values = (number, _A_MONTH, str(first), _FACTS_OF_ONE, begins, _COUNTIES)
            await connection.execute(_FILL.format(table), *values)
    for table in ("flat", "cut"):
        await connection.execute(_INDEXES.format(table))
    await connection.execute("VACUUM ANALYZE flat")
    await connection.execute("VACUUM ANALYZE cut")
    total = _MONTHS * _A_MONTH
    values_of = {
        "subject": f"(SELECT subject_id FROM flat WHERE position = {total - 7} AND position > 0)",
        "place": total // 2,
        "end": total - 25_000,
        "beginning": 0,
    }
    subject = await connection.fetchval(f"SELECT {values_of['subject']}")
    values_of["subject"] = f"'{subject}'"
    print(
        f"{total:,} events\n\n| asked | rows | pages, flat | pages, {_MONTHS} months and {_AHEAD} |"
    )
    print("|---|---|---|---|")
    for what, (statement, which) in _ASKED.items():
        (flat, rows), (cut, _) = [
            await _pages(connection, statement.format(table, values_of[which]))
            for table in ("flat", "cut")
        ]
        print(f"| {what} | {rows} | {flat:,} | {cut:,} |")


def main() -> None:
    wiring.load()
    with postgres.passing("tonghu-events-") as lease:
        migrations.upgrade(lease.server.owner_url)
        asyncio.run(_measure(lease.server.owner_url))


if __name__ == "__main__":
    main()
