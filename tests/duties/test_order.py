"""Deeds and duties in the order they come to the worker, late, twice and at once."""

from contextlib import suppress
from datetime import date
from itertools import permutations

import pytest

from app.core.clock import local_date
from app.core.data.db import SYSTEM, TemporarilyUnavailable
from app.core.ids import new_id
from app.core.jobs import queue
from app.core.jobs.events import Announced
from app.duties import escalating, operations, owners, periodic
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import TOWNSHIP, VILLAGE
from tests.duties.factories import announce, ledger, visited, work

IN_TIME = "2026-11-20T03:30:00+00:00"


async def run(database, name: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, name, [{}])
    await work(database)


async def announced(database) -> list[Announced]:
    """Everything announced so far, oldest first, as the worker gets it."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT id FROM events ORDER BY id")
        found: list[Announced] = []
        for row in rows:
            event = await tx.connection.fetchrow(
                "SELECT id, wire_name, subject_id, region_code, home_county, data::jsonb AS data,"
                " told_to, occurred_at FROM events WHERE id = $1",
                row["id"],
            )
            fields = dict(event)
            found.append(Announced(event_id=fields.pop("id"), **fields))
    return found


class TestCorrections:
    @pytest.mark.parametrize("turn", [1, -1], ids=["in order", "the last first"])
    async def test_the_last_correction_holds_in_whatever_order_they_are_worked_off(
        self, database, child, turn
    ) -> None:
        await run(database, "duties.open_period")
        visit = await visited(database, child, date(2026, 9, 18))
        for day in (date(2026, 11, 18), date(2026, 9, 19)):
            corrected = "visits.visit_corrected"
            await visited(database, child, day, subject_id=visit, wire_name=corrected)
        async with database.begin(SYSTEM) as tx:
            queued = await tx.connection.fetch(
                "DELETE FROM jobs WHERE name = 'duties.weigh_event' RETURNING payload ->> 'event'"
            )
        for (event_id,) in sorted(queued)[::turn]:
            async with database.begin(SYSTEM) as tx:
                payload = {"event": event_id}
                await queue.REGISTRY["duties.weigh_event"].handler(tx, payload)
        (duty,) = await ledger(database)
        assert duty["state"] == "open", "the visit was in the quarter before"

    async def test_what_was_overdue_is_so_again_without_its_deed(
        self, database, child, time
    ) -> None:
        await run(database, "duties.open_period")
        time.set(2027, 1, 2, 0, 0)
        await run(database, "duties.mark_overdue")
        visit = await visited(database, child, date(2026, 12, 30))
        await work(database)
        corrected = {"subject_id": visit, "wire_name": "visits.visit_corrected"}
        await visited(database, child, date(2026, 9, 18), **corrected)
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["state"], duty["overdue_at"]) == ("overdue", time.now)

    async def test_a_deed_of_the_next_quarter_discharges_nothing_of_this_one(
        self, database, child, time
    ) -> None:
        await run(database, "duties.open_period")
        time.set(2027, 1, 2, 0, 0)
        await visited(database, child, local_date(time.now))
        await work(database)
        await run(database, "duties.open_period")
        states = {duty["period"]: duty["state"] for duty in await ledger(database)}
        assert states == {"2026Q4": "open", "2027Q1": "discharged"}


class TestDeedsBeforeTheDuty:
    async def test_the_earliest_discharges_it(self, database, child) -> None:
        days = [date(2026, 10, day) for day in (5, 2, 9)]
        visits = {day: await visited(database, child, day) for day in days}
        await work(database)
        await run(database, "duties.open_period")
        (duty,) = await ledger(database)
        assert duty["discharged_on"] == min(days)
        assert duty["discharged_by"] == visits[min(days)]

    async def test_a_visit_counts_for_a_child_whose_category_came_later(self, database) -> None:
        child = await a_child(database, VILLAGE)
        await visited(database, child, date(2026, 11, 18))
        await work(database)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET categories = '{orphan}'")
        await announce(database, "children.categories_changed", child=child, subject_id=child.id)
        await work(database)
        (duty,) = await ledger(database)
        assert duty["state"] == "discharged"

    async def test_what_is_done_stays_where_it_was_owed(self, database, child) -> None:
        await visited(database, child, date(2026, 11, 18))
        await work(database)
        await run(database, "duties.open_period")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET region_code = $1", VILLAGE + 1)
        await run(database, "duties.open_period")
        (duty,) = await ledger(database)
        assert (duty["state"], duty["region_code"]) == ("discharged", VILLAGE)

    async def test_the_day_of_a_deed_is_the_chinese_one(self, database, child, time) -> None:
        time.set(2026, 11, 20, 16, 20)
        report = await announce(database, "police_reports.report_filed", child=child)
        time.set(2026, 11, 20, 16, 30)
        accepted = "police_reports.report_acknowledged"
        await announce(database, accepted, child=child, subject_id=report)
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["state"], duty["discharged_on"]) == ("discharged", date(2026, 11, 21))


class TestCancelling:
    async def test_what_is_overdue_stays_so_when_the_child_has_returned(
        self, database, child, time
    ) -> None:
        alert = await announce(database, "dropout_alerts.persuasion_failed", child=child)
        await work(database)
        time.set(2026, 11, 24, 0, 0)
        await run(database, "duties.mark_overdue")
        await announce(database, "dropout_alerts.child_returned", child=child, subject_id=alert)
        await work(database)
        (duty,) = await ledger(database)
        assert (duty["rule"], duty["state"]) == ("EDU-04", "overdue")

    @pytest.mark.usefixtures("child")
    async def test_what_is_overdue_stays_so_when_the_child_leaves_every_category(
        self, database, time
    ) -> None:
        await run(database, "duties.open_period")
        time.set(2027, 1, 2, 0, 0)
        await run(database, "duties.mark_overdue")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET categories = '{}'")
        time.set(2026, 12, 31)
        await run(database, "duties.open_period")
        (duty,) = await ledger(database)
        assert (duty["period"], duty["state"]) == ("2026Q4", "overdue")

    async def test_a_birthday_takes_no_unmet_visit_off_the_record(
        self, client, database, settings, child
    ) -> None:
        await a_child(database, VILLAGE, categories=["orphan"])
        none_after_all = await a_child(database, VILLAGE, categories=["unattended"])
        await run(database, "duties.open_period")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE children SET categories = '{}' WHERE id = $1", child.id
            )
        await run(database, "duties.open_period")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE duties SET state = 'cancelled' WHERE child_id = $1", none_after_all.id
            )
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        answer = await client.get("/v1/duties/summary", headers=township.headers)
        rows = {(row["group"], row["code"]): row for row in answer.json()["coverage"]}
        said = {group: (row["owed"], row["lapsed"], row["gap"]) for group, row in rows.items()}
        assert said["all", None] == (2, 1, 2)
        assert said["category", "left_behind"] == (1, 1, 1)
        assert said["category", "orphan"] == (1, 0, 1)
        (counts,) = [row for row in answer.json()["rules"] if row["rule"] == "VIS-01"]
        assert (counts["open"], counts["lapsed"], counts["cancelled"]) == (1, 1, 1)
        assert ("category", "unattended") not in rows, "not owed after all: no part of it"


class TestHandingOver:
    @pytest.mark.parametrize("turns", [*permutations(range(3))], ids=str)
    async def test_each_agency_is_held_to_what_it_did_itself_in_whatever_order(
        self, database, child, turns
    ) -> None:
        before, after = [await an_agency(database, "police", TOWNSHIP) for _ in range(2)]
        filed, forwarded = (
            {"told_to": (one,), "police_agency_id": str(one), "acknowledge_due_at": due}
            for one, due in ((before, "2026-11-20T02:30:00Z"), (after, IN_TIME))
        )
        report = await announce(database, "police_reports.report_filed", child=child, **filed)
        about = {"child": child, "subject_id": report}
        await announce(database, "police_reports.report_acknowledged", **about)
        await announce(database, "police_reports.report_forwarded", **about, **forwarded)
        await announce(database, "police_reports.report_acknowledged", **about)
        opened, *then = await announced(database)
        told: set[int] = set()
        for turn in (None, *turns):
            async with database.begin(SYSTEM) as tx:
                await operations.weigh_event(tx, opened if turn is None else then[turn])
            told |= {turn} - {None}
            (duty,) = await ledger(database)
            if told == {0, 1}:
                assert (duty["state"], duty["bearer_agency_id"]) == ("open", after)
        assert (duty["state"], duty["bearer_agency_id"]) == ("discharged", after)
        assert duty["due_at"].isoformat() == IN_TIME

    async def test_what_is_overdue_is_handed_over_and_due_again(
        self, database, child, time
    ) -> None:
        before, after = [await an_agency(database, "police", TOWNSHIP) for _ in range(2)]
        report = await announce(
            database, "police_reports.report_filed", child=child, told_to=(before,)
        )
        await work(database)
        time.set(2026, 11, 20, 3, 0)
        await run(database, "duties.mark_overdue")
        (duty,) = await ledger(database)
        assert (duty["state"], duty["bearer_agency_id"]) == ("overdue", before)
        passed = {"subject_id": report, "told_to": (after,), "police_agency_id": str(after)}
        for due, state in (({}, "overdue"), ({"acknowledge_due_at": IN_TIME}, "open")):
            forwarded = "police_reports.report_forwarded"
            await announce(database, forwarded, child=child, **passed, **due)
            await work(database)
            (duty,) = await ledger(database)
            assert (duty["state"], duty["bearer_agency_id"]) == (state, after)
        assert (duty["due_at"].isoformat(), duty["overdue_at"]) == (IN_TIME, None)

    async def test_done_late_and_opened_again_it_was_late_for_good(
        self, client, database, settings, child, time
    ) -> None:
        report = {"child": child, "subject_id": new_id()}
        for day in (22, 25):
            await announce(database, "police_reports.notice_owed", **report, told=False)
            await work(database)
            time.set(2026, 11, day)
            await run(database, "duties.mark_overdue")
            (duty,) = await ledger(database, "REP-14")
            assert (duty["state"], duty["overdue_at"]) == ("overdue", time.now)
            await announce(database, "police_reports.notice_given", **report, told=True)
            await work(database)
            time.set(2026, 11, day + 1)
        await announce(database, "police_reports.notice_owed", **report, told=False)
        await announce(database, "police_reports.notice_given", **report, told=True)
        await work(database)
        (duty,) = await ledger(database, "REP-14")
        assert (duty["state"], duty["overdue_at"]) == ("discharged", None)
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        shown = await client.get(f"/v1/duties/{duty['id']}", headers=township.headers)
        assert shown.json()["late_before_at"] == "2026-11-22T00:00:00Z"
        assert [told["at"][:10] for told in shown.json()["told"]] == ["2026-11-22", "2026-11-25"]
        answer = await client.get("/v1/duties/summary", headers=township.headers)
        (counts,) = [row for row in answer.json()["rules"] if row["rule"] == "REP-14"]
        assert (counts["discharged"], counts["discharged_late"]) == (1, 1)


class TestAtOnce:
    async def test_two_at_once_tell_once(self, live_database) -> None:
        child = await a_child(live_database, VILLAGE, categories=["orphan"])
        async with live_database.begin(SYSTEM) as tx:
            await periodic.open_period(tx, home_county=child.home_county, children=[child.id])
            await tx.connection.execute("UPDATE duties SET due_at = '2026-10-01'")
        for told in (escalating.mark_overdue, escalating.escalate):
            async with live_database.begin(SYSTEM) as tx, live_database.begin(SYSTEM) as other:
                await other.connection.execute("SET LOCAL lock_timeout = '20ms'")
                await told(tx, child.home_county)
                await told(other, child.home_county)
            async with live_database.begin(SYSTEM) as tx:
                await told(tx, child.home_county)
        async with live_database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT subject_id, wire_name, count(*) FROM events"
                " WHERE wire_name LIKE 'duties.%' GROUP BY 1, 2"
            )
        assert {row["count"] for row in rows} == {1}
        assert len({row["wire_name"] for row in rows}) == len(("overdue", "escalated"))

    async def test_counties_in_which_it_is_time_are_found(self, database) -> None:
        children = [
            await a_child(database, at, categories=["orphan"]) for at in (VILLAGE, 130102001001)
        ]
        async with database.begin(SYSTEM) as tx:
            for child in children:
                await periodic.open_period(tx, home_county=child.home_county, children=[child.id])
            both = sorted(child.home_county for child in children)
            for found, told in (
                (escalating.counties_due, escalating.mark_overdue),
                (escalating.counties_waiting, escalating.escalate),
            ):
                assert await found(tx) == []
                await tx.connection.execute(
                    "UPDATE duties SET due_at = '2026-10-01', escalates_at = '2026-10-09'"
                )
                assert await found(tx) == both
                for county in both:
                    await told(tx, county)
                assert await found(tx) == []
                await tx.connection.execute("UPDATE duties SET escalates_at = '2027-01-01'")

    async def test_one_that_is_held_stops_no_other(self, live_database) -> None:
        """Whoever oversees is entered for the others; for it when the job comes round again."""
        school = await an_agency(live_database, "school", VILLAGE)
        for child in [await a_child(live_database, VILLAGE) for _ in range(2)]:
            owed = {"child": child, "school_id": str(school)}
            await announce(live_database, "dropout_alerts.persuasion_failed", **owed)
        await work(live_database)
        office = await an_agency(live_database, "education", child.home_county)
        async with live_database.begin(SYSTEM) as tx, live_database.begin(SYSTEM) as other:
            held = "SELECT id FROM duties WHERE rule = 'EDU-04' ORDER BY id LIMIT 1 FOR UPDATE"
            assert await tx.connection.fetchval(held)
            await other.connection.execute("SET LOCAL lock_timeout = '20ms'")
            await owners.find_owners(other, child.home_county)
        overseen = [duty["overseer_id"] for duty in await ledger(live_database, "EDU-04")]
        assert sorted(overseen, key=str) == sorted([None, office], key=str)

    @pytest.mark.parametrize("deed_first", [True, False])
    async def test_who_stands_in_is_found_and_does_it_by_turns(
        self, live_database, settings, deed_first
    ) -> None:
        """Whichever of the two comes second sees what the first one wrote."""
        await a_caller(live_database, settings, "township_supervisor", TOWNSHIP, machine=False)
        child = await a_child(live_database, VILLAGE, categories=["orphan"])
        await run(live_database, "duties.open_period")
        theirs = dict.fromkeys(["as_role", "visitor_type"], "township_supervisor")
        await visited(live_database, child, date(2026, 11, 18), **theirs)
        *_, visit = await announced(live_database)
        county = child.home_county
        turns = [(operations.weigh_event, visit), (owners.find_owners, county)]
        (first, its), (second, others) = turns if deed_first else turns[::-1]
        async with live_database.begin(SYSTEM) as tx:
            await first(tx, its)
            with suppress(TemporarilyUnavailable):
                async with live_database.begin(SYSTEM) as other:
                    await other.connection.execute("SET LOCAL lock_timeout = '20ms'")
                    await second(other, others)
        async with live_database.begin(SYSTEM) as tx:
            await second(tx, others)
        (duty,) = await ledger(live_database, "VIS-01")
        assert (duty["bearer_role"], duty["state"]) == ("township_supervisor", "discharged")

    async def test_duty_and_evidence_of_one_child_are_weighed_by_turns(self, live_database) -> None:
        child = await a_child(live_database, VILLAGE)
        other = await a_child(live_database, VILLAGE)
        report = await announce(live_database, "police_reports.report_filed", child=child)
        await announce(
            live_database, "police_reports.report_acknowledged", child=child, subject_id=report
        )
        await announce(live_database, "police_reports.report_filed", child=other)
        filed, accepted, elsewhere = await announced(live_database)

        async def weigh(event: Announced) -> None:
            async with live_database.begin(SYSTEM) as tx:
                await tx.connection.execute("SET LOCAL lock_timeout = '20ms'")
                await operations.weigh_event(tx, event)

        async with live_database.begin(SYSTEM) as tx:
            await operations.weigh_event(tx, filed)
            with pytest.raises(TemporarilyUnavailable):
                await weigh(accepted)
            await weigh(elsewhere)
        await weigh(accepted)
        duties = {duty["child_id"]: duty["state"] for duty in await ledger(live_database)}
        assert duties == {child.id: "discharged", other.id: "open"}
