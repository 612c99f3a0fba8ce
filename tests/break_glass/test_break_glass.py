"""One child's file is opened in an emergency, for some minutes, and that is reviewed (AZ-7)."""

from datetime import date, timedelta

import pytest

from app.break_glass import operations
from app.break_glass.acts import GlassShut
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller, a_new_post
from tests.break_glass.conftest import ELSEWHERE
from tests.break_glass.factories import (
    REASON,
    WORDS,
    broken,
    file,
    opened,
    over,
    problem,
    recorded,
    review,
    seen,
    shut_by_time,
    times_told,
    urgent,
)
from tests.children.factories import RESIDENT_ID, a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, VILLAGE


class TestOpens:
    async def test_one_file_to_one_person_and_what_the_emergency_needs_of_it(
        self, client, database, settings, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        assert (glass["child_id"], glass["live"], glass["review"]) == (child, True, None)
        shown = (await file(client, doctor, glass)).json()
        assert shown["identity"]["resident_id"] == RESIDENT_ID
        assert shown["guardianship"]["guardian"]["phone"] == "+86 10 5550 0101"
        told = {name for name, said in shown.items() if isinstance(said, dict)}
        assert told == {"identity", "residence", "family", "guardianship", "health"}
        colleague = await a_caller(
            database, settings, "hospital", ELSEWHERE, agency_id=doctor.agency_id
        )
        assert problem(await file(client, colleague, glass)) == (403, "not-opened-by-you")
        stranger = await a_caller(database, settings, "hospital", ELSEWHERE)
        assert problem(await file(client, stranger, glass)) == (404, "break-glass-not-found")

    async def test_nothing_else_opens_with_it(self, client, database, settings, child) -> None:
        """No list, search, count, feed or look at what lies below shows the child or another."""
        other = await a_child(database, VILLAGE, name="测二")
        village = await a_caller(database, settings, "township_supervisor", ELSEWHERE + 101000)
        mine = await a_child(database, ELSEWHERE + 101200)
        before = await _everything(client, village, child, mine)
        glass = await opened(client, village, child)
        assert (await file(client, village, glass)).status_code == 200
        care = {**village.headers, "purpose-of-use": "care"}
        unread = await client.get(f"/v1/break-glass/{glass['id']}/file", headers=care)
        assert problem(unread) == (403, "purpose-not-allowed"), "for no purpose but protection"
        async with database.begin() as tx:  # in these tests, of the transaction of that request
            assert await tx.connection.fetchval("SELECT current_setting('tonghu.opened')") == ""
        assert await _everything(client, village, child, mine) == before
        assert [each["status"] for each in before.values()].count(404) == 8
        async with database.begin() as tx:  # row by row: what the setting itself lets through
            await tx.reach(database_reach(village))
            await tx.connection.execute("SELECT set_config('tonghu.opened', $1, true)", child)
            ids = await tx.connection.fetch("SELECT id FROM children")
            assert {str(row["id"]) for row in ids} == {child, str(mine.id)} - {str(other.id)}
            tables = await tx.connection.fetch(
                "SELECT c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
                " WHERE pg_get_expr(p.polqual, p.polrelid) LIKE '%tonghu.opened%'"
            )
            assert [row["relname"] for row in tables] == ["children"]
            changed = "UPDATE children SET version = 9 WHERE id = $1::uuid"
            with pytest.raises(Exception, match="row-level security"):
                await tx.connection.execute(changed, child)

    async def test_only_for_protection_by_a_person_for_a_reason_and_for_minutes(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        township = await a_caller(database, settings, "township_supervisor", ELSEWHERE + 101000)
        body = {"child_id": child, "reason": REASON, "minutes": 30}
        cared = await client.post("/v1/break-glass", json=body, headers=township.headers)
        assert problem(cared) == (403, "purpose-not-allowed")
        machine = await a_caller(database, settings, "hospital", ELSEWHERE, machine=True)
        assert problem(await broken(client, machine, child)) == (403, "person-required")
        for wrong in (
            {"reason": "急诊"},
            {"reason": "急" * 40},
            {"reason": ". " * 20},
            {"minutes": 0},
            {"minutes": 241},
            {"child_id": None},
            {"look_id": str(new_id())},
        ):
            assert problem(await broken(client, doctor, child, **wrong)) == (
                422,
                "validation-failed",
            ), wrong
        assert problem(await broken(client, doctor, child, minutes=121)) == (422, "too-long")
        assert problem(await broken(client, doctor, new_id())) == (404, "child-not-found")
        assert problem(await broken(client, offices.county, child)) == (409, "in-your-reach")
        for caller in (offices.school, offices.village):
            assert (await broken(client, caller, child)).status_code == 403

    async def test_asked_again_it_is_one_and_a_day_has_three(
        self, client, database, child, doctor
    ) -> None:
        first = await opened(client, doctor, child)
        again = await broken(client, doctor, child)
        assert (again.status_code, again.json()["id"]) == (200, first["id"])
        others = [await a_child(database, VILLAGE, name=f"测{number}") for number in "三四五"]
        for each in others[:2]:
            await opened(client, doctor, each.id)
        spent = await broken(client, doctor, others[2].id)
        assert problem(spent) == (429, "glasses-spent")
        assert "until" in spent.json()["detail"]
        assert 0 < int(spent.headers["retry-after"]) <= 86_400
        assert (await broken(client, doctor, child)).status_code == 200, "open already"
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE break_glass SET opened_at = opened_at - interval '1 day',"
                " ends_at = ends_at - interval '1 day'"
            )
        await opened(client, doctor, others[2].id)

    async def test_a_person_with_two_accounts_has_one_day(
        self, client, database, settings, doctor
    ) -> None:
        again = await a_caller(
            database, settings, "hospital", COUNTY, agency_id=doctor.agency_id, machine=False
        )
        async with database.begin(SYSTEM) as tx:
            await tx.connection.executemany(
                "INSERT INTO same_persons (person_id, staff_id) VALUES ($1, $2)",
                [(person, one.subject_id) for person in [new_id()] for one in (doctor, again)],
            )
        child = (await a_child(database, VILLAGE)).id
        glasses = [await opened(client, who, child) for who in (doctor, again)]
        assert glasses[0]["id"] != glasses[1]["id"], "each is of one post and account"
        await opened(client, again, (await a_child(database, VILLAGE)).id)
        for who in (doctor, again):
            spent = await broken(client, who, (await a_child(database, VILLAGE)).id)
            assert problem(spent) == (429, "glasses-spent")

    async def test_in_another_post_it_is_opened_anew(
        self, client, database, settings, child, doctor
    ) -> None:
        first = await opened(client, doctor, child)
        moved = await a_new_post(
            database, settings, doctor, "hospital", ELSEWHERE, date(2026, 11, 20)
        )
        second = await opened(client, moved, child)
        assert (second["agency_id"], second["id"] != first["id"]) == (str(moved.agency_id), True)


def database_reach(caller):
    from app.core.data.db import Reach  # noqa: PLC0415

    lo = caller.claims["region_code"]
    return Reach(lo, lo + 1000, agency=caller.agency_id, caller="staff:test")


async def _everything(client, caller, child, mine):
    asked = {
        "file": ("GET", f"/v1/children/{child}", None),
        "changed": ("PATCH", f"/v1/children/{child}", {"health": {"notes": "x"}}),
        "history": ("GET", f"/v1/children/{child}/history", None),
        "reasons": ("GET", f"/v1/children/{child}/reasons", None),
        "visits": ("GET", f"/v1/children/{child}/visits", None),
        "enrolments": ("GET", f"/v1/children/{child}/enrolments", None),
        "referrals": ("GET", f"/v1/children/{child}/referrals", None),
        "confirmations": ("GET", f"/v1/children/{child}/confirmations", None),
        "list": ("GET", "/v1/children", None),
        "parts": ("GET", "/v1/children/partitions?number=2", None),
        "count": ("GET", "/v1/children/summary", None),
        "search": ("POST", "/v1/children/search", {"name": "样小一"}),
        "number": ("POST", "/v1/children/search", {"resident_id": RESIDENT_ID}),
        "duties": ("GET", "/v1/duties", None),
        "alerts": ("GET", "/v1/dropout-alerts", None),
        "feed": ("GET", "/v1/events", None),
        "unresolved": ("GET", "/v1/unresolved", None),
        "all visits": ("GET", "/v1/visits", None),
    }
    said = {}
    for name, (method, path, body) in asked.items():
        headers = {**urgent(caller), "if-match": '"1"'} if body else urgent(caller)
        answer = await client.request(method, path, json=body, headers=headers)
        known = {} if answer.status_code == 404 else answer.json()
        said[name] = {"status": answer.status_code, **known}
    return said


class TestEnds:
    async def test_by_the_clock_of_the_database_in_the_middle_of_a_session(
        self, client, database, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        assert (await file(client, doctor, glass)).status_code == 200
        assert (await seen(client, doctor))[0]["permitted"] == [
            "readBreakGlassFile",
            "endBreakGlass",
        ]
        await over(database, glass, minutes=0)
        assert problem(await file(client, doctor, glass)) == (403, "glass-shut")
        [shown] = await seen(client, doctor)
        assert (shown["live"], shown["permitted"]) == (False, [])
        assert await seen(client, doctor, permitted="readBreakGlassFile") == []

    async def test_by_who_opened_it_before_its_time(self, client, child, doctor) -> None:
        glass = await opened(client, doctor, child)
        headers = {**urgent(doctor), "if-match": '"1"'}
        url = f"/v1/break-glass/{glass['id']}/end"
        ended = await client.post(url, headers=headers)
        assert (ended.status_code, ended.json()["live"]) == (200, False)
        assert problem(await file(client, doctor, glass)) == (403, "glass-shut")
        again = await client.post(url, headers={**headers, "if-match": '"2"'})
        assert problem(again) == (403, "glass-shut")
        stale = await client.post(url, headers=headers)
        assert problem(stale) == (412, "precondition-failed")

    async def test_what_nobody_ended_is_told_and_recorded_once(
        self, client, database, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        await file(client, doctor, glass)
        async with database.begin(SYSTEM) as tx:
            job = await tx.connection.fetchrow(
                "SELECT run_at - now() AS delay, payload::text FROM jobs WHERE name = $1",
                operations.SHUT,
            )
        assert timedelta(minutes=29) < job["delay"] <= timedelta(minutes=30)
        with pytest.raises(GlassShut):  # it came early: tried again
            await shut_by_time(database, glass)
        await over(database, glass)
        await shut_by_time(database, glass)
        assert await recorded(database) == {
            ("breakGlass", "allowed", None): 1,
            ("readBreakGlassFile", "allowed", None): 1,
            ("endBreakGlass", "allowed", None): 1,
        }
        assert await times_told(database, "break_glass.ended") == 1

    async def test_what_was_ended_by_hand_is_not_told_again(
        self, client, database, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        headers = {**urgent(doctor), "if-match": '"1"'}
        await client.post(f"/v1/break-glass/{glass['id']}/end", headers=headers)
        await shut_by_time(database, glass)
        assert await times_told(database, "break_glass.ended") == 1


class TestIsSeen:
    async def test_at_once_by_the_county_and_who_looks_after_the_child(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        supervision = await a_caller(database, settings, "auditor", COUNTY)
        for caller in (offices.village, offices.township, offices.county, supervision):
            [shown] = await seen(client, caller)
            assert (shown["id"], shown["staff_id"]) == (glass["id"], str(doctor.subject_id))
            words = shown["reason"]
            below = caller is offices.village or caller is offices.township
            assert words == (None if below else REASON)
        elsewhere = await a_caller(database, settings, "civil_affairs", ELSEWHERE)
        assert await seen(client, elsewhere) == []
        assert await seen(client, offices.police) == []
        await run_jobs(database)
        feed = await client.get("/v1/events", headers=offices.county.headers)
        told = [e for e in feed.json()["items"] if e["type"] == "break_glass.opened"]
        [data] = [each["data"] for each in told]
        assert data["child_id"] == child
        assert REASON not in feed.text

    async def test_what_nobody_reviewed_stands_first(
        self, client, database, offices, child, doctor
    ) -> None:
        first = await opened(client, doctor, child)
        second = await opened(client, doctor, (await a_child(database, VILLAGE)).id)
        assert (await review(client, offices.county, second)).status_code == 200
        ids = [each["id"] for each in await seen(client, offices.county)]
        assert ids == [first["id"], second["id"]]
        [waiting] = await seen(client, offices.county, waits="true")
        assert waiting["id"] == first["id"]
        assert waiting["permitted"] == ["reviewBreakGlass"]
        page = await client.get("/v1/break-glass?limit=1", headers=offices.county.headers)
        cursor = {"limit": 1, "cursor": page.json()["next_cursor"]}
        assert [each["id"] for each in await seen(client, offices.county, **cursor)] == ids[1:]
        [of_child] = await seen(client, offices.county, child_id=child)
        assert of_child["id"] == first["id"]
        one = await client.get(f"/v1/break-glass/{second['id']}", headers=doctor.headers)
        assert one.json()["review"]["words"] == WORDS
