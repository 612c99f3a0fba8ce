"""Who learns what: the agency reported nothing, the reporter's name nobody but the police."""

from datetime import date

import pytest

from app.access import operations as access
from app.core.data import keys
from app.core.data.db import SYSTEM, Reach
from app.core.ids import new_id
from app.webhooks.models import body_of
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    CANARY,
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    delivered,
    filed,
    police_at,
    rows,
    the_offices,
    who_reported,
)
from tests.police_reports.test_chain import (
    BY_POLICE,
    BY_TOWNSHIP,
    DISPOSE,
    step,
)
from tests.printed import readable

URL = "/v1/police-reports"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def items(client, caller) -> list[str]:
    answer = await client.get(URL, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


class TestSuspect:
    @pytest.mark.parametrize("suspect", ["school", "village", "township", "county"])
    async def test_agency_reported_finds_nothing(self, client, offices, suspect) -> None:
        reporter = offices.village if suspect == "school" else offices.school
        named = getattr(offices, suspect)
        report_id = await filed(client, reporter, suspect_agency_id=str(named.agency_id))
        assert await items(client, named) == []
        known = await client.get(f"{URL}/{report_id}", headers=named.headers)
        nowhere = await client.get(f"{URL}/{new_id()}", headers=named.headers)
        assert known.status_code == nowhere.status_code == 404
        assert {**known.json(), "request_id": ""} == {**nowhere.json(), "request_id": ""}
        chain = await client.get(f"{URL}/{report_id}/chain", headers=named.headers)
        assert chain.status_code == 404
        assert await items(client, offices.police) == [report_id]

    async def test_nor_does_who_serves_it_under_another_id(self, client, database, offices) -> None:
        """A second account elsewhere, known to be the same person's, is no other person."""
        report_id = await filed(
            client, offices.school, suspect_agency_id=str(offices.village.agency_id)
        )
        assert await items(client, offices.township) == [report_id]
        async with database.begin(SYSTEM) as tx:
            two = (offices.village.subject_id, offices.township.subject_id)
            await access.note_same_person(tx, *two)
        assert await items(client, offices.township) == []
        read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert read.status_code == 404

    async def test_police_that_a_correction_speaks_against_lose_the_report(
        self, client, database, offices
    ) -> None:
        county = await police_at(database, COUNTY)
        first = await filed(client, offices.school)
        assert await items(client, offices.police) == [first]
        suspect = str(offices.police.agency_id)
        body = a_report(suspect_agency_id=suspect)
        answer = await step(client, offices.school, first, "supersession", body)
        assert answer.status_code == 201, answer.text
        assert await items(client, offices.police) == []
        stored = {str(row["id"]): row for row in await rows(database, "police_reports")}
        assert stored[answer.json()["id"]]["police_agency_id"] == county
        told = [row for row in await rows(database, "events") if row["told_to"]]
        later = [row for row in told if "superseded" in row["wire_name"]]
        assert len(later) == 1
        assert suspect not in later[0]["told_to"]

    async def test_of_the_police_only_those_told_see_it_under_row_security(
        self, database, client, settings
    ) -> None:
        reporter = await a_caller(database, settings, "hospital", COUNTY)
        station = await police_at(database, TOWNSHIP, endpoint=False)
        county = await police_at(database, COUNTY, endpoint=False)
        beside = await police_at(database, TOWNSHIP + 1000, endpoint=False)
        await filed(client, reporter)
        seen = {}
        for agency in (station, county, beside):
            async with database.begin(Reach(0, 0, agency=agency)) as tx:
                seen[agency] = await tx.connection.fetchval("SELECT count(*) FROM police_reports")
        assert seen == {station: 1, county: 1, beside: 0}

    async def test_who_reports_their_own_agency_sees_it_no_more(self, client, offices) -> None:
        report_id = await filed(
            client, offices.school, suspect_agency_id=str(offices.school.agency_id)
        )
        assert await items(client, offices.school) == []
        assert await items(client, offices.police) == [report_id]

    async def test_who_reports_their_own_agency_is_told_no_more_of_it(
        self, client, database, offices
    ) -> None:
        own = offices.school.agency_id
        report_id = await filed(client, offices.school, suspect_agency_id=str(own))
        await step(client, offices.police, report_id, *BY_POLICE[0][:2])
        async with database.begin(SYSTEM) as tx:
            named = await tx.connection.fetch("SELECT told_to FROM events")
        assert len(named) == 2
        assert not any(str(own) in row["told_to"] for row in named)

    async def test_a_repeated_report_is_answered_whoever_is_suspected(
        self, client, offices
    ) -> None:
        """Its sender's line was cut: that it was taken in is theirs to hear, and no more."""
        body = a_report()
        headers = {**offices.school.headers, "idempotency-key": "cut-off"}
        first = await client.post(URL, json=body, headers=headers)
        named = {**a_report(), "supersedes": first.json()["id"]}
        named["suspect_agency_id"] = str(offices.school.agency_id)
        corrected = await client.post(URL, json=named, headers=offices.village.headers)
        assert corrected.status_code in {201, 404}, corrected.text
        await step(client, offices.police, first.json()["id"], *BY_POLICE[0][:2])
        again = await client.post(URL, json=body, headers=headers)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"

    async def test_no_event_reaches_the_agency_reported(self, client, database, offices) -> None:
        suspect = offices.township.agency_id
        for caller, region in ((offices.township, TOWNSHIP), (offices.county, COUNTY)):
            await an_endpoint(database, caller.agency_id, region, relation="region")
        report_id = await filed(client, offices.school, suspect_agency_id=str(suspect))
        await delivered(database, report_id)
        for path, body, _ in BY_POLICE:
            await step(client, offices.police, report_id, path, body)
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch("SELECT DISTINCT agency_id FROM webhook_deliveries")
            named = await tx.connection.fetch("SELECT told_to FROM events")
        assert {row["agency_id"] for row in told} == {
            offices.police.agency_id,
            offices.county.agency_id,
        }
        assert len(named) >= 6
        assert not any(str(suspect) in row["told_to"] for row in named)

    async def test_row_level_security_repeats_it(self, client, database, offices) -> None:
        village = offices.village.agency_id
        await filed(client, offices.school, suspect_agency_id=str(village))
        await filed(client, offices.school)
        counts = {}
        for who, reach in {
            "suspect": Reach(VILLAGE, VILLAGE + 1, agency=village),
            "township": Reach(TOWNSHIP, TOWNSHIP + 1000, agency=offices.township.agency_id),
            "school": Reach(
                TOWNSHIP,
                TOWNSHIP + 1000,
                agency=offices.school.agency_id,
                school=offices.school.agency_id,
            ),
            "other": Reach(COUNTY + 10**6, COUNTY + 2 * 10**6, agency=new_id()),
            "police": Reach(0, 1, agency=offices.police.agency_id),
        }.items():
            async with database.begin(reach) as tx:
                counts[who] = await tx.connection.fetchval("SELECT count(*) FROM police_reports")
        assert counts == {"suspect": 1, "township": 2, "school": 2, "other": 0, "police": 2}


class TestReporter:
    async def test_police_in_charge_read_who_reported_and_it_is_audited(
        self, client, database, offices
    ) -> None:
        report_id = await filed(client, offices.school)
        answer = await who_reported(client, offices.police, report_id)
        assert answer.json() == {
            "as_sent": None,
            "anonymous": False,
            "name": CANARY,
            "phone": "022-00000000",
            "position": "教师",
            "agency_id": str(offices.school.agency_id),
        }
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries WHERE operation = 'readReporterAlone'"
            )
        assert (row["field_groups"], str(row["subject_id"])) == (["reporter"], report_id)
        assert row["since"] == date(2026, 11, 20)

    async def test_unnamed_reporter_stays_unnamed(self, client, offices) -> None:
        body = a_report()
        del body["reporter"]
        made = await client.post(URL, json=body, headers=offices.school.headers)
        answer = await who_reported(client, offices.police, made.json()["id"])
        assert (answer.json()["anonymous"], answer.json()["name"]) == (True, None)

    async def test_nobody_else_may(self, client, database, settings, offices) -> None:
        report_id = await filed(client, offices.school)
        path = f"{URL}/{report_id}/reporter"
        for caller in (offices.school, offices.township, offices.county):
            assert (await client.get(path, headers=caller.headers)).status_code == 403
            assert (await who_reported(client, caller, report_id)).status_code == 403
        other = await a_caller(database, settings, "police", TOWNSHIP)
        assert (await client.get(path, headers=other.headers)).status_code == 404
        assert (await who_reported(client, other, report_id)).status_code == 404
        target = await police_at(database, COUNTY)
        await step(
            client,
            offices.police,
            report_id,
            "forwarding",
            {"forwarded_at": "2026-11-20T09:55:00+08:00", "police_agency_id": str(target)},
        )
        for answer in (
            await client.get(path, headers=offices.police.headers),
            await who_reported(client, offices.police, report_id),
        ):
            assert answer.json()["type"] == "/problems/not-your-part"

    async def test_row_level_security_keeps_it_even_from_jobs(
        self, client, database, offices
    ) -> None:
        await filed(client, offices.school)
        nation = Reach(0, 10**12, agency=offices.county.agency_id)
        for reach, expected in (
            (SYSTEM, 0),
            (nation, 0),
            (Reach(0, 1, agency=offices.school.agency_id), 0),
            (Reach(0, 1, agency=offices.police.agency_id), 1),
        ):
            async with database.begin(reach) as tx:
                seen = await tx.connection.fetchval("SELECT count(*) FROM police_reporters")
            assert seen == expected, reach

    async def test_canary_is_nowhere_else(self, client, database, offices, capfd) -> None:
        said = []
        made = await client.post(
            URL,
            json=a_report(),
            headers={**offices.school.headers, "idempotency-key": "canary"},
        )
        said.append(made.text)
        report_id = made.json()["id"]
        odd = await client.post(
            URL,
            json={**a_report(), "reporter": {"name": CANARY, CANARY: 1}},
            headers=offices.school.headers,
        )
        assert odd.status_code == 201
        said.append(odd.text)
        await delivered(database, report_id)
        await run_jobs(database)
        for caller, steps in ((offices.police, BY_POLICE), (offices.township, BY_TOWNSHIP)):
            for path, body, _ in steps:
                said.append((await step(client, caller, report_id, path, body)).text)
        for caller in (offices.school, offices.police, offices.township, offices.county):
            for path in ("", f"/{report_id}", f"/{report_id}/chain"):
                answer = await client.get(f"{URL}{path}", headers=caller.headers)
                assert answer.status_code == 200
                said.append(answer.text)
        logged = capfd.readouterr()
        assert "fileReport" in logged.out + logged.err
        said += [logged.out, logged.err, *await everything_stored(database, offices)]
        assert [text for text in said if CANARY in text or "022-00000000" in text] == []


async def everything_stored(database, offices) -> list[str]:
    """Every row of every table, as text, as the police in charge may read it and as the system."""
    found = []
    for reach in (SYSTEM, Reach(0, 10**12, agency=offices.police.agency_id)):
        async with database.begin(reach) as tx:
            tables = await tx.connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition"
                " AND relname <> 'alembic_version'"
            )
            for table in tables:
                rows = await tx.connection.fetch(f'SELECT t::text FROM "{table[0]}" t')
                found += [readable(row[0]) for row in rows]
            bodies = await tx.connection.fetch("SELECT event_id, body FROM webhook_deliveries")
            await keys.of_rows(tx, bodies)
            found += [body_of(tx.keyring, row).decode() for row in bodies]
    return found


class TestParties:
    async def test_each_party_reads_its_part(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        for caller, steps in ((offices.police, BY_POLICE), (offices.township, BY_TOWNSHIP)):
            for path, body, _ in steps:
                await step(client, caller, report_id, path, body)
        parts = {}
        for name in ("school", "police", "township", "county"):
            answer = await client.get(f"{URL}/{report_id}", headers=getattr(offices, name).headers)
            read = answer.json()
            parts[name] = (
                read["party"],
                read["narrative"] == a_report()["narrative"],
                read["reporter_agency_id"] is not None,
                [taken["step"] for taken in read["steps"] if taken["details"]],
            )
        by_police = ["acknowledged", "dispatched", "disposed", "township_notified"]
        by_township = ["township_received", "assessed", "services_arranged", "closed"]
        assert parts == {
            "school": ("reporter", True, True, []),
            "police": ("police", True, True, by_police),
            "township": ("protection", True, False, by_police + by_township),
            "county": ("protection", True, False, by_police + by_township),
        }

    async def test_disposition_is_read_back_as_sent(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        details = read.json()["steps"][0]["details"]
        told = {name: value for name, value in details.items() if value is not None}
        assert told == {
            "kind": "living_alone",
            "measures": ["parents_admonished", "parents_ordered_to_return"],
            "omitted": [],
            "also": [],
            "unit": "一组",
            "details": "已联系父亲。",
        }

    async def test_bystanders_find_nothing(self, client, database, settings, offices) -> None:
        report_id = await filed(client, offices.school)
        for role, region in (
            ("village_director", VILLAGE),
            ("school", TOWNSHIP),
            ("hospital", COUNTY),
            ("education_authority", COUNTY),
            ("auditor", COUNTY),
            ("township_supervisor", 120119102000),
            ("civil_affairs", 120115000000),
        ):
            caller = await a_caller(database, settings, role, region)
            assert await items(client, caller) == [], role
            answer = await client.get(f"{URL}/{report_id}", headers=caller.headers)
            assert answer.status_code == 404, role

    async def test_denied_look_is_audited(self, client, database, settings, offices) -> None:
        report_id = await filed(client, offices.school)
        stranger = await a_caller(database, settings, "hospital", COUNTY)
        await client.get(f"{URL}/{report_id}", headers=stranger.headers)
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries WHERE decision = 'denied'"
            )
        assert (row["operation"], str(row["subject_id"])) == ("readReport", report_id)

    async def test_reads_stay_within_their_statements(self, client, offices, queries) -> None:
        report_id = await filed(client, offices.school)
        for path, budget in (("", 3), (f"/{report_id}", 4), (f"/{report_id}/chain", 7)):
            queries.clear()
            await client.get(f"{URL}{path}", headers=offices.county.headers)
            assert len(queries) == budget, queries.statements
