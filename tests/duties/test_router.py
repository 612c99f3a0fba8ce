"""GET /v1/duties and /v1/duties/summary."""

from datetime import date

from app.core.data.db import SYSTEM, Reach
from app.core.jobs import queue
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import TOWNSHIP, VILLAGE
from tests.duties.factories import TRIED, announce, mark_overdue, visited, work
from tests.regions.factories import some_regions


async def _open_period(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.open_period", [{}])
    await work(database)


DUTIES = "SELECT count(*) FROM duties WHERE rule = ANY ($1)"


def tried(rows):
    return [row for row in rows if row["rule"] in TRIED]


async def _list(client, caller, query=""):
    answer = await client.get(f"/v1/duties{query}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return tried(answer.json()["items"])


async def test_shows_a_duty_within_budget(client, database, queries, director, child) -> None:
    await _open_period(database)
    queries.clear()
    (duty,) = await _list(client, director)
    assert len(queries) == 3, queries.statements
    assert duty == {
        **duty,
        "rule": "VIS-01",
        "title_zh": "每季度实地走访",
        "child_id": str(child.id),
        "region_code": str(VILLAGE),
        "bearer": {"role": "village_director", "agency_id": None, "stands_in_for": None},
        "priority": True,
        "period": "2026Q4",
        "state": "open",
        "due_at": "2026-12-31T16:00:00Z",
        "version": 1,
    }
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM audit_entries")
    assert (row["operation"], row["child_ids"]) == ("listDuties", [child.id])


async def test_each_role_sees_its_own(client, database, settings, director, child) -> None:
    station = await an_agency(database, "police", TOWNSHIP)
    school = await an_agency(database, "school", VILLAGE)
    await _open_period(database)
    await announce(database, "dropout_alerts.persuasion_failed", child=child, school_id=str(school))
    await announce(database, "police_reports.report_filed", child=child)
    await work(database)

    async def sees(role: str, region: int, **fields) -> list[str]:
        caller = await a_caller(database, settings, role, region, machine=False, **fields)
        return sorted(duty["rule"] for duty in await _list(client, caller))

    assert [duty["rule"] for duty in await _list(client, director)] == ["VIS-01"]
    assert await sees("village_director", VILLAGE + 1) == []
    assert await sees("township_supervisor", TOWNSHIP) == ["EDU-04", "REP-07", "VIS-01"]
    assert await sees("township_supervisor", TOWNSHIP + 1000) == []
    assert await sees("education_authority", 120119000000) == ["EDU-04"]
    assert await sees("school", VILLAGE, agency_id=school) == ["EDU-04"]
    assert await sees("school", VILLAGE) == []
    assert await sees("police", TOWNSHIP, agency_id=station) == ["REP-07"]
    assert await sees("police", TOWNSHIP) == []


async def test_an_agency_a_report_speaks_against_does_not_see_it(
    client, database, settings, child
) -> None:
    one = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    other = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    await announce(database, "police_reports.report_filed", child=child, told_to=(one.agency_id,))
    await work(database)
    assert len(await _list(client, one)) == 1
    assert await _list(client, other) == []
    for agency, seen in ((one.agency_id, 1), (other.agency_id, 0)):
        async with database.begin(Reach(TOWNSHIP, TOWNSHIP + 1000, agency=agency)) as tx:
            assert await tx.connection.fetchval(DUTIES, TRIED) == seen
            assert await tx.connection.fetchval("SELECT count(*) FROM duty_evidence") == 0


async def test_filters_and_pages(client, database, settings, child) -> None:
    for n in range(3):
        await a_child(database, VILLAGE + n, categories=["orphan"])
    await _open_period(database)
    await announce(database, "police_reports.report_filed", child=child)
    await visited(database, child, date(2026, 11, 18))
    await work(database)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)

    await some_regions(database, VILLAGE + 1)

    async def count(query: str) -> int:
        return len(await _list(client, township, query))

    assert await count("") == 5
    assert await count("?state=open") == 4
    assert await count("?state=discharged&rule=VIS-01") == 1
    assert await count("?rule=REP-07") == 1
    assert await count("?due_before=2026-12-01T00:00:00Z") == 1
    assert await count(f"?child_id={child.id}") == 2
    assert await count("?priority=false&rule=VIS-01") == 3
    assert await count(f"?region_code={VILLAGE + 1}") == 1
    everything = await _list(client, township)
    seen, cursor = [], ""
    while cursor is not None:
        url = f"/v1/duties?limit=2{cursor and '&cursor=' + cursor}"
        page = (await client.get(url, headers=township.headers)).json()
        seen += tried(page["items"])
        cursor = page["next_cursor"]
    assert seen == everything
    assert [duty["due_at"] for duty in seen] == sorted(duty["due_at"] for duty in seen)


async def test_summary_counts_and_measures_coverage(
    client, database, queries, settings, child
) -> None:
    seen = await a_child(
        database, VILLAGE + 1, categories=["left_behind"], priority_flags=["no_hukou", "ill"]
    )
    await a_child(database, VILLAGE + 1, categories=["orphan"])
    await a_child(database, TOWNSHIP + 1001, categories=["orphan"])
    await _open_period(database)
    await visited(database, seen, date(2026, 11, 18))
    await announce(database, "police_reports.report_filed", child=child)
    await work(database)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    queries.clear()
    answer = await client.get("/v1/duties/summary", headers=township.headers)
    assert len(queries) == 3, queries.statements
    summary = answer.json()
    assert (summary["period"], summary["region_code"]) == ("2026Q4", str(TOWNSHIP))
    counts = {row["rule"]: (row["open"], row["discharged"]) for row in tried(summary["rules"])}
    assert counts == {"REP-07": (1, 0), "VIS-01": (2, 1)}
    coverage = {
        (row["group"], row["code"]): (row["owed"], row["visited"], row["gap"])
        for row in summary["coverage"]
    }
    assert coverage == {
        ("all", None): (3, 1, 2),
        ("priority", None): (2, 1, 1),
        ("category", "left_behind"): (2, 1, 1),
        ("category", "orphan"): (1, 0, 1),
        ("priority_flag", "no_hukou"): (2, 1, 1),
        ("priority_flag", "ill"): (1, 1, 0),
    }
    await some_regions(database, VILLAGE)
    village = await client.get(
        f"/v1/duties/summary?region_code={VILLAGE}&period=2026Q4", headers=township.headers
    )
    assert village.json()["region_code"] == str(VILLAGE)
    assert village.json()["coverage"][0]["owed"] == 1
    before = await client.get("/v1/duties/summary?period=2026Q3", headers=township.headers)
    assert (before.json()["coverage"], before.json()["rules"]) == ([], [])


async def test_summary_tells_what_was_done_late(client, database, settings, child, time) -> None:
    other = await a_child(database, VILLAGE, categories=["orphan"])
    await _open_period(database)
    await visited(database, other, date(2026, 11, 20))
    await work(database)
    time.set(2027, 1, 2, 0, 0)
    async with database.begin(SYSTEM) as tx:
        await mark_overdue(tx)
    await visited(database, child, date(2026, 12, 31))
    await work(database)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    answer = await client.get("/v1/duties/summary?period=2026Q4", headers=township.headers)
    (counts,) = [row for row in answer.json()["rules"] if row["rule"] == "VIS-01"]
    said = (counts["discharged"], counts["discharged_late"], counts["recorded_late"])
    assert said == (2, 0, 1), "the day of the deed counts; late is what was sent of it"
    async with database.begin(SYSTEM) as tx:
        before = "UPDATE duties SET late_before_at = overdue_at WHERE overdue_at IS NOT NULL"
        await tx.connection.execute(before)
    answer = await client.get("/v1/duties/summary?period=2026Q4", headers=township.headers)
    (counts,) = [row for row in answer.json()["rules"] if row["rule"] == "VIS-01"]
    said = (counts["discharged"], counts["discharged_late"], counts["recorded_late"])
    assert said == (2, 1, 0), "late before it was opened again, it stays late"


async def test_bad_parameters(client, director) -> None:
    for path, problem in (
        ("/v1/duties?region_code=999999999999", "region-code-invalid"),
        ("/v1/duties?cursor=AAAA", "cursor-invalid"),
        ("/v1/duties?state=late", "parameter-invalid"),
        ("/v1/duties/summary?period=2026Q5", "parameter-invalid"),
        ("/v1/duties/summary?region_code=999999999999", "region-code-invalid"),
    ):
        answer = await client.get(path, headers=director.headers)
        assert (answer.status_code, answer.json()["type"]) == (400, f"/problems/{problem}")
