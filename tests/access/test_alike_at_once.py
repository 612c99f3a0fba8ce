"""Two who do at one moment what is done once are answered each, and never by a fault of ours."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.access import bearers, queries
from app.core.data.db import SYSTEM
from tests.access.apps import Holder, a_machine, a_person
from tests.access.test_devices import _code, _enrol
from tests.at_once import at_once, behind
from tests.conftest import calling


@pytest.fixture
async def two(app, settings, patient):
    """Two machines over one database."""
    async with calling(app, settings, patient) as one, calling(app, settings, patient) as other:
        yield one, other


async def test_one_key_is_enrolled_for_one_of_two_people(
    two, patient, database_urls, unique
) -> None:
    first, second = Holder(), Holder()
    second.key, second.jwk, second.thumbprint = first.key, first.jwk, first.thumbprint
    people = [await a_person(patient, f"{unique}{n}") for n in range(2)]
    codes = [await _code(patient, each) for each in people]
    for client, holder in zip(two, (first, second), strict=True):
        await _enrol(client, holder, "for the nonce")
    answers = await at_once(
        patient,
        database_urls.owner,
        lambda: _enrol(two[0], first, codes[0]),
        lambda: _enrol(two[1], second, codes[1]),
    )
    assert [answer.status_code for answer in answers] == [201, 400], answers[1].text
    assert "This key is enrolled" in answers[1].text
    assert (await _enrol(two[1], Holder(), codes[1])).status_code == 201, "the code is not spent"


async def test_a_client_has_one_exception_of_two_at_once(patient, now) -> None:
    client_id = (await a_machine(patient)).client_id

    async def allow(days: int) -> UUID:
        async with patient.begin(SYSTEM) as tx:
            client = await queries.usable_client(tx, str(client_id))
            until = now + timedelta(days=days)
            made = await bearers.allow(tx, client, reason="x", given_by="staff:x", until=until)
        return made.id

    held = f"SELECT FROM clients WHERE id = '{client_id}' FOR UPDATE"
    answers = await behind(patient, held, lambda: allow(1), lambda: allow(2))
    async with patient.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT id, ended_at FROM bearer_exceptions")
    assert {row["id"] for row in rows} == {*answers}
    assert sum(row["ended_at"] is None for row in rows) == 1
