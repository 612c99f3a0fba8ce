"""The child's own township is always a party: a notice to that of the wrong child is none, nor is
one to whom the report speaks against.
"""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.children.factories import a_child
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, a_report, filed
from tests.police_reports.test_chain import ACCEPT, ASSESS, DISPOSE, NOTICE, step
from tests.police_reports.test_charge import owing
from tests.police_reports.test_parties import (  # noqa: F401
    child,
    home,
    next_home,
    offices,
)
from tests.police_reports.test_taken_back import WRONG, identified, read

# ruff: noqa: F811


@pytest.mark.parametrize("of_place", [False, True])
async def test_the_notice_to_the_township_of_the_wrong_child_is_owed_anew(
    client, database, offices, home, child, monkeypatch, of_place
) -> None:
    """Unless the township that was told is that of the place, too, who is told in any case."""
    wrong = await a_child(database, VILLAGE) if of_place else child
    told = offices.township if of_place else home
    report_id = await identified(client, offices, wrong, await filed(client, offices.school))
    for path, body in (("acknowledgement", ACCEPT), ("dispositions", DISPOSE)):
        assert (await step(client, offices.police, report_id, path, body)).status_code == 201
    assert (await step(client, offices.police, report_id, "township-notice", NOTICE)).is_success
    assert (await step(client, told, report_id, "assessment", ASSESS)).status_code == 201
    await run_jobs(database)
    assert ("REP-14", "discharged") in await owing(client, offices.police)
    await step(client, offices.police, report_id, "child/withdrawal", WRONG)
    await run_jobs(database)
    right = child if of_place else await a_child(database, VILLAGE)
    await identified(client, offices, right, report_id)
    await run_jobs(database)
    seen = await read(client, offices.police, report_id)
    owed = ("REP-14", "discharged" if of_place else "open")
    assert owed in await owing(client, offices.police)
    assert (seen["township_agency_id"] is None) is not of_place
    if of_place:
        return
    later = database.clock() + timedelta(days=3)
    with monkeypatch.context() as patched:
        patched.setattr(database, "clock", lambda: later)
        async with database.begin(SYSTEM) as tx:
            await mark_overdue(tx)
    assert ("REP-14", "overdue") in await owing(client, offices.police)
    again = {**NOTICE, "content": "已告知正确的乡镇。"}
    assert (await step(client, offices.police, report_id, "township-notice", again)).is_success
    await run_jobs(database)
    assert ("REP-14", "discharged") in await owing(client, offices.police)
    seen = await read(client, offices.police, report_id)
    assert seen["township_agency_id"] == str(offices.township.agency_id)


@pytest.mark.parametrize("said", [None, "乡里的人"])
async def test_the_notice_to_a_township_that_is_accused_later_is_owed_to_another(
    client, database, offices, said
) -> None:
    """By its id, or by words that may mean it."""
    report_id = await filed(client, offices.school)
    for path, body in (
        *(("acknowledgement", ACCEPT), ("dispositions", DISPOSE)),
        ("township-notice", NOTICE),
    ):
        assert (await step(client, offices.police, report_id, path, body)).is_success
    await run_jobs(database)
    assert ("REP-14", "discharged") in await owing(client, offices.police)
    accused = a_report(suspect_agency_id=said or str(offices.township.agency_id))
    corrected = await step(client, offices.school, report_id, "supersession", accused)
    assert corrected.status_code == 201, corrected.text
    await run_jobs(database)
    assert ("REP-14", "open") in await owing(client, offices.police)
    more = {**DISPOSE, "details": "补记"}
    assert (await step(client, offices.police, report_id, "dispositions", more)).is_success
    await run_jobs(database)
    assert ("REP-14", "open") in await owing(client, offices.police), "they told the accused alone"
    again = {**NOTICE, "content": "已告知区民政局。"}
    assert (await step(client, offices.police, report_id, "township-notice", again)).is_success
    await run_jobs(database)
    assert ("REP-14", "discharged") in await owing(client, offices.police)
    seen = await read(client, offices.police, report_id)
    assert seen["township_agency_id"] == str(offices.county.agency_id)
