"""From filing to closing over HTTP, each party under its own token."""

from datetime import timedelta
from uuid import uuid4

import orjson
import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    delivered,
    filed,
    police_at,
    the_offices,
)

URL = "/v1/police-reports"
AT = "2026-11-20T09:55:00+08:00"

ACCEPT = {"police_reference": "受〔2026〕1号", "accepted_at": AT}
DISPATCH = {"dispatched_at": AT, "unit": "一组"}
DISPOSE = {
    "kind": "living_alone",
    "at": AT,
    "measures": ["parents_ordered_to_return", "parents_admonished"],
    "unit": "一组",
    "details": "已联系父亲。",
}
NOTICE = {"sent_at": AT, "content": "已受理,孩子暂由祖母照料。"}
RECEIPT = {"received_at": AT}
ASSESS = {
    "assessed_at": AT,
    "safety": "safe",
    "guardianship": "weak",
    "physical_health": "good",
    "mental_health": "fair",
    "participants": ["civil_affairs", "police", "school"],
    "summary": "需要委托监护指导。",
}
SERVICES = {
    "arranged_at": AT,
    # REP-16: 监护指导、医疗救治、心理疏导、行为矫治、法律服务、法律援助
    "services": [
        {"kind": kind, "provider": "社工站", "started": False}
        for kind in (
            *("guardianship_guidance", "medical_treatment", "counselling"),
            *("behaviour_correction", "legal_service", "legal_aid"),
        )
    ],
}
CLOSE = {"closed_at": AT, "reason": "child_safe"}

BY_POLICE = [
    ("acknowledgement", ACCEPT, "acknowledged"),
    ("dispatch", DISPATCH, "dispatched"),
    ("dispositions", DISPOSE, "handling"),
    ("township-notice", NOTICE, "township_notified"),
]
BY_TOWNSHIP = [
    ("township-notice/receipt", RECEIPT, "township_notified"),
    ("assessment", ASSESS, "assessed"),
    ("services", SERVICES, "services_arranged"),
    ("closure", CLOSE, "closed"),
]


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def step(client, caller, report_id: str, path: str, body):
    return await client.post(f"{URL}/{report_id}/{path}", json=body, headers=caller.headers)


async def test_chain_from_filing_to_closing(client, database, offices) -> None:
    report_id = await filed(client, offices.school)
    await delivered(database, report_id)
    await run_jobs(database)
    for caller, steps in ((offices.police, BY_POLICE), (offices.township, BY_TOWNSHIP)):
        for path, body, state in steps:
            answer = await step(client, caller, report_id, path, body)
            assert answer.status_code == 201, answer.text
            assert (answer.json()["state"], answer.json()["out_of_order"]) == (state, False), path
    answer = await client.get(f"{URL}/{report_id}/chain", headers=offices.county.headers)
    assert answer.status_code == 200, answer.text
    chain = answer.json()
    assert [taken["step"] for taken in chain["steps"]] == [
        # By the clocks of those who took them, all before the delivery at ten.
        *("acknowledged", "dispatched", "disposed", "township_notified"),
        *("township_received", "assessed", "services_arranged", "closed", "delivered"),
    ]
    assert chain["state"] == "closed"
    assert chain["police_reference"] == ACCEPT["police_reference"]
    read = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
    said = {taken["step"]: taken["details"] for taken in read["steps"]}
    assert {**said["assessed"], "assessed_at": AT} == {**said["assessed"], **ASSESS}
    unnamed = {"provider_agency_id": None}
    shown = [{**each, **unnamed} for each in SERVICES["services"]]
    assert said["services_arranged"]["services"] == shown
    [delivery] = chain["deliveries"]
    assert delivery["webhook_id"].startswith("msg_")
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 200]
    assert (delivery["attempt_count"], delivery["state"]) == (2, "succeeded")
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetch("SELECT wire_name FROM events ORDER BY id")
    assert [row["wire_name"].partition(".")[2] for row in told] == [
        *("report_filed", "delivery_succeeded", "report_unresolved", "report_delivered"),
        *("report_acknowledged", "result_told", "report_dispatched"),
        *("report_disposed", "result_told", "township_notified"),
        *("township_notice_received", "assessment_recorded", "services_arranged"),
        *("report_closed", "result_told"),
    ]


async def test_delivery_is_noted_once_however_often_the_handler_runs(
    client, database, offices
) -> None:
    report_id = await filed(client, offices.school)
    await delivered(database, report_id)
    async with database.begin(SYSTEM) as tx:
        payload = orjson.loads(
            await tx.connection.fetchval(
                "SELECT payload::text FROM jobs WHERE name = 'police_reports.mark_delivered'"
            )
        )
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.mark_delivered"].handler(tx, payload)
    report = await client.get(f"{URL}/{report_id}", headers=offices.school.headers)
    assert report.json()["state"] == "delivered"
    assert report.json()["delivered_at"] == "2026-11-20T02:00:00Z"
    assert [taken["step"] for taken in report.json()["steps"]] == ["delivered"]


class TestSteps:
    async def test_early_step_is_kept_and_flagged(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        early = await step(client, offices.police, report_id, "dispositions", DISPOSE)
        assert (early.status_code, early.json()["out_of_order"]) == (201, True)
        late = await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        assert (late.json()["out_of_order"], late.json()["state"]) == (False, "handling")
        read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        assert read.json()["acknowledged_at"] == "2026-11-20T01:55:00Z"
        assert read.headers["etag"] == '"3"'

    async def test_same_reference_again_is_the_same_answer(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        first = await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        again = await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    async def test_second_reference_is_kept_beside_the_first(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        other = {**ACCEPT, "police_reference": "受〔2026〕2号"}
        assert (
            await step(client, offices.police, report_id, "acknowledgement", other)
        ).status_code == 201
        read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
        assert read["police_reference"] == ACCEPT["police_reference"]
        assert [taken["details"]["police_reference"] for taken in read["steps"]] == [
            ACCEPT["police_reference"],
            other["police_reference"],
        ]

    async def test_same_step_again_is_recorded_once(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        body = {**DISPATCH, "id": str(uuid4())}
        first = await step(client, offices.police, report_id, "dispatch", body)
        again = await step(client, offices.police, report_id, "dispatch", body)
        other = await step(client, offices.police, report_id, "dispatch", {**body, "unit": "二组"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert other.status_code == 201  # an id is one step's: the other has one of its own
        assert other.json()["id"] != body["id"]

    async def test_measure_of_another_situation_is_refused(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        body = {**DISPOSE, "measures": ["parents_admonished", "search_started"]}
        answer = await step(client, offices.police, report_id, "dispositions", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#/measures/1"

    @pytest.mark.parametrize(("path", "body"), [(path, body) for path, body, _ in BY_TOWNSHIP])
    async def test_police_cannot_take_the_township_steps(self, client, offices, path, body) -> None:
        report_id = await filed(client, offices.school)
        answer = await step(client, offices.police, report_id, path, body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-missing")

    @pytest.mark.parametrize(("path", "body"), [(path, body) for path, body, _ in BY_POLICE])
    async def test_only_the_police_in_charge_take_the_police_steps(
        self, client, database, settings, offices, path, body
    ) -> None:
        report_id = await filed(client, offices.school)
        for caller in (offices.school, offices.township):
            answer = await step(client, caller, report_id, path, body)
            assert answer.status_code == 403
        other = await a_caller(database, settings, "police", TOWNSHIP)
        answer = await step(client, other, report_id, path, body)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/report-not-found")

    async def test_receipt_is_for_whom_the_notice_was_sent_to(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "township-notice", NOTICE)
        path = "township-notice/receipt"
        county = await step(client, offices.county, report_id, path, RECEIPT)
        assert (county.status_code, county.json()["type"]) == (403, "/problems/not-your-part")
        assert (await step(client, offices.township, report_id, path, RECEIPT)).status_code == 201

    async def test_notice_passes_over_a_township_that_is_reported(self, client, offices) -> None:
        report_id = await filed(
            client, offices.school, suspect_agency_id=str(offices.township.agency_id)
        )
        await step(client, offices.police, report_id, "township-notice", NOTICE)
        read = await client.get(f"{URL}/{report_id}", headers=offices.county.headers)
        assert read.json()["township_agency_id"] == str(offices.county.agency_id)

    async def test_acknowledgement_stays_within_its_statements(
        self, client, offices, queries
    ) -> None:
        report_id = await filed(client, offices.school)
        queries.clear()
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        assert len(queries) <= 13, queries.statements

    async def test_whether_the_release_before_may_run_is_asked_once_a_request(
        self, client, offices, queries
    ) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        queries.clear()
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        asked = [each for each in queries.statements if "SELECT EXISTS (SELECT FROM form" in each]
        assert len(asked) == 1, "a disposition seals its own codes and its step's"
        assert len(queries) <= 14, queries.statements


class TestForwarding:
    async def test_report_goes_to_the_other_police_and_starts_anew(
        self, client, database, settings, offices
    ) -> None:
        target = await police_at(database, COUNTY)
        receiver = await a_caller(database, settings, "police", COUNTY, agency_id=target)
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        body = {"id": str(uuid4()), "forwarded_at": AT, "police_agency_id": str(target)}
        first = await step(client, offices.police, report_id, "forwarding", body)
        assert (first.status_code, first.json()["state"]) == (201, "filed"), first.text
        again = await step(client, offices.police, report_id, "forwarding", body)
        assert again.status_code == 200
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch("SELECT agency_id FROM webhook_deliveries ORDER BY id")
        assert [row["agency_id"] for row in told] == [offices.police.agency_id, target]
        now = await client.get(f"{URL}/{report_id}", headers=receiver.headers)
        assert (now.json()["party"], now.json()["narrative"]) == (
            "police",
            a_report()["narrative"],
        )
        before = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
        assert (before["party"], before["narrative"], before["subject"]) == ("onlooker", None, None)
        assert all(taken["details"] is None for taken in before["steps"])
        late = await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        assert (late.status_code, late.json()["state"]) == (200, "filed")

    async def test_target_must_be_other_police(self, client, offices) -> None:
        report_id = await filed(client, offices.school)
        for target in (offices.police.agency_id, offices.township.agency_id, uuid4()):
            body = {"forwarded_at": AT, "police_agency_id": str(target)}
            answer = await step(client, offices.police, report_id, "forwarding", body)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["code"] == "agency_unknown"


class TestSupersession:
    async def test_correction_replaces_and_nothing_is_deleted(
        self, client, database, offices
    ) -> None:
        old = await filed(client, offices.school)
        body = a_report(id=str(uuid4()), narrative="更正:在镇上。")
        answer = await step(client, offices.school, old, "supersession", body)
        assert answer.status_code == 201, answer.text
        again = await step(client, offices.school, old, "supersession", body)
        assert (again.status_code, answer.json()) == (200, again.json())
        assert again.headers["location"] == answer.headers["location"] == f"{URL}/{body['id']}"
        before = (await client.get(f"{URL}/{old}", headers=offices.police.headers)).json()
        after = (await client.get(f"{URL}/{body['id']}", headers=offices.police.headers)).json()
        assert (before["superseded_by"], after["supersedes"]) == (body["id"], old)
        assert before["narrative"] == a_report()["narrative"]
        async with database.begin(SYSTEM) as tx:
            bodies = await tx.connection.fetch("SELECT body FROM webhook_deliveries ORDER BY id")
        assert orjson.loads(bodies[1]["body"])["data"]["supersedes"] == old

    async def test_a_report_filed_for_itself_replaces_nothing(self, client, offices) -> None:
        old, other = [await filed(client, offices.school) for _ in range(2)]
        body = a_report(id=str(uuid4()), narrative="另一件事。")
        await filed(client, offices.school, **body)
        replaced = await step(client, offices.school, old, "supersession", body)
        assert replaced.status_code == 201
        assert replaced.json()["id"] != body["id"]
        second = await step(client, offices.school, other, "supersession", body)
        assert second.status_code == 201
        assert second.json()["id"] not in {body["id"], replaced.json()["id"]}
        read = await client.get(f"{URL}/{body['id']}", headers=offices.school.headers)
        assert read.json()["supersedes"] is None

    async def test_only_by_who_filed_it_and_only_once(self, client, offices) -> None:
        old = await filed(client, offices.school)
        township = await step(client, offices.township, old, "supersession", a_report())
        assert township.json()["type"] == "/problems/not-your-part"
        await step(client, offices.school, old, "supersession", a_report())
        second = await step(client, offices.school, old, "supersession", a_report())
        assert (second.status_code, second.json()["type"]) == (
            409,
            "/problems/superseded-already",
        )


class TestOverdue:
    @pytest.fixture
    def clock(self, database, monkeypatch, now):
        def at(minutes: int) -> None:
            monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=minutes))

        return at

    async def overdue(self, database) -> list[str]:
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.mark_overdue"].handler(tx, {})
            rows = await tx.connection.fetch(
                "SELECT wire_name FROM events WHERE wire_name LIKE '%overdue' ORDER BY 1"
            )
        return [row["wire_name"] for row in rows]

    async def test_each_lateness_is_announced_once_and_listed(
        self, client, database, offices, clock
    ) -> None:
        await filed(client, offices.school)
        clock(4)
        assert await self.overdue(database) == []
        clock(6)
        assert await self.overdue(database) == ["police_reports.delivery_overdue"]
        clock(31)
        both = ["police_reports.acknowledgement_overdue", "police_reports.delivery_overdue"]
        assert await self.overdue(database) == both
        assert await self.overdue(database) == both

    @pytest.mark.parametrize(("minutes", "late"), [(4, 0), (6, 1)])
    async def test_list_shows_what_is_late(
        self, client, database, settings, offices, clock, minutes, late
    ) -> None:
        await filed(client, offices.school)
        clock(minutes)
        reader = await a_caller(database, settings, "civil_affairs", COUNTY)
        for asked, expected in (("true", late), ("false", 1 - late)):
            answer = await client.get(f"{URL}?overdue={asked}", headers=reader.headers)
            items = answer.json()["items"]
            assert [item["delivery_overdue"] for item in items] == [late == 1] * expected

    async def test_accepted_report_is_never_late(self, client, database, offices, clock) -> None:
        report_id = await filed(client, offices.school)
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
        clock(60)
        assert await self.overdue(database) == []


async def test_list_pages_newest_first(client, database, offices, monkeypatch, now) -> None:
    made = []
    for minute in range(3):
        monkeypatch.setattr(database, "clock", lambda at=minute: now + timedelta(minutes=at))
        made.append(await filed(client, offices.school, region_code=str(VILLAGE)))
    seen, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = await client.get(f"{URL}?limit=2{more}", headers=offices.county.headers)
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert seen == made[::-1]


@pytest.mark.parametrize("cursor", ["Wy0xLCJ4Il0", "WzEyMywieCJd", "e30"])
async def test_foreign_cursor_is_refused(client, offices, cursor) -> None:
    answer = await client.get(f"{URL}?cursor={cursor}", headers=offices.county.headers)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/cursor-invalid"
