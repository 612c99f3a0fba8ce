"""Nobody knows which child a report is about: somebody is asked, and those who know it by what the
police know find its file, or the office of the place does.
"""

from typing import Any
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM, Reach
from tests.access.factories import a_caller
from tests.children.factories import RESIDENT_ID, a_file, with_check_digit
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, a_report, filed, rows, the_offices
from tests.police_reports.test_chain import AT, URL, step
from tests.regions.factories import some_regions
from tests.unresolved.conftest import act, listed, numbered  # noqa: F401

AWAY = 120118000000
AWAY_VILLAGE = 120118101201


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
            assert item["owner"]["role"] == "township_supervisor"
            assert item["sender"] is None  # in a small place that is a person
            [duty] = await owed(client, caller)
            assert (duty["subject_id"], duty["due_at"]) == (item["id"], item["due_at"])
            assert "dismissUnresolved" in item["permitted"]
        for caller in (offices.school, offices.village):
            assert await listed(client, caller) == []
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE duties SET due_at = $1", tx.now)
            await mark_overdue(tx)
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


@pytest.fixture
async def away(database, settings, offices):
    """Civil affairs of the county where the child lives."""
    await some_regions(database, AWAY_VILLAGE)
    return await a_caller(database, settings, "civil_affairs", AWAY)


@pytest.fixture
async def file_away(client, away) -> str:
    """The file of a child whom nobody of the report's place sees."""
    answer = await client.post("/v1/children", json=a_file(AWAY_VILLAGE), headers=away.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def identified(client, caller, report_id: str, **said: Any) -> Any:
    body = {"identified_at": AT, "basis": "户籍系统查询。", **said}
    return await step(client, caller, report_id, "child", body)


WIDE = RESIDENT_ID.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
NUMBER = {"system": "student_status", "number": "g-canary-1"}


class TestWhatThePoliceKnow:
    @pytest.mark.parametrize(
        "said",
        [
            {"resident_id": RESIDENT_ID, "name": "样小一"},
            {"resident_id": f" {WIDE[:6]} {RESIDENT_ID[6:]}", "name": "样小一"},
            {"student": NUMBER, "name": "样 小一"},
        ],
        ids=["number", "spelt otherwise", "student"],
    )
    async def test_finds_the_file_and_tells_nothing_of_it(
        self, client, database, offices, away, file_away, said
    ) -> None:
        report_id = await unknown(client, database, offices)
        body = {**said, "id": str(uuid4())}
        answer = await identified(client, offices.police, report_id, **body)
        assert (answer.status_code, answer.json()["step"]) == (201, "identified"), answer.text
        again = await identified(client, offices.police, report_id, **body)
        assert (again.status_code, again.json()) == (200, answer.json())
        for caller in (offices.police, offices.school):
            for path in ("", f"/{report_id}", f"/{report_id}/chain"):
                read = await client.get(f"{URL}{path}", headers=caller.headers)
                assert read.status_code == 200
                said_of_it = answer.text + read.text
                assert file_away not in said_of_it
                assert str(AWAY)[:6] not in said_of_it
        seen = await client.get(f"{URL}/{report_id}", headers=away.headers)
        assert (seen.json()["child_id"], seen.json()["party"]) == (file_away, "protection")
        await run_jobs(database)
        assert [item["state"] for item in await listed(client, offices.township)] == ["attached"]
        async with database.begin(SYSTEM) as tx:
            children = await tx.connection.fetchval(
                "SELECT child_ids FROM audit_entries WHERE operation = 'identifyChild'"
                " ORDER BY at, id LIMIT 1"
            )
        assert [*map(str, children)] == [file_away]

    @pytest.mark.usefixtures("file_away")
    @pytest.mark.parametrize(
        "said",
        [
            {"resident_id": with_check_digit("12011920160301900")},
            {"resident_id": "没有号码"},
            {"resident_id": RESIDENT_ID},
            {"resident_id": RESIDENT_ID, "name": "别的名字"},
            {"student": {"system": "student_status", "number": "G-2"}, "name": "样小一"},
        ],
        ids=["nobody's", "no number", "number alone", "another name", "student"],
    )
    async def test_what_no_file_answers_to_is_kept_and_asked_of_the_office(
        self, client, database, offices, said
    ) -> None:
        report_id = await unknown(client, database, offices)
        answer = await identified(client, offices.police, report_id, **said)
        assert (answer.status_code, answer.json()["step"]) == (201, "described"), answer.text
        await run_jobs(database)
        [item] = await listed(client, offices.township)
        assert (item["state"], item["reason"]) == ("open", "child_unknown")
        assert item["version"] == 2
        read = (await client.get(f"{URL}/{report_id}", headers=offices.township.headers)).json()
        [taken] = read["steps"]
        told = {name: taken["details"][name] for name in said}
        assert told == said
        assert "identifyChild" in read["permitted"]
        stored = await rows(database, "police_report_steps")
        # Who tries numbers learns of no child.
        assert [row["codes"] for row in stored] == [
            {"found": "none" if "name" in said else "not_sought"}
        ]

    @pytest.mark.usefixtures("file_away")
    async def test_of_several_files_the_office_chooses(
        self, client, database, offices, child
    ) -> None:
        await numbered(database, child, "student_status", "G-CANARY-1")
        report_id = await unknown(client, database, offices)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE children SET identity_sealed = NULL, name = '样小一' WHERE id = $1",
                child.id,
            )
        said = {"student": NUMBER, "name": "样小一"}
        answer = await identified(client, offices.police, report_id, **said)
        assert answer.json()["step"] == "described"
        await run_jobs(database)
        [item] = await listed(client, offices.township)
        assert item["reason"] == "several_children"
        chosen = await identified(client, offices.township, report_id, child_id=str(child.id))
        assert (chosen.status_code, chosen.json()["step"]) == (201, "identified")

    async def test_a_proposal_to_dismiss_ends_with_what_is_said_since(
        self,
        client,
        database,
        offices,
        mate,
        act,  # noqa: F811
    ) -> None:
        report_id = await unknown(client, database, offices)
        [item] = await listed(client, offices.township)
        await act(offices.township, item["id"], "dismissal", words="查无此人")
        await identified(client, offices.police, report_id, resident_id="不详")
        await run_jobs(database)
        [item] = await listed(client, offices.township)
        assert (item["state"], item["dismissal_proposed"]) == ("open", None)
        answer = await act(mate, item["id"], "dismissal", words="查无此人")
        assert answer.json()["state"] == "open", "it is the first of two"

    async def test_what_was_dismissed_is_asked_again(
        self,
        client,
        database,
        offices,
        mate,
        act,  # noqa: F811
    ) -> None:
        report_id = await unknown(client, database, offices)
        [item] = await listed(client, offices.township)
        for caller in (offices.township, mate):
            await act(caller, item["id"], "dismissal", words="查无此人")
        await identified(client, offices.police, report_id, resident_id="不详")
        await run_jobs(database)
        states = [each["state"] for each in await listed(client, offices.township)]
        assert sorted(states) == ["dismissed", "open"]

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"name": "样小一"},
            {"student": NUMBER},
            {"child_id": str(uuid4()), "resident_id": RESIDENT_ID},
            {"resident_id": RESIDENT_ID, "basis": None},
        ],
        ids=["nothing", "a name", "a number without a name", "two", "no reason"],
    )
    async def test_it_says_one_thing_and_how_it_is_known(self, client, offices, said) -> None:
        report_id = await filed(client, offices.school)
        answer = await identified(client, offices.police, report_id, **said)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation-failed")
