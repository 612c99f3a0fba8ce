"""What is passed on is in somebody's hands; who reported may correct what they no longer see."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.police_reports.operations import steps
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    delivered,
    filed,
    police_at,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, BY_POLICE, BY_TOWNSHIP, NOTICE, URL, step
from tests.police_reports.test_owing import states
from tests.regions.factories import some_regions
from tests.unresolved.conftest import tick

NEXT_TOWNSHIP = 120119102000


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.mark.parametrize("above", [True, False])
async def test_forwarded_to_police_without_an_endpoint_it_is_in_somebodys_hands(
    client, database, settings, offices, above
) -> None:
    """It goes to the nearest with an endpoint above, or stays with who had it."""
    target = await a_caller(database, settings, "police", NEXT_TOWNSHIP)
    county = await a_caller(database, settings, "police", COUNTY)
    if above:
        await an_endpoint(database, county.agency_id, COUNTY)
    report_id = await filed(client, offices.school)
    body = {"id": str(uuid4()), "forwarded_at": AT, "police_agency_id": str(target.agency_id)}
    for status in (201, 200):
        answer = await step(client, offices.police, report_id, "forwarding", body)
        assert answer.status_code == status, answer.text
    in_charge = county if above else offices.police
    read = (await client.get(f"{URL}/{report_id}", headers=in_charge.headers)).json()
    assert (read["routing"], read["party"]) == ("routed", "police")
    assert read["police_agency_id"] == str(in_charge.agency_id)
    assert "acknowledgeReport" in read["permitted"]
    for caller in (target, in_charge):  # whoever acts first is in charge
        told = await client.get(f"{URL}/{report_id}", headers=caller.headers)
        assert (told.status_code, told.json()["party"]) == (200, "police")
    assert (await step(client, target, report_id, "acknowledgement", ACCEPT)).status_code == 201
    taken = (await client.get(f"{URL}/{report_id}", headers=target.headers)).json()
    assert taken["police_agency_id"] == str(target.agency_id)


@pytest.mark.parametrize("kept", [True, False])
async def test_of_all_who_have_it_the_police_of_the_place_get_it_first(
    client, database, settings, offices, monkeypatch, kept
) -> None:
    """A report goes to the nearest police with a working endpoint, whoever else was told; also when
    what was announced of it at first is not kept any more.
    """
    if not kept:
        monkeypatch.setattr(steps, "_FILED", f"{steps._FILED} OFFSET 1")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
    beside = await a_caller(database, settings, "police", NEXT_TOWNSHIP)
    report_id = await filed(client, offices.school)
    body = {"forwarded_at": AT, "police_agency_id": str(beside.agency_id)}
    assert (await step(client, offices.police, report_id, "forwarding", body)).status_code == 201
    for each in (beside, offices.police):
        await an_endpoint(database, each.agency_id, TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    assert await sent_to(database) == {(report_id, str(offices.police.agency_id))}


async def test_passed_down_to_where_nobody_listens_the_county_keeps_it(
    client, database, settings
) -> None:
    school = await a_caller(database, settings, "school", TOWNSHIP)
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    report_id = await filed(client, school)
    assert (await step(client, county, report_id, "acknowledgement", ACCEPT)).status_code == 201
    below = await a_caller(database, settings, "police", TOWNSHIP)
    body = {"forwarded_at": AT, "police_agency_id": str(below.agency_id)}
    answer = await step(client, county, report_id, "forwarding", body)
    assert (answer.status_code, answer.json()["state"]) == (201, "acknowledged"), answer.text
    read = (await client.get(f"{URL}/{report_id}", headers=county.headers)).json()
    assert (read["police_agency_id"], read["police_reference"]) == (
        str(county.agency_id),
        ACCEPT["police_reference"],
    )


async def test_who_reported_their_own_agency_may_correct_it(client, offices) -> None:
    own = str(offices.school.agency_id)
    report_id = await filed(client, offices.school, suspect_agency_id=own)
    body = a_report(id=str(uuid4()), region_code=str(VILLAGE), narrative="补充:还有一名儿童。")
    for status in (201, 200):
        answer = await step(client, offices.school, report_id, "supersession", body)
        assert answer.status_code == status, answer.text
        assert answer.json()["state"] == "filed"
    for each in (report_id, answer.json()["id"]):
        hidden = await client.get(f"{URL}/{each}", headers=offices.school.headers)
        assert hidden.status_code == 404
    read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
    assert read["superseded_by"] == answer.json()["id"]
    second = await step(client, offices.school, body["id"], "supersession", a_report())
    assert second.status_code == 201
    other = await step(client, offices.village, report_id, "supersession", a_report())
    assert (other.status_code, other.json()["type"]) == (404, "/problems/report-not-found")


async def test_a_correction_carried_to_another_county_silences_no_alarm(
    client, database, offices
) -> None:
    """The police who were told first have not taken it: their delay is still seen (REP-07)."""
    await some_regions(database, 120117000000, 120117101000)
    far = await police_at(database, 120117101000)
    first = await filed(client, offices.school)
    body = a_report(region_code="120117101000", narrative="误报。")
    answer = await step(client, offices.school, first, "supersession", body)
    await delivered(database, answer.json()["id"], to=far)
    await run_jobs(database)
    relieved = {
        str(row["id"]): row["relieved_at"] for row in await rows(database, "police_reports")
    }
    assert relieved[first] is None


async def sent_to(database) -> set[tuple[str, str]]:
    """Which reports are on their way to whom."""
    return {
        (str(row["ordering_key"]), str(row["agency_id"]))
        for row in await rows(database, "webhook_deliveries")
    }


@pytest.mark.parametrize(
    ("taken", "state"), [(0, "filed"), (1, "filed"), (3, "filed"), (6, "assessed")]
)
@pytest.mark.parametrize("endpoint", [False, True])
async def test_police_that_close_leave_nothing_in_nobodys_hands(
    client, database, settings, offices, taken, state, endpoint
) -> None:
    """Between filing, or passing on, and the end: nobody there can take a step any more. What they
    did stays done; who has it now tells the township of it (REP-14).
    """
    county = await a_caller(database, settings, "police", COUNTY)
    if endpoint:
        await an_endpoint(database, county.agency_id, COUNTY)
    report_id = await filed(client, offices.school)
    for nth, (path, body, _) in enumerate([*BY_POLICE, *BY_TOWNSHIP][:taken]):
        who = offices.police if nth < len(BY_POLICE) else offices.township
        done = await step(client, who, report_id, path, body)
        assert done.status_code == 201, done.text
    async with database.begin(SYSTEM) as tx:
        closed = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(closed, offices.police.agency_id)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    read = await client.get(f"{URL}/{report_id}", headers=county.headers)
    assert read.status_code == 200, read.text
    assert (read.json()["state"], read.json()["routing"], read.json()["party"]) == (
        state,
        "routed" if endpoint else "no_endpoint",
        "police",
    )
    sent = (report_id, str(county.agency_id)) in await sent_to(database)
    assert sent is endpoint
    body = {**ACCEPT, "police_reference": "另一受案号"}
    assert (await step(client, county, report_id, "acknowledgement", body)).status_code == 201
    read = (await client.get(f"{URL}/{report_id}", headers=county.headers)).json()
    assert (read["handled_at"] is not None) == (taken >= 3)
    if taken == 3:
        told = await step(client, county, report_id, "township-notice", NOTICE)
        assert told.status_code == 201, told.text
        read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert read.json()["state"] == "township_notified"


async def test_who_else_was_told_keeps_what_police_leave_that_close(
    client, database, settings, offices, monkeypatch, now
) -> None:
    """Closing an agency can't take a report away from somebody who had it; its time begins anew.
    Police of the place that come later are in charge, though they have no endpoint (REP-07).
    """
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
    beside = await a_caller(database, settings, "police", NEXT_TOWNSHIP)
    report_id = await filed(client, offices.school)
    body = {"forwarded_at": AT, "police_agency_id": str(beside.agency_id)}
    assert (await step(client, offices.police, report_id, "forwarding", body)).status_code == 201
    [before] = await rows(database, "police_reports")
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=2))
    async with database.begin(SYSTEM) as tx:
        closed = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(closed, offices.police.agency_id)
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    seen = (await client.get(f"{URL}/{report_id}", headers=beside.headers)).json()
    assert (seen["party"], seen["police_agency_id"]) == ("police", None)
    [row] = await rows(database, "police_reports")
    assert row["acknowledge_due_at"] > before["acknowledge_due_at"]
    assert row["former_police"] == [offices.police.agency_id]
    county, province = [
        await a_caller(database, settings, "police", place) for place in (COUNTY, 120000000000)
    ]
    await tick(database, "police_reports.route_waiting")
    for caller in (beside, county, province):
        seen = (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()
        names = ("party", "police_agency_id", "routing")
        in_charge = ("police", str(county.agency_id), "no_endpoint")
        assert tuple(seen[name] for name in names) == in_charge
    assert await states(client, county, "REP-07") == ["open"]


@pytest.mark.parametrize("known", ["no_endpoint", "no_agency"])
async def test_a_correction_carried_to_another_county_leaves_nothing_in_nobodys_hands(
    client, database, settings, known
) -> None:
    """Who waited for police of the place, waits on, and they get it once they are there."""
    await some_regions(database, VILLAGE, 120117000000, 120117101000)
    school = await a_caller(database, settings, "school", TOWNSHIP)
    near = await police_at(database, TOWNSHIP, endpoint=False) if known == "no_endpoint" else None
    first = await filed(client, school)
    far = await police_at(database, 120117101000)
    body = a_report(region_code="120117101000", narrative="误报。")
    second = (await step(client, school, first, "supersession", body)).json()["id"]
    await delivered(database, second, to=far)
    await run_jobs(database)
    [before] = [row for row in await rows(database, "police_reports") if str(row["id"]) == first]
    assert (before["routing"], before["relieved_at"]) == (known, None)
    if near is None:
        near = await police_at(database, TOWNSHIP)
    else:
        await an_endpoint(database, near, TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    assert await sent_to(database) == {(first, str(near)), (second, str(far))}


async def test_what_its_correction_passed_by_in_the_county_waits_on(
    client, database, settings
) -> None:
    await some_regions(database, VILLAGE, NEXT_TOWNSHIP)
    school = await a_caller(database, settings, "school", TOWNSHIP)
    near = await police_at(database, TOWNSHIP, endpoint=False)
    beside = await police_at(database, NEXT_TOWNSHIP)
    first = await filed(client, school)
    body = a_report(region_code=str(NEXT_TOWNSHIP), narrative="在邻镇。")
    second = (await step(client, school, first, "supersession", body)).json()["id"]
    await delivered(database, second, to=beside)
    await run_jobs(database)
    await an_endpoint(database, near, TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})
    assert (first, str(near)) in await sent_to(database)
