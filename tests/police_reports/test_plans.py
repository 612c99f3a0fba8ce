"""What reads of reports cost, by plan: a page and a report are found by index, however many there
are and whoever asks.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import pytest

from app.access.principal import Principal
from app.access.roles import role
from app.attendance import asked
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, Reach
from app.core.ids import new_id
from app.police_reports import answered, facts, jobs, owing, queries
from app.police_reports.operations import (
    called,
    counting,
    forwarding,
    hidden,
    home,
    incidents,
    locks,
    placing,
    taking_back,
    unknown_child,
)
from app.regions.rules import subtree
from app.unresolved import queries as unresolved
from app.unresolved.operations import referrals, whose
from app.webhooks import claiming
from app.webhooks import jobs as announcing
from app.webhooks.operations import fan_out
from tests import schema
from tests.access.factories import an_agency
from tests.conftest import NOW, pinned

ROWS = 20_000
FILLED = ("police_reports", "hidden_subjects", "duties")
TOWNSHIP = 120119005000

_FILL = """
INSERT INTO police_reports (id, home_county, child_county, child_id, region_code, home_region,
    former_homes, situations, urgency, channel, found_at, filed_at, reporter_agency_id,
    narrative_sealed, subject_sealed, content_index, state, routing, acknowledge_due_at,
    deliver_alarm_at, acknowledged_at, version, updated_at)
SELECT gen_random_uuid(), county, county, gen_random_uuid(), county + township, CASE n % 10
    WHEN 0 THEN 120119000000 + (1 + n / 7 % 20) * 1000 ELSE county + township END,
    CASE n % 100 WHEN 0 THEN ARRAY[county + 7000, county] ELSE '{}' END,
    '{living_alone}', 'urgent', 'app', at, at, $1, repeat('x', 400)::bytea, 'x', 'x', 'filed',
    'no_agency', at, at, at, 1, at
FROM (SELECT n, 120101000000 + n % 400 * 1000000 AS county, (1 + n / 400 % 20) * 1000 AS township,
             $2::timestamptz - n * interval '1 minute' AS at
      FROM generate_series(1, $3) AS n) AS rows
"""
_HIDDEN = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)
SELECT id, '{}', 1 FROM police_reports LIMIT 2000
"""
_DONE = """
INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role, period,
    counts_from, opened_at, due_at, state, discharged_at, discharged_by, version)
SELECT gen_random_uuid(), 'REP-01', gen_random_uuid(), home_county, region_code, 'hospital', '',
    '2026-11-01', $1::timestamptz, $1, 'discharged', $1, id, 1
FROM police_reports LIMIT 2000
"""


@pytest.fixture(scope="module")
async def many(swept: None, pool: Database, keyring: Keyring) -> AsyncIterator[Database]:
    async with pinned(pool, keyring, NOW) as database:
        reporter = await an_agency(database, "hospital", 0)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_FILL, reporter, tx.now, ROWS)
            await tx.connection.execute(_HIDDEN)
            await tx.connection.execute(_DONE, tx.now)
            await tx.connection.execute("SELECT count_rows(VARIADIC $1)", FILLED)
        yield database


def a_principal(code: str, region: int) -> Principal:
    return Principal(
        "staff:test",
        new_id(),
        None,
        new_id(),
        min(role(code).agency_kinds),
        role(code),
        region,
        *subtree(region),
        frozenset(role(code).scopes),
        "-",
        None,
    )


async def plan(
    database: Database, principal: Principal, sql: str, *arguments: object, without: str = "tidscan"
) -> str:
    reach = Reach(principal.region_lo, principal.region_hi, agency=principal.agency_id)
    async with database.begin(reach) as tx:
        await tx.connection.execute(f"SET LOCAL enable_{without} = off")
        rows = await tx.connection.fetch(f"EXPLAIN {sql}", *arguments)
        await tx.connection.execute(f"SET LOCAL enable_{without} = on")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("code", "region", "indexes"),
    [
        ("township_supervisor", TOWNSHIP, ["region", "home", "moved", "reporter"]),
        ("police", TOWNSHIP, ["police", "forwarded", "told", "former_police"]),
        ("hospital", 120119000000, ["reporter"]),
        ("civil_affairs", 0, ["anywhere"]),
    ],
)
async def test_a_page_is_found_by_index(many, code, region, indexes) -> None:
    principal = a_principal(code, region)
    where = queries.visible_reports(principal)
    sql = (
        f"SELECT r.* FROM police_reports r WHERE {where}"
        " ORDER BY r.filed_at DESC, r.id DESC LIMIT 51"
    )
    found = await plan(many, principal, sql, *where.arguments)
    assert "Seq Scan on police_reports" not in found, found
    for name in indexes:
        assert f"ix_police_reports_{name}" in found, found
    assert ("ix_police_reports_anywhere" in found) == ("anywhere" in indexes), "not of one place"


@schema.whole_tables
async def test_what_comes_round_reads_what_waits_alone(many) -> None:
    """A run with nothing to do finds nothing in an index that holds nothing else."""
    first, everywhere = UUID(int=0), a_principal("civil_affairs", 0)
    for sql, arguments, index in (
        (jobs._NOT_ACCEPTED, [NOW, 200], "ix_police_reports_unaccepted"),
        (jobs._NOT_DELIVERED, [NOW, 200], "ix_police_reports_undelivered"),
        (owing._VISITS, [first], "ix_duties_done_by_report"),
        (owing._OF_REPORT, [first], "ix_duties_done_by_report"),
        (asked._TO_ASK, [first, 500], "ix_presence_doubts_open"),
        (referrals._ALONE, [first, 500], "ix_unresolved_answered"),
        (unresolved._SET, [[], first, 500], "uq_unresolved_asked_about"),
        (announcing._OVERDUE, [NOW, NOW, 500], "ix_webhook_deliveries_overdue"),
        (fan_out._WAITING, [200], "ix_events_waiting"),
        (
            fan_out._HAND_OUT,
            [[first], [b""], "0" * 13, NOW, "", b"", [None]],
            "ix_subscriptions_wire_name_region_code",
        ),
    ):
        found = await plan(many, everywhere, sql, *arguments, without="seqscan")
        assert index in found, found


_WITHOUT_ENDPOINT = """
UPDATE police_reports SET acknowledged_at = NULL, routing = 'no_endpoint', police_agency_id = $1
"""
_NOBODYS = """
UPDATE police_reports SET routing = 'no_agency', police_agency_id = NULL
WHERE id IN (SELECT id FROM police_reports ORDER BY id LIMIT 3)
"""


async def test_what_waits_for_an_endpoint_that_is_not_there_is_not_read(many) -> None:
    """Be it thousands: a run reads the places of those that no police have, and what police with an
    endpoint may get.
    """
    station = await an_agency(many, "police", 120101001000)
    with suppress(_RolledBack):
        async with many.begin(SYSTEM) as tx:
            await tx.connection.execute(_WITHOUT_ENDPOINT, station)
            await tx.connection.execute(_NOBODYS)
            await tx.connection.execute("SELECT count_rows(VARIADIC $1)", FILLED)
            sql = f"EXPLAIN (ANALYZE, FORMAT JSON) {jobs._WAITING}"
            [found] = await tx.connection.fetchval(sql, 200, jobs._TAKES)
            raise _RolledBack
    assert 3 <= _read_of_reports(found["Plan"]) < 30, found


class _RolledBack(Exception):
    pass


def _read_of_reports(node: dict) -> int:
    """Count the rows of reports a plan has looked at."""
    own = node.get("Relation Name") == "police_reports"
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    below = sum(_read_of_reports(each) for each in node.get("Plans", ()))
    return below + own * int(rows * node["Actual Loops"])


async def test_what_hangs_on_one_report_is_found_by_index(many) -> None:
    principal = a_principal("township_supervisor", TOWNSHIP)
    some = new_id()
    by_name = queries.visible_reports(principal).add(queries._CALLED, some)
    events = queries.visible_reports(principal).add(queries._OF_EVENTS, [some])
    for sql, arguments in (
        (f"SELECT r.id FROM police_reports r WHERE {by_name}", by_name.arguments),
        (queries._SEEN.format(events), events.arguments),
        (called._CALLED, [[some]]),
        (called._RENAME, [some, [some], [some]]),
        (answered._JOURNAL, [some]),
        (jobs._OPEN_OF_CHILD, [120119000000, some]),
        (jobs._SIGHTINGS, [some]),
        (incidents._UNKNOWING, [some]),
        (taking_back._SOURCES, [some]),
        (unknown_child._LAST_SAID, [some]),
        (facts._HUNG_ON, [some]),
        (locks._OF_EVENTS, [[some], [some]]),
        (locks._CHAINS, [[some]]),
        (placing._UNPLACED, [[120119000000], some, 200]),
        (taking_back.HUNG, [some, new_id()]),
        (taking_back._TOLD, [some, "police_reports.%", NOW]),
        (home._MEANT, [some, [new_id()]]),
        (unknown_child._STATED, [some]),
        (unknown_child._SO_NAMED, [120119000000, some, some, some]),
        (forwarding._POLICE_FROM, [some, [new_id()], 0]),
        (counting._OF_CHAIN, [some]),
        (counting.STEPS, [some]),
        (home._BEARING.format("resident_ids"), [[b"-"]]),
        (home._BEARING.format("child_external_ids"), [[b"-"]]),
        (hidden._NOTE, [some]),
        (whose._SAID_SINCE, [some, "child_unknown", NOW]),
        (claiming._WITHHOLD, [[some]]),
        (hidden._CHILDREN, [some]),
        (asked._HIDE, [[some]]),
        (asked._HIDDEN, [[some], 120119000000]),
        ("SELECT id FROM police_reports WHERE cardinality(former_homes) > 0", []),
    ):
        found = await plan(many, principal, sql, *arguments)
        assert not any(f"Seq Scan on {table}" in found for table in FILLED), found
        # Of a table without rows nothing else tells whether an index would serve.
        found = await plan(many, principal, sql, *arguments, without="seqscan")
        assert "Seq Scan" not in found, found
