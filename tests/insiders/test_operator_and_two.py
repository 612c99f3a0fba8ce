"""An operator under pressure, and two who collude: what each tries, what comes of it, and who sees
it.
"""

import pytest

from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from tests.access.approving import PATH, approved, decide, propose, send_by_two
from tests.access.apps import a_key
from tests.access.factories import a_caller
from tests.break_glass.factories import REASON as EMERGENCY
from tests.insiders.stage import COUNTY, ELSEWHERE, REASON, TOWNSHIP, said
from tests.police_reports.factories import CANARY

STATION = {"kind": "police", "name": "假派出所", "region_code": str(TOWNSHIP)}
LONG = "合成记录:旧系统年底停用,期间仍用旧令牌,已报区局备案。"


class TestOperatorUnderPressure:
    async def test_reads_no_child_no_report_and_no_record(self, town) -> None:
        for path in (
            *("children", f"children/{town.child}", "visits", "duties", "police-reports"),
            *(f"police-reports/{town.report}", f"police-reports/{town.report}/reporter"),
            *("audit-entries", "reading-alarms", f"children/{town.child}/readers", "break-glass"),
        ):
            for purpose in ("care", "protection", "supervision"):
                answer = await town.reads(town.operator, path, purpose=purpose)
                assert said(answer) == (403, "scope-missing"), path
        glass = {"child_id": town.child, "reason": EMERGENCY, "minutes": 30}
        for path in ("break-glass", "looks-elsewhere", "children/search"):
            answer = await town.sends(town.operator, path, glass, purpose="protection")
            assert said(answer) == (403, "scope-missing"), path
        feed = await town.reads(town.operator, "events", purpose="supervision")
        assert said(feed) == (403, "purpose-not-allowed")

    async def test_what_an_operator_tried_is_read_by_supervision(self, town) -> None:
        """Also of one whose place is the whole nation, whom no supervisor's reach holds."""
        await town.reads(town.operator, f"children/{town.child}", purpose="care")
        await town.sends(town.operator, f"staff/{town.teacher.subject_id}/suspension")
        seen = await town.recorded(town.operator)
        assert {("readChild", "denied"), ("suspendStaff", "allowed")} <= seen
        far = await a_caller(town.database, town.settings, "civil_affairs", ELSEWHERE)
        for who in (far, town.clerk):
            assert await town.recorded(town.operator, sees=who) == set()
        elsewhere = await a_caller(town.database, town.settings, "operator", ELSEWHERE)
        await town.reads(elsewhere, f"children/{town.child}", purpose="care")
        assert await town.recorded(elsewhere) == set(), "who has no power over the place"
        city = await a_caller(town.database, town.settings, "civil_affairs", 120000000000)
        await town.reads(city, f"children/{town.child}")
        assert await town.recorded(city) == set(), "nor of others above"

    async def test_becomes_nobody_alone(self, town, unique) -> None:
        """The police, a system, an account, a post, the chief: each asks for a second operator."""
        police, person = str(town.officer.agency_id), {"name": "影子", "username": unique}
        post = {"role": "police", "local_title": "民警", "region_code": str(TOWNSHIP)}
        client = {"name": "x", "agency_id": police, "role": "police"}
        client |= {"region_code": str(TOWNSHIP), "jwks": {"keys": [a_key()[1]]}}
        system = f"clients/{town.station_system.subject_id}"
        chief = f"staff/{town.bureau.subject_id}"
        for method, path, body in (
            ("POST", "agencies", STATION),
            ("POST", "agencies", {**STATION, "kind": "supervision", "region_code": str(COUNTY)}),
            ("POST", "posts", {**post, "agency_id": police}),
            ("POST", "staff", {**person, "agency_id": police}),
            ("POST", "staff", person),
            ("POST", "clients", client),
            ("POST", "clients/apps", {"name": "x", "redirect_uris": ["https://x.example/b"]}),
            ("PUT", f"{system}/jwks", {"keys": [a_key(kid="two")[1]]}),
            (
                "PUT",
                f"{system}/bearer-exception",
                {"reason": LONG, "until": "2026-12-01T00:00:00Z"},
            ),
            ("POST", f"{chief}/password-reset", None),
            ("POST", f"{chief}/device-code", None),
        ):
            answer = await town.ask(town.operator, method, path, body)
            assert said(answer) == (403, "approval-required"), path
        own = await propose(town.client, town.operator, "createAgency", PATH, STATION)
        answer = await decide(town.client, town.operator, own.json()["id"])
        assert said(answer) == (403, "another-person-needed")
        assert ("createAgency", "denied") in await town.recorded(town.operator)

    async def test_shuts_the_chief_out_and_is_looked_at(self, town) -> None:
        """Power is taken away by one, at once: it stops work, and opens nothing."""
        chief = f"staff/{town.bureau.subject_id}/suspension"
        assert (await town.sends(town.operator, chief)).status_code == 200
        assert (await town.reads(town.bureau, "me")).status_code == 401
        assert await town.owed(town.operator2) == ["suspendStaff"]
        colleague = await town.colleague(town.bureau, machine=False)
        assert "approvals.acted_alone" in await town.told(colleague)
        alone = await town.ask(town.operator, "DELETE", chief)
        assert said(alone) == (403, "approval-required")

    async def test_switches_off_no_record(self, town) -> None:
        for method in ("DELETE", "PATCH", "PUT"):
            answer = await town.ask(town.operator, method, "audit-entries", {})
            assert answer.status_code == 405
        async with town.database.begin() as tx:
            for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                held = await tx.connection.fetchval(
                    "SELECT has_table_privilege('tonghu_app', 'audit_entries', $1)", privilege
                )
                assert not held, privilege

    async def test_turns_no_call_to_another_telephone(self, town) -> None:
        path = f"agencies/{town.clerk.agency_id}/public-contact"
        answer = await town.ask(town.operator, "PUT", path, {"public_contact": "022-99999999"})
        assert said(answer) == (403, "approval-required")


class TestTwoWhoCollude:
    async def test_two_operators_become_a_station_and_the_station_there_is_knows_first(
        self, town, client, unique
    ) -> None:
        """It goes through. It is told when it is proposed, to whom it is set before."""
        two = (town.operator, town.operator2)
        proposed = await propose(client, town.operator, "createAgency", PATH, STATION)
        assert "approvals.proposed" in await town.told(town.officer), "before anybody decided"
        read = await town.reads(town.officer, f"approvals/{proposed.json()['id']}")
        assert read.json()["body"] == STATION
        made = (await send_by_two(client, *two, "createAgency", "POST", PATH, STATION)).json()
        body = {"name": "影子", "username": unique, "agency_id": made["id"]}
        person = await send_by_two(client, *two, "createStaff", "POST", "/v1/staff", body)
        assert person.status_code == 201
        assert (await town.reads(town.officer, f"police-reports/{town.report}")).status_code == 200
        names = {str(each.subject_id) for each in two}
        rows = await town.items(town.officer, "approvals?state=used")
        assert {rows[0]["proposed_by"], rows[0]["decided_by"]} == names
        for each in two:
            assert await town.recorded(each) >= set()
        assert ("createAgency", "allowed") in await town.recorded(town.operator)
        assert ("decideApproval", "allowed") in await town.recorded(town.operator2)

    async def test_two_operators_take_over_an_account_and_its_agency_is_told(
        self, town, client
    ) -> None:
        """Of one without a second factor; who has one is asked for it."""
        path = f"/v1/staff/{town.bureau.subject_id}/password-reset"
        two = (town.operator, town.operator2)
        reset = await send_by_two(client, *two, "resetPassword", "POST", path)
        assert reset.status_code == 200
        told = await town.told(town.bureau)
        assert told.count("approvals.proposed") == told.count("approvals.used") == 1

    async def test_clerk_and_director_keep_a_visit_that_was_not_made(self, town) -> None:
        """Nobody can see through a lie that two tell; but nobody of them ends what the police and
        the county owe for the child, and what was said stands for good.
        """
        await town.told(town.clerk)
        owed = {row["rule"] for row in await town.items(town.bureau, "duties?limit=200")}
        assert (
            "REP-07"
            in {row["rule"] for row in await town.items(town.officer, "duties?limit=200")} | owed
        )
        for row in await town.items(town.clerk, "duties?limit=200"):
            if row["rule"].startswith("REP-"):
                assert "proposeWaiver" not in row["permitted"]
        for who in (town.clerk, town.director):
            at = f"police-reports/{town.report}"
            answer = await town.sends(who, f"{at}/closure", {"closed_at": "2026-11-20T02:00:00Z"})
            assert said(answer)[0] in {403, 404, 422}

    async def test_officer_and_colleague_read_who_reported_and_both_names_stay(
        self, town, client
    ) -> None:
        """It goes through, at any time; the bureau is not told: supervision reads it."""
        path = f"/v1/police-reports/{town.report}/reporter"
        how = ("readReporter", "GET", path)
        read = await send_by_two(client, town.officer, town.officer2, *how)
        assert read.json()["name"] == CANARY
        assert ("readReporter", "allowed") in await town.recorded(town.officer)
        assert ("decideApproval", "allowed") in await town.recorded(town.officer2)
        assert "approvals.used" not in await town.told(town.bureau)

    async def test_two_accounts_of_one_officer_are_one(self, town, client) -> None:
        async with town.database.begin(SYSTEM) as tx:
            await note_same_person(tx, town.officer.subject_id, town.officer2.subject_id)
        path = f"/v1/police-reports/{town.report}/reporter"
        made = await propose(client, town.officer, "readReporter", path)
        answer = await decide(client, town.officer2, made.json()["id"])
        assert said(answer) == (403, "another-person-needed")
        why = {"reason": "孩子可能处于危险,须立即核实。"}
        at = f"police-reports/{town.report}/reporter/reading"
        assert (await town.sends(town.officer, at, why)).status_code == 200
        [review] = await town.items(town.officer2, "reviews")
        finding = {"finding": "proper", "note": REASON}
        answer = await town.sends(town.officer2, f"reviews/{review['id']}/finding", finding)
        assert said(answer) == (403, "another-person-needed")

    async def test_who_opened_and_who_reviews_are_of_two_agencies(self, town) -> None:
        """The county's reviewer says all is proper: it goes through, with both names, and who looks
        after the child still sees who read what.
        """
        body = {"child_id": town.neighbour, "reason": EMERGENCY, "minutes": 30}
        glass = (await town.sends(town.officer, "break-glass", body)).json()
        await town.reads(town.officer, f"break-glass/{glass['id']}/file")
        said_ = {"verdict": "proper", "words": REASON}
        at = f"break-glass/{glass['id']}/review"
        assert (await town.sends(town.clerk, at, said_, match='"1"')).status_code == 200
        [kept] = await town.items(town.auditor, "break-glass")
        assert kept["review"]["reviewer_id"] == str(town.clerk.subject_id)
        readers = await town.items(town.township, f"children/{town.neighbour}/readers")
        assert str(town.officer.subject_id) in str(readers)

    @pytest.mark.parametrize("by", ["operator", "school_admin"])
    async def test_an_administrator_lets_no_suspended_friend_back_alone(self, town, by) -> None:
        """Whoever suspended them, and for whatever: after misuse of an emergency, too."""
        friend = f"staff/{town.teacher.subject_id}/suspension"
        assert (await town.sends(town.cast[by], friend)).status_code == 200
        alone = await town.ask(town.school_admin, "DELETE", friend)
        assert said(alone) == (403, "approval-required")
        assert (await town.reads(town.teacher, "me")).status_code == 401
        other = await town.colleague(town.school_admin)
        how = ("resumeStaff", "DELETE", f"/v1/{friend}")
        through = await send_by_two(town.client, town.school_admin, other, *how)
        assert through.json()["state"] == "active"
        rows = await town.items(other, "approvals?state=used")
        assert rows[0]["proposed_by"] == str(town.school_admin.subject_id)

    async def test_an_approval_ends_with_the_one_who_gave_it(self, town, client) -> None:
        """The accomplice who approved and was then caught: nothing of theirs counts."""
        how = ("createAgency", PATH, STATION)
        approval = await approved(client, town.operator, town.operator2, *how)
        third = await town.colleague(town.operator, machine=False)
        caught = await town.sends(third, f"staff/{town.operator2.subject_id}/suspension")
        assert caught.status_code == 200
        used = await town.sends(town.operator, "agencies", STATION, approval=approval)
        assert said(used) == (403, "approval-unusable")

    async def test_no_accomplice_of_another_county_decides(self, town, client) -> None:
        key = {"name": "x", "agency_id": str(town.clerk.agency_id), "role": "civil_affairs"}
        key |= {"region_code": str(COUNTY), "jwks": {"keys": [a_key()[1]]}}
        made = await propose(client, town.clerk, "registerClient", "/v1/clients", key)
        there = await a_caller(
            town.database, town.settings, "civil_affairs", ELSEWHERE, machine=False
        )
        answer = await decide(client, there, made.json()["id"])
        assert said(answer)[0] in {403, 404}
        assert (await decide(client, town.clerk2, made.json()["id"])).status_code == 200
