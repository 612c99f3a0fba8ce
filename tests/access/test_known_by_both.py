"""What was written by the index key of before is known again while that is there (DB-5)."""

from datetime import timedelta

import pytest

from app.access.dpop import Nonces
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.regions.rules import lineage
from tests.access.approving import PATH, STATION, approved, code, create
from tests.access.apps import (
    PASSWORD,
    Form,
    a_person,
    an_app,
    an_authenticator,
    authorization,
    pkce,
)
from tests.access.test_second_factor import DESK, _at_code
from tests.children.factories import a_file
from tests.confirmations.matrix import a_confirmation
from tests.conftest import VILLAGE
from tests.index_keys import rotate
from tests.police_reports.factories import a_report, the_offices
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit


@pytest.fixture
async def places(database) -> None:
    await some_regions(database, *lineage(VILLAGE))


@pytest.mark.parametrize("write", [a_visit, a_confirmation])
async def test_what_is_sent_again(client, database, director, child, places, write) -> None:
    place = {"a_visit": "visits", "a_confirmation": "confirmations"}[write.__name__]
    sent = {"json": write(child.id), "headers": director.headers}
    first = await client.post(f"/v1/{place}", **sent)
    assert first.status_code == 201, first.text
    rotate(database)
    again = await client.post(f"/v1/{place}", **sent)
    assert (again.status_code, again.json()) == (200, first.json())
    later = await client.post(f"/v1/{place}", json=write(child.id), headers=director.headers)
    assert later.status_code == 201


async def test_a_file_that_was_referred(client, database, settings, director, places) -> None:
    await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
    opened = {"json": a_file(VILLAGE, id=str(new_id())), "headers": director.headers}
    first = await client.post("/v1/children", **opened)
    rotate(database)
    again = await client.post("/v1/children", **opened)
    assert (again.status_code, again.headers["location"]) == (409, first.headers["location"])


async def test_a_report_one_beside_it_and_steps(client, database, settings) -> None:
    offices = await the_offices(database, settings)
    school, police = offices.school.headers, offices.police.headers
    report = a_report(id=str(new_id()))
    filed = (await client.post("/v1/police-reports", json=report, headers=school)).json()
    place = f"/v1/police-reports/{filed['id']}"
    other = {**report, "narrative": "又一件事。"}
    beside = (await client.post("/v1/police-reports", json=other, headers=school)).json()
    assert beside["id"] != report["id"]
    step = {"id": str(new_id()), "dispatched_at": "2026-11-20T01:00:00Z", "unit": "一组"}
    taken = await client.post(f"{place}/dispatch", json=step, headers=police)
    assert taken.status_code == 201, taken.text
    two = {**step, "unit": "二组"}
    own = await client.post(f"{place}/dispatch", json=two, headers=police)
    assert own.status_code == 201, own.text
    rotate(database)
    for body, was in ((report, filed), (other, beside)):
        again = await client.post("/v1/police-reports", json=body, headers=school)
        assert (again.status_code, again.json()["id"]) == (200, was["id"])
    for said, first in ((step, taken), (two, own)):
        again = await client.post(f"{place}/dispatch", json=said, headers=police)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


async def test_an_approval(client, database, operators) -> None:
    one, two = operators
    approval = await approved(client, one, two, "createAgency", PATH, STATION)
    other = await approved(client, one, two, "createAgency", PATH, {**STATION, "name": "二"})
    rotate(database)
    assert code(await create(client, one, approval=other)) == "approval_for_another_request"
    assert (await create(client, one, approval=approval)).status_code == 201


async def test_who_rests_here_rests_on(client, database, now, unique) -> None:
    await a_person(database, unique)
    app, (_, challenge) = await an_app(database), pkce()
    form = Form(await client.get("/oauth/authorize", params=authorization(app, challenge)))
    wrong = {**form.fields, "username": unique, "password": "wrong"}
    for _ in range(5):
        await client.post(form.action, data=wrong)
    rotate(database)
    right = {**wrong, "password": PASSWORD}
    assert (await client.post(form.action, data=right)).status_code == 400
    database.clock = lambda: now + timedelta(seconds=31)
    assert (await client.post(form.action, data=right)).status_code == 303
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM sign_in_places") == 1


async def test_a_code_on_paper(client, database, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    rotate(database)
    browser = await _at_code(client, app, challenge, unique)
    assert (await browser.send(code=phone.paper[3])).status_code == 303
    again = await _at_code(client, app, challenge, unique)
    assert (await again.send(code=phone.paper[3])).status_code == 400


def test_a_nonce_but_none_of_a_process_with_wrong_keys(database) -> None:
    before = Nonces(database.keyring)
    rotate(database)
    ring = database.keyring
    now = Nonces(ring)
    assert now.made_at(before.current(1_000)) == 1_000
    assert now.current(1_000) != before.current(1_000)
    lesser = [each.index for each in ring.each_at_intake()][len(ring.index) :]
    wrong = Keyring.for_intake({kid: key for each in lesser for kid, key in each.items()}, {})
    its = Nonces(wrong).current(1_000)
    assert Nonces(wrong).made_at(its) == 1_000
    assert now.made_at(its) is None
