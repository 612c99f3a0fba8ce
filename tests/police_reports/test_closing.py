"""A case ends assessed and answered, or by two people; a new fact opens it again."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, delivered, filed, the_offices
from tests.police_reports.test_chain import (
    ACCEPT,
    ASSESS,
    AT,
    BY_POLICE,
    BY_TOWNSHIP,
    CLOSE,
    DISPATCH,
    DISPOSE,
    SERVICES,
    URL,
    step,
)

UNASSESSED = {**CLOSE, "reason": "unfounded", "explanation": "两次上门均未见异常。"}
CONFIRM = {"confirmed_at": AT}
EARLY, EARLIER = "2026-11-20T09:40:00+08:00", "2026-11-20T09:35:00+08:00"


class Case:
    """A report and everybody around it."""

    def __init__(self, client: Any, offices: Any, report_id: str) -> None:
        self.client, self.offices, self.report_id = client, offices, report_id

    async def take(self, who: Any, path: str, body: Any) -> Any:
        caller = getattr(self.offices, who) if isinstance(who, str) else who
        return await step(self.client, caller, self.report_id, path, body)

    async def taken(self, who: Any, path: str, body: Any) -> Any:
        answer = await self.take(who, path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def whole(self) -> None:
        """From acceptance to closing."""
        for who, steps in (("police", BY_POLICE), ("township", BY_TOWNSHIP)):
            for path, body, _ in steps:
                await self.taken(who, path, body)

    async def read(self, who: Any = "county") -> Any:
        caller = getattr(self.offices, who) if isinstance(who, str) else who
        return (await self.client.get(f"{URL}/{self.report_id}", headers=caller.headers)).json()


@pytest.fixture
async def case(client, database, settings) -> Case:
    offices = await the_offices(database, settings)
    return Case(client, offices, await filed(client, offices.school))


@pytest.fixture
async def colleague(database, settings, case):
    """A second person of the township."""
    return await a_caller(
        database,
        settings,
        "township_supervisor",
        TOWNSHIP,
        agency_id=case.offices.township.agency_id,
    )


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def told(database, name: str) -> list[dict[str, Any]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT data, told_to FROM events WHERE wire_name = $1 ORDER BY id",
            f"police_reports.{name}",
        )
    return [{**row["data"], "told_to": {*map(UUID, row["told_to"])}} for row in rows]


class TestClosing:
    async def test_assessed_and_answered_it_closes_at_once(self, case) -> None:
        await case.taken("police", "dispositions", DISPOSE)
        await case.taken("township", "assessment", ASSESS)
        closed = await case.taken("township", "closure", CLOSE)
        assert (closed["step"], closed["state"]) == ("closed", "closed")
        read = await case.read()
        assert (read["closed_at"], read["outcome"]) == ("2026-11-20T01:55:00Z", "child_safe")

    async def test_closed_already_it_stays_as_it_ended_first(self, case) -> None:
        await case.whole()
        late = {**CLOSE, "closed_at": "2026-11-20T09:58:00+08:00", "reason": "unfounded"}
        await case.taken("county", "closure", late)
        read = await case.read()
        assert (read["closed_at"], read["outcome"]) == ("2026-11-20T01:55:00Z", "child_safe")

    @pytest.mark.parametrize("done", ["nothing", "assessed only", "answered only", "alone"])
    async def test_short_of_either_it_wants_a_reason_in_words(self, case, done) -> None:
        if done == "alone":  # 会同民政、公安等部门
            await case.taken("police", "dispositions", DISPOSE)
            await case.taken("township", "assessment", {**ASSESS, "participants": ["school"]})
        if done == "assessed only":
            await case.taken("township", "assessment", ASSESS)
        if done == "answered only":
            await case.taken("police", "dispositions", DISPOSE)
        answer = await case.take("township", "closure", {**UNASSESSED, "explanation": None})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "explanation_missing"
        proposed = await case.taken("township", "closure", UNASSESSED)
        assert (proposed["step"], proposed["state"] == "closed") == ("closure_proposed", False)
        read = await case.read()
        assert (read["closed_at"], read["outcome"], read["closure_proposed"]) == (None, None, True)

    async def test_nobody_ends_alone_as_safe_what_was_last_found_not_to_be(
        self, case, colleague
    ) -> None:
        """REP-15: 对…安全处境、监护情况、身心健康状况等进行调查评估."""
        await case.taken("police", "dispositions", DISPOSE)
        bad = {"safety": "unsafe", "guardianship": "weak", "physical_health": "poor"}
        for found in (ASSESS, {**ASSESS, **bad}):
            await case.taken("township", "assessment", found)
        answer = await case.take("township", "closure", CLOSE)
        assert answer.json()["errors"][0]["code"] == "explanation_missing"
        said = {**CLOSE, "explanation": "已搬至祖父母家,复核安全。"}
        assert (await case.taken("township", "closure", said))["step"] == "closure_proposed"
        assert (await case.read())["outcome"] is None
        closed = await case.taken(colleague, "closure/confirmation", CONFIRM)
        assert (closed["state"], (await case.read())["outcome"]) == ("closed", "child_safe")
        await case.taken("township", "assessment", {**ASSESS, **bad})
        cared_for = {**CLOSE, "reason": "long_term_care"}
        assert (await case.taken("township", "closure", cared_for))["state"] == "closed"

    async def test_a_second_person_of_the_township_closes_it(self, case, colleague) -> None:
        await case.taken("township", "closure", UNASSESSED)
        assert "confirmClosure" in (await case.read(colleague))["permitted"]
        closed = await case.taken(colleague, "closure/confirmation", CONFIRM)
        assert closed["state"] == "closed"
        read = await case.read()
        assert (read["state"], read["outcome"], read["closure_proposed"]) == (
            "closed",
            "unfounded",
            False,
        )

    async def test_so_does_somebody_of_the_county(self, case) -> None:
        await case.taken("township", "closure", UNASSESSED)
        closed = await case.taken("county", "closure/confirmation", CONFIRM)
        assert closed["state"] == "closed"

    async def test_who_proposed_it_does_not(self, case) -> None:
        await case.taken("township", "closure", UNASSESSED)
        assert "confirmClosure" not in (await case.read("township"))["permitted"]
        answer = await case.take("township", "closure/confirmation", CONFIRM)
        assert problem(answer) == (403, "second-person-needed")
        assert (await case.read())["state"] != "closed"

    async def test_nor_they_by_another_account(self, case, colleague, database) -> None:
        await case.taken("township", "closure", UNASSESSED)
        proposer = case.offices.township.subject_id
        async with database.begin(SYSTEM) as tx:
            await note_same_person(tx, proposer, colleague.subject_id)
        assert "confirmClosure" not in (await case.read(colleague))["permitted"]
        answer = await case.take(colleague, "closure/confirmation", CONFIRM)
        assert problem(answer) == (403, "second-person-needed")

    async def test_nor_another_agency_of_the_place(self, case, database, settings) -> None:
        await case.taken("township", "closure", UNASSESSED)
        other = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        answer = await case.take(other, "closure/confirmation", CONFIRM)
        assert problem(answer) == (403, "second-person-needed")

    async def test_nor_the_township_what_the_county_proposed(self, case) -> None:
        await case.taken("county", "closure", UNASSESSED)
        answer = await case.take("township", "closure/confirmation", CONFIRM)
        assert problem(answer) == (403, "second-person-needed")

    async def test_nor_a_machine(self, case, database, settings) -> None:
        machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
        await case.taken("township", "closure", UNASSESSED)
        answer = await case.take(machine, "closure/confirmation", CONFIRM)
        assert problem(answer) == (403, "second-person-needed")

    async def test_a_machine_does_not_propose_it(self, case, database, settings) -> None:
        machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
        answer = await case.take(machine, "closure", UNASSESSED)
        assert problem(answer) == (403, "person-required")

    async def test_a_machine_that_assessed_does_not_close_it(
        self, case, database, settings
    ) -> None:
        machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
        await case.taken("police", "dispositions", DISPOSE)
        await case.taken(machine, "assessment", ASSESS)
        answer = await case.take(machine, "closure", CLOSE)
        assert problem(answer) == (403, "person-required")
        assert "closeReport" not in (await case.read(machine))["permitted"]
        assert (await case.taken("township", "closure", CLOSE))["state"] == "closed"

    async def test_nothing_proposed_nothing_confirmed(self, case) -> None:
        answer = await case.take("county", "closure/confirmation", CONFIRM)
        assert problem(answer) == (409, "closure-not-proposed")

    async def test_a_new_fact_withdraws_the_proposal(self, case) -> None:
        await case.taken("township", "closure", UNASSESSED)
        await case.taken("police", "dispatch", DISPATCH)
        answer = await case.take("county", "closure/confirmation", CONFIRM)
        assert problem(answer) == (409, "closure-not-proposed")

    async def test_sent_again_both_are_the_same(self, case) -> None:
        proposal = {**UNASSESSED, "id": str(uuid4())}
        consent = {**CONFIRM, "id": str(uuid4())}
        await case.taken("township", "closure", proposal)
        assert (await case.take("township", "closure", proposal)).status_code == 200
        await case.taken("county", "closure/confirmation", consent)
        assert (await case.take("county", "closure/confirmation", consent)).status_code == 200
        steps = {taken["step"] for taken in (await case.read())["steps"]}
        assert steps == {"closure_proposed", "closed"}

    async def test_the_list_of_what_waits_for_a_second_person(self, client, case) -> None:
        for proposed in (False, True):
            if proposed:
                await case.taken("township", "closure", UNASSESSED)
            answer = await client.get(
                f"{URL}?permitted=confirmClosure", headers=case.offices.county.headers
            )
            assert len(answer.json()["items"]) == proposed


class TestReopening:
    async def test_a_disposition_after_closure_opens_it_again(self, case, database) -> None:
        await case.whole()
        taken = await case.taken("police", "dispositions", DISPOSE)
        assert taken["state"] == "handling"
        read = await case.read()
        assert (read["state"], read["closed_at"], read["outcome"]) == ("handling", None, None)
        assert [taken["step"] for taken in read["steps"]].count("reopened") == 1
        [opened] = await told(database, "report_reopened")
        assert opened["state"] == "handling"
        parties = {case.offices.township.agency_id, case.offices.county.agency_id}
        assert parties < opened["told_to"]

    async def test_the_township_assesses_anew_before_it_ends_again(self, case) -> None:
        await case.whole()
        await case.taken("police", "dispositions", DISPOSE)
        answer = await case.take("township", "closure", CLOSE)
        assert answer.json()["errors"][0]["code"] == "explanation_missing"
        await case.taken("township", "assessment", ASSESS)
        assert (await case.taken("township", "closure", CLOSE))["state"] == "closed"

    @pytest.mark.parametrize(
        ("who", "path", "body", "state"),
        [
            ("police", "dispatch", DISPATCH, "dispatched"),
            ("police", "acknowledgement", {**ACCEPT, "police_reference": "2"}, "acknowledged"),
            ("township", "assessment", ASSESS, "assessed"),
            ("township", "services", SERVICES, "services_arranged"),
        ],
    )
    async def test_so_does_every_other_step(self, case, who, path, body, state) -> None:
        await case.whole()
        assert (await case.taken(who, path, body))["state"] == state
        assert (await case.read())["state"] == state

    async def test_services_after_the_end_keep_the_assessment(self, case) -> None:
        await case.whole()
        await case.taken("township", "services", SERVICES)
        assert (await case.taken("township", "closure", CLOSE))["state"] == "closed"

    async def test_proof_of_delivery_and_a_receipt_open_nothing(self, case, database) -> None:
        await case.whole()
        await delivered(database, case.report_id)
        await run_jobs(database)
        await case.taken("township", "township-notice/receipt", {"received_at": AT})
        assert (await case.read())["state"] == "closed"
        assert await told(database, "report_reopened") == []


class TestResult:
    async def test_the_reporter_is_told_what_was_accepted_handled_and_how_it_ended(
        self, case, database
    ) -> None:
        await case.whole()
        results = await told(database, "result_told")
        assert [(each["result"], each["outcome"]) for each in results] == [
            ("accepted", None),
            ("handled", None),
            ("ended", "child_safe"),
        ]
        reporter = case.offices.school.agency_id
        assert [each["told_to"] for each in results] == [{reporter}] * 3

    async def test_and_reads_it_without_what_stays_hidden(self, case) -> None:
        await case.whole()
        read = await case.read("school")
        assert read["acknowledged_at"] == "2026-11-20T01:55:00Z"
        assert (read["unanswered"], read["handled_at"]) == ([], "2026-11-20T02:00:00Z")
        assert (read["closed_at"], read["outcome"]) == ("2026-11-20T01:55:00Z", "child_safe")
        assert all(taken["details"] is None for taken in read["steps"])

    async def test_of_what_is_half_answered_nothing_is_told(self, client, case, database) -> None:
        half = await filed(client, case.offices.school, situations=["living_alone", "missing"])
        other = Case(client, case.offices, half)
        await other.taken("police", "dispositions", DISPOSE)
        assert await told(database, "result_told") == []

    async def test_who_reported_their_own_agency_is_not_told(self, client, case, database) -> None:
        school = case.offices.school
        own = await filed(client, school, suspect_agency_id=str(school.agency_id))
        await Case(client, case.offices, own).taken("police", "acknowledgement", ACCEPT)
        assert await told(database, "result_told") == []


class TestOrder:
    async def test_the_chain_goes_by_when_things_were_done(self, case) -> None:
        await case.taken(
            "police", "dispatch", {**DISPATCH, "dispatched_at": "2026-11-20T09:50:00+08:00"}
        )
        early = {**ACCEPT, "accepted_at": "2026-11-20T09:40:00+08:00"}
        await case.taken("police", "acknowledgement", early)
        url = f"{URL}/{case.report_id}/chain"
        for path in (url, url.removesuffix("/chain")):
            answer = await case.client.get(path, headers=case.offices.county.headers)
            steps = answer.json()["steps"]
            assert [taken["step"] for taken in steps] == ["acknowledged", "dispatched"]
            assert [taken["at"] for taken in steps] == [
                "2026-11-20T01:40:00Z",
                "2026-11-20T01:50:00Z",
            ]
            assert {taken["recorded_at"] for taken in steps} == {"2026-11-20T02:00:00Z"}
            assert {taken["in_order_by"] for taken in steps} == {"at"}

    async def test_a_clock_in_doubt_orders_nothing(self, case) -> None:
        wrong = {**DISPATCH, "dispatched_at": "1970-01-01T00:00:00Z"}
        await case.taken("police", "acknowledgement", ACCEPT)
        await case.taken("police", "dispatch", wrong)
        steps = (await case.read())["steps"]
        assert [taken["step"] for taken in steps] == ["acknowledged", "dispatched"]
        assert [taken["in_order_by"] for taken in steps] == ["at", "recorded_at"]


async def test_what_is_told_late_stands_where_it_happened_and_the_opening_after_the_end(
    case,
) -> None:
    await case.taken("police", "dispositions", {**DISPOSE, "at": EARLY})
    await case.taken("township", "assessment", {**ASSESS, "assessed_at": EARLY})
    await case.taken("township", "closure", CLOSE)
    await case.taken("police", "dispatch", {**DISPATCH, "dispatched_at": EARLIER})
    url = f"{URL}/{case.report_id}/chain"
    chain = await case.client.get(url, headers=case.offices.county.headers)
    told = [(taken["step"], taken["recorded_at"]) for taken in chain.json()["steps"]]
    assert told == [
        (each, "2026-11-20T02:00:00Z")
        for each in ("dispatched", "disposed", "assessed", "closed", "reopened")
    ]
