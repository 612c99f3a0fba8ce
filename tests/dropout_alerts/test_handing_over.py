"""The alert follows the pupil to the new school, with its history (EDU-01…EDU-05)."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import School, a_school, an_event, push
from tests.children.enrolling import Pupil, a_pupil
from tests.dropout_alerts.factories import Around, a_report, an_attempt, everyone
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.webhooks.workshop import an_endpoint

FAR_COUNTY, FAR = 120118000000, 120118101000
WEEK = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]


@dataclass
class Move:
    """A pupil with an alert at `around.school`, and the school in another county it goes to."""

    around: Around
    pupil: Pupil
    new: School
    teacher: Caller
    education: Caller

    async def happens(self, **section: object) -> dict:
        await self.pupil.enrol(self.new.id, **section)
        await run_jobs(self.around.database)
        return await self.alert()

    async def alert(self, caller: Caller | None = None) -> dict:
        (alert,) = await self.around.alerts(caller or self.teacher)
        return alert

    async def read(self, caller: Caller, alert: dict) -> dict:
        answer = await self.around.client.get(
            f"/v1/dropout-alerts/{alert['id']}", headers=caller.headers
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def absent(self, *days: str, **fields: object) -> None:
        """Let the new school push."""
        events = [an_event(self.pupil.id, day, **fields) for day in days]
        answer = await push(self.around.client, self.new, *events)
        assert {result["status"] for result in answer.json()["results"]} == {"accepted"}
        await run_jobs(self.around.database)


@pytest.fixture
async def move(client, database, settings):
    await some_regions(database, 120119101200, FAR)
    around = await everyone(client, database, settings)
    new = await a_school(database, settings, FAR)
    pupil = await a_pupil(client, database, settings, around.school.id, since="2026-09-01")
    await around.absent(pupil.id, *WEEK[:3])
    return Move(
        around,
        pupil,
        new,
        await a_caller(database, settings, "school", FAR, agency_id=new.id),
        await a_caller(database, settings, "education_authority", FAR_COUNTY),
    )


class TestHandedOver:
    async def test_as_it_stands_with_a_step_in_its_journal(self, move) -> None:
        before = await move.alert(move.around.teacher)
        alert = await move.happens()
        assert (alert["id"], alert["state"]) == (before["id"], before["state"])
        assert (alert["school_id"], alert["handed_over_by"]) == (
            str(move.new.id),
            str(move.around.school.id),
        )
        (step,) = (await move.read(move.teacher, alert))["journal"]
        assert (step["kind"], step["from_school_id"], step["to_school_id"]) == (
            "handed_over",
            str(move.around.school.id),
            str(move.new.id),
        )
        assert "alert_handed_over" in await move.around.announced()

    async def test_both_schools_and_both_education_bureaus_see_it(self, move) -> None:
        alert = await move.happens()
        for caller in (move.around.teacher, move.around.education, move.teacher, move.education):
            assert (await move.read(caller, alert))["journal"]
            assert [each["id"] for each in await move.around.alerts(caller)] == [alert["id"]]

    async def test_both_schools_and_both_education_bureaus_are_told(self, move, database) -> None:
        parties = {
            move.around.school.id: "enrolled",
            move.new.id: "enrolled",
            move.around.education.agency_id: "region",
            move.education.agency_id: "region",
        }
        for agency, relation in parties.items():
            place = (120118000000, 120118000001)  # where nothing of it happens
            url = f"https://{agency}.example.org/"
            types = ("dropout_alerts.*",)
            await an_endpoint(
                database, agency, url, relation=relation, event_types=types, region=place
            )
        await move.happens()
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch(
                "SELECT agency_id FROM webhook_deliveries"
                " WHERE wire_name = 'dropout_alerts.alert_handed_over'"
            )
        assert {row["agency_id"] for row in told} == parties.keys()

    async def test_the_new_school_acts_and_the_former_no_more(self, move) -> None:
        alert = await move.happens()
        refused = await move.around.step(move.around.teacher, alert, "persuasions", an_attempt())
        assert refused.json()["type"] == "/problems/not-of-your-school"
        tried = await move.around.step(move.teacher, alert, "persuasions", an_attempt())
        assert tried.status_code == 201, tried.text

    async def test_the_history_comes_along_and_stays_known(self, move) -> None:
        alert = await move.alert(move.around.teacher)
        around = move.around
        failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
        await around.step(around.teacher, failed.json(), "written-report", a_report())
        alert = await move.happens()
        # The child leaves the new school too: what was done stays with who keeps and kept it.
        await move.pupil.enrol(None, status="dropout")
        await run_jobs(around.database)
        for caller in (move.teacher, around.teacher, move.education):
            read = await move.read(caller, alert)
            assert len(read["persuasions"]) == 1
            assert len(read["written_report"]["receipts"]) == 3
        assert (await move.read(move.teacher, alert))["school_id"] == str(move.new.id)

    async def test_leaving_school_hands_nothing_over(self, move) -> None:
        await move.pupil.enrol(None, status="dropout")
        await run_jobs(move.around.database)
        alert = await move.alert(move.around.teacher)
        assert alert["handed_over_by"] is None

    async def test_a_change_of_class_hands_nothing_over(self, move) -> None:
        await move.pupil.change(education={"class_name": "二班"})
        await run_jobs(move.around.database)
        assert "alert_handed_over" not in await move.around.announced()

    async def test_back_again(self, move, database) -> None:
        await move.happens()
        await move.pupil.enrol(move.around.school.id)
        await run_jobs(database)
        alert = await move.alert(move.around.teacher)
        assert alert["school_id"] == str(move.around.school.id)
        assert len((await move.read(move.teacher, alert))["journal"]) == 2

    async def test_the_same_event_twice_is_one_step(self, move, database) -> None:
        alert = await move.happens()
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO jobs (name, payload) SELECT 'dropout_alerts.follow_pupil',"
                " jsonb_build_object('event', id) FROM events"
                " WHERE wire_name = 'children.child_changed'"
            )
        await run_jobs(database)
        assert len((await move.read(move.teacher, alert))["journal"]) == 1


class TestWritten:
    """What was written to the former education bureau and township goes to the new ones too."""

    @pytest.fixture
    async def written(self, move) -> dict:
        alert = await move.alert(move.around.teacher)
        around = move.around
        failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
        sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
        assert sent.status_code == 201, sent.text
        await run_jobs(around.database)
        return sent.json()

    @pytest.fixture
    async def township(self, database, settings) -> Caller:
        return await a_caller(database, settings, "township_supervisor", FAR)

    @pytest.mark.usefixtures("written")
    async def test_all_four_have_receipts_of_their_own_and_act(
        self, move, township, database
    ) -> None:
        await some_regions(database, FAR + 201)
        home = {"region_code": str(FAR + 201), "address": "x", "lives_with": ["grandparents"]}
        await move.pupil.change(residence=home)
        await run_jobs(move.around.database)
        alert = await move.happens()
        around = move.around
        offices = (around.education, around.township, move.education, township)
        receipts = (await move.read(move.teacher, alert))["written_report"]["receipts"]
        assert {each["agency_id"] for each in receipts} == {str(o.agency_id) for o in offices}
        for office in offices:
            (seen,) = await around.alerts(office)
            assert {"acknowledgeWrittenReport", "orderMeasure"} <= {*seen["permitted"]}
            got = await around.step(office, seen, "written-report/receipt")
            assert got.status_code == 200, got.text
        announced = await around.announced()
        assert announced.count("written_report_addressed") == 2
        assert announced.count("written_report_received") == 4

    @pytest.mark.usefixtures("written")
    async def test_who_got_it_too_keeps_reading_what_was_done(self, move, township) -> None:
        await some_regions(database := move.around.database, FAR + 201)
        for place in (FAR + 201, 120119101200):
            home = {"region_code": str(place), "address": "x", "lives_with": ["grandparents"]}
            await move.pupil.change(residence=home)
            await run_jobs(database)
        read = await move.read(township, await move.alert(move.around.teacher))
        assert (len(read["persuasions"]), read["written_report"] is None) == (1, False)

    @pytest.mark.usefixtures("written", "township")
    async def test_the_same_again_adds_nobody(self, move, database) -> None:
        alert = await move.happens()
        before = await move.read(move.teacher, alert)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO jobs (name, payload) SELECT 'dropout_alerts.follow_pupil',"
                " jsonb_build_object('event', id) FROM events"
                " WHERE wire_name = 'children.child_changed'"
            )
        await run_jobs(database)
        assert await move.read(move.teacher, alert) == before
        assert len(before["written_report"]["receipts"]) == 3  # it lives where it did

    @pytest.mark.usefixtures("township")
    async def test_what_was_not_written_goes_to_nobody(self, move) -> None:
        await move.happens()
        assert "written_report_addressed" not in await move.around.announced()


class TestDuties:
    async def owed(self, move) -> list[tuple]:
        async with move.around.database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT bearer_agency_id, state, due_at FROM duties WHERE rule = 'EDU-04'"
            )
        return [tuple(row) for row in rows]

    async def test_go_over_with_what_is_left_of_the_deadline(self, move) -> None:
        alert = await move.alert(move.around.teacher)
        await move.around.step(move.around.teacher, alert, "persuasions", an_attempt(final=True))
        await run_jobs(move.around.database)
        ((bearer, state, due_at),) = await self.owed(move)
        assert (bearer, state) == (move.around.school.id, "open")
        await move.happens()
        assert await self.owed(move) == [(move.new.id, "open", due_at)]
        for caller, owes in ((move.around.teacher, 0), (move.teacher, 1)):
            assert len(await self.listed(move, caller)) == owes

    async def listed(self, move, caller: Caller, **params: str) -> list[dict]:
        answer = await move.around.client.get(
            "/v1/duties", headers=caller.headers, params={"rule": "EDU-04", **params}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def test_are_known_to_the_education_bureau_of_who_owes_them(
        self, move, database, settings
    ) -> None:
        """Wherever the child lives; and to the bureau of where it lives, as ever."""
        alert = await move.alert(move.around.teacher)
        await move.around.step(move.around.teacher, alert, "persuasions", an_attempt(final=True))
        await run_jobs(database)
        assert await self.listed(move, move.education) == []
        await move.happens()
        for bureau in (move.education, move.around.education):
            (owed,) = await self.listed(move, bureau)
            assert owed["bearer"]["agency_id"] == str(move.new.id)
            counted = await move.around.client.get(
                "/v1/duties", headers=bureau.headers, params={"state": "open"}
            )
            found = [each["id"] for each in counted.json()["items"] if each["rule"] == owed["rule"]]
            assert found == [owed["id"]]
        welfare = await a_caller(database, settings, "civil_affairs", FAR_COUNTY)
        assert await self.listed(move, welfare) == []

    async def test_overdue_are_told_to_that_bureau(self, move, database, now) -> None:
        await an_endpoint(
            database,
            move.education.agency_id,
            "https://far.example.org/",
            relation="region",
            event_types=("duties.*",),
            region=(120118000000, 120119000000),
        )
        alert = await move.alert(move.around.teacher)
        await move.around.step(move.around.teacher, alert, "persuasions", an_attempt(final=True))
        await move.happens()
        database.clock = lambda: now + timedelta(days=4)
        async with database.begin(SYSTEM) as tx:
            await mark_overdue(tx)
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch(
                "SELECT agency_id FROM webhook_deliveries WHERE wire_name = 'duties.duty_overdue'"
            )
        assert {row["agency_id"] for row in told} == {move.education.agency_id}


class TestOneEpisode:
    async def test_present_at_the_new_school_ends_it(self, move) -> None:
        await move.happens(since=WEEK[3])
        await move.absent(WEEK[4], category="present")
        alert = await move.alert()
        assert (alert["state"], alert["end_reason"], alert["returned_on"]) == (
            "returned",
            "attended",
            WEEK[4],
        )

    async def test_absent_at_the_new_school_counts_on(self, move) -> None:
        await move.happens(since=WEEK[3])
        await move.absent(WEEK[3], WEEK[4])
        alert = await move.alert()
        assert (alert["unexcused_days"], alert["first_absent_day"]) == (5, WEEK[0])

    async def test_whichever_school_pushes(self, move) -> None:
        """The new school's batch is worked off before the change of the file is."""
        await move.pupil.enrol(move.new.id, since=WEEK[3])
        async with move.around.database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "DELETE FROM jobs WHERE name = 'dropout_alerts.follow_pupil'"
            )
        await move.absent(WEEK[3])
        alert = await move.alert()
        assert (alert["school_id"], alert["unexcused_days"]) == (str(move.new.id), 4)

    async def test_a_late_upload_of_the_former_school_counts_at_the_new(self, move) -> None:
        await move.happens(since=WEEK[3])
        await move.around.absent(move.pupil.id, "2026-11-13")
        alert = await move.alert()
        assert (alert["first_absent_day"], alert["unexcused_days"]) == ("2026-11-13", 4)

    async def test_a_late_upload_opens_it_at_the_school_of_now(self, move) -> None:
        for day in WEEK[:3]:
            await move.around.absent(move.pupil.id, day, category="excused", sequence=1)
        await move.pupil.enrol(move.new.id, since=WEEK[4])
        await run_jobs(move.around.database)
        await move.around.absent(move.pupil.id, WEEK[3])
        alerts = await move.around.alerts(move.teacher)
        assert [(each["state"], each["school_id"]) for each in alerts] == [
            ("absent", str(move.new.id)),
            ("closed", str(move.around.school.id)),
        ]

    async def test_the_day_two_schools_speak_of_is_a_day_seen(self, move) -> None:
        """Its old list has it missing, the new school saw it."""
        await move.happens(since=WEEK[3])
        await move.absent(WEEK[3], category="present")
        await move.around.absent(move.pupil.id, WEEK[2], sequence=1)
        alert = await move.alert()
        assert (alert["state"], alert["unexcused_days"]) == ("returned", 3)

    async def test_a_return_somebody_recorded_ends_the_episode(self, move) -> None:
        """The school pushes absences only: what was missed before counts no more."""
        alert = await move.alert(move.around.teacher)
        back = {"returned_on": WEEK[3], "kind": "same_school"}
        done = await move.around.step(move.around.teacher, alert, "return", back)
        assert done.status_code == 200, done.text
        await move.around.absent(move.pupil.id, "2026-11-13")
        assert len(await move.around.alerts()) == 1
        await move.around.absent(move.pupil.id, WEEK[4])
        new, _ = await move.around.alerts()
        assert (new["first_absent_day"], new["unexcused_days"]) == (WEEK[4], 1)

    async def test_the_database_takes_no_second_open_one(self, move, database) -> None:
        async with database.begin(SYSTEM) as tx:
            taken = await tx.connection.fetchval(
                "WITH second AS (INSERT INTO dropout_alerts (id, home_county, child_id,"
                " region_code, pupil_of, school_id, opened_in, state, opened_on,"
                " first_absent_day, last_absent_day, unexcused_days, version, created_at,"
                " updated_at) SELECT gen_random_uuid(), home_county, child_id, region_code,"
                " pupil_of, $1, opened_in, 'absent', opened_on, first_absent_day,"
                " last_absent_day, 1, 1, now(), now() FROM dropout_alerts"
                " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM second",
                move.new.id,
            )
        assert taken == 0


async def test_who_handed_it_over_settles_no_doubt(move) -> None:
    alert = await move.happens()
    answer = await move.around.step(
        move.around.teacher,
        alert,
        "doubt/decision",
        {"decision": "stands", "note": "已核实"},
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-of-your-school")
