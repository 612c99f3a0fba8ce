"""What comes in of a child whose file was erased is kept: a phone was offline, a school has heard
nothing, somebody is in danger. It lies under the service's key, for the child has none any more.
"""

from uuid import UUID

from app.core.data import keys, resealing, sealed
from app.core.data.db import SYSTEM
from app.core.data.envelopes import of_child
from tests.access.factories import a_caller
from tests.attendance import factories as attendance
from tests.break_glass.factories import broken, file, opened, review
from tests.jobs import run_jobs
from tests.police_reports.factories import rows
from tests.regions.factories import some_regions
from tests.rights.factories import post
from tests.rights.test_erasing import approved, child_id, erased, granted
from tests.visits.factories import a_visit

__all__ = ["approved", "child_id", "erased", "granted"]

ELSEWHERE = 120118000000
VISITS = next(each for each in sealed.TABLES if each.table == "visits")


async def test_a_visit_that_was_made_before_is_kept_and_its_words_are_read(
    client, database, offices, child_id, granted, erased
) -> None:
    before = a_visit(child_id, note="此前记录", visited_on="2026-09-01")
    assert (await post(client, offices.village, "/visits", before)).status_code == 201
    assert (await erased(await granted())).status_code == 200
    late = a_visit(child_id, note="离线记录", visited_on="2026-09-02")
    kept = await post(client, offices.village, "/visits", late)
    assert kept.status_code == 201, kept.text
    again = await post(client, offices.village, "/visits", late)
    assert again.status_code == 200, again.text
    await run_jobs(database)
    gone, there = sorted(row["words_sealed"][:1] for row in await rows(database, "visits"))[::-1]
    assert (gone, there) == (b"\x04", b"\x01")


async def test_it_comes_under_the_newest_key_and_what_was_erased_stays_as_it_is(
    client, database, offices, child_id, granted, erased
) -> None:
    """Else the key of before could never go."""
    before = a_visit(child_id, note="此前记录", visited_on="2026-09-01")
    await post(client, offices.village, "/visits", before)
    await erased(await granted())
    late = a_visit(child_id, note="离线记录", visited_on="2026-09-02")
    assert (await post(client, offices.village, "/visits", late)).status_code == 201
    was = {row["id"]: row["words_sealed"] for row in await rows(database, "visits")}
    async with database.begin(SYSTEM) as tx:
        tx.keyring = tx.keyring.rotated_data()
        of = of_child(UUID(child_id))
        done = await resealing.seal_anew(tx, VISITS, of=of)
        assert (done.changed, done.refused) == (1, 0)
        newest = b"\x01" + next(iter(tx.keyring.data)).encode()
        for row in await tx.connection.fetch("SELECT id, words_sealed FROM visits"):
            same = row["words_sealed"] == was[row["id"]]
            assert same == (was[row["id"]][:1] == b"\x04")
            assert same or row["words_sealed"][:5] == newest
        await keys.load(tx, [of])
        again = await resealing.seal_anew(tx, VISITS, of=of)
        assert (again.changed, again.refused) == (0, 0)


async def test_a_push_is_stored_with_all_its_events(
    client, database, settings, offices, child_id, granted, erased
) -> None:
    school = await attendance.a_school(database, settings)
    mate = await school.pupil(database)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET school_id = $1 WHERE id = $2", school.id, UUID(child_id)
        )
    await erased(await granted())
    events = [
        attendance.an_event(each, said_beside="合成备注") for each in (UUID(child_id), mate.id)
    ]
    pushed = await attendance.push(client, school, *events)
    assert pushed.status_code < 300, pushed.text
    assert attendance.statuses(pushed)[1] in {"stored", "created", "accepted"}


async def test_who_opened_it_in_an_emergency_is_reviewed_and_others_open_it_too(
    client, database, settings, offices, child_id, granted, erased
) -> None:
    await some_regions(database, ELSEWHERE)
    doctor = await a_caller(database, settings, "hospital", ELSEWHERE)
    request = await granted()
    glass = await opened(client, doctor, child_id)
    await erased(request)
    seen = await file(client, doctor, glass)
    assert (seen.status_code, seen.json()["identity"]["name"]) == (200, None)
    other = await a_caller(database, settings, "hospital", ELSEWHERE)
    late = await broken(client, other, child_id)
    assert late.status_code == 201, late.text
    reviewed = await review(client, offices.county, glass)
    assert reviewed.status_code == 200, reviewed.text
