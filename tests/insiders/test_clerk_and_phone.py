"""A bribed clerk of the county, and a phone that was stolen: what each tries, in that order, what
comes of it, and who sees it.
"""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.access import budgets
from app.access.budgets import Marks
from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from tests.access.approving import decide, propose
from tests.access.apps import (
    Holder,
    a_key,
    a_person,
    an_app,
    answer_of,
    exchange,
    pkce,
    refresh,
    sign_in,
)
from tests.access.factories import a_caller
from tests.access.test_budgets import LEVELS
from tests.access.test_devices import _enrolled as enrolled
from tests.access.test_devices import _tokens as tokens
from tests.break_glass.factories import REASON as EMERGENCY
from tests.children.factories import RESIDENT_ID, a_child
from tests.insiders.stage import COUNTY, ELSEWHERE, REASON, TOWNSHIP, VILLAGE, said
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

AT, LATER = "2026-11-20T09:40:00+08:00", "2026-11-20T09:50:00+08:00"
WHY = "合成记录:全家年前已随父母外出,本季度不在村。"


class TestBribedClerk:
    async def test_sets_nobody_before_the_police_or_the_township(self, town) -> None:
        """Nor does anybody whom the clerk enters alone work anywhere."""
        new = {"kind": "police", "name": "假派出所", "region_code": str(TOWNSHIP)}
        assert said(await town.sends(town.clerk, "agencies", new)) == (403, "kind-not-yours")
        second = {**new, "kind": "township_government"}
        assert said(await town.sends(town.clerk, "agencies", second)) == (409, "place-served")
        made = await town.sends(town.clerk, "agencies", {**new, "kind": "hospital"})
        assert made.status_code == 201, "a name on a list"
        hospital = made.json()["id"]
        post = {"role": "hospital", "local_title": "医生", "region_code": str(TOWNSHIP)}
        answer = await town.sends(town.clerk, "posts", {**post, "agency_id": hospital})
        assert said(answer) == (403, "role-not-yours")
        body = {"name": "影子", "username": "ying.zi", "agency_id": hospital}
        assert said(await town.sends(town.clerk, "staff", body)) == (403, "agency-not-yours")
        of_mine = {"name": "影子", "username": "ying.zi"}
        assert said(await town.sends(town.clerk, "staff", of_mine)) == (403, "approval-required")
        seen = await town.recorded(town.clerk)
        assert {("createAgency", "denied"), ("createAgency", "allowed")} <= seen
        assert {("addPost", "denied"), ("createStaff", "denied")} <= seen

    async def test_takes_no_second_post_for_an_accomplice_of_another_office(self, town) -> None:
        post = {"local_title": "x", "region_code": str(VILLAGE)}
        village = {"agency_id": str(town.director.agency_id), "role": "village_director"}
        added = (await town.sends(town.clerk, "posts", {**post, **village})).json()["id"]
        since = {"since": "2026-11-20"}
        own = {**since, "staff_id": str(town.clerk.subject_id)}
        answer = await town.sends(town.clerk, f"posts/{added}/holdings", own)
        assert said(answer) == (403, "role-not-yours")
        mine = {"agency_id": str(town.clerk.agency_id), "role": "civil_affairs"}
        mine |= {"region_code": str(COUNTY)}
        added = (await town.sends(town.clerk, "posts", {**post, **mine})).json()["id"]
        friend = {**since, "staff_id": str(town.director.subject_id)}
        answer = await town.sends(town.clerk, f"posts/{added}/holdings", friend)
        assert said(answer) == (422, "staff-not-of-agency")

    async def test_ends_the_director_and_is_looked_at(self, town) -> None:
        """It works, at once: somebody has to be able to. The village hears; a colleague owes."""
        holding = town.director.claims["grant_id"]
        post = await town.kept("SELECT post_id FROM post_holdings WHERE id = $1", holding)
        end = f"posts/{post}/holdings/{holding}/end"
        answer = await town.sends(town.clerk, end, {"until": "2026-11-20"})
        assert answer.status_code == 200
        assert (await town.reads(town.director, "me")).status_code == 401
        assert "approvals.acted_alone" in await town.told(town.clerk2)
        assert await town.owed(town.clerk2) == ["leavePost"]
        [review] = await town.items(town.clerk2, "reviews")
        place = f"reviews/{review['id']}/finding"
        finding = {"finding": "proper", "note": REASON}
        own = await town.sends(town.clerk, place, finding)
        assert said(own) == (403, "another-person-needed")
        found = await town.sends(town.clerk2, place, {**finding, "finding": "improper"})
        assert found.status_code == 200
        assert ("leavePost", "allowed") in await town.recorded(town.clerk)

    async def test_keeps_no_report_from_the_police_and_learns_no_reporter(self, town) -> None:
        at = f"police-reports/{town.report}"
        read = await town.reads(town.clerk, at)
        assert read.status_code == 200, "civil affairs of the place follows what is done"
        assert "金丝雀" not in read.text
        for method, path in (
            *(("GET", "/reporter"), ("POST", "/reporter/reading"), ("POST", "/forwarding")),
            *(("POST", "/omissions/judgement"), ("POST", "/dispositions")),
        ):
            body = None if method == "GET" else {"reason": REASON}
            answer = await town.ask(town.clerk, method, f"{at}{path}", body)
            assert said(answer) == (403, "scope-missing"), path
        assert (await town.reads(town.officer, at)).json()["state"] == "filed"
        assert ("readReporter", "denied") in await town.recorded(town.clerk)

    async def test_moves_no_child_out_of_their_own_county(self, town) -> None:
        await some_regions(town.database, ELSEWHERE + 101200)
        at = f"children/{town.child}"
        away = {"residence": {"region_code": str(ELSEWHERE + 101200)}}
        etag = (await town.reads(town.clerk, at)).headers["etag"]
        moved = await town.ask(town.clerk, "PATCH", at, away, match=etag)
        assert said(moved) == (403, "outside-remit")
        assert ("changeChild", "denied") in await town.recorded(town.clerk)

    async def test_hangs_a_report_on_another_child_and_all_hear_it(self, town) -> None:
        """It counts; the police have the report as before, and whose it is is asked again."""
        at = f"police-reports/{town.report}"
        lie = {"withdrawn_at": AT, "basis": "合成记录:姓名与住址不一致。"}
        assert (await town.sends(town.clerk, f"{at}/child/withdrawal", lie)).status_code == 201
        other = {
            "identified_at": LATER,
            "child_id": town.neighbour,
            "basis": lie["basis"],
        }
        assert (await town.sends(town.clerk, f"{at}/child", other)).status_code == 201
        for who in (town.officer, town.township, town.clerk2):
            told = await town.told(who)
            assert "police_reports.identification_withdrawn" in told
            assert "police_reports.child_identified" in told
        chain = (await town.reads(town.officer, f"{at}/chain")).json()["steps"]
        assert {row["agency_id"] for row in chain} == {str(town.clerk.agency_id)}
        read = (await town.reads(town.officer, at)).json()
        assert read["state"] == "filed"
        assert read["child_id"] != town.child, "it worked"
        assert read["unanswered"] == ["living_alone"], "what was reported is owed all the same"

    async def test_names_nobody_as_suspect_whom_no_reporter_meant(self, town) -> None:
        """The station would learn nothing more of the report."""
        at = f"police-reports/{town.report}"
        lie = {"named_at": AT, "basis": "合成记录:来访人指称。"}
        lie["suspect_agency_id"] = str(town.officer.agency_id)
        named = await town.sends(town.clerk, f"{at}/suspect", lie)
        assert said(named) == (409, "suspect-known-already")
        assert (await town.reads(town.officer, at)).status_code == 200

    async def test_reads_as_many_as_is_usual_and_is_heard_of_beyond(
        self, town, monkeypatch
    ) -> None:
        """By any purpose: each has its own mark, and each its own alarm."""
        marks = {level: {"alarm": 2, "refuse": 4} for level in LEVELS}
        with monkeypatch.context() as patched:
            patched.setattr(budgets, "_children", lambda *_: marks)
            patched.setattr(Marks, "chunk", 1)
            budgets.marks_of.cache_clear()
            for purpose in ("care", "education"):
                for _ in range(4):
                    child = await a_child(town.database, VILLAGE)
                    shown = await town.reads(town.clerk, f"children/{child.id}", purpose=purpose)
                    assert shown.status_code == 200
                list_ = await town.reads(town.clerk, "children?limit=200", purpose=purpose)
                assert said(list_) == (429, "budget-spent")
        budgets.marks_of.cache_clear()  # once the marks are those of the policy again
        alarms = await town.items(town.auditor, "reading-alarms")
        assert {row["purpose"] for row in alarms} == {"care", "education"}
        assert {row["subject"] for row in alarms} == {f"staff:{town.clerk.subject_id}"}
        assert "audit.alarm_raised" in await town.told(town.clerk2)

    async def test_seeks_a_neighbours_child_and_it_stands_by_the_child(self, town) -> None:
        """By number, by name; under another purpose than the true one it is read all the same."""
        by_number = await town.sends(town.clerk, "children/search", {"resident_id": RESIDENT_ID})
        assert [row["id"] for row in by_number.json()["items"]] == [town.child]
        nobody = {"name": "样小三"}
        beyond = await town.sends(town.clerk, "children/search", nobody)
        assert beyond.json()["items"] == [], "of another county"
        assert said(await town.reads(town.clerk, f"children/{town.far}")) == (
            404,
            "child-not-found",
        )
        lying = await town.reads(town.clerk, f"children/{town.neighbour}", purpose="education")
        assert lying.status_code == 200
        readers = await town.items(town.township, f"children/{town.neighbour}/readers")
        mine = [row for row in readers if row["actor"] == f"staff:{town.clerk.subject_id}"]
        assert [(row["operation"], row["purpose"]) for row in mine] == [("readChild", "education")]
        marked = await town.items(town.auditor, "audit-entries?limit=200")
        assert any(row["sought"] and row["operation"] == "searchChildren" for row in marked)

    async def test_takes_a_list_home_page_by_page_and_no_further(self, town) -> None:
        """A cursor is for who was given it; what each page showed stands in the record."""
        first = await town.reads(town.clerk, "children?limit=1")
        cursor = first.json()["next_cursor"]
        path = f"children?limit=1&cursor={cursor}"
        assert (await town.reads(town.clerk, path)).status_code == 200
        for thief in (town.clerk2, town.township):
            assert (await town.reads(thief, path)).status_code in {400, 422}
        rows = await town.items(town.auditor, "audit-entries?limit=200")
        shown = [row["child_ids"] for row in rows if row["operation"] == "listChildren"]
        assert {town.child, town.neighbour} <= {each for row in shown for each in row}

    async def test_registers_no_key_and_turns_no_notices_unseen(self, town) -> None:
        key = {"name": "x", "agency_id": str(town.clerk.agency_id), "role": "civil_affairs"}
        key |= {"region_code": str(COUNTY), "jwks": {"keys": [a_key()[1]]}}
        answer = await town.sends(town.clerk, "clients", key)
        assert said(answer) == (403, "approval-required")
        city = await a_caller(
            town.database, town.settings, "civil_affairs", 120000000000, machine=False
        )
        call_me = {"public_contact": "022-99999999"}
        own = f"agencies/{town.clerk.agency_id}/public-contact"
        for who in (town.clerk, await town.colleague(town.clerk, machine=True)):
            answer = await town.ask(who, "PUT", own, call_me)
            assert said(answer) == (403, "approval-required")
        where = {"url": "https://thief.example.org/in", "description": "x"}
        where |= {"event_types": ["children.*"]}
        made = await town.sends(town.clerk, "webhook-endpoints", where)
        assert made.status_code == 201
        assert await town.owed(town.clerk2) == ["registerWebhookEndpoint"]
        at = f"webhook-endpoints/{made.json()['id']}"
        off = await town.ask(town.clerk, "PATCH", at, {"active": False}, match='"1"')
        assert off.status_code == 200
        assert (await town.told(city)).count("approvals.acted_alone") == 2
        assert set(await town.owed(city)) == {"registerWebhookEndpoint", "changeWebhookEndpoint"}

    async def test_drops_no_finding_alone_nor_by_a_second_account(self, town) -> None:
        lost = a_visit(uuid4(), findings=[something_wrong()])
        held = (await town.sends(town.director, "visits", lost)).json()["unresolved_id"]
        other = town.clerk2
        async with town.database.begin(SYSTEM) as tx:
            await note_same_person(tx, town.clerk.subject_id, other.subject_id)
        at = f"unresolved/{held}"

        async def drops(who):
            etag = (await town.reads(who, at)).headers["etag"]
            return await town.sends(who, f"{at}/dismissal", {"words": "查无此人"}, match=etag)

        first = await drops(town.township)
        assert first.json()["state"] == "open"
        again = await drops(town.township)
        assert said(again) == (409, "second-person-dismisses")
        assert (await town.reads(town.director, at)).json()["state"] == "open"

    async def test_waives_nothing_with_an_account_of_their_own(self, town) -> None:
        """Who is said to be one person is; who is not counts as two, and both names stand there."""
        await run_jobs(town.database)
        mine = await town.items(town.township, "duties?permitted=proposeWaiver")
        duty = f"duties/{mine[0]['id']}"

        async def does(who, path, body=None):
            etag = (await town.reads(who, duty)).headers["etag"]
            return await town.sends(who, f"{duty}/{path}", body, match=etag)

        assert (await does(town.clerk, "waiver", {"reason": WHY})).status_code == 201
        assert said(await does(town.clerk, "waiver/approval")) == (403, "proposed-by-you")
        async with town.database.begin(SYSTEM) as tx:
            await note_same_person(tx, town.clerk.subject_id, town.clerk2.subject_id)
        assert said(await does(town.clerk2, "waiver/approval")) == (403, "proposed-by-you")
        through = await does(town.township, "waiver/approval")
        assert (through.status_code, through.json()["state"]) == (200, "waived"), through.text
        waiver = through.json()["waiver"]
        assert str(town.clerk.subject_id) in str(waiver)
        assert str(town.township.subject_id) in str(waiver)

    async def test_breaks_the_glass_of_another_county_and_that_county_knows(self, town) -> None:
        theirs = await a_caller(
            town.database, town.settings, "civil_affairs", ELSEWHERE, machine=False
        )
        body = {"child_id": town.far, "reason": EMERGENCY, "minutes": 30}
        opened = await town.sends(town.clerk, "break-glass", body, purpose="protection")
        assert opened.status_code == 201
        assert "break_glass.opened" in await town.told(theirs)
        [seen] = await town.items(theirs, "break-glass")
        assert seen["permitted"] == ["reviewBreakGlass"]


class TestStolenPhone:
    @pytest.fixture
    async def phone(self, client, database, unique):
        """A director's phone, enrolled, with what is open on it."""
        person = await a_person(database, unique)
        key = await enrolled(client, database, person)
        app, issued = await tokens(client, database, unique, key)
        return person, key, app, issued.json()

    async def test_locked_it_is_worth_nothing(self, client, phone) -> None:
        """What is read off its disk: tokens without the key in its hardware."""
        _, _, app, issued = phone
        bare = {"authorization": f"Bearer {issued['access_token']}"}
        assert (await client.get("/v1/me", headers=bare)).status_code == 401
        thief = Holder()
        taken = await thief.ask(client, "GET", "/v1/me", issued["access_token"])
        assert taken.status_code == 401
        for key in (None, thief):
            answer = await refresh(client, app, issued["refresh_token"], key)
            assert answer.status_code == 400

    async def test_unlocked_it_is_its_person_until_somebody_says_so(
        self, client, town, phone
    ) -> None:
        """With the PIN it reads the village, and files; it gives nobody power."""
        person, key, _, issued = phone
        token = issued["access_token"]
        me = await key.ask(client, "GET", "/v1/me", token)
        assert me.status_code == 200
        for method, path in (("GET", "/v1/staff"), ("GET", "/v1/audit-entries")):
            assert (await key.ask(client, method, path, token)).status_code == 403
        for path in ("/v1/approvals", "/v1/staff", "/v1/clients", "/v1/break-glass"):
            headers = key.headers("POST", path, token)
            answer = await client.post(path, json={}, headers=headers)
            assert said(answer) in {(403, "scope-missing"), (422, "validation-failed")}, path
        found = await town.items(town.township, f"staff/{person.staff_id}/devices")
        lost = f"staff/{person.staff_id}/devices/{found[0]['id']}/revocation"
        assert (await town.sends(town.township, lost)).status_code == 200
        assert (await key.ask(client, "GET", "/v1/me", token)).status_code == 401

    async def test_what_was_copied_off_it_ends_with_it(
        self, client, database, town, phone, unique
    ) -> None:
        person, key, app, issued = phone
        found = await town.items(town.township, f"staff/{person.staff_id}/devices")
        lost = f"staff/{person.staff_id}/devices/{found[0]['id']}/revocation"
        await town.sends(town.township, lost)
        again = await refresh(client, app, issued["refresh_token"], key)
        assert again.status_code == 400
        _, anew = await tokens(client, database, unique, key)
        assert anew.json()["error"] == "invalid_grant", "with the password, too"
        assert ("revokeDevice", "allowed") in await town.recorded(town.township)

    async def test_a_new_key_on_it_needs_a_code_that_somebody_gives(
        self, client, database, town, phone
    ) -> None:
        said_ = {"code": "aaaa-bbbb-cccc-dddd", "name": "红米 Note"}
        answer = await Holder().post(client, "/oauth/devices", said_)
        assert answer.json()["error"] == "invalid_grant"
        elsewhere = await a_caller(
            database, town.settings, "township_supervisor", ELSEWHERE + 101000
        )
        answer = await town.sends(elsewhere, f"staff/{phone[0].staff_id}/device-code")
        assert said(answer) == (404, "staff-not-found")

    async def test_the_password_read_over_a_shoulder_opens_a_sign_in_that_shows(
        self, client, database, unique, phone
    ) -> None:
        """Where no second factor is asked for, it opens what the person's own would, unbound to the
        phone; their page lists it, and one act ends all.
        """
        _, key, _, issued = phone
        app, (verifier, challenge) = await an_app(database), pkce()
        code = answer_of(await sign_in(client, app, challenge, unique))["code"]
        thief = Holder()
        taken = (await exchange(client, app, code, verifier, thief)).json()["access_token"]
        assert (await thief.ask(client, "GET", "/v1/me", taken)).status_code == 200
        mine = issued["access_token"]
        listed = await key.ask(client, "GET", "/v1/me/sign-ins", mine)
        assert len(listed.json()["items"]) == 2
        end = "/v1/me/sign-ins/end"
        ended = await client.post(end, headers=key.headers("POST", end, mine))
        assert ended.json() == {"ended": 2}
        assert (await thief.ask(client, "GET", "/v1/me", taken)).status_code == 401

    async def test_the_lease_says_until_when_its_own_store_opens(
        self, client, database, now, phone
    ) -> None:
        """Seven days after it was last online: until then a stolen phone opens what lies on it."""
        _, key, app, issued = phone
        week = int((now + timedelta(days=7)).timestamp())
        assert issued["lease_until"] == week
        database.clock = lambda: now + timedelta(days=40)
        late = await refresh(client, app, issued["refresh_token"], key)
        assert late.status_code == 400, "and after a month it is nobody's"


async def test_a_proposal_of_the_clerk_is_read_before_it_is_approved(town, client) -> None:
    """A colleague who signs everything is the way in; what was signed stands there, whole."""
    body = {"name": "影子", "username": "ying.zi"}
    made = await propose(client, town.clerk, "createStaff", "/v1/staff", body)
    read = await town.reads(town.clerk2, f"approvals/{made.json()['id']}")
    assert (read.json()["body"], read.json()["proposed_by"]) == (body, str(town.clerk.subject_id))
    assert (await decide(client, town.clerk2, made.json()["id"], "refused")).status_code == 200
    answer = await town.sends(town.clerk, "staff", body, approval=made.json()["id"])
    assert said(answer) == (403, "approval-unusable")
