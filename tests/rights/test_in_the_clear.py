"""Codes that a release before left in the clear are erased with the child, or nothing is."""

from typing import Final
from uuid import UUID

import orjson
import pytest

from app.core.data.db import SYSTEM
from app.core.data.envelopes import of_child, owner_of
from app.core.jobs import events
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, rows
from tests.rights.factories import post, problem
from tests.rights.test_erasing import approved, child_id, erased, granted
from tests.visits.factories import a_visit, something_wrong
from tests.webhooks.workshop import an_endpoint

__all__ = ["approved", "child_id", "erased", "granted"]

CODE: Final = "domestic_violence"
TOLD_OF: Final = {
    "child": "children.child_registered",
    "visit": "visits.abnormal_finding",
    "referral": "referrals.child_referred",
}
"""An event of each kind of subject that one that tells of a case may have."""


@pytest.fixture
async def known(client, database, settings, offices, child_id):
    """Have something told of the child in each way, and everybody it concerns done with it."""
    await an_endpoint(
        database, offices.township.agency_id, "http://127.0.0.1:9", event_types=("visits.*",)
    )
    await a_caller(database, settings, "hospital", COUNTY)
    found = something_wrong(type="distress", refer_to=["hospital"])
    visit = a_visit(child_id, visited_on="2026-09-01", findings=[found])
    assert (await post(client, offices.village, "/visits", visit)).status_code == 201
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE referrals SET state = 'cancelled'")
        await tx.connection.execute("UPDATE dropout_alerts SET ended_on = '2026-09-02'")


async def replaced(database, row, **new):
    """Put another event in the place of one, as the app may."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM events WHERE id = $1", row["id"])
        kept = {name: said for name, said in {**row, **new}.items() if name != "n"}
        places = ", ".join(f"${n}" for n, _ in enumerate(kept, 1))
        sql = f"INSERT INTO events ({', '.join(kept)}) VALUES ({places})"
        json = {name: orjson.dumps(kept[name]).decode() for name in ("data", "told_to")}
        kept |= {name: said for name, said in json.items() if kept[name] is not None}
        await tx.connection.execute(sql, *kept.values())


@pytest.mark.parametrize("subject", TOLD_OF)
async def test_an_event_in_the_clear_is_sealed_first(
    database, known, granted, approved, subject
) -> None:
    """The app may not change what it told: whoever owns the tables does."""
    erase = await approved(await granted())
    told = [each for each in await rows(database, "events") if each["codes_sealed"]]
    row = next(each for each in told if each["wire_name"] == TOLD_OF[subject])
    assert all(CODE not in each["data"] for each in told)
    data = {**row["data"], "added": [CODE]}
    await replaced(database, row, data=data, codes_sealed=None)
    assert problem(await erase()) == (409, "not-sealed-yet")
    await replaced(database, row)
    assert (await erase()).status_code == 200


async def test_what_may_be_changed_goes_along(database, child_id, known, granted, approved) -> None:
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        in_the_clear = "UPDATE referrals SET needs = $1, needs_sealed = NULL"
        await tx.connection.execute(in_the_clear, [CODE])
        of = "wire_name = 'visits.abnormal_finding'"
        body = orjson.dumps({"data": {"child_id": child_id, "types": [CODE]}})
        await tx.connection.execute(f"UPDATE webhook_deliveries SET body = $1 WHERE {of}", body)
    assert (await erase()).status_code == 200
    referrals = await rows(database, "referrals")
    told = await rows(database, "webhook_deliveries")
    told = [each["body"] for each in told if each["wire_name"] == TOLD_OF["visit"]]
    assert referrals
    assert told
    assert [each["needs"] for each in referrals] == [[]] * len(referrals)
    sealed = [*told, *(each["needs_sealed"] for each in referrals)]
    assert {owner_of(each) for each in sealed} == {of_child(UUID(child_id))}


@pytest.mark.usefixtures("known")
async def test_what_no_key_opens_is_not_left_behind(database, granted, approved) -> None:
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        spoilt = "UPDATE webhook_deliveries SET body = $1 WHERE wire_name = $2"
        await tx.connection.execute(spoilt, b"\x01nono", TOLD_OF["visit"])
    assert problem(await erase()) == (409, "not-sealed-yet")


def test_whatever_tells_of_a_case_is_about_what_is_looked_for() -> None:
    subjects = {kind.subject for kind in events.kinds().values() if kind.of_case}
    assert subjects == {*TOLD_OF}
