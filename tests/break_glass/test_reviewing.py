"""What was opened in an emergency is reviewed by another person (AZ-7), and kept from whom a report
speaks against (AZ-8).
"""

from dataclasses import replace
from datetime import timedelta

from app.access.operations import note_same_person
from app.core.data.db import SYSTEM
from app.duties import jobs as duties
from tests.access.approving import send_by_two
from tests.access.factories import a_caller, a_new_post, an_agency, renewed
from tests.break_glass.conftest import ELSEWHERE
from tests.break_glass.factories import accused, broken, file, opened, over, problem, review, seen
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, VILLAGE
from tests.police_reports.test_owing import owed


class TestReview:
    async def test_is_said_by_another_person_of_the_childs_place(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        elsewhere = await a_caller(database, settings, "civil_affairs", ELSEWHERE)
        assert (await review(client, elsewhere, glass)).status_code == 404
        assert problem(await review(client, offices.township, glass)) == (403, "scope-missing")
        machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
        assert problem(await review(client, machine, glass)) == (403, "person-required")
        stale = await review(client, offices.county, glass, version=2)
        assert problem(stale) == (412, "precondition-failed")
        said = await review(client, offices.county, glass)
        assert (said.status_code, said.json()["live"]) == (200, False), "it ends with the review"
        assert said.json()["review"]["reviewer_id"] == str(offices.county.subject_id)
        assert problem(await review(client, offices.county, glass, version=2)) == (
            409,
            "reviewed-already",
        )
        assert problem(await file(client, doctor, glass)) == (403, "glass-shut")
        assert (await client.get("/v1/me", headers=doctor.headers)).status_code == 200

    async def test_never_by_who_opened_it_in_another_post_nor_by_a_colleague(
        self, client, database, settings, offices, child, doctor, now
    ) -> None:
        glass = await opened(client, doctor, child)
        moved = await a_new_post(database, settings, doctor, "civil_affairs", COUNTY, now.date())
        assert problem(await review(client, moved, glass)) == (403, "opened-by-you")
        assert (await seen(client, moved))[0]["permitted"] == []
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE break_glass SET agency_id = $1", offices.county.agency_id
            )
        assert problem(await review(client, offices.county, glass)) == (
            403,
            "opened-by-your-agency",
        )
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE break_glass SET region_code = 120118101201")
        assert problem(await review(client, offices.county, glass)) == (403, "not-in-your-remit")

    async def test_nor_by_a_colleague_of_then_who_works_elsewhere_now(
        self, client, database, settings, child, doctor, now
    ) -> None:
        colleague = await a_caller(
            database, settings, "hospital", COUNTY, agency_id=doctor.agency_id, machine=False
        )
        glass = await opened(client, doctor, child)
        moved = await a_new_post(database, settings, colleague, "civil_affairs", COUNTY, now.date())
        assert problem(await review(client, moved, glass)) == (403, "opened-by-your-agency")
        assert (await seen(client, moved))[0]["permitted"] == []

    async def test_no_one_person_of_the_own_agency_takes_back_that_it_was_misuse(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        clerk = await a_caller(
            database, settings, "administrator", COUNTY, agency_id=doctor.agency_id
        )
        glass = await opened(client, doctor, child)
        assert (await review(client, offices.county, glass, "misuse")).status_code == 200
        at = f"/v1/staff/{doctor.subject_id}/suspension"
        resumed = await client.delete(at, headers=clerk.headers)
        assert problem(resumed) == (403, "approval-required")

    async def test_misuse_suspends_the_account_at_once_and_shuts_all_that_is_open(
        self, client, database, offices, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        other = await opened(client, doctor, (await a_child(database, VILLAGE)).id)
        assert (await client.get("/v1/me", headers=doctor.headers)).status_code == 200
        assert (await review(client, offices.county, glass, "misuse")).status_code == 200
        assert (await client.get("/v1/me", headers=doctor.headers)).status_code == 401
        assert (await file(client, doctor, other)).status_code == 401
        async with database.begin(SYSTEM) as tx:
            ended = "SELECT ended_at IS NOT NULL FROM break_glass WHERE id = $1::uuid"
            assert await tx.connection.fetchval(ended, other["id"])
            active = "SELECT active FROM staff_accounts WHERE staff_id = $1"
            assert not await tx.connection.fetchval(active, doctor.subject_id)
        await run_jobs(database)
        feed = await client.get("/v1/events", headers=offices.county.headers)
        said = [e["data"] for e in feed.json()["items"] if e["type"] == "break_glass.reviewed"]
        assert [each["verdict"] for each in said] == ["misuse"]

    async def test_misuse_suspends_every_account_of_the_person(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        """Else they would go on by the other."""
        second = await a_caller(database, settings, "hospital", COUNTY, machine=False)
        async with database.begin(SYSTEM) as tx:
            await note_same_person(tx, doctor.subject_id, second.subject_id)
        other = await opened(client, second, (await a_child(database, VILLAGE)).id)
        glass = await opened(client, doctor, child)
        assert (await review(client, offices.county, glass, "misuse")).status_code == 200
        assert (await client.get("/v1/me", headers=second.headers)).status_code == 401
        async with database.begin(SYSTEM) as tx:
            ended = "SELECT ended_at IS NOT NULL FROM break_glass WHERE id = $1::uuid"
            assert await tx.connection.fetchval(ended, other["id"])

    async def test_who_suspended_somebody_is_looked_at_by_a_third(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        """Power taken away: one does, and another says whether it was in order."""
        proper = await opened(client, doctor, (await a_child(database, VILLAGE)).id)
        glass = await opened(client, doctor, child)
        assert (await review(client, offices.county, proper)).status_code == 200
        assert (await review(client, offices.county, glass, "misuse")).status_code == 200
        agency = offices.county.agency_id
        other = await a_caller(database, settings, "civil_affairs", COUNTY, agency_id=agency)
        [left] = (await client.get("/v1/reviews", headers=other.headers)).json()["items"]
        assert (left["operation"], left["state"]) == ("reviewBreakGlass", "owed")
        said = {"finding": "proper", "note": "合成记录:已核对急诊病历。"}
        place = f"/v1/reviews/{left['id']}/finding"
        own = await client.post(place, json=said, headers=offices.county.headers)
        assert problem(own) == (403, "another-person-needed")
        assert (await client.post(place, json=said, headers=other.headers)).status_code == 200


async def test_a_review_is_owed_by_the_county_and_climbs_when_it_is_late(
    client, database, settings, offices, child, doctor, now
) -> None:
    glass = await opened(client, doctor, child)
    await run_jobs(database)
    [duty] = await owed(client, offices.county, "GOV-04.review")
    assert duty["bearer"] == {"role": "civil_affairs", "agency_id": None, "stands_in_for": None}
    assert (duty["subject_id"], duty["state"]) == (glass["id"], "open")
    assert duty["due_at"] == (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await owed(client, offices.township, "GOV-04.review") == []
    database.clock = lambda: now + timedelta(days=1, minutes=1)
    async with database.begin(SYSTEM) as tx:
        await duties.mark_overdue(tx, {})
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        said = await tx.connection.fetch(
            "SELECT data ->> 'escalates_to' AS told FROM events"
            " WHERE wire_name = 'duties.duty_overdue' AND data ->> 'rule' = 'GOV-04.review'"
        )
    assert [row["told"] for row in said] == ['["civil_affairs"]']
    database.clock = lambda: now
    [late] = await owed(client, offices.county, "GOV-04.review")
    assert late["state"] == "overdue"
    assert (await review(client, offices.county, glass)).status_code == 200
    await run_jobs(database)
    [done] = await owed(client, offices.county, "GOV-04.review")
    assert done["state"] == "discharged"
    assert done["overdue_at"] is not None, "it was late for good"


class TestWhomAReportSpeaksAgainst:
    async def test_opens_nothing_and_what_was_open_is_shut(
        self, client, database, offices, child, doctor
    ) -> None:
        glass = await opened(client, doctor, child)
        assert (await file(client, doctor, glass)).status_code == 200
        await accused(client, offices.township, child, doctor.agency_id)
        assert problem(await file(client, doctor, glass)) == (404, "child-not-found")
        await over(database, glass)
        assert problem(await broken(client, doctor, child)) == (404, "child-not-found")

    async def test_nor_when_the_agency_goes_on_as_another(
        self, client, database, settings, offices, child, doctor
    ) -> None:
        """What is kept from an agency is kept from whoever served it, wherever they are now."""
        await accused(client, offices.township, child, doctor.agency_id)
        other = await an_agency(database, "hospital", ELSEWHERE)
        one = await a_caller(database, settings, "operator", 0, machine=False)
        two = await a_caller(
            database, settings, "operator", 0, agency_id=one.agency_id, machine=False
        )
        merger = (f"/v1/agencies/{doctor.agency_id}/merger", {"successor_id": str(other)})
        merged = await send_by_two(client, one, two, "mergeAgency", "POST", *merger)
        assert merged.status_code == 200, merged.text
        moved = replace(doctor, claims={**doctor.claims, "agency_id": other})
        moved = renewed(database, settings, moved)
        assert (await client.get("/v1/me", headers=moved.headers)).status_code == 200
        assert problem(await broken(client, moved, child)) == (404, "child-not-found")

    async def test_hears_nothing_of_what_others_open(
        self, client, database, offices, child, doctor
    ) -> None:
        await accused(client, offices.township, child, offices.village.agency_id)
        await run_jobs(database)
        glass = await opened(client, doctor, child)
        await run_jobs(database)
        assert await seen(client, offices.village) == []
        assert [each["id"] for each in await seen(client, offices.county)] == [glass["id"]]
        assert (await file(client, doctor, glass)).status_code == 200
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetchval(
                "SELECT told_to FROM events WHERE wire_name = 'break_glass.opened'"
            )
        assert str(offices.village.agency_id) not in told
        assert str(offices.county.agency_id) in told
        assert str(doctor.agency_id) in told
        [duty] = await owed(client, offices.county, "GOV-04.review")
        assert duty["state"] == "open"
        assert (await review(client, offices.county, glass)).status_code == 200

    async def test_nor_does_it_read_there_who_looked_at_the_child(
        self, client, offices, child, doctor
    ) -> None:
        await accused(client, offices.village, child, offices.township.agency_id)
        await opened(client, doctor, child)
        for caller, known in ((offices.township, False), (offices.county, True)):
            page = await client.get(f"/v1/children/{child}/readers", headers=caller.headers)
            said = {each["operation"] for each in page.json()["items"]}
            assert ("breakGlass" in said) is known, said

    async def test_nor_does_an_office_that_words_may_mean(
        self, client, offices, child, doctor
    ) -> None:
        await accused(client, offices.township, child, "村里的干部")
        await opened(client, doctor, child)
        assert await seen(client, offices.village) == []
        assert len(await seen(client, offices.county)) == 1
