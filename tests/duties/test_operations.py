"""The engine, run by its jobs on the real queue."""

from datetime import UTC, date, datetime

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import queue
from app.duties import escalating
from app.duties.rulebook import rules
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import COUNTY, TOWNSHIP, VILLAGE
from tests.duties.factories import announce, ledger, visited, work

_ONE_OF_EACH = """
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role, period,
    counts_from, opened_at, due_at, state, version)
SELECT gen_random_uuid(), rule, $2, gen_random_uuid(), $3, 120119101200, 'village_director', '',
    '2026-11-01', now(), '2026-11-23', 'open', 1 FROM unnest($1::text[]) AS rule
"""


async def _run(database, name: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, name, [{}])
    await work(database)


async def _open_period(database) -> None:
    await _run(database, "duties.open_period")


async def _mark_overdue(database) -> None:
    await _run(database, "duties.mark_overdue")


class TestQuarter:
    async def test_opens_one_duty_per_child_in_a_category(self, database, child) -> None:
        await a_child(database, VILLAGE)
        plain = await a_child(database, VILLAGE + 1, categories=["difficulty.family"])
        await _open_period(database)
        await _open_period(database)
        duties = {duty["child_id"]: duty for duty in await ledger(database)}
        assert set(duties) == {child.id, plain.id}
        duty = duties[child.id]
        assert (duty["rule"], duty["period"], duty["state"]) == ("VIS-01", "2026Q4", "open")
        assert (duty["bearer_role"], duty["region_code"]) == ("village_director", VILLAGE)
        assert (duty["priority"], duty["version"]) == (True, 1)
        assert duty["due_at"] == datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
        assert duty["id"].version == 7
        assert duties[plain.id]["priority"] is False

    @pytest.mark.usefixtures("child")
    async def test_the_quarter_changes_at_midnight_in_china(self, database, time) -> None:
        time.set(2026, 12, 31, 15, 59)
        await _open_period(database)
        time.set(2026, 12, 31, 16, 0)
        await _open_period(database)
        assert [duty["period"] for duty in await ledger(database)] == ["2026Q4", "2027Q1"]

    async def test_registration_opens_it_at_once(self, database, child) -> None:
        await announce(database, "children.child_registered", child=child, subject_id=child.id)
        await work(database)
        (duty,) = await ledger(database)
        assert duty["subject_id"] == child.id

    async def test_follows_the_child_who_moved(self, database, child, time) -> None:
        """What any deed for the child discharges, late or not; what an office has stays there."""
        await _open_period(database)
        found = {"child": child, "visited_on": "2026-11-18"}
        await announce(database, "visits.abnormal_finding", **found)
        await announce(database, "police_reports.report_filed", child=child)
        await work(database)
        time.set(2026, 12, 20)
        await _mark_overdue(database)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET region_code = $1", VILLAGE + 1)
        await announce(database, "children.child_changed", child=child, subject_id=child.id)
        await work(database)
        duties = {duty["rule"]: duty for duty in await ledger(database)}
        assert duties["VIS-01"]["version"] == 2
        assert {rule: (duty["state"], duty["region_code"]) for rule, duty in duties.items()} == {
            "VIS-01": ("open", VILLAGE + 1),
            "VIS-03": ("overdue", VILLAGE + 1),
            "REP-07": ("overdue", VILLAGE),
        }

    @pytest.mark.usefixtures("child")
    async def test_lapses_and_comes_back_with_the_category(self, database) -> None:
        await _open_period(database)
        for categories, state in (([], "lapsed"), (["orphan"], "open")):
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute("UPDATE children SET categories = $1", categories)
            await _open_period(database)
            (duty,) = await ledger(database)
            assert (duty["state"], duty["lapsed_at"] is not None) == (state, state == "lapsed")
        assert duty["categories"] == ["orphan"]

    async def test_a_visit_discharges_it(self, database, child) -> None:
        await _open_period(database)
        visit = await visited(database, child, date(2026, 11, 18))
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["state"], duty["discharged_by"]) == ("discharged", visit)
        assert duty["discharged_on"] == date(2026, 11, 18)
        assert duty["overdue_at"] is None

    async def test_a_visit_before_it_was_opened_counts(self, database, child) -> None:
        await visited(database, child, date(2026, 10, 1))
        await work(database)
        await _open_period(database)
        (duty,) = await ledger(database)
        assert duty["state"] == "discharged"

    async def test_what_does_not_count(self, database, child) -> None:
        other = await a_child(database, VILLAGE)
        await _open_period(database)
        await visited(database, child, date(2026, 9, 30))
        await visited(database, child, date(2027, 1, 1))
        await visited(database, child, date(2026, 11, 1), channel="phone")
        await visited(database, child, date(2026, 11, 1), visitor_type="teacher")
        await visited(database, other, date(2026, 11, 1))
        await work(database)
        (duty,) = await ledger(database)
        assert duty["state"] == "open"

    async def test_late_evidence_discharges_but_it_was_overdue(self, database, child, time) -> None:
        """What was heard of by then, though of a day to come, was not."""
        heard = await a_child(database, VILLAGE, categories=["orphan"])
        await _open_period(database)
        await visited(database, heard, date(2026, 12, 30))
        await work(database)
        time.set(2027, 1, 2, 0, 0)
        await _mark_overdue(database)
        await visited(database, child, date(2026, 12, 30))
        await work(database)
        duties = {duty["child_id"]: duty for duty in await ledger(database)}
        assert {duty["state"] for duty in duties.values()} == {"discharged"}
        assert {duty["discharged_on"] for duty in duties.values()} == {date(2026, 12, 30)}
        assert duties[child.id]["overdue_at"] == time.now
        assert duties[heard.id]["overdue_at"] is None

    async def test_a_correction_takes_the_evidence_back(self, database, child) -> None:
        await _open_period(database)
        visit = await visited(database, child, date(2026, 11, 18))
        second = await visited(database, child, date(2026, 11, 19))
        await work(database)
        for wrong, right in ((visit, second), (second, None)):
            await visited(
                database,
                child,
                date(2026, 9, 18),
                subject_id=wrong,
                wire_name="visits.visit_corrected",
            )
            await work(database)
            (duty,) = await ledger(database)
            assert duty["discharged_by"] == right
        assert duty["state"] == "open"


class TestEvents:
    async def test_an_abnormal_finding_needs_a_later_visit(self, database, child) -> None:
        bad = await visited(database, child, date(2026, 11, 18))
        await announce(
            database,
            "visits.abnormal_finding",
            child=child,
            subject_id=bad,
            visited_on="2026-11-18",
        )
        for day, state in (("2026-11-18", "open"), ("2026-11-19", "discharged")):
            await announce(
                database,
                "visits.finding_looked_at",
                child=child,
                subject_id=bad,
                visited_on=day,
                looked_at=True,
            )
            await work(database)
            (duty,) = await ledger(database, "VIS-03")
            assert (duty["state"], duty["subject_id"], duty["child_id"]) == (state, bad, child.id)

    async def test_written_report(self, database, child) -> None:
        school = await an_agency(database, "school", VILLAGE)
        alert = await announce(
            database, "dropout_alerts.persuasion_failed", child=child, school_id=str(school)
        )
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["rule"], duty["bearer_agency_id"]) == ("EDU-04", school)
        other = await announce(database, "dropout_alerts.written_report_sent", child=child)
        await work(database)
        assert (await ledger(database))[0]["state"] == "open"
        assert other != alert
        await announce(
            database, "dropout_alerts.written_report_sent", child=child, subject_id=alert
        )
        await work(database)
        assert (await ledger(database))[0]["state"] == "discharged"

    async def test_a_child_who_returned_needs_no_report(self, database, child) -> None:
        alert = await announce(database, "dropout_alerts.persuasion_failed", child=child)
        await work(database)
        await announce(database, "dropout_alerts.child_returned", child=child, subject_id=alert)
        await work(database)
        assert (await ledger(database))[0]["state"] == "cancelled"

    async def test_report_to_the_police(self, database, child) -> None:
        far = await an_agency(database, "police", 120000000000)
        near = await an_agency(database, "police", TOWNSHIP)
        school = await an_agency(database, "school", VILLAGE)
        report = await announce(
            database,
            "police_reports.report_filed",
            child=child,
            told_to=(near, school),
            police_agency_id=str(school),
            acknowledge_due_at="2026-11-20T02:20:00Z",
        )
        await work(database)
        (duty,) = await ledger(database)
        assert duty["bearer_agency_id"] == near, "an agency that is no police cannot bear it"
        assert duty["told_to"] == [near, school]
        assert duty["due_at"] == datetime(2026, 11, 20, 2, 20, tzinfo=UTC)
        await announce(
            database,
            "police_reports.report_forwarded",
            child=child,
            subject_id=report,
            told_to=(far,),
            police_agency_id=str(far),
        )
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["bearer_agency_id"], duty["told_to"]) == (far, [far])
        await announce(
            database, "police_reports.report_acknowledged", child=child, subject_id=report
        )
        await announce(
            database, "police_reports.notice_owed", child=child, subject_id=report, told=False
        )
        await work(database)
        assert [(d["rule"], d["state"]) for d in await ledger(database)] == [
            ("REP-07", "discharged"),
            ("REP-14", "open"),
        ]
        await announce(
            database, "police_reports.notice_given", child=child, subject_id=report, told=True
        )
        await work(database)
        assert {d["state"] for d in await ledger(database)} == {"discharged"}

    async def test_a_station_that_must_not_know_does_not_bear_it(self, database, child) -> None:
        await an_agency(database, "police", TOWNSHIP)
        school = await an_agency(database, "school", VILLAGE)
        await announce(database, "police_reports.report_filed", child=child, told_to=(school,))
        await announce(database, "police_reports.report_filed", child=child, told_to=())
        await work(database)
        assert {duty["bearer_agency_id"] for duty in await ledger(database)} == {None}

    async def test_the_nearest_station_bears_it_if_none_is_named(self, database, child) -> None:
        await an_agency(database, "police", 120000000000)
        near = await an_agency(database, "police", TOWNSHIP)
        await announce(database, "police_reports.report_filed", child=child)
        await work(database)
        (duty,) = await ledger(database)
        assert duty["bearer_agency_id"] == near

    async def test_discharge_worked_off_before_the_opening(self, database, child) -> None:
        report = new_id()
        await announce(
            database, "police_reports.report_acknowledged", child=child, subject_id=report
        )
        await work(database)
        await announce(database, "police_reports.report_filed", child=child, subject_id=report)
        await work(database)
        (duty,) = await ledger(database)
        assert duty["state"] == "discharged"

    async def test_the_same_event_twice_changes_nothing(self, database, child) -> None:
        await announce(database, "police_reports.report_filed", child=child)
        async with database.begin(SYSTEM) as tx:
            payload = await tx.connection.fetchval("SELECT id FROM events")
            await queue.enqueue(tx.connection, "duties.weigh_event", [{"event": str(payload)}])
        await work(database)
        (duty,) = await ledger(database)
        assert duty["version"] == 1


class TestOverdue:
    async def test_marks_once_and_announces(self, database, child, time) -> None:
        station = await an_agency(database, "police", TOWNSHIP)
        await announce(database, "police_reports.report_filed", child=child, told_to=(station,))
        await work(database)
        time.set(2026, 11, 20, 2, 29, 59)
        await _mark_overdue(database)
        assert (await ledger(database))[0]["state"] == "open"
        time.set(2026, 11, 20, 2, 30)
        await _mark_overdue(database)
        await _mark_overdue(database)
        (duty,) = await ledger(database)
        assert (duty["state"], duty["overdue_at"]) == ("overdue", time.now)
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT * FROM events WHERE wire_name = 'duties.duty_overdue'"
                " AND data ->> 'rule' = 'REP-07'"
            )
        (row,) = rows
        assert row["subject_id"] == duty["id"]
        assert row["told_to"] == [str(station)]
        assert row["data"]["agency_id"] == str(station)

    @pytest.mark.usefixtures("child")
    async def test_is_told_higher_up_step_by_step_each_once(
        self, database, settings, client, time
    ) -> None:
        """Escalation steps up to the county with times; what was told when is in the record."""
        await _open_period(database)
        after = ((2027, 1, 7, 15, 59), (2027, 1, 7, 16, 0), (2027, 3, 1))
        time.set(2026, 12, 31, 16, 0)
        await _mark_overdue(database)
        async with database.begin(SYSTEM) as tx:  # as the release before marks it
            uncounted = "UPDATE duties SET escalated = 0, escalates_at = overdue_at"
            await tx.connection.execute(uncounted)
        for moment in after:
            time.set(*moment)
            await _run(database, "duties.escalate")
            await _run(database, "duties.escalate")
        (duty,) = [duty for duty in await ledger(database) if duty["period"] == "2026Q4"]
        assert (duty["state"], duty["escalates_at"]) == ("overdue", None)
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        answer = await client.get(f"/v1/duties/{duty['id']}", headers=township.headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["told"] == [
            {
                "at": "2026-12-31T16:00:00Z",
                "due_at": "2026-12-31T16:00:00Z",
                "to": ["township_supervisor"],
            },
            {
                "at": "2027-01-07T16:00:00Z",
                "due_at": "2026-12-31T16:00:00Z",
                "to": ["civil_affairs"],
            },
        ]

    async def test_of_every_rule_is_announced_and_can_be_asked_for(
        self, database, client, settings, child, time
    ) -> None:
        """What falls due together is marked together: a rule whose name does not fit what announces
        it would silence all others.
        """
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_ONE_OF_EACH, [*rules()], child.id, child.home_county)
        time.set(2026, 11, 24)
        await _mark_overdue(database)
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch(
                "SELECT data ->> 'rule' FROM events WHERE wire_name = 'duties.duty_overdue'"
            )
        assert {row[0] for row in told} == {*rules()}
        county = await a_caller(database, settings, "civil_affairs", COUNTY)
        for name, rule in rules().items():
            answer = await client.get("/v1/duties", params={"rule": name}, headers=county.headers)
            assert answer.status_code == 200, answer.text
            shown = [duty["rule"] for duty in answer.json()["items"]]
            assert shown == [name] * ("civil_affairs" in rule.seen_by)

    async def test_goes_on_after_a_full_batch(self, database, child, time, monkeypatch) -> None:
        monkeypatch.setattr(escalating, "BATCH", 1)
        for _ in range(3):
            await announce(database, "police_reports.report_filed", child=child)
        await work(database)
        time.set(2026, 11, 21, 0, 0)
        await _mark_overdue(database)
        assert {duty["state"] for duty in await ledger(database)} == {"overdue"}
        async with database.begin(SYSTEM) as tx:  # nor does what is to be told to the next step
            await tx.connection.execute(
                "UPDATE duties SET escalated = 1, escalates_at = $1", tx.now
            )
            await tx.connection.execute("DELETE FROM jobs")
            county = {"home_county": child.home_county}
            await queue.REGISTRY["duties.escalate_in_county"].handler(tx, county)
            (job,) = await tx.connection.fetch("SELECT name, dedupe_key FROM jobs")
            assert [*job] == ["duties.escalate_in_county", str(child.home_county)]
