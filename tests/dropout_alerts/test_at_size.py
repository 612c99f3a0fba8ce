"""What a list of alerts reads is about what it shows, however many alerts there are."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import Caller, a_caller, an_agency
from tests.attendance.factories import a_school

pytestmark = pytest.mark.usefixtures("swept")

ALERTS, COUNTIES = 5_000, 100
COUNTY, TOWNSHIP = 120119000000, 120119101000

_FILL = """
WITH pupils AS (
    INSERT INTO children (id, home_county, region_code, school_id, name, name_reversed, name_pinyin,
        name_initials, sex, birth_date, version, created_at, updated_at)
    SELECT gen_random_uuid(), county, county + 101000, school, '测', '测', 'ce', 'c', 'female',
        '2016-03-01', 1, now(), now()
    FROM (SELECT 120100000000 + n % $1 * 1000000 AS county,
                 CASE WHEN n % 200 IN (19, 20) THEN $3::uuid ELSE $2 END AS school
          FROM generate_series(1, $5) AS n) AS places
    RETURNING id, home_county, region_code, school_id
), alerts AS (
    INSERT INTO dropout_alerts (id, home_county, child_id, region_code, pupil_of, opened_in, state,
        first_absent_day, last_absent_day, unexcused_days, registered_on, school_id, known_to,
        addressed, opened_on, version, created_at, updated_at)
    SELECT gen_random_uuid(), home_county, id, region_code, school_id, region_code, 'registered',
        '2026-11-02', '2026-11-09', 6, '2026-11-09', school_id,
        CASE school_id WHEN $3 THEN ARRAY[$3, $4] ELSE ARRAY[$2::uuid] END,
        CASE WHEN region_code / 1000000 = 120121 THEN ARRAY[$4] ELSE '{}' END,
        '2026-11-09', 1, now(), now() FROM pupils RETURNING *
)
INSERT INTO dropout_report_receipts (id, home_county, child_id, region_code, pupil_of, alert_id,
    school_id, agency_id, kind)
SELECT gen_random_uuid(), home_county, child_id, region_code, pupil_of, id, school_id, $4,
    'education' FROM alerts WHERE cardinality(addressed) > 0
"""

_READ = """
SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE relname = 'dropout_alerts'
"""


@pytest.fixture
async def callers(database, settings) -> dict[str, Caller]:
    school, other = await a_school(database, settings), await an_agency(database, "school", 0)
    found = {
        "school": await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id),
        **{
            role: await a_caller(database, settings, role, region)
            for role, region in (
                ("education_authority", COUNTY),
                ("civil_affairs", COUNTY),
                ("township_supervisor", TOWNSHIP),
            )
        },
    }
    bureau = found["education_authority"].agency_id
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_FILL, COUNTIES, other, school.id, bureau, ALERTS)
        for table in ("dropout_alerts", "dropout_report_receipts", "agencies"):
            await tx.connection.execute("SELECT count_rows($1)", table)
        # Whether an index serves each, not what a table costs that other tests left full of holes.
        await tx.connection.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off"
        )
    return found


SHOWN = {
    "school": 50,
    "education_authority": 125,  # of its county, of its school, and what was written to it
    "civil_affairs": 50,
    "township_supervisor": 50,
}


async def test_it_reads_what_it_shows(client, database, callers) -> None:
    for role, shown in SHOWN.items():
        for _ in range(7):  # a plan made for anybody comes after five that are made for one
            async with database.begin(SYSTEM) as tx:
                before = await tx.connection.fetchval(_READ)
            answer = await client.get(
                "/v1/dropout-alerts", headers=callers[role].headers, params={"limit": 200}
            )
            async with database.begin(SYSTEM) as tx:
                read = await tx.connection.fetchval(_READ) - before
            assert len(answer.json()["items"]) == shown
            assert read <= 2 * shown, (role, read)
