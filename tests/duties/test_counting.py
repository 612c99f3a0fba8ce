"""What is counted of each county in advance comes to what its rows do (VIS-02, AZ-8)."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import queue
from app.regions.operations import replace_region
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

PROVINCE = VILLAGE // 10**10 * 10**10
ELSEWHERE = VILLAGE + 10**6
FURTHER = (VILLAGE // 10**6 + 2) * 10**6
_A_DUTY = """
INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role, bearer_agency_id,
    told_to, period, counts_from, opened_at, due_at, overdue_at, discharged_at, discharged_by,
    lapsed_at, state, version)
VALUES (gen_random_uuid(), $1, gen_random_uuid(), $2::bigint / 1000000 * 1000000, $2, 'police', $3,
    $4, '', '2026-01-01', $5, $6, CASE WHEN $7 = 'overdue' THEN $6::timestamptz END,
    CASE WHEN $7 = 'discharged' THEN $5::timestamptz END, $8, NULL, $7, 1)
"""
_VISITED_LATE = """
UPDATE duties SET state = 'discharged', overdue_at = $1, discharged_at = $1
WHERE id = (SELECT id FROM duties WHERE rule = 'VIS-01' LIMIT 1)
"""
_HIDDEN = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below) VALUES ($1, $2, 0)
"""


async def _count(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.count", [{}])
        await queue.enqueue(tx.connection, "children.count", [{}])
    await run_jobs(database)


async def test_counties_counted_in_advance_come_to_what_their_rows_do(
    client, database, settings
) -> None:
    province = await a_caller(database, settings, "civil_affairs", PROVINCE)
    nation = await a_caller(database, settings, "civil_affairs", 0)
    county = await a_caller(database, settings, "civil_affairs", VILLAGE // 10**6 * 10**6)
    schools = await a_caller(database, settings, "education_authority", PROVINCE)
    police = await a_caller(database, settings, "police", PROVINCE)
    station = await an_agency(database, "police", VILLAGE)
    own: UUID = province.agency_id
    now = await _some_duties(database, own, station)

    async def asked(caller, query: str = "", of: str = "duties"):
        answer = await client.get(f"/v1/{of}/summary{query}", headers=caller.headers)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        return said.pop("as_of"), said

    queries = [
        (of, who, query)
        for of, who, query in (
            ("duties", province, ""),
            ("duties", province, "?period=2026Q3"),
            ("duties", province, f"?region_code={ELSEWHERE // 10**6 * 10**6}"),
            ("duties", county, f"?region_code={PROVINCE}"),
            ("duties", police, ""),
            ("duties", nation, ""),
            ("duties", schools, ""),
            ("children", province, ""),
        )
    ]
    before = [await asked(who, query, of) for of, who, query in queries]
    assert [as_of for as_of, _ in before] == [None] * len(queries)
    of_rule = {each["rule"]: each for each in before[0][1]["rules"]}
    assert (of_rule["REP-01"]["discharged"], of_rule["REP-01"]["open"]) == (1, 2), (
        "hidden: not done"
    )
    assert (of_rule["REP-07"]["open"], of_rule["REP-07"]["overdue"]) == (1, 1)
    assert of_rule["EDU-03"]["overdue"] == 1
    (visits, *_) = before[0][1]["coverage"]
    assert (visits["owed"], visits["visited"]) == (4, 1), "late, but visited"
    await _count(database)
    after = [await asked(who, query, of) for of, who, query in queries]
    assert [said for _, said in after] == [said for _, said in before]
    as_of = [each and each[:10] for each, _ in after]
    assert as_of == [f"{now:%Y-%m-%d}"] * 2 + [None] * 3 + [f"{now:%Y-%m-%d}"] * 3
    async with database.begin(SYSTEM) as tx:
        before_now = "UPDATE duty_counts SET counted_at = $1 WHERE county_code < $2"
        other_county = ELSEWHERE // 10**6 * 10**6
        await tx.connection.execute(before_now, now - timedelta(hours=1), other_county)
    assert (await asked(province))[0] == f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    await _count(database)
    assert (await asked(province))[0] == f"{now:%Y-%m-%dT%H:%M:%SZ}"

    # A county that was never counted is counted now, and who has left one is not counted twice.
    await a_child(database, FURTHER, categories=["orphan"])
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            _A_DUTY, "EDU-03", FURTHER, None, None, now, now + timedelta(days=92), "open", None
        )
    assert await _open_and_files(asked, province) == (1, 3, 5)
    async with database.begin(SYSTEM) as tx:
        for table in ("duties", "children"):
            await tx.connection.execute(
                f"UPDATE {table} SET region_code = $2 WHERE region_code = $1", ELSEWHERE, VILLAGE
            )
    await _count(database)
    assert await _open_and_files(asked, province) == (1, 3, 5)
    await some_regions(database, VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, VILLAGE // 10**6 * 10**6, 120125 * 10**6, date(2026, 7, 1))
    assert await _open_and_files(asked, province) == (1, 3, 5)


async def _some_duties(database, own: UUID, station: UUID) -> datetime:
    """Make children and what is owed for them, and some duties told to few or done in secret."""
    for place, categories in ((VILLAGE, ["left_behind"]), (ELSEWHERE, ["orphan", "left_behind"])):
        for _ in range(2):
            flags = ["ill"] if place == VILLAGE else []
            await a_child(database, place, categories=categories, priority_flags=flags)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.open_period", [{}])
    await run_jobs(database)
    await some_regions(database, ELSEWHERE // 10**6 * 10**6)
    deed, other = new_id(), new_id()

    async with database.begin(SYSTEM) as tx:
        now, quarter = tx.now, timedelta(days=92)
        for rule, place, bearer, told, opened, state, by in (
            ("REP-01", VILLAGE, None, None, now, "discharged", deed),
            ("REP-01", ELSEWHERE, None, None, now, "discharged", other),
            ("REP-07", VILLAGE, station, [station], now, "open", None),
            ("REP-07", ELSEWHERE, station, [station, own], now, "overdue", None),
            ("REP-07", ELSEWHERE, own, [station], now, "open", None),
            ("REP-01", ELSEWHERE, station, [station, own], now, "discharged", deed),
            ("REP-07.help", ELSEWHERE, own, None, now, "open", None),
            ("EDU-03", VILLAGE, None, None, now - quarter, "cancelled", None),
            ("EDU-03", VILLAGE, None, None, now - quarter, "overdue", None),
            ("EDU-03", ELSEWHERE, None, None, now + quarter, "open", None),
        ):
            values = (rule, place, bearer, told, opened, opened + timedelta(days=9), state, by)
            await tx.connection.execute(_A_DUTY, *values)
        await tx.connection.execute(_HIDDEN, deed, [own])
        await tx.connection.execute(_VISITED_LATE, now)
    return now


async def _open_and_files(asked, caller) -> tuple[int, int, int]:
    """Return how many EDU-03 and VIS-01 are open in this quarter, and how many files there are."""
    _, duties = await asked(caller)
    _, files = await asked(caller, of="children")
    opened = {each["rule"]: each["open"] for each in duties["rules"]}
    return opened["EDU-03"], opened["VIS-01"], files["files"]


@pytest.mark.parametrize(
    ("place", "minutes", "owed"), [(VILLAGE, 1, 1), (VILLAGE, 0, 2), (ELSEWHERE, 0, 2)]
)
async def test_what_was_done_in_secret_after_a_count_is_neither_told_nor_in_the_way(
    client, database, settings, place, minutes, owed
) -> None:
    """In a county that was counted before the deed, while it came in, or never."""
    province = await a_caller(database, settings, "civil_affairs", PROVINCE)
    deed = new_id()
    async with database.begin(SYSTEM) as tx:
        day = timedelta(days=1)
        other = ("REP-01", VILLAGE, None, None, tx.now, tx.now + day, "open", None)
        await tx.connection.execute(_A_DUTY, *other)
    await _count(database)
    async with database.begin(SYSTEM) as tx:
        at = tx.now + timedelta(minutes=minutes)
        done = ("REP-01", place, None, None, at, at + day, "discharged", deed)
        await tx.connection.execute(_A_DUTY, *done)
        await tx.connection.execute(_HIDDEN, deed, [province.agency_id])
    answer = await client.get("/v1/duties/summary", headers=province.headers)
    assert answer.status_code == 200, answer.text
    (counts,) = answer.json()["rules"]
    assert (counts["discharged"], counts["open"]) == (0, owed)
