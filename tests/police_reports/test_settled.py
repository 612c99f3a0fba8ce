"""A report accepted is late no more; one replaced by a correction is sent no more, and late until
the correction has reached the police.
"""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    a_report,
    an_endpoint,
    delivered,
    filed,
    police_at,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, URL, step


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def run(database, job: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[f"police_reports.{job}"].handler(tx, {})


async def about(database, wire_name: str) -> list[str]:
    """Of which reports something was announced."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT subject_id FROM events WHERE wire_name = $1 ORDER BY id",
            f"police_reports.{wire_name}",
        )
    return [str(row["subject_id"]) for row in rows]


async def accepted(client, police, report_id: str) -> None:
    answer = await step(client, police, report_id, "acknowledgement", ACCEPT)
    assert answer.status_code == 201, answer.text


async def replaced(client, reporter, report_id: str) -> str:
    """Correct a report; returns the one that took its place."""
    answer = await step(client, reporter, report_id, "supersession", a_report())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


class TestLateness:
    @pytest.fixture
    async def corrected(self, client, database, offices, monkeypatch, now) -> list[str]:
        """Of four reports the three still open, an hour later: one corrected twice."""
        ours, first = [await filed(client, offices.school) for _ in range(2)]
        await accepted(client, offices.police, ours)
        second = await replaced(client, offices.school, first)
        third = await replaced(client, offices.school, second)
        monkeypatch.setattr(database, "clock", lambda: now + timedelta(hours=1))
        return [first, second, third]

    async def late(self, client, database, settings) -> dict[str, tuple[bool, bool]]:
        reader = await a_caller(database, settings, "civil_affairs", COUNTY)
        listed = await client.get(f"{URL}?overdue=true", headers=reader.headers)
        everything = (await client.get(URL, headers=reader.headers)).json()["items"]
        found = {
            item["id"]: (item["acknowledgement_overdue"], item["delivery_overdue"])
            for item in everything
            if item["acknowledgement_overdue"] or item["delivery_overdue"]
        }
        assert {item["id"] for item in listed.json()["items"]} == found.keys()
        assert len(everything) == 4
        return found

    async def test_what_was_replaced_is_late_until_what_replaced_it_arrives(
        self, client, database, settings, corrected
    ) -> None:
        late = await self.late(client, database, settings)
        assert late == dict.fromkeys(corrected, (True, True))
        await delivered(database, corrected[2])
        await run_jobs(database)
        late = await self.late(client, database, settings)
        assert late == {corrected[2]: (True, False)}

    async def test_what_was_replaced_twice_waits_for_the_last(
        self, client, database, settings, corrected
    ) -> None:
        await delivered(database, corrected[1])
        await run_jobs(database)
        late = await self.late(client, database, settings)
        assert late == {corrected[1]: (True, False), corrected[2]: (True, True)}

    async def test_an_alarm_sounds_for_what_is_open(self, database, corrected) -> None:
        for _ in range(2):
            await run(database, "mark_overdue")
        for alarm in ("acknowledgement_overdue", "delivery_overdue"):
            assert sorted(await about(database, alarm)) == sorted(corrected)


class TestRouting:
    @pytest.fixture
    async def police(self, database, settings):
        """Police without an endpoint, and later with one."""
        agency = await police_at(database, TOWNSHIP, endpoint=False)
        return await a_caller(database, settings, "police", TOWNSHIP, agency_id=agency)

    @pytest.fixture
    async def school(self, database, settings):
        return await a_caller(database, settings, "school", TOWNSHIP)

    async def sent(self, database, police) -> list[str]:
        await an_endpoint(database, police.agency_id, TOWNSHIP)
        await run(database, "route_waiting")
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch("SELECT ordering_key FROM webhook_deliveries")
        return [str(row["ordering_key"]) for row in rows]

    async def test_what_the_police_accepted_by_hand_is_not_sent(
        self, client, database, police, school
    ) -> None:
        known, unknown = [await filed(client, school) for _ in range(2)]
        await accepted(client, police, known)
        assert await self.sent(database, police) == [unknown]

    async def test_what_was_replaced_is_not_sent(self, client, database, police, school) -> None:
        newest = await replaced(client, school, await filed(client, school))
        assert await self.sent(database, police) == [newest]

    @pytest.mark.parametrize("had", ["also_told", "former_police"])
    async def test_what_arrives_at_any_police_who_had_it_relieves_it_once(
        self, client, database, settings, offices, had
    ) -> None:
        """A superseded report stays in the alarms until its successor is delivered, to police who
        had it: those told while nobody took it, those in whose stead others took charge.
        """
        county = await a_caller(database, settings, "police", COUNTY)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
        first = await filed(client, offices.school)
        if had == "former_police":
            await accepted(client, county, first)
        takes = county if had == "also_told" else offices.police
        await an_endpoint(database, takes.agency_id, COUNTY)
        second = await replaced(client, offices.school, first)
        await delivered(database, second, to=takes.agency_id)
        await run_jobs(database)
        await accepted(client, takes, second)  # it has reached them already
        assert await about(database, "report_relieved") == [first]
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetchval(
                "SELECT told_to FROM events WHERE wire_name = 'police_reports.report_relieved'"
            )
        police, offices_told = (county, offices.police), (offices.township, offices.county)
        assert {*told} == {str(each.agency_id) for each in (*police, *offices_told)} - (
            {str(offices.police.agency_id)} if had == "former_police" else set()
        )

    async def test_waiting_on_changes_nothing(self, client, database, police, school) -> None:
        report_id = await filed(client, school)
        before = await client.get(f"{URL}/{report_id}", headers=police.headers)
        await run(database, "route_waiting")
        after = await client.get(f"{URL}/{report_id}", headers=police.headers)
        assert after.headers["etag"] == before.headers["etag"] == '"1"'


async def test_it_was_delivered_when_it_arrived_however_late_that_is_noted(
    client, database, offices, monkeypatch, now
) -> None:
    report_id = await filed(client, offices.school)
    await delivered(database, report_id)
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=2))
    await run_jobs(database)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
    assert read["delivered_at"] == "2026-11-20T02:00:00Z"
    assert [taken["at"] for taken in read["steps"]] == ["2026-11-20T02:00:00Z"]


async def test_a_second_delivery_is_noted_but_the_first_stands(
    client, database, offices, monkeypatch, now
) -> None:
    await an_endpoint(database, offices.police.agency_id, TOWNSHIP)
    report_id = await filed(client, offices.school)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT id FROM webhook_deliveries ORDER BY id")
    for minute, row in enumerate(rows, 1):
        monkeypatch.setattr(database, "clock", lambda at=minute: now + timedelta(minutes=at))
        await delivered(database, report_id, delivery_id=row["id"])
        await run_jobs(database)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
    assert read["delivered_at"] == "2026-11-20T02:01:00Z"
    assert [taken["step"] for taken in read["steps"]] == ["delivered", "delivered"]
    assert await about(database, "report_delivered") == [report_id]
