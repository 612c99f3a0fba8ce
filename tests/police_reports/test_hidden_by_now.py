"""From the moment it is accused an agency learns nothing of a report: neither by what was queued
for it before, nor by a list that knows the report, or what is owed for it, by its id alone.
"""

from uuid import UUID, uuid4

import orjson
import pytest

from app.core.data.db import SYSTEM, Reach
from tests.access.factories import a_caller
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, a_report, filed, rows, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, URL, step
from tests.waiting import until
from tests.webhooks.workshop import an_endpoint, receiving, sending, settings_for

HEARS = {"event_types": ("police_reports.*", "duties.*")}
TOWNSHIP_SPAN = (TOWNSHIP, TOWNSHIP + 1000)


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def named(client, offices, report_id: str, suspect, *, by="school") -> str:
    """Correct a report so that it speaks against an agency; returns the correction."""
    body = a_report(suspect_agency_id=str(suspect.agency_id))
    answer = await step(client, getattr(offices, by), report_id, "supersession", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def listed(client, caller, path: str) -> list[dict]:
    answer = await client.get(f"/v1/{path}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def owed_late(database) -> None:
    """Let every duty be overdue, and say so."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE duties SET due_at = $1", tx.now)
        await mark_overdue(tx)
    await run_jobs(database)


class TestWhatWasQueuedBefore:
    async def test_is_not_sent_to_a_township_named_meanwhile(
        self, client, database, database_urls, offices
    ) -> None:
        async with receiving() as receiver:
            agency = offices.township.agency_id
            await an_endpoint(database, agency, receiver.url, region=TOWNSHIP_SPAN, **HEARS)
            hidden = await filed(client, offices.school)
            await run_jobs(database)
            await owed_late(database)
            newest = await named(client, offices, hidden, offices.township)
            told = await filed(client, offices.school)
            await run_jobs(database)

            async def arrived() -> bool:
                return bool(receiver.received)

            async with sending(database, settings_for(receiver), database_urls.app):
                await until(arrived)
        about = {orjson.loads(each.body)["data"]["subject_id"] for each in receiver.received}
        assert about == {told}
        ours = [
            row
            for row in await rows(database, "webhook_deliveries")
            if row["agency_id"] == agency and str(row["ordering_key"]) != told
        ]
        assert {(row["state"], row["attempts"]) for row in ours} == {("withheld", 0)}
        assert {"police_reports.report_filed", "duties.duty_overdue"} <= {
            row["wire_name"] for row in ours
        }
        assert str(newest) not in {str(row["ordering_key"]) for row in ours}

    async def test_nor_to_police_named_meanwhile_and_the_chain_says_so(
        self, client, database, database_urls, settings, offices
    ) -> None:
        async with receiving() as receiver:
            agency = await a_caller(database, settings, "police", COUNTY)
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
            await an_endpoint(database, agency.agency_id, receiver.url, relation="none", **HEARS)
            hidden = await filed(client, offices.school)
            await named(client, offices, hidden, agency)
            told = await filed(client, offices.school)

            async def arrived() -> bool:
                return bool(receiver.received)

            async with sending(database, settings_for(receiver), database_urls.app):
                await until(arrived)
        assert [orjson.loads(each.body)["data"]["subject_id"] for each in receiver.received] == [
            told
        ]
        chain = await client.get(f"{URL}/{hidden}/chain", headers=offices.county.headers)
        [delivery] = chain.json()["deliveries"]
        assert (delivery["state"], delivery["attempt_count"]) == ("withheld", 0)
        assert {
            item["subject_id"] for item in await listed(client, agency, "webhook-deliveries")
        } == {told}

    async def test_nor_to_police_whom_the_words_of_a_correction_may_mean(
        self, client, database, database_urls, settings, offices
    ) -> None:
        """At sending it is asked again, by the words of that hour; the police above get it."""
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
        above = await a_caller(database, settings, "police", COUNTY)
        async with receiving() as receiver:
            for police in (offices.police, above):
                await an_endpoint(
                    database, police.agency_id, receiver.url, relation="none", **HEARS
                )
            hidden = await filed(client, offices.school)
            body = a_report(suspect_agency_id="派出所的民警")
            answer = await step(client, offices.school, hidden, "supersession", body)
            newest = answer.json()["id"]
            told = await filed(client, offices.school)

            async def decided() -> bool:
                found = await rows(database, "webhook_deliveries")
                return {row["state"] for row in found} <= {"succeeded", "withheld"}

            async with sending(database, settings_for(receiver), database_urls.app):
                await until(decided)
        sent = {
            (row["agency_id"], str(row["ordering_key"]), row["state"])
            for row in await rows(database, "webhook_deliveries")
        }
        assert sent == {
            (offices.police.agency_id, hidden, "withheld"),
            (above.agency_id, newest, "succeeded"),
            (offices.police.agency_id, told, "succeeded"),
        }

    async def test_nor_to_an_office_that_words_may_mean_while_it_is_open(
        self, client, database, database_urls, offices
    ) -> None:
        async with receiving() as receiver:
            agency = offices.township.agency_id
            await an_endpoint(database, agency, receiver.url, region=TOWNSHIP_SPAN, **HEARS)
            hidden = await filed(client, offices.school)
            await run_jobs(database)
            body = a_report(suspect_agency_id="乡里的干部")
            await step(client, offices.school, hidden, "supersession", body)
            # What the township reported itself it is told, whomever its words mean.
            own = await filed(client, offices.township, suspect_agency_id="中心小学")
            await run_jobs(database)

            async def arrived() -> bool:
                return bool(receiver.received)

            async with sending(database, settings_for(receiver), database_urls.app):
                await until(arrived)
        about = {orjson.loads(each.body)["data"]["subject_id"] for each in receiver.received}
        assert about == {own}

    @pytest.mark.parametrize("bound_to", [{"relation": "none"}, {"region": TOWNSHIP_SPAN}])
    async def test_police_of_a_township_get_a_report_whose_suspect_is_unclear(
        self, client, database, database_urls, offices, bound_to
    ) -> None:
        """Words that may mean an office of the township hide nothing from the police told of it."""
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
        async with receiving() as receiver:
            police = offices.police.agency_id
            await an_endpoint(database, police, receiver.url, **bound_to, **HEARS)
            report_id = await filed(client, offices.school, suspect_agency_id="乡里的干部")

            async def decided() -> bool:
                [row] = await rows(database, "webhook_deliveries")
                return row["state"] in {"succeeded", "withheld"}

            async with sending(database, settings_for(receiver), database_urls.app):
                await until(decided)
        about = [orjson.loads(each.body)["data"]["subject_id"] for each in receiver.received]
        assert about == [report_id]


class TestLists:
    async def test_no_list_tells_the_agency_that_is_accused(
        self, client, database, offices
    ) -> None:
        await an_endpoint(
            database,
            offices.township.agency_id,
            "https://t.example/in",
            region=TOWNSHIP_SPAN,
            **HEARS,
        )
        report_id = await filed(client, offices.school)
        await run_jobs(database)
        assert await listed(client, offices.township, "duties?rule=REP-07")
        assert await listed(client, offices.township, "webhook-deliveries")
        [delivery] = await listed(client, offices.township, "webhook-deliveries")
        await named(client, offices, report_id, offices.township)
        await run_jobs(database)
        assert await listed(client, offices.township, "duties?rule=REP-07") == []
        counted = await client.get(
            f"/v1/duties/summary?region_code={TOWNSHIP}&period=2026Q4",
            headers=offices.township.headers,
        )
        assert "REP-07" not in counted.text
        assert await listed(client, offices.township, "webhook-deliveries") == []
        one = f"/v1/webhook-deliveries/{delivery['id']}"
        for method, path in (("GET", one), ("POST", f"{one}/replay")):
            answer = await client.request(method, path, headers=offices.township.headers)
            assert answer.status_code == 404, (path, answer.text)
        assert await listed(client, offices.county, "duties?rule=REP-07")
        nation = Reach(0, 10**12, agency=offices.township.agency_id)
        async with database.begin(nation) as tx:
            for table in ("duties", "webhook_deliveries"):
                assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table


class TestAudit:
    async def test_who_reports_its_own_agency_is_not_told_on_by_the_trail(
        self, client, database, offices
    ) -> None:
        report_id = await filed(
            client, offices.county, suspect_agency_id=str(offices.county.agency_id)
        )
        await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        nowhere = str(uuid4())
        for each in (report_id, nowhere):
            answer = await client.get(f"{URL}/{each}", headers=offices.county.headers)
            assert answer.status_code == 404
        seen = await listed(client, offices.county, "audit-entries")
        # What it was refused stands, as it does of what there is not.
        assert {(entry["subject_id"], entry["decision"]) for entry in seen} == {
            (report_id, "denied"),
            (nowhere, "denied"),
        }
        reach = Reach(COUNTY, COUNTY + 10**6, agency=offices.county.agency_id)
        async with database.begin(reach) as tx:
            found = await tx.connection.fetch(
                "SELECT decision FROM audit_entries WHERE subject_id = $1", UUID(report_id)
            )
        assert [row["decision"] for row in found] == ["denied"]

    async def test_supervision_reads_nothing_of_a_report_against_itself(
        self, client, database, settings, offices
    ) -> None:
        auditor = await a_caller(database, settings, "auditor", COUNTY)
        against = await filed(client, offices.school, suspect_agency_id=str(auditor.agency_id))
        other = await filed(
            client, offices.school, suspect_agency_id=str(offices.township.agency_id)
        )
        for each in (against, other):
            await step(client, offices.police, each, "acknowledgement", ACCEPT)
        about = {entry["subject_id"] for entry in await listed(client, auditor, "audit-entries")}
        assert about == {other}

    async def test_nor_does_whom_a_correction_or_the_county_names_later(
        self, client, database, settings, offices
    ) -> None:
        auditor = await a_caller(database, settings, "auditor", COUNTY)
        corrected = await filed(client, offices.school)
        unclear = await filed(client, offices.school, suspect_agency_id="村干部")
        assert len(await listed(client, auditor, "audit-entries")) == 2
        await named(client, offices, corrected, auditor)
        accused = str(auditor.agency_id)
        naming = {"named_at": AT, "suspect_agency_id": accused, "basis": "查证。"}
        answer = await step(client, offices.county, unclear, "suspect", naming)
        assert answer.status_code == 201, answer.text
        seen = await listed(client, auditor, "audit-entries")
        assert {entry["operation"] for entry in seen} == {"listAuditEntries"}
