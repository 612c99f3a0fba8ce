"""What a report's past police leave behind when it is forwarded: nothing that hides lateness."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    delivered,
    filed,
    police_at,
    the_offices,
)
from tests.police_reports.test_chain import (
    ACCEPT,
    ASSESS,
    AT,
    CLOSE,
    DISPATCH,
    DISPOSE,
    NOTICE,
    RECEIPT,
    URL,
    step,
)

LATE_TO_DELIVER = 6
LATE_TO_ACCEPT = 31
"""Minutes after which the alarms sound."""


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def target(database, settings):
    agency = await police_at(database, COUNTY)
    return await a_caller(database, settings, "police", COUNTY, agency_id=agency)


@pytest.fixture
def clock(database, monkeypatch, now):
    def at(minutes: int) -> None:
        monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=minutes))

    return at


async def forward(client, report_id: str, sender, receiver) -> None:
    body = {"forwarded_at": AT, "police_agency_id": str(receiver.agency_id)}
    answer = await step(client, sender, report_id, "forwarding", body)
    assert answer.status_code == 201, answer.text


async def accepted(client, report_id: str, police) -> int:
    answer = await step(client, police, report_id, "acknowledgement", ACCEPT)
    return int(answer.status_code)


async def sent(database) -> list[tuple[Any, str]]:
    """To whom the report was sent, and by when each was told to accept it."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT agency_id, body FROM webhook_deliveries ORDER BY id"
        )
    return [
        (row["agency_id"], orjson.loads(row["body"])["data"]["acknowledge_due_at"]) for row in rows
    ]


async def owed(client, police) -> list[tuple[str, str, str]]:
    answer = await client.get("/v1/duties", headers=police.headers)
    owed = [(duty["rule"], duty["state"], duty["due_at"]) for duty in answer.json()["items"]]
    return [each for each in owed if each[0].startswith("REP-07")]


async def alarms(database) -> dict[str, int]:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.mark_overdue"].handler(tx, {})
        rows = await tx.connection.fetch(
            "SELECT wire_name, count(*) FROM events WHERE wire_name LIKE 'police_reports.%overdue'"
            " GROUP BY 1"
        )
    return {row["wire_name"].partition(".")[2]: row["count"] for row in rows}


async def test_both_alarms_sound_again_for_the_police_it_was_forwarded_to(
    client, database, settings, offices, target, clock
) -> None:
    report_id = await filed(client, offices.school)
    clock(LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    by_now = await a_caller(
        database, settings, "police", TOWNSHIP, agency_id=offices.police.agency_id
    )
    await forward(client, report_id, by_now, target)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    clock(LATE_TO_ACCEPT + LATE_TO_DELIVER)
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 1}
    clock(2 * LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 2}


async def test_both_sound_again_for_others_when_the_police_who_had_it_are_accused(
    client, database, settings, offices, target, clock
) -> None:
    report_id = await filed(client, offices.school, suspect_agency_id="村干部")
    clock(LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    accused = {"suspect_agency_id": str(offices.police.agency_id)}
    body = {"named_at": AT, "basis": "查证。", **accused}
    county = renewed(database, settings, offices.county)
    assert (await step(client, county, report_id, "suspect", body)).status_code == 201
    clock(3 * LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 2}


async def test_both_sound_again_of_a_case_that_is_opened_again(
    client, database, settings, offices, clock
) -> None:
    report_id = await filed(client, offices.school)
    clock(LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    police, township = (
        renewed(database, settings, each) for each in (offices.police, offices.township)
    )
    for who, path, body in (
        (police, "dispositions", DISPOSE),
        (township, "assessment", ASSESS),
        (township, "closure", CLOSE),
        (police, "dispatch", DISPATCH),
    ):
        assert (await step(client, who, report_id, path, body)).status_code == 201
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 2}


async def test_delivery_to_the_police_before_proves_nothing_for_those_it_was_forwarded_to(
    client, database, offices, target, clock
) -> None:
    report_id = await filed(client, offices.school)
    await forward(client, report_id, offices.police, target)
    await delivered(database, report_id, to=offices.police.agency_id)
    await run_jobs(database)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
    assert (read["state"], read["delivered_at"]) == ("filed", None)
    assert {taken["step"] for taken in read["steps"]} == {"forwarded", "delivered"}
    clock(LATE_TO_DELIVER)
    assert await alarms(database) == {"delivery_overdue": 1}
    await delivered(database, report_id, to=target.agency_id)
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        report = await tx.connection.fetchrow("SELECT state, delivered_at FROM police_reports")
        assert tuple(report) == ("delivered", tx.now)


class TestAfterAcceptance:
    """Whoever had accepted it, those it is forwarded to start from nothing."""

    async def test_neither_acceptance_nor_delivery_nor_number_stays(
        self, client, database, offices, target, clock
    ) -> None:
        report_id = await filed(client, offices.school)
        await delivered(database, report_id)
        await run_jobs(database)
        assert await accepted(client, report_id, offices.police) == 201
        await forward(client, report_id, offices.police, target)
        read = (await client.get(f"{URL}/{report_id}", headers=target.headers)).json()
        fresh = ("acknowledged_at", "delivered_at", "police_reference")
        assert [read[name] for name in fresh] == [None, None, None]
        clock(LATE_TO_ACCEPT)
        assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}

    async def test_the_duty_to_accept_is_owed_anew(
        self, client, database, offices, target, clock
    ) -> None:
        report_id = await filed(client, offices.school)
        assert await accepted(client, report_id, offices.police) == 201
        await run_jobs(database)
        went = await step(client, offices.police, report_id, "dispatch", DISPATCH)
        assert went.status_code == 201, went.text
        await run_jobs(database)
        for rule, state, _ in await owed(client, offices.police):
            assert (rule, state) in {("REP-07", "discharged"), ("REP-07.dispatch", "discharged")}
        clock(4)
        await forward(client, report_id, offices.police, target)
        await run_jobs(database)
        assert await owed(client, offices.police) == []
        to_go = ("REP-07.dispatch", "open", "2026-11-20T03:04:00Z")
        assert await owed(client, target) == [("REP-07", "open", "2026-11-20T02:34:00Z"), to_go]
        assert await accepted(client, report_id, target) == 201
        await run_jobs(database)
        taken = ("REP-07", "discharged", "2026-11-20T02:34:00Z")
        assert await owed(client, target) == [taken, to_go]


class TestThereAndBack:
    """Police who had a report get it again when it is forwarded back."""

    @pytest.mark.parametrize(("taken", "due"), [(True, "32"), (False, "31")])
    async def test_it_is_sent_again_with_its_deadline(
        self, client, database, offices, target, clock, taken, due
    ) -> None:
        report_id = await filed(client, offices.school)
        clock(1)
        await forward(client, report_id, offices.police, target)
        clock(2)
        if taken:
            assert await accepted(client, report_id, target) == 201
        await forward(client, report_id, target, offices.police)
        first, second = offices.police.agency_id, target.agency_id
        assert await sent(database) == [
            (first, "2026-11-20T02:30:00Z"),
            (second, "2026-11-20T02:31:00Z"),
            (first, f"2026-11-20T02:{due}:00Z"),
        ]
        chain = await client.get(f"{URL}/{report_id}/chain", headers=offices.county.headers)
        named = [delivery["agency_id"] for delivery in chain.json()["deliveries"]]
        assert named == [str(first), str(second), str(first)]

    async def test_it_is_accepted_again_under_the_same_number(
        self, client, offices, target
    ) -> None:
        report_id = await filed(client, offices.school)
        assert await accepted(client, report_id, offices.police) == 201
        await forward(client, report_id, offices.police, target)
        await forward(client, report_id, target, offices.police)
        assert await accepted(client, report_id, offices.police) == 201
        read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
        assert (read["state"], read["police_reference"]) == (
            "acknowledged",
            ACCEPT["police_reference"],
        )
        assert read["acknowledged_at"] is not None
        assert await accepted(client, report_id, offices.police) == 200

    async def test_each_has_numbers_of_its_own(self, client, offices, target) -> None:
        report_id = await filed(client, offices.school)
        assert await accepted(client, report_id, offices.police) == 201
        await forward(client, report_id, offices.police, target)
        body = {**ACCEPT, "police_reference": "受〔2026〕2号"}
        first = await step(client, target, report_id, "acknowledgement", body)
        assert first.status_code == 201
        assert await accepted(client, report_id, target) == 201, "the number of the police before"


class TestSentAgain:
    """A retry is recognised before anything is asked (ADR 18), whoever is in charge by now."""

    @pytest.mark.parametrize(
        ("path", "body", "told_late"),
        [
            ("acknowledgement", ACCEPT, True),
            ("dispatch", DISPATCH, True),
            ("dispositions", DISPOSE, True),
            ("township-notice", NOTICE, False),
            ("forwarding", None, False),
        ],
    )
    async def test_by_police_who_have_passed_it_on(
        self, client, offices, target, path, body, told_late
    ) -> None:
        report_id = await filed(client, offices.school)
        onward = {"forwarded_at": AT, "police_agency_id": str(target.agency_id)}
        sent = [("forwarding", {"id": str(uuid4()), **onward})]
        if body is not None:
            named = {} if path == "acknowledgement" else {"id": str(uuid4())}
            sent.insert(0, (path, {**named, **body}))
        first = [await step(client, offices.police, report_id, *each) for each in sent]
        assert [answer.status_code for answer in first] == [201] * len(sent)
        again = await step(client, offices.police, report_id, *sent[0])
        assert (again.status_code, again.json()["id"]) == (200, first[0].json()["id"]), again.text
        other = await step(client, offices.police, report_id, path, _another(sent[0][1]))
        assert other.status_code == (201 if told_late else 403), other.text
        chain = await client.get(f"{URL}/{report_id}/chain", headers=target.headers)
        assert len(chain.json()["steps"]) == len(sent) + told_late

    async def test_by_a_township_when_the_county_was_told_since(
        self, client, database, offices
    ) -> None:
        report_id = await filed(client, offices.school)
        assert (await step(client, offices.police, report_id, "township-notice", NOTICE)).is_success
        body = {"id": str(uuid4()), **RECEIPT}
        path = "township-notice/receipt"
        assert (await step(client, offices.township, report_id, path, body)).status_code == 201
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE police_reports SET township_agency_id = $1", offices.county.agency_id
            )
        again = await step(client, offices.township, report_id, path, body)
        assert (again.status_code, again.json()["id"]) == (200, body["id"])


def _another(body: dict[str, Any]) -> dict[str, Any]:
    """The same under another name, which is another step."""
    named = "id" if "id" in body else "police_reference"
    return {**body, named: str(uuid4())}


class TestWhoKnows:
    async def test_the_police_it_goes_to_are_told_so(
        self, client, database, offices, target
    ) -> None:
        report_id = await filed(client, offices.school)
        await forward(client, report_id, offices.police, target)
        assert str(target.agency_id) in await told_of(database, "report_forwarded")

    async def test_the_journal_says_to_whom_it_was_passed_on(self, client, offices, target) -> None:
        report_id = await filed(client, offices.school)
        await forward(client, report_id, offices.police, target)
        read = await client.get(f"{URL}/{report_id}", headers=offices.county.headers)
        [forwarded] = read.json()["steps"]
        assert forwarded["agency_id"] == str(offices.police.agency_id)
        assert forwarded["details"]["police_agency_id"] == str(target.agency_id)

    async def test_the_police_in_charge_are_told_what_the_township_does(
        self, client, database, offices
    ) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.township, report_id, "assessment", ASSESS)
        assert str(offices.police.agency_id) in await told_of(database, "assessment_recorded")

    async def test_it_never_goes_to_the_police_it_speaks_against(
        self, client, offices, target
    ) -> None:
        suspect = str(target.agency_id)
        report_id = await filed(client, offices.school, suspect_agency_id=suspect)
        body = {"forwarded_at": AT, "police_agency_id": suspect}
        answer = await step(client, offices.police, report_id, "forwarding", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "agency_unknown"

    async def test_who_passed_it_on_reads_neither_suspect_nor_visit(
        self, client, offices, target
    ) -> None:
        named = {"suspect_agency_id": str(offices.village.agency_id), "visit_id": str(uuid4())}
        report_id = await filed(client, offices.school, **named)
        await forward(client, report_id, offices.police, target)
        for caller, shown in ((target, named), (offices.police, dict.fromkeys(named))):
            read = (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()
            assert {name: read[name] for name in named} == shown


async def told_of(database, event: str) -> list[str]:
    async with database.begin(SYSTEM) as tx:
        told: list[str] = await tx.connection.fetchval(
            "SELECT told_to FROM events WHERE wire_name = $1", f"police_reports.{event}"
        )
    return told


async def test_passed_to_and_fro_it_is_late_all_the_same(
    client, database, settings, offices, target, clock
) -> None:
    """Within the time from one to the other, and back: nobody has accepted it (REP-07)."""
    report_id = await filed(client, offices.school)
    between = LATE_TO_ACCEPT - 5
    for turn, (sender, receiver) in enumerate([(offices.police, target), (target, offices.police)]):
        clock(turn * between + between)
        await forward(client, report_id, renewed(database, settings, sender), receiver)
    assert "acknowledgement_overdue" not in await alarms(database)
    clock(between + LATE_TO_ACCEPT)
    assert (await alarms(database))["acknowledgement_overdue"] == 1
