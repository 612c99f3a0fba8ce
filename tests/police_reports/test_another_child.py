"""A report that its reporter corrects to be about another child is no longer one about the first:
its file shows it no more, its people are told what was withdrawn, the history stays.
"""

from typing import Any

import pytest

from tests.jobs import run_jobs
from tests.police_reports.factories import rows
from tests.police_reports.test_chain import ASSESS, DISPOSE, step
from tests.police_reports.test_chain_of_corrections import corrected
from tests.police_reports.test_parties import (  # noqa: F401
    NEXT_VILLAGE,
    child,
    home,
    lives_in,
    next_home,
    of_child,
    offices,
    status,
    told,
)
from tests.police_reports.test_taken_back import identified, read

# ruff: noqa: F811


@pytest.fixture
async def other(database, offices) -> Any:
    return await lives_in(database, NEXT_VILLAGE)


async def test_the_first_childs_file_loses_it_and_its_people_are_told(
    client, database, offices, home, next_home, child, other
) -> None:
    first = await of_child(client, offices, child)
    second = await corrected(client, offices.school, first, child_id=str(child.id))
    await step(client, offices.police, second, "dispositions", DISPOSE)
    await step(client, home, second, "assessment", ASSESS)
    last = await corrected(client, offices.school, second, child_id=str(other.id))
    assert home.agency_id in await told(database, "identification_withdrawn")
    await run_jobs(database)
    for report_id in (first, second):
        assert await status(client, home, report_id) == 404
        seen = await read(client, offices.county, report_id)
        assert seen["child_id"] is None
        taken = {each["step"]: each for each in seen["steps"]}
        assert taken["identification_withdrawn"]["details"]["child_id"] == str(child.id)
    assert {"disposed", "assessed"} <= taken.keys(), "what was done stays in its history"
    assert await status(client, home, last) == 404
    assert (await read(client, next_home, last))["child_id"] == str(other.id)
    asked = [row["state"] for row in await rows(database, "unresolved") if row["kind"] == "report"]
    assert "open" not in asked, "it is known whose the last is"
    back = await corrected(client, offices.school, last, child_id=str(child.id))
    assert (await read(client, home, back))["child_id"] == str(child.id)
    assert await status(client, next_home, last) == 404


async def test_whom_a_person_identified_only_a_person_takes_back(
    client, database, offices, home, child, other
) -> None:
    first = await identified(client, offices, child)
    await corrected(client, offices.school, first, child_id=str(other.id))
    assert (await read(client, home, first))["child_id"] == str(child.id)


@pytest.mark.parametrize("fields", [{}, {"child_id": "01995f3c-7a10-7c55-8a41-5d0e2f6b9c91"}])
async def test_a_correction_that_names_no_other_file_leaves_it(
    client, database, offices, home, child, fields
) -> None:
    first = await of_child(client, offices, child)
    last = await corrected(client, offices.school, first, **fields)
    for report_id in (first, last):
        assert (await read(client, home, report_id))["child_id"] == str(child.id)
