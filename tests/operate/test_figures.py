"""Figures that lie in the database: they say what waits, and cost little however much does."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest

from app import wiring
from app.core import metrics
from app.core.data.db import SYSTEM, Database
from app.core.data.gauges import GAUGES, DatabaseGauge, gauge
from app.core.jobs import figures
from app.core.jobs import queue as jobs
from app.core.jobs.queue import REGISTRY
from app.duties import counting
from app.duties.figures import _LATE
from app.webhooks.figures import _LAG, _OLDEST
from tests.access.apps import a_machine
from tests.access.factories import an_agency
from tests.conftest import NOW
from tests.operate.told import samples
from tests.police_reports.factories import filed, the_offices
from tests.sealing.stage import look
from tests.webhooks.workshop import HOME, an_endpoint, queue, subscribed

HOUR = 3600.0
PAGES = Path(__file__).parents[2] / "docs"
WAIT_SINCE = "UPDATE webhook_deliveries SET created_at = created_at - $1::interval WHERE id = $2"


async def read(database: Database) -> dict[str, dict[str, float]]:
    return samples((await metrics.render(database)).decode())


async def test_each_figure_is_there_before_anything_happened(database) -> None:
    told = await read(database)
    assert told["tonghu_database_up"] == {"": 1}
    unread = told.get("tonghu_figures_unread", {})
    assert not unread, f"why: `figures.unread` in the log below: {[*unread]}"
    for name in ("mandatory_undelivered", "reports_undelivered", "events_waiting"):
        assert told[f"tonghu_{name}_seconds"] == {"": 0}
    assert told["tonghu_reports_spooled"] == {"": 0}


async def test_what_waits_longest_is_told_by_endpoint_and_class(database, unique) -> None:
    slow, quick, off = [await an_agency(database, "police", HOME + n) for n in range(3)]
    ids = {}
    for agency, hours in ((slow, 3), (slow, 2), (quick, 1), (off, 9)):
        if agency not in ids:
            ids[agency], _ = await an_endpoint(database, agency, "https://a.example")
        made = await queue(database, agency)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(WAIT_SINCE, timedelta(hours=hours), made)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET active = false WHERE id = $1", ids[off]
        )
    told = await read(database)
    assert told["tonghu_delivery_lag_seconds"] == {
        f'class="M",endpoint="{ids[slow]}"': 3 * HOUR,
        f'class="M",endpoint="{ids[quick]}"': HOUR,
    }, "whose agency switched it off is late with nothing"
    assert told["tonghu_mandatory_undelivered_seconds"] == {"": 9 * HOUR}, "wherever it waits"
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_deliveries SET state = 'succeeded'")
    told = await read(database)
    assert "tonghu_delivery_lag_seconds" not in told
    assert told["tonghu_mandatory_undelivered_seconds"] == {"": 0}


async def test_of_many_endpoints_those_are_told_that_wait_longest(database, monkeypatch) -> None:
    monkeypatch.setattr("app.webhooks.figures._MOST", 1)
    agency = await an_agency(database, "police", HOME)
    ids = [(await an_endpoint(database, agency, "https://a.example"))[0] for _ in range(3)]
    await subscribed(database)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_deliveries SET created_at = created_at - interval '1 hour'"
            " WHERE endpoint_id = $1",
            ids[1],
        )
    assert [*(await read(database))["tonghu_delivery_lag_seconds"]] == [
        f'class="S",endpoint="{ids[1]}"'
    ]


async def test_a_report_that_no_police_have_is_told_of_until_they_have_it(
    client, database, settings
) -> None:
    offices = await the_offices(database, settings)
    await filed(client, offices.school)
    database.clock = lambda: NOW + timedelta(hours=1)
    told = await read(database)
    assert told["tonghu_reports_undelivered_seconds"] == {"": HOUR}
    assert told["tonghu_events_waiting_seconds"] == {"": HOUR}
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE police_reports SET delivered_at = filed_at, state = 'delivered'"
        )
    assert (await read(database))["tonghu_reports_undelivered_seconds"] == {"": 0}


_LATE_DUTIES = """
INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role, period,
    counts_from, opened_at, due_at, overdue_at, state, version)
SELECT gen_random_uuid(), r, gen_random_uuid(), 120119000000, 120119000000, 'village_director', '',
       '2026-10-01', $2, $2, $2, 'overdue', 1
FROM unnest($1::text[]) AS r
"""


async def _counted(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        for county in await counting.counties(tx):
            await counting.count_county(tx, county)


async def test_what_is_late_is_told_by_rule_and_asked_for_once_a_minute(database) -> None:
    """As each county was counted, and what is told to few and counted nowhere."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_LATE_DUTIES, ["VIS-01", "VIS-01", "REP-07"], tx.now)
        told_to_few = "UPDATE duties SET told_to = '{}' WHERE rule = 'REP-07'"
        await tx.connection.execute(told_to_few)
    await _counted(database)
    told = {'rule="REP-07"': 1, 'rule="VIS-01"': 2}
    assert (await read(database))["tonghu_duties_late"] == told
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_LATE_DUTIES, ["VIS-01", "REP-07"], tx.now)
    await _counted(database)
    assert (await read(database))["tonghu_duties_late"] == told
    until = asyncio.get_running_loop().time() + 60.0
    kept = {figure.told: end for figure, (end, _) in metrics._KEPT[database].items()}
    assert kept[GAUGES["tonghu_duties_late"].told] <= until
    metrics._KEPT[database] = {
        figure: (0.0, kept) for figure, (_, kept) in metrics._KEPT[database].items()
    }
    assert (await read(database))["tonghu_duties_late"] == {
        'rule="REP-07"': 2,
        'rule="VIS-01"': 3,
    }


async def test_what_is_on_its_way_to_nobody_waits_too(database) -> None:
    """Also where whoever took it on has died."""
    agency = await an_agency(database, "police", HOME)
    endpoint, _ = await an_endpoint(database, agency, "https://a.example")
    made = await queue(database, agency)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(WAIT_SINCE, timedelta(hours=1), made)
        await tx.connection.execute(
            "UPDATE webhook_deliveries SET state = 'leased', lease = gen_random_uuid()"
        )
    told = await read(database)
    assert told["tonghu_delivery_lag_seconds"] == {f'class="M",endpoint="{endpoint}"': HOUR}
    assert told["tonghu_mandatory_undelivered_seconds"] == {"": HOUR}


async def test_jobs_are_told_by_how_they_stand(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await jobs.enqueue(tx.connection, "duties.escalate", [{}] * 3)
        await tx.connection.execute(
            "UPDATE jobs SET status = 'held' WHERE id > (SELECT min(id) FROM jobs)"
        )
    told = (await read(database))["tonghu_jobs"]
    for state, many in (("queued", 1), ("running", 0), ("held", 2)):
        assert told[f'name="duties.escalate",state="{state}"'] == many


async def test_whose_keys_end_soon_is_counted(database) -> None:
    machines = [await a_machine(database) for _ in range(5)]
    changed = (
        "keys_until = $2::timestamptz + interval '6 days'",
        "keys_until = $2::timestamptz + interval '8 days'",
        "keys_until = $2::timestamptz - interval '1 day'",
        "keys_until = $2::timestamptz + interval '6 days', active = false",
        "keys_until = $2::timestamptz + interval '6 days', jwks_uri = 'https://a.example'",
    )
    async with database.begin(SYSTEM) as tx:
        for machine, put in zip(machines, changed, strict=True):
            said = f"UPDATE clients SET {put} WHERE id = $1"
            await tx.connection.execute(said, machine.client_id, tx.now)
    assert (await read(database))["tonghu_client_keys_ending"] == {"": 1}


async def test_what_is_not_sealed_is_told_by_the_oldest(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await look(tx)
    database.clock = lambda: NOW + timedelta(hours=1)
    assert (await read(database))["tonghu_audit_unsealed_seconds"] == {"": HOUR}


async def test_of_each_schedule_it_is_told_how_far_apart_its_runs_are(database) -> None:
    told = (await read(database))["tonghu_job_interval_seconds"]
    assert told.keys() == {f'name="{each.name}"' for each in REGISTRY.values() if each.cron}
    assert told['name="police_reports.mark_overdue"'] == 60
    assert told['name="policy.make_months"'] == 24 * HOUR
    assert figures.longest("0 9 * * 1-5") == timedelta(days=3), "over a weekend"


async def test_a_figure_that_takes_too_long_is_named_and_the_others_told(pool, monkeypatch) -> None:
    monkeypatch.setattr(metrics, "_BRIEFLY", "SET LOCAL statement_timeout = '20ms'")

    async def slow(tx):
        await tx.connection.execute("SELECT pg_sleep(60)")

    async def wrong(tx):
        await tx.connection.execute("SELECT nothing FROM nowhere")

    for name, each in (("tonghu_slow", slow), ("tonghu_wrong", wrong)):
        monkeypatch.setitem(GAUGES, name, DatabaseGauge("-", (), each, 0.0))
    told = await read(pool)
    assert told["tonghu_figures_unread"] == {'figure="tonghu_slow"': 1, 'figure="tonghu_wrong"': 1}
    assert "tonghu_reports_spooled" in told


async def test_all_of_them_together_have_a_few_seconds(pool, monkeypatch) -> None:
    monkeypatch.setattr(metrics, "_READING_SECONDS", 0.0)
    metrics._KEPT.clear()
    told = await read(pool)
    assert told["tonghu_figures_unread"].keys() == {f'figure="{name}"' for name in GAUGES}


async def test_what_took_too_long_takes_no_time_of_the_others_afterwards(pool, monkeypatch) -> None:
    monkeypatch.setattr(metrics, "_BRIEFLY", "SET LOCAL statement_timeout = '20ms'")
    monkeypatch.setattr(metrics, "_UNREAD", {})
    asked = []

    def figure(name: str, statement: str) -> None:
        async def ask(tx):
            asked.append(name)
            await tx.connection.execute(statement)
            return []

        monkeypatch.setitem(GAUGES, name, DatabaseGauge("-", (), ask, 0.0))

    figure("tonghu_slow", "SELECT pg_sleep(60)")
    figure("tonghu_quick", "SELECT 1")
    await read(pool)
    await read(pool)
    assert asked == ["tonghu_slow", "tonghu_quick", "tonghu_quick", "tonghu_slow"]


async def test_who_asks_at_one_moment_asks_once(database, monkeypatch) -> None:
    asked = 0

    async def count(tx):
        nonlocal asked
        asked += 1
        return [((), asked)]

    monkeypatch.setitem(GAUGES, "tonghu_asked", DatabaseGauge("-", (), count, 0.0))
    told = await asyncio.gather(*(read(database) for _ in range(3)))
    assert [each["tonghu_asked"] for each in told] == [{"": 1}] * 3
    assert (await read(database))["tonghu_asked"] == {"": 2}


def test_each_figure_stands_in_the_table_for_operators() -> None:
    wiring.load()
    page = (PAGES / "operate.md").read_text("utf-8")
    told = set(re.findall(r"`(tonghu_\w+)", page))
    missing = sorted(GAUGES.keys() - told)
    assert not missing, f"docs/operate.md, To watch: a row for {missing}"


def test_no_figure_is_told_twice() -> None:
    wiring.load()
    with pytest.raises(ValueError, match="tonghu_duties_late is told twice"):
        gauge("tonghu_duties_late", "-")(GAUGES["tonghu_duties_late"].read)


_MANY = """
WITH endpoint AS (
    INSERT INTO webhook_endpoints (id, agency_id, url, description, event_types, mandatory,
        relation, region_code, region_lo, region_hi, secret_sealed, last_sequence, active, version,
        created_at, updated_at)
    SELECT gen_random_uuid(), $1, 'https://a.example', '', '{}', n % 2 = 0, 'none', 0, 0, 1, '',
           0, true, 1, now(), now()
    FROM generate_series(1, $2) AS n RETURNING id, mandatory
)
INSERT INTO webhook_deliveries (id, webhook_id, endpoint_id, agency_id, event_id, wire_name,
    ordering_key, region_code, home_county, sequence, body, delivery_class, state, attempts,
    replays_due, replayed_after, next_at, created_at)
SELECT gen_random_uuid(), '', e.id, $1, gen_random_uuid(), 'a.b', gen_random_uuid(), 0, 0, n, '',
       CASE WHEN e.mandatory THEN 'M' ELSE 'S' END, 'pending', 0, 0, 0, now(),
       now() - n * interval '1s'
FROM endpoint e CROSS JOIN generate_series(1, $3) AS n
"""


async def blocks(tx, statement: str, *arguments) -> int:
    """Return how many pages a statement touches, planned as in production."""
    plan = await tx.connection.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, COSTS OFF, TIMING OFF) {statement}", *arguments
    )
    [told] = plan
    return told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"]


@pytest.mark.parametrize(("endpoints", "each"), [(200, 5), (200, 100)])
async def test_an_endpoint_costs_some_pages_however_much_waits_for_it(
    database, endpoints, each
) -> None:
    agency = await an_agency(database, "police", HOME)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_MANY, agency, endpoints, each)
        assert await blocks(tx, _LAG, "S", 200) <= 8 * endpoints
        assert await blocks(tx, _OLDEST, "M") <= 8 * endpoints


async def test_who_is_late_is_found_among_all_that_are_not(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_LATE_DUTIES, ["VIS-01"] * 20, tx.now)
        await tx.connection.execute(
            _LATE_DUTIES.replace("'overdue'", "'cancelled'"), ["VIS-01"] * 3000, tx.now
        )
        await tx.connection.execute("UPDATE duties SET told_to = '{}' WHERE state = 'cancelled'")
        await tx.connection.execute(_LATE_DUTIES, ["VIS-01"] * 3000, tx.now)
    await _counted(database)
    async with database.begin(SYSTEM) as tx:
        assert await blocks(tx, _LATE) <= 20, "3,000 rows are hundreds"
