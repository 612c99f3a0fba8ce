"""What people do: from the first attempt to the return (EDU-02 … EDU-07)."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.core.data.db import SYSTEM, Reach
from app.dropout_alerts import router
from tests.access.factories import a_caller
from tests.attendance.factories import a_school
from tests.children.factories import moved
from tests.conftest import NOW
from tests.dropout_alerts.factories import COUNTY, a_report, an_attempt, everyone

NEXT_COUNTY = 120118000000


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def alert(database, around):
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, "2026-11-19", "2026-11-20")
    return await around.alert(pupil.id)


async def reported(around, alert) -> dict:
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    assert sent.status_code == 201, sent.text
    return sent.json()


async def test_the_whole_chain(around, alert, database) -> None:
    tried = await around.step(
        around.teacher,
        alert,
        "persuasions",
        an_attempt(outcome="promised", note="家访,孩子说想打工"),
    )
    assert tried.status_code == 201, tried.text
    assert tried.headers["etag"] == f'"{tried.json()["version"]}"'
    assert (tried.json()["state"], tried.json()["registered_on"]) == ("persuading", "2026-11-20")
    assert tried.json()["persuasions"][0]["note"] == "家访,孩子说想打工"

    failed = await around.step(around.teacher, tried.json(), "persuasions", an_attempt(final=True))
    assert failed.json()["state"] == "persuasion_failed"

    sent = await around.step(
        around.teacher, failed.json(), "written-report", a_report(summary="多次劝返无效")
    )
    assert sent.status_code == 201, sent.text
    assert sent.json()["state"] == "written_report_sent"
    assert [r["kind"] for r in sent.json()["written_report"]["receipts"]] == [
        "education",
        "township_government",
    ]
    now = sent.json()
    for caller in (around.education, around.township):
        answer = await around.step(caller, now, "written-report/receipt")
        assert answer.status_code == 200, answer.text
        now = answer.json()
    receipts = now["written_report"]["receipts"]
    assert all(r["received_at"] for r in receipts)
    database.clock = lambda: NOW + timedelta(minutes=1)
    again = await around.step(around.township, now, "written-report/receipt")
    now = again.json()
    assert (again.status_code, now["written_report"]["receipts"]) == (200, receipts)
    database.clock = lambda: NOW

    acted = await around.step(
        around.township,
        now,
        "measures",
        {"kind": "talk_with_guardian", "ordered_on": "2026-11-20", "note": "与祖母谈话"},
    )
    assert (acted.status_code, acted.json()["state"]) == (201, "measures")

    back = await around.step(
        around.teacher,
        acted.json(),
        "return",
        {"returned_on": "2026-11-20", "kind": "other_school"},
    )
    assert (back.status_code, back.json()["state"]) == (200, "returned")
    assert back.json()["allowed_actions"] == ["acknowledge"]
    assert await around.announced() == [
        "alert_opened",
        "persuasion_recorded",
        "parents_spoken_to",
        "child_registered",
        "persuasion_recorded",
        "parents_spoken_to",
        "persuasion_failed",
        "register_entered",
        "written_report_sent",
        "written_report_received",
        "written_report_received",
        "measure_ordered",
        "child_returned",
    ]
    async with database.begin(SYSTEM) as tx:
        sealed = await tx.connection.fetchval(
            "SELECT note_sealed FROM dropout_persuasions ORDER BY id LIMIT 1"
        )
        stored = await tx.connection.fetch("SELECT data::text, told_to FROM events")
        audited = await tx.connection.fetchval(
            "SELECT count(*) FROM audit_entries"
            " WHERE $1 = ANY (child_ids) AND decision = 'allowed'",
            alert["child_id"],
        )
    assert "打工".encode() not in sealed
    assert not any("打工" in row["data"] for row in stored)
    assert audited >= 8


class TestRefusals:
    async def test_steps_out_of_turn_say_where_the_alert_stands(
        self, database, around, alert
    ) -> None:
        answer = await around.step(around.teacher, alert, "written-report", a_report())
        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/transition-not-allowed"
        assert "The alert is absent" in answer.json()["detail"]
        assert alert["permitted"] == [
            "recordPersuasion",
            "recordReturn",
            "enterInRegister",
            "recordParentContact",
        ]
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT * FROM audit_entries ORDER BY id DESC LIMIT 1"
            )
        assert (row["decision"], row["rule"]) == ("denied", "transition-not-allowed")
        assert [str(child) for child in row["child_ids"]] == [alert["child_id"]]

    async def test_a_change_names_its_version(self, database, around, alert) -> None:
        stale = {**alert, "version": alert["version"] + 1}
        answer = await around.step(around.teacher, stale, "persuasions", an_attempt())
        assert answer.status_code == 412
        path = f"/v1/dropout-alerts/{alert['id']}/persuasions"
        without = await around.client.post(path, headers=around.teacher.headers, json=an_attempt())
        assert without.status_code == 428
        async with database.begin(SYSTEM) as tx:  # as if it had moved since it was found
            elsewhere = {"id": UUID(alert["id"]), "home_county": 110101000000}
            with pytest.raises(router.DropoutAlertNotFound):
                await router._alert_to_change(elsewhere, tx)
        # What is wrong by itself is said before what is stale (RFC 9110 §13.2.1).
        wrong = await around.step(around.teacher, stale, "persuasions", an_attempt(by="nobody"))
        assert wrong.status_code == 422

    async def test_an_addressee_must_be_registered(self, database, around, alert) -> None:
        addressees = [around.education.agency_id, around.township.agency_id]
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE agencies SET active = false WHERE id = ANY ($1)", addressees
            )
        failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
        assert "sendWrittenReport" not in failed.json()["permitted"]
        assert await around.alerts(permitted="sendWrittenReport") == []
        answer = await around.step(around.teacher, failed.json(), "written-report", a_report())
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/addressee-missing")
        missing = [error["code"] for error in answer.json()["errors"]]
        assert missing == ["education_missing", "township_government_missing"]
        assert "written_report_sent" not in await around.announced()
        async with database.begin(SYSTEM) as tx:
            refused = await tx.connection.fetch(
                "SELECT child_ids FROM audit_entries WHERE rule = 'addressee-missing'"
            )
            await tx.connection.execute("UPDATE agencies SET active = true")
        assert [[str(child) for child in row["child_ids"]] for row in refused] == [
            [alert["child_id"]]
        ]
        (ready,) = await around.alerts(permitted="sendWrittenReport")
        assert "sendWrittenReport" in ready["permitted"]

    async def test_who_is_registered_is_written_to_though_another_is_not(
        self, database, around, alert
    ) -> None:
        """The family of a boarder may live where no township has been registered yet."""
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE agencies SET active = false WHERE id = $1", around.township.agency_id
            )
        sent = await reported(around, alert)
        receipts = sent["written_report"]["receipts"]
        assert [r["agency_id"] for r in receipts] == [str(around.education.agency_id)]
        read = await around.alert(alert["child_id"])
        assert read["state"] == "written_report_sent"

    async def test_the_township_is_that_where_the_child_lives_by_now(
        self, database, settings, around, alert
    ) -> None:
        """It moved between the alert and the report; whoever has it now persuades the family."""
        now = await a_caller(database, settings, "township_supervisor", 120119102000)
        await moved(database, alert["child_id"], region_code=120119102201)
        sent = await reported(around, alert)
        kinds = {r["kind"]: r["agency_id"] for r in sent["written_report"]["receipts"]}
        assert kinds["township_government"] == str(now.agency_id)
        read = await around.alerts(now)
        assert {"acknowledgeWrittenReport", "orderMeasure"} <= {*read[0]["permitted"]}

    async def test_the_next_school_does_not_act_before_the_alert_is_handed_over(
        self, database, settings, around, alert
    ) -> None:
        other = await a_school(database, settings)
        await moved(database, alert["child_id"], school_id=other.id)
        answer = await around.step(other.system, alert, "persuasions", an_attempt())
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-of-your-school")

    async def test_only_a_failure_is_final(self, around, alert) -> None:
        answer = await around.step(
            around.teacher, alert, "persuasions", an_attempt(final=True, outcome="promised")
        )
        assert answer.status_code == 422

    async def test_a_lost_answer_can_be_asked_again(self, around, alert) -> None:
        key = {"idempotency-key": "attempt-1"}
        first = await around.step(around.teacher, alert, "persuasions", an_attempt(), **key)
        again = await around.step(around.teacher, alert, "persuasions", an_attempt(), **key)
        assert (again.status_code, again.content) == (201, first.content)


class TestWhoSeesIt:
    @pytest.mark.parametrize(
        ("role", "region", "sees"),
        [
            ("civil_affairs", COUNTY, True),
            ("civil_affairs", NEXT_COUNTY, False),
            ("village_director", 120119101200, True),
            ("village_director", 120119101201, False),
            ("education_authority", 120000000000, True),
            ("education_authority", NEXT_COUNTY, False),
        ],
    )
    async def test_by_region(self, database, settings, around, alert, role, region, sees) -> None:
        caller = await a_caller(database, settings, role, region)
        assert bool(await around.alerts(caller)) is sees
        answer = await around.client.get(
            f"/v1/dropout-alerts/{alert['id']}", headers=caller.headers
        )
        assert answer.status_code == (200 if sees else 404)

    async def test_another_school_sees_what_does_not_exist(
        self, database, settings, around, alert
    ) -> None:
        other = await a_school(database, settings)
        hidden, nowhere = [
            await around.client.get(f"/v1/dropout-alerts/{id_}", headers=other.system.headers)
            for id_ in (alert["id"], uuid4())
        ]
        assert hidden.status_code == nowhere.status_code == 404
        assert hidden.json()["type"] == "/problems/dropout-alert-not-found"
        same = {"type", "title", "status"}
        assert all(hidden.json()[key] == nowhere.json()[key] for key in same)

    async def test_the_school_keeps_its_alert_and_addressees_theirs_when_the_child_moves(
        self, database, around, alert
    ) -> None:
        await reported(around, alert)
        await moved(database, alert["child_id"], region_code=NEXT_COUNTY + 1200, school_id=None)
        for caller in (around.teacher, around.education, around.township):
            assert len(await around.alerts(caller)) == 1

    async def test_row_level_security_says_the_same(self, database, around, alert) -> None:
        await reported(around, alert)
        tables = (
            "dropout_alerts",
            "dropout_persuasions",
            "dropout_written_reports",
            "dropout_report_receipts",
        )
        for reach, rows in (
            (Reach(COUNTY, COUNTY + 10**6), 1),
            (Reach(NEXT_COUNTY, NEXT_COUNTY + 10**6), 0),
            (Reach(NEXT_COUNTY, NEXT_COUNTY + 10**6, agency=around.education.agency_id), 1),
        ):
            async with database.begin(reach) as tx:
                for table in tables:
                    found = await tx.connection.fetchval(f"SELECT count(*) FROM {table}")
                    assert bool(found) is bool(rows), table


async def test_lists_page_by_page(around, database) -> None:
    pupils = [await around.school.pupil(database) for _ in range(3)]
    for pupil in pupils:
        await around.absent(pupil.id, "2026-11-20")
    seen, cursor = [], {}
    while True:
        page = await around.client.get(
            "/v1/dropout-alerts",
            headers=around.teacher.headers,
            params={"limit": 2, "state": "absent", **cursor},
        )
        seen += [item["child_id"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            break
        cursor = {"cursor": page.json()["next_cursor"]}
    assert seen == [str(pupil.id) for pupil in reversed(pupils)]


async def test_reading_stays_within_its_budget(around, alert, queries) -> None:
    path = f"/v1/dropout-alerts/{alert['id']}"
    queries.clear()
    await around.client.get(path, headers=around.teacher.headers)
    assert len(queries) <= 8, queries.statements
    queries.clear()
    await around.alerts()
    assert len(queries) == 3, queries.statements  # authority, alerts, audit
