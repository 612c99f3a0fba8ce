"""A referral made by hand that is sent again, because the answer was lost, is the same (REG-11)."""

from datetime import timedelta

from tests.access.factories import a_caller, renewed
from tests.at_once import at_once
from tests.children.factories import a_child
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.police_reports.test_owing import owed
from tests.referrals.test_referrals import act

SAID = {"to_kind": "hospital", "needs": ["ill", "distress"], "note": "合成记录"}


async def test_the_same_words_of_one_day_are_one_referral(
    client, database, settings, offices, child, monkeypatch
) -> None:
    """Another word, agency, child, sender or day, or one taken back before, is asked anew."""
    hospital, second = [await a_caller(database, settings, "hospital", COUNTY) for _ in range(2)]
    other = await a_child(database, VILLAGE)

    async def send(caller=offices.township, about=child, **changed):
        url = f"/v1/children/{about.id}/referrals"
        return await client.post(url, json={**SAID, **changed}, headers=caller.headers)

    made = await send()
    assert made.status_code == 201, made.text
    named = {"to_kind": None, "to_agency_id": made.json()["to_agency_id"]}
    for same in ({}, {"needs": ["distress", "ill"]}, named):
        again = await send(**same)
        assert (again.status_code, again.json()) == (200, made.json())
    await run_jobs(database)
    assert len(await owed(client, offices.township, "VIS-08")) == 1
    asked, unasked = sorted(
        (hospital, second), key=lambda each: str(each.agency_id) != made.json()["to_agency_id"]
    )
    for different in (
        {"note": "另有情况"},
        {"note": None},
        {"needs": ["ill"]},
        {"to_kind": "police"},
        {"to_kind": None, "to_agency_id": str(unasked.agency_id)},
        {"about": other},
        {"caller": offices.county},
    ):
        assert (await send(**different)).status_code == 201, different
    await act(client, asked, made.json(), "answer", answer="accepted")
    assert (await send()).json()["id"] == made.json()["id"], "whatever became of it since"
    back = await client.get(f"/v1/referrals/{made.json()['id']}", headers=offices.township.headers)
    await act(client, offices.township, back.json(), "cancellation", reason="合成记录")
    anew = await send()
    assert (anew.status_code, anew.json()["id"] != made.json()["id"]) == (201, True)
    tomorrow = database.clock() + timedelta(days=1)
    monkeypatch.setattr(database, "clock", lambda: tomorrow)
    township = renewed(database, settings, offices.township)
    assert (await send(township)).status_code == 201


async def test_two_at_one_moment_are_one(app, settings, live_database, database_urls) -> None:
    township = await a_caller(live_database, settings, "township_supervisor", TOWNSHIP)
    child = await a_child(live_database, VILLAGE)
    async with calling(app, settings, live_database) as client:

        async def send():
            url = f"/v1/children/{child.id}/referrals"
            return await client.post(url, json=SAID, headers=township.headers)

        first, second = await at_once(live_database, database_urls.owner, send, send)
    assert (first.status_code, second.status_code) == (201, 200), second.text
    assert first.json()["id"] == second.json()["id"]
