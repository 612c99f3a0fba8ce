"""A county gets another code with everything in it, and every office sees what it saw."""

from datetime import date
from uuid import UUID

import pytest

from app.children.queries import ChildRef
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import events
from app.police_reports.events import NoticeOwed
from app.regions import following
from app.regions.operations import replace_region
from tests.access.factories import Caller, a_caller
from tests.below.conftest import COUNTY, NEXT_VILLAGE, TOWNSHIP, VILLAGE, Town, with_alert
from tests.below.places import strays
from tests.children.factories import a_child, a_file
from tests.dropout_alerts.factories import a_report as a_written_report
from tests.duties.factories import announce
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report, an_endpoint
from tests.visits.factories import a_visit, something_wrong

NEW = 120120000000
SHIFT = NEW - COUNTY
LISTS = (
    "children",
    "visits",
    "dropout-alerts",
    "duties",
    "police-reports",
    "webhook-endpoints",
    "unresolved",
)
CODES = {
    "children": ("residence", "region_code"),
    "visits": ("region_code",),
    "dropout-alerts": ("region_code",),
    "duties": ("region_code",),
    "police-reports": ("region_code",),
    "webhook-endpoints": ("region_code",),
    "unresolved": ("region_code",),
}
Seen = dict[tuple[str, str], dict[str, str]]


@pytest.fixture
async def offices(town: Town, settings) -> dict[str, Caller]:
    """Everybody with a part in the county; each has registered an endpoint if the role may."""
    others = (
        ("village_director", VILLAGE),
        ("civil_affairs", COUNTY),
        ("police", TOWNSHIP),
    )
    found = {
        "supervisor": town.supervisor,
        "teacher": town.teacher,
        "education": town.education,
        **{role: await a_caller(town.database, settings, role, at) for role, at in others},
    }
    await an_endpoint(town.database, found["police"].agency_id, TOWNSHIP)
    for office in ("civil_affairs", "education"):
        endpoint = {
            "url": "https://receiver.example.org/in",
            "description": "测试",
            "event_types": ["dropout_alerts.*"],
        }
        made = await town.client.post(
            "/v1/webhook-endpoints", json=endpoint, headers=found[office].headers
        )
        assert made.status_code == 201, made.text
    await with_alert(town)
    bad = a_visit(UUID(town.child), findings=[something_wrong()])
    answer = await town.client.post("/v1/visits", json=bad, headers=town.supervisor.headers)
    assert answer.status_code == 201, answer.text
    answer = await town.client.post(
        "/v1/police-reports", json=a_report(), headers=found["village_director"].headers
    )
    assert answer.status_code == 201, answer.text
    await a_referral(town)
    for caller in (found["village_director"], town.supervisor):
        unknown = await town.client.post(
            "/v1/visits", json=a_visit(new_id()), headers=caller.headers
        )
        assert unknown.status_code == 202, unknown.text
    await run_jobs(town.database)
    return found


async def a_referral(town: Town) -> None:
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO duplicate_referrals (id, home_county, region_code, reason, submitted_by,"
            " created_at) VALUES ($1, $2, $3, 'id', 'test', $4)",
            new_id(),
            COUNTY,
            VILLAGE,
            tx.now,
        )


async def seen(town: Town, offices: dict[str, Caller]) -> Seen:
    """Return, by office and list, the ids shown and the place each is shown at."""
    found: Seen = {}
    for name, caller in offices.items():
        for path in LISTS:
            answer = await town.client.get(
                f"/v1/{path}", params={"limit": 200}, headers=caller.headers
            )
            if answer.status_code == 403:
                continue
            assert answer.status_code == 200, answer.text
            found[name, path] = {
                item["id"]: _place(item, CODES[path]) for item in answer.json()["items"]
            }
    return found


def _place(item: dict, path: tuple[str, ...]) -> str:
    for step in path:
        item = item.get(step) or {}
    return str(item or "")


def moved(before: Seen) -> Seen:
    """Return what must be seen afterwards: the same, in the same places by their new codes."""
    return {
        key: {row: f"{int(code) + SHIFT:012d}" if code else code for row, code in rows.items()}
        for key, rows in before.items()
    }


async def replaced(town: Town) -> None:
    async with town.database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))


async def test_each_office_sees_what_it_saw_at_once_and_afterwards(town, offices) -> None:
    before = await seen(town, offices)
    assert {path for (_, path), rows in before.items() if rows} == set(LISTS)
    await replaced(town)
    after = await seen(town, offices)
    # Where a visit was made decides nothing and is renamed by a job.
    assert {key: rows.keys() for key, rows in after.items()} == {
        key: rows.keys() for key, rows in before.items()
    }
    plain = {key for key in before if key[1] != "visits"}
    assert {key: after[key] for key in plain} == {key: moved(before)[key] for key in plain}
    await run_jobs(town.database)
    assert await seen(town, offices) == moved(before)
    assert await strays(town.database) == {}


async def test_no_table_keeps_a_code_of_before(town, offices) -> None:
    """Every column that says a place, whoever owns it: a new table that forgets is noticed."""
    await replaced(town)
    await run_jobs(town.database)
    left = {}
    async with town.database.begin(SYSTEM) as tx:
        columns = await tx.connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'bigint'"
            " AND column_name ~ '(region_code|_in|_lo|_hi)$'"
        )
        for table, column in columns:
            left[table, column] = await tx.connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE {column} > $1 AND {column} < $2",
                COUNTY,
                COUNTY + 10**6,
            )
    kept = {name for name, count in left.items() if count}
    # What was said and done stays as it was said: who looked at what, what was announced and sent.
    history = {("audit_entries", "region_code"), ("events", "region_code")}
    assert kept - history == {("webhook_deliveries", "region_code")}


async def test_work_goes_on_after_it(town, offices) -> None:
    """The alert's township and the county's education authority are written to and told."""
    await replaced(town)
    assert (await town.persuade()).status_code == 201
    sent = await town.client.post(
        f"/v1/dropout-alerts/{town.alert}/written-report",
        json=a_written_report(),
        headers={**town.teacher.headers, "if-match": '"2"'},
    )
    assert sent.status_code == 201, sent.text
    addressed = {each["agency_id"] for each in sent.json()["written_report"]["receipts"]}
    assert str(town.supervisor.agency_id) in addressed
    await run_jobs(town.database)
    assert await _told(town, "dropout_alerts.written_report_sent") == 1


async def test_what_was_announced_before_is_told_and_owed_at_the_new_place(town, offices) -> None:
    """Events wait in the queue while the place changes: nobody misses them."""
    before = await _told(town, "dropout_alerts.alert_opened")
    child = ChildRef(UUID(town.child), COUNTY, VILLAGE, town.school.id)
    opened = {"school_id": str(town.school.id), "unexcused_days": 3}
    await announce(town.database, "dropout_alerts.alert_opened", child=child, **opened)
    owed = NoticeOwed(
        subject_id=new_id(),
        region_code=VILLAGE,
        home_county=COUNTY,
        police_agency_id=offices["police"].agency_id,
    )
    async with town.database.begin(SYSTEM) as tx:
        await events.publish(tx, owed)
    await replaced(town)
    await run_jobs(town.database)
    assert await _told(town, "dropout_alerts.alert_opened") == before + 2
    async with town.database.begin(SYSTEM) as tx:
        duty = await tx.connection.fetchrow(
            "SELECT region_code, bearer_agency_id FROM duties WHERE subject_id = $1",
            owed.subject_id,
        )
    assert tuple(duty) == (VILLAGE + SHIFT, offices["police"].agency_id)


async def _told(town: Town, wire_name: str) -> int:
    async with town.database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval(
            "SELECT count(*) FROM webhook_deliveries WHERE wire_name = $1", wire_name
        )


async def test_what_was_being_written_meanwhile_is_fetched_later(town, offices) -> None:
    """A transaction of before the change commits a row with the old code after it."""
    await replaced(town)
    await a_referral(town)
    await run_jobs(town.database)
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE jobs SET run_at = now()")
    assert "regions.take_stragglers" in await run_jobs(town.database)
    async with town.database.begin(SYSTEM) as tx:
        places = await tx.connection.fetch("SELECT DISTINCT region_code FROM duplicate_referrals")
    assert [row[0] for row in places] == [VILLAGE + SHIFT]


async def test_hukou_in_the_county_is_renamed_wherever_the_child_lives(town, offices) -> None:
    away = a_file(NEXT_VILLAGE)["hukou"]
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET hukou = hukou || jsonb_build_object('region_code', $1::text)",
            away["region_code"],
        )
    far = await a_child(town.database, 130102001001)
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET hukou = jsonb_build_object('region_code', $1::text) WHERE id = $2",
            str(COUNTY),
            far.id,
        )
    elsewhere = await a_child(town.database, 130102001001)
    await replaced(town)
    await run_jobs(town.database)
    async with town.database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT id, hukou ->> 'region_code' FROM children")
    said = {str(row[0]): row[1] for row in rows}
    assert said.pop(str(elsewhere.id)) is None
    assert said.pop(str(far.id)) == str(NEW)
    assert set(said.values()) == {str(NEXT_VILLAGE + SHIFT)}


async def test_places_that_join_another_keep_their_rows(town, offices) -> None:
    before = await seen(town, offices)
    async with town.database.begin(SYSTEM) as tx:
        await replace_region(tx, VILLAGE, NEXT_VILLAGE, date(2026, 7, 1))
    await run_jobs(town.database)
    after = await seen(town, offices)
    assert {key: rows.keys() for key, rows in after.items()} == {
        key: rows.keys() for key, rows in before.items()
    }
    assert await strays(town.database) == {}


def test_every_package_that_files_under_places_follows() -> None:
    assert {name.split(".")[1] for name in following._FOLLOWERS} == {
        "access",
        "agencies",
        "attendance",
        "breaches",
        "children",
        "dropout_alerts",
        "duties",
        "elsewhere",
        "hiring_checks",
        "police_reports",
        "unresolved",
        "webhooks",
    }
