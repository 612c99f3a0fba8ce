"""What is not done with an account as it stands, and what is done instead."""

import pytest

from tests.access.approving import problem
from tests.access.apps import a_person
from tests.access.factories import Caller, a_caller


@pytest.fixture
async def operator(database, settings) -> Caller:
    return await a_caller(database, settings, "operator", 0, machine=False)


@pytest.mark.parametrize(
    ("stands", "asked", "instead"),
    [
        ("suspension", "invitation", "resumeStaff"),
        ("suspension", "second-factor-reset", "resumeStaff"),
        ("suspension", "suspension", "resumeStaff"),
        ("suspension", "device-code", "resumeStaff"),
        ("end", "invitation", "createStaff"),
        ("end", "second-factor-reset", "createStaff"),
        ("end", "suspension", "createStaff"),
        ("end", "device-code", "createStaff"),
        ("end", "end", "createStaff"),
    ],
)
async def test_whoever_is_suspended_or_gone_gets_no_code_and_is_not_ended_twice(
    client, database, unique, operator, stands, asked, instead
) -> None:
    """What is refused names what brings them back."""
    person = await a_person(database, unique)
    url = f"/v1/staff/{person.staff_id}"
    before = await client.post(f"{url}/{stands}", headers=operator.headers)
    assert before.status_code == 200, before.text
    refused = await client.post(f"{url}/{asked}", headers=operator.headers)
    assert problem(refused) == (409, "staff-state-differs")
    assert f"`{instead}`" in refused.json()["detail"]
    shown = await client.get(url, headers=operator.headers)
    assert shown.json()["state"] == before.json()["state"]
    assert shown.json()["open_invitation"] is None
