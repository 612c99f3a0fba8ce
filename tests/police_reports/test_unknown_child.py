"""Nobody knows which child a report is about: somebody is asked, and those who know it by what the
police know find its file, or the office of the place does.
"""

from typing import Any
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM, Reach
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, a_report, filed, the_offices
from tests.police_reports.test_chain import AT, URL, step
from tests.unresolved.conftest import act, listed  # noqa: F401


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def mate(database, settings, offices):
    """Another supervisor of the township."""
    return await a_caller(
        database,
        settings,
        "township_supervisor",
        TOWNSHIP,
        agency_id=offices.township.agency_id,
    )


async def owed(client, caller) -> list[dict[str, Any]]:
    answer = await client.get("/v1/duties?rule=REP-01.child", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def unknown(client, database, offices, **fields: Any) -> str:
    report_id = await filed(client, offices.school, **fields)
    await run_jobs(database)
    return report_id


class TestNobodyKnows:
    async def test_somebody_is_asked_who_it_is_by_a_deadline(
        self, client, database, offices
    ) -> None:
        report_id = await unknown(client, database, offices)
        for caller in (offices.township, offices.county):
            [item] = await listed(client, caller, "?kind=report")
            assert (item["report_id"], item["state"]) == (report_id, "open")
            assert (item["reason"], item["claim"]) == ("child_unknown", None)
            assert item["owner"] == {"role": "township_supervisor", "agency_id": None}
            assert item["sender"] is None  # in a small place that is a person
            [duty] = await owed(client, caller)
            assert (duty["subject_id"], duty["due_at"]) == (item["id"], item["due_at"])
            assert "dismissUnresolved" in item["permitted"]
        for caller in (offices.school, offices.village):
            assert await listed(client, caller) == []
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE duties SET due_at = $1", tx.now)
            await queue.REGISTRY["duties.mark_overdue"].handler(tx, {})
        assert [duty["state"] for duty in await owed(client, offices.county)] == ["overdue"]

    async def test_of_a_report_about_a_file_nobody_is(self, client, database, offices, child):
        await unknown(client, database, offices, child_id=str(child.id), subject=None)
        assert await listed(client, offices.county) == []
        await unknown(client, database, offices, child_id=str(uuid4()), subject=None)
        assert len(await listed(client, offices.county)) == 1

    async def test_it_ends_when_a_file_is_attached(self, client, database, offices, child) -> None:
        report_id = await unknown(client, database, offices)
        body = {"identified_at": AT, "child_id": str(child.id), "basis": "村里辨认。"}
        answer = await step(client, offices.township, report_id, "child", body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        [item] = await listed(client, offices.township)
        assert item["state"] == "attached"
        assert [duty["state"] for duty in await owed(client, offices.township)] == ["discharged"]

    async def test_or_with_a_reason_by_two_people(
        self,
        client,
        database,
        offices,
        mate,
        act,  # noqa: F811
    ) -> None:
        report_id = await unknown(client, database, offices)
        [item] = await listed(client, offices.township)
        for caller, state in ((offices.township, "open"), (mate, "dismissed")):
            answer = await act(caller, item["id"], "dismissal", words="过路的孩子,已随父母离开。")
            assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        await run_jobs(database)
        assert [duty["state"] for duty in await owed(client, offices.township)] == ["discharged"]
        forwarded = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert "identifyChild" in forwarded.json()["permitted"]

    async def test_not_by_what_settles_evidence(
        self,
        client,
        database,
        offices,
        child,
        act,  # noqa: F811
    ) -> None:
        await unknown(client, database, offices)
        [item] = await listed(client, offices.township)
        for name in ("attachment", "correction"):
            answer = await act(offices.township, item["id"], name, child_id=str(child.id))
            assert (answer.status_code, answer.json()["type"]) == (
                409,
                "/problems/not-for-this-kind",
            )

    async def test_a_correction_is_asked_about_alone(self, client, database, offices) -> None:
        first = await unknown(client, database, offices)
        again = await step(client, offices.school, first, "supersession", a_report())
        await run_jobs(database)
        states = {item["report_id"]: item["state"] for item in await listed(client, offices.county)}
        assert states == {first: "corrected", again.json()["id"]: "open"}

    @pytest.mark.parametrize("said", ["id", "words", "later"])
    async def test_the_township_it_speaks_against_is_neither_asked_nor_told(
        self, client, database, offices, said
    ) -> None:
        accused = str(offices.township.agency_id)
        named = {"id": {"suspect_agency_id": accused}, "words": {"suspect_agency_id": "乡政府"}}
        report_id = await unknown(client, database, offices, **named.get(said, {}))
        if said == "later":
            assert len(await listed(client, offices.township)) == 1
            body = a_report(suspect_agency_id=accused)
            await step(client, offices.school, report_id, "supersession", body)
            await run_jobs(database)
        assert await listed(client, offices.township) == []
        assert await owed(client, offices.township) == []
        open_ = await listed(client, offices.county, "?state=open")
        assert [item["owner"]["role"] for item in open_] == ["civil_affairs"]
        assert await owed(client, offices.county)
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetchval(
                "SELECT told_to FROM events WHERE wire_name = 'unresolved.report_unresolved'"
                " ORDER BY id DESC LIMIT 1"
            )
        assert told == [str(offices.county.agency_id)]
        reach = Reach(TOWNSHIP, TOWNSHIP + 1000, agency=offices.township.agency_id)
        async with database.begin(reach) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM unresolved") == 0
            count = "SELECT count(*) FROM duties WHERE rule = 'REP-01.child'"
            assert await tx.connection.fetchval(count) == 0
