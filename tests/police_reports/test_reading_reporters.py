"""Who reported is read by two, or by one officer in an emergency, whom another reviews (AZ-9)."""

from typing import NamedTuple

import pytest

from app.core.data.db import SYSTEM
from tests.access.approving import REASON, approved, propose, send_by_two
from tests.access.factories import Caller, a_caller
from tests.police_reports.factories import (
    CANARY,
    TOWNSHIP,
    Offices,
    filed,
    the_offices,
    who_reported,
)

URL = "/v1/police-reports"


class Case(NamedTuple):
    """A report, and two officers of the police in charge."""

    offices: Offices
    one: Caller
    two: Caller
    place: str

    @property
    def reporter(self) -> str:
        return f"{self.place}/reporter"


@pytest.fixture
async def case(client, database, settings) -> Case:
    offices = await the_offices(database, settings)
    two = await a_caller(database, settings, "police", TOWNSHIP, agency_id=offices.police.agency_id)
    report_id = await filed(client, offices.school)
    return Case(offices, offices.police, two, f"{URL}/{report_id}")


async def dispose(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE police_reports SET handled_at = $1", tx.now)


async def test_nobody_reads_it_alone_by_habit(client, case: Case) -> None:
    answer = await client.get(case.reporter, headers=case.one.headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/approval-required")
    assert CANARY not in answer.text
    read = (await client.get(case.place, headers=case.one.headers)).json()
    assert "readReporter" in read["permitted_by_two"]
    assert "readReporter" not in read["permitted"]
    assert "readReporterAlone" in read["permitted"]


async def test_two_officers_read_it(client, case: Case) -> None:
    how = ("readReporter", "GET", case.reporter)
    answer = await send_by_two(client, case.one, case.two, *how)
    assert (answer.status_code, answer.json()["name"]) == (200, CANARY)
    again = await client.get(case.reporter, headers=case.one.headers)
    assert again.status_code == 403


async def test_proposing_it_shows_nothing_of_it(client, case: Case) -> None:
    proposed = await propose(client, case.one, "readReporter", case.reporter)
    assert (proposed.status_code, proposed.json()["body"]) == (201, None)
    assert CANARY not in proposed.text
    assert proposed.json()["region_code"] is None


async def test_it_is_proposed_for_a_purpose(client, case: Case) -> None:
    said = {"operation": "readReporter", "path": case.reporter, "reason": REASON}
    without = {"authorization": case.one.headers["authorization"]}
    answer = await client.post("/v1/approvals", json=said, headers=without)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/parameter-invalid")


async def test_whose_child_it_is_stands_in_the_audit(client, database, case: Case, child) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE police_reports SET child_id = $1", child.id)
    await approved(client, case.one, case.two, "readReporter", case.reporter)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT child_ids FROM audit_entries WHERE operation LIKE '%Approval'"
        )
    assert [row["child_ids"] for row in rows] == [[child.id]] * 2


async def test_an_approval_of_another_agency_is_none(client, database, settings, case) -> None:
    stranger = await a_caller(database, settings, "police", TOWNSHIP)
    proposed = await propose(client, stranger, "readReporter", case.reporter)
    assert proposed.json()["type"] == "/problems/not-yours-to-propose"
    approval = await approved(client, case.one, case.two, "readReporter", case.reporter)
    for who, status in ((stranger, 404), (case.two, 403)):
        headers = {**who.headers, "approval": approval}
        assert (await client.get(case.reporter, headers=headers)).status_code == status
    place = f"/v1/approvals/{approval}"
    bureau = await a_caller(database, settings, "police", 120119000000)
    for who in (stranger, bureau, case.offices.county, case.offices.township):
        assert (await client.get(place, headers=who.headers)).status_code in {403, 404}


async def test_whom_the_report_turns_out_to_mean_loses_sight_of_it(
    client, database, case: Case
) -> None:
    proposed = await propose(client, case.one, "readReporter", case.reporter)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, police_below)"
            " SELECT id, ARRAY[$1::uuid], 0, 0 FROM police_reports"
            " ON CONFLICT (subject_id) DO UPDATE SET hidden_from = excluded.hidden_from",
            case.one.agency_id,
        )
    place = proposed.headers["location"]
    assert (await client.get(place, headers=case.two.headers)).status_code == 404
    listed = await client.get("/v1/approvals", headers=case.one.headers)
    assert listed.json()["items"] == []


class TestTonight:
    async def test_an_officer_reads_it_at_once_and_another_reviews(
        self, client, database, case: Case
    ) -> None:
        answer = await who_reported(client, case.one, case.place)
        assert (answer.status_code, answer.json()["name"]) == (200, CANARY)
        [owed] = (await client.get("/v1/reviews", headers=case.two.headers)).json()["items"]
        assert (owed["operation"], owed["state"]) == ("readReporterAlone", "owed")
        assert owed["permitted"] == ["finishReview"]
        async with database.begin(SYSTEM) as tx:
            within = await tx.connection.fetchval(
                "SELECT due_at <= statement_timestamp() + interval '24 hours' FROM reviews"
            )
            event = await tx.connection.fetchrow(
                "SELECT data, told_to FROM events WHERE wire_name = 'approvals.acted_alone'"
            )
        assert within
        assert event["told_to"] == [str(case.one.agency_id)]
        assert CANARY not in str(event["data"])
        place = f"/v1/reviews/{owed['id']}"
        read = (await client.get(place, headers=case.two.headers)).json()
        assert read["reason"] == "孩子可能处于危险,须立即核实。"
        said = {"finding": "proper", "note": REASON}
        own = await client.post(f"{place}/finding", json=said, headers=case.one.headers)
        assert own.json()["type"] == "/problems/another-person-needed"
        done = await client.post(f"{place}/finding", json=said, headers=case.two.headers)
        assert done.json()["state"] == "done"

    async def test_it_says_why(self, client, case: Case) -> None:
        place = f"{case.reporter}/reading"
        for said in ({}, {"reason": "急"}):
            answer = await client.post(place, json=said, headers=case.one.headers)
            assert (answer.status_code, CANARY in answer.text) == (422, False)

    async def test_no_system_does(self, client, database, settings, case: Case) -> None:
        machine = await a_caller(
            database, settings, "police", TOWNSHIP, agency_id=case.one.agency_id, machine=True
        )
        answer = await who_reported(client, machine, case.place)
        assert answer.json()["type"] == "/problems/person-required"

    async def test_once_it_is_disposed_of_two_do(self, client, database, case: Case) -> None:
        await dispose(database)
        answer = await who_reported(client, case.one, case.place)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/disposed-already")
        how = ("readReporter", "GET", case.reporter)
        assert (await send_by_two(client, case.one, case.two, *how)).status_code == 200

    @pytest.mark.parametrize("alone", [True, False])
    async def test_where_there_is_one_officer_those_above_review(
        self, client, database, settings, case: Case, alone
    ) -> None:
        """The bureau of the county; where there are two, nobody but they."""
        bureau = await a_caller(database, settings, "police", 120119000000)
        neighbour = await a_caller(database, settings, "police", TOWNSHIP + 1000)
        if alone:
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute(
                    "UPDATE post_holdings SET until = since WHERE staff_id = $1",
                    case.two.subject_id,
                )
        assert (await who_reported(client, case.one, case.place)).status_code == 200
        for who, sees in ((bureau, alone), (neighbour, False), (case.one, True)):
            listed = (await client.get("/v1/reviews", headers=who.headers)).json()["items"]
            assert bool(listed) == sees
        if alone:
            [owed] = (await client.get("/v1/reviews", headers=bureau.headers)).json()["items"]
            said = {"finding": "proper", "note": REASON}
            place = f"/v1/reviews/{owed['id']}/finding"
            done = await client.post(place, json=said, headers=bureau.headers)
            assert (done.status_code, done.json()["state"]) == (200, "done")

    async def test_an_officer_takes_a_proposal_back(self, client, case: Case) -> None:
        made = (await propose(client, case.one, "readReporter", case.reporter)).json()
        place = f"/v1/approvals/{made['id']}/withdrawal"
        other = await client.post(place, headers=case.two.headers)
        assert other.json()["type"] == "/problems/not-yours-to-withdraw"
        assert (await client.post(place, headers=case.one.headers)).json()["state"] == "withdrawn"
