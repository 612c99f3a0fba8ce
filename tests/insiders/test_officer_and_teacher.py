"""A curious officer, and a teacher who was dismissed: what each tries, what comes of it, and who
sees it.
"""

import pytest

from app.core.data.db import SYSTEM
from tests.access.approving import propose
from tests.access.apps import Browser, a_person, refresh, signed_in
from tests.access.factories import a_caller, a_new_post
from tests.attendance.factories import an_event
from tests.break_glass.factories import REASON as EMERGENCY
from tests.children.factories import RESIDENT_ID, a_file, with_check_digit
from tests.insiders.stage import ELSEWHERE, REASON, TOWNSHIP, VILLAGE, said
from tests.jobs import run_jobs
from tests.police_reports.factories import CANARY, a_report, filed
from tests.police_reports.test_chain import ACCEPT, DISPATCH, DISPOSE
from tests.webhooks.test_router import NEW


class TestCuriousOfficer:
    async def test_sees_no_file_no_list_and_no_colleague_at_work(self, town) -> None:
        for path in (
            *("children", f"children/{town.child}", f"children/{town.child}/readers"),
            *("audit-entries", "staff", "clients", "reading-alarms", "visits", "dropout-alerts"),
        ):
            answer = await town.reads(town.officer, path)
            assert said(answer) == (403, "scope-missing"), path
        tried = await town.recorded(town.officer)
        assert {("readChild", "denied"), ("listStaff", "denied")} <= tried

    async def test_reads_alone_who_reported_and_a_colleague_asks_why(self, town) -> None:
        """While a child may be in danger one may; the reason, and the name, stand there."""
        at = f"police-reports/{town.report}"
        assert said(await town.reads(town.officer, f"{at}/reporter")) == (403, "approval-required")
        why = {"reason": "孩子可能处于危险,须立即核实。"}
        read = await town.sends(town.officer, f"{at}/reporter/reading", why)
        assert read.json()["name"] == CANARY
        assert await town.owed(town.officer2) == ["readReporterAlone"]
        assert "approvals.acted_alone" in await town.told(town.officer2)
        [review] = await town.items(town.officer2, "reviews")
        shown = await town.reads(town.officer2, f"reviews/{review['id']}")
        assert shown.json()["reason"] == why["reason"]
        own = {"finding": "proper", "note": REASON}
        answer = await town.sends(town.officer, f"reviews/{review['id']}/finding", own)
        assert said(answer) == (403, "another-person-needed")
        assert ("readReporterAlone", "allowed") in await town.recorded(town.officer)

    async def test_reads_it_no_more_once_it_is_disposed_of(self, town) -> None:
        at = f"police-reports/{town.report}"
        for path, body in (
            ("acknowledgement", ACCEPT),
            ("dispatch", DISPATCH),
            ("dispositions", DISPOSE),
        ):
            step = await town.sends(town.officer, f"{at}/{path}", body)
            assert step.status_code == 201, step.text
        answer = await town.sends(town.officer, f"{at}/reporter/reading", {"reason": REASON})
        assert said(answer) == (409, "disposed-already")
        for path in ("", "/chain"):
            assert CANARY not in (await town.reads(town.officer, f"{at}{path}")).text

    async def test_learns_not_who_reported_their_friend(self, town) -> None:
        """Another station's case does not exist; and a report against the own station is not
        there for anybody of it.
        """
        against = a_report(suspect_agency_id=str(town.officer.agency_id))
        made = await town.sends(town.teacher, "police-reports", against, purpose="protection")
        hidden = f"police-reports/{made.json()['id']}"
        for who in (town.officer, town.officer2, town.station_system):
            assert said(await town.reads(who, hidden))[0] == 404
            assert said(await town.reads(who, f"{hidden}/reporter"))[0] == 404
        assert (await town.reads(town.bureau, hidden)).status_code == 200
        asked = await propose(town.client, town.officer, "readReporter", f"/v1/{hidden}/reporter")
        assert said(asked) == (403, "not-yours-to-propose")
        there = await a_caller(town.database, town.settings, "police", ELSEWHERE, machine=False)
        assert said(await town.reads(there, f"police-reports/{town.report}"))[0] == 404

    async def test_breaks_the_glass_for_a_neighbours_child_and_is_asked(self, town) -> None:
        """It opens: nobody can know at night that it is a lie. Four offices see it at once."""
        body = {"child_id": town.neighbour, "reason": EMERGENCY, "minutes": 30}
        glass = (await town.sends(town.officer, "break-glass", body)).json()
        file = await town.reads(town.officer, f"break-glass/{glass['id']}/file")
        assert file.status_code == 200
        for who in (town.clerk, town.township, town.director, town.auditor, town.officer2):
            seen = await town.items(who, "break-glass")
            assert [row["staff_id"] for row in seen] == [str(town.officer.subject_id)]
        readers = await town.items(town.township, f"children/{town.neighbour}/readers")
        assert "readBreakGlassFile" in {row["operation"] for row in readers}
        for who in (town.officer2, town.bureau):
            own = await town.sends(
                who, f"break-glass/{glass['id']}/review", {"verdict": "proper", "words": REASON}
            )
            assert said(own)[0] in {403, 404}
        misuse = {"verdict": "misuse", "words": REASON}
        found = await town.sends(
            town.clerk, f"break-glass/{glass['id']}/review", misuse, match='"1"'
        )
        assert found.status_code == 200
        assert (await town.reads(town.officer, "me")).status_code == 401
        assert await town.owed(town.clerk2) == ["reviewBreakGlass"], "and the clerk is looked at"

    async def test_opens_three_a_day_and_each_is_told(self, town) -> None:
        children = [town.child, town.neighbour, town.far]
        for child in children:
            body = {"child_id": child, "reason": EMERGENCY, "minutes": 5}
            assert (await town.sends(town.officer, "break-glass", body)).status_code == 201
        one_more = str((await town.sends(town.director, "children", _another())).json()["id"])
        body = {"child_id": one_more, "reason": EMERGENCY, "minutes": 5}
        answer = await town.sends(town.officer, "break-glass", body)
        assert answer.status_code == 429
        assert (await town.told(town.clerk)).count("break_glass.opened") == 2, "its own county's"

    async def test_asks_of_a_child_elsewhere_and_its_worker_hears_it(self, town) -> None:
        asked = {"service": "police_desk", "why": "injured", "resident_id": RESIDENT_ID}
        answer = await town.sends(town.officer, "looks-elsewhere", asked)
        assert answer.json()["known"] is True
        assert town.child not in answer.text
        looks = await town.items(town.director, "looks-elsewhere")
        assert [row["looked_by"] for row in looks] == [f"staff:{town.officer.subject_id}"]
        assert "elsewhere.looked" in await town.told(town.clerk)

    async def test_turns_the_stations_notices_elsewhere_and_the_bureau_is_told(self, town) -> None:
        """One person, or one stolen token of its system: it counts, and is seen at once by the
        station and by who stands above, in the feed and where reviews are owed; not by the address
        that was turned.
        """
        system = town.station_system
        made = await town.sends(system, "webhook-endpoints", NEW)
        at = f"webhook-endpoints/{made.json()['id']}"
        steps = (
            ("PATCH", at, {"url": "https://thief.example.org/in"}),
            ("PATCH", at, {"active": False}),
            ("POST", f"{at}/secret-rotations", {"overlap_hours": 0}),
        )
        for version, (method, path, body) in enumerate(steps, 1):
            done = await town.ask(system, method, path, body, match=f'"{version}"')
            assert done.is_success, done.text
        named = await town.ask(system, "PATCH", at, {"description": "新"}, match='"4"')
        assert named.status_code == 200
        expected = ["changeWebhookEndpoint"] * 2 + ["registerWebhookEndpoint"]
        expected += ["rotateWebhookSecret"]
        for who in (town.officer2, town.bureau):
            assert sorted(await town.owed(who)) == expected
            assert (await town.told(who)).count("approvals.acted_alone") == 4
        stranger = await a_caller(town.database, town.settings, "police", ELSEWHERE)
        assert await town.owed(stranger) == []
        [*_, first] = await town.items(town.bureau, "reviews")
        assert first["permitted"] == ["finishReview"]
        answer = await town.sends(system, f"reviews/{first['id']}/finding", {})
        assert answer.is_error, "no system looks at what a system did"

    async def test_gives_up_a_notice_of_a_report_alone_and_is_looked_at(self, town) -> None:
        await town.sends(town.station_system, "webhook-endpoints", NEW)
        report = await filed(town.client, town.director)
        await run_jobs(town.database)
        open_ = await town.items(town.officer, "webhook-deliveries?permitted=closeWebhookDelivery")
        assert open_, report
        closed = await town.sends(
            town.officer, f"webhook-deliveries/{open_[0]['id']}/closure", {"reason": "已电话告知"}
        )
        assert closed.status_code == 201
        assert "closeWebhookDelivery" in await town.owed(town.bureau)
        rest = [row for row in await town.items(town.bureau, "reviews") if not row["done_by"]]
        assert {row["operation"] for row in rest} == {"registerWebhookEndpoint"}


def _another() -> dict:
    body = a_file(VILLAGE)
    body["identity"] |= {"name": "样小四", "resident_id": with_check_digit("12000020160301908")}
    return body


class TestDismissedTeacher:
    @pytest.fixture
    async def teacher(self, client, database, town, unique):
        """Somebody signed in at the school, with a browser that knows them."""
        person = await a_person(database, unique, "school", TOWNSHIP, agency_kind="school")
        async with database.begin(SYSTEM) as tx:
            school = town.teacher.agency_id
            for table, column in (("staff", "id"), ("posts", "id")):
                which = person.staff_id if table == "staff" else person.post_id
                await tx.connection.execute(
                    f"UPDATE {table} SET agency_id = $1 WHERE {column} = $2", school, which
                )
        return person, *(await signed_in(client, database, unique))

    async def _dismissed(self, town, person) -> None:
        gone = await town.sends(town.school_admin, f"staff/{person.staff_id}/end")
        assert gone.json()["state"] == "ended", gone.text

    async def test_what_is_open_ends_with_the_request_that_ends_the_post(
        self, client, town, teacher
    ) -> None:
        person, app, issued = teacher
        headers = {"authorization": f"Bearer {issued['access_token']}"}
        headers |= {"purpose-of-use": "education"}
        child = f"/v1/children/{town.child}"
        assert (await client.get(child, headers=headers)).status_code == 200
        page = await Browser(client).open("/oauth/account")
        await self._dismissed(town, person)
        assert (await client.get(child, headers=headers)).status_code == 401
        assert (await refresh(client, app, issued["refresh_token"])).is_error
        stale = await page.send(username=person.username, password="correct horse 电池")
        assert stale.status_code == 400

    async def test_no_answer_and_no_page_is_given_again(self, client, town, teacher) -> None:
        """A kept key of a request, a kept cursor: they were of the post."""
        person, _, issued = teacher
        headers = {"authorization": f"Bearer {issued['access_token']}"}
        headers |= {"purpose-of-use": "education", "idempotency-key": "kept"}
        body = {"name": "样小一"}
        found = await client.post("/v1/children/search", json=body, headers=headers)
        assert found.status_code == 200
        await self._dismissed(town, person)
        again = await client.post("/v1/children/search", json=body, headers=headers)
        assert again.status_code == 401
        assert "样" not in again.text
        listed = await town.reads(town.teacher, "children?limit=1", purpose="education")
        theirs = await town.reads(
            town.school_system, f"children?limit=1&cursor={listed.json()['next_cursor'] or 'x'}"
        )
        assert theirs.is_error

    async def test_a_new_post_elsewhere_gives_nothing_of_the_old(self, town, now) -> None:
        kept = {"purpose": "education", "key": "kept"}
        body = {"name": "样小一"}
        before = await town.sends(town.teacher, "children/search", body, **kept)
        assert before.json()["items"]
        moved = await a_new_post(
            town.database, town.settings, town.teacher, "school", ELSEWHERE, now.date()
        )
        again = await town.sends(moved, "children/search", body, **kept)
        assert said(again) == (410, "answer-out-of-sight")
        gone = await town.reads(moved, f"children/{town.child}", purpose="education")
        assert said(gone) == (404, "child-not-found")

    async def test_the_schools_key_they_copied_works_until_it_is_replaced(self, town) -> None:
        """The post ends no system: this is what dismissing somebody forgets. What it does stands in
        the record as the system's; suspending it is one act, and reviewed.
        """
        await town.sends(town.school_admin, f"staff/{town.teacher.subject_id}/end")
        assert (await town.reads(town.teacher, "me")).status_code == 401
        pupil = f"children/{town.child}"
        assert (await town.reads(town.school_system, pupil)).status_code == 200
        made_up = {"events": [an_event(town.child)]}
        pushed = await town.sends(town.school_system, "attendance-events", made_up)
        assert pushed.is_success
        did = await town.recorded(town.school_system)
        assert {("readChild", "allowed"), ("pushAttendanceEvents", "allowed")} <= did
        where = {"url": "https://thief.example.org/in", "description": "x"}
        turned = await town.sends(
            town.school_system, "webhook-endpoints", {**where, "event_types": ["attendance.*"]}
        )
        assert turned.status_code == 201
        [review] = await town.items(town.clerk, "reviews?permitted=finishReview")
        assert review["operation"] == "registerWebhookEndpoint", "the county looks at it"
        stop = f"clients/{town.school_system.subject_id}/suspension"
        assert (await town.sends(town.operator, stop)).status_code == 200
        assert (await town.reads(town.school_system, pupil)).status_code == 401
        assert "suspendClient" in await town.owed(town.operator2)

    async def test_who_was_suspended_is_let_back_by_two_or_not_at_all(self, town) -> None:
        at = f"staff/{town.teacher.subject_id}/suspension"
        assert (await town.sends(town.school_admin, at)).status_code == 200
        assert "suspendStaff" in await town.owed(town.operator), "where one administrator is alone"
        alone = await town.ask(town.school_admin, "DELETE", at)
        assert said(alone) == (403, "approval-required")
        assert (await town.reads(town.teacher, "me")).status_code == 401

    async def test_still_reports_as_anybody_may(self, town) -> None:
        """Nobody takes that away: by 110, or through any body that must report."""
        await town.sends(town.school_admin, f"staff/{town.teacher.subject_id}/end")
        body = a_report(reporter={"name": CANARY, "phone": "022-00000000", "position": "教师"})
        by_doctor = await town.sends(town.doctor, "police-reports", body)
        assert by_doctor.status_code == 201
        at = f"police-reports/{by_doctor.json()['id']}"
        assert (await town.reads(town.officer, at)).status_code == 200
        assert CANARY not in (await town.reads(town.officer, at)).text
