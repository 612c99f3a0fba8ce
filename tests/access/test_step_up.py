"""Power is used by who is there now: signed in afresh with two factors (RFC 9470), and working."""

import pytest

from app.access import queries, tokens
from app.core.data.db import SYSTEM
from tests.access.approving import (
    PATH,
    STATION,
    a_machine_of,
    approved,
    code,
    create,
    decide,
    problem,
    propose,
)
from tests.access.apps import Holder
from tests.access.factories import keys_of, signed_in_before
from tests.conftest import calling

STALE = (401, "step-up-required")


async def test_proposing_deciding_and_using_take_a_fresh_sign_in(
    client, database, operators
) -> None:
    one, two = operators
    await signed_in_before(database, one, minutes=11)
    assert problem(await propose(client, one, "createAgency", PATH, STATION)) == STALE
    await signed_in_before(database, one, minutes=10)
    made = (await propose(client, one, "createAgency", PATH, STATION)).json()["id"]
    await signed_in_before(database, two, minutes=11)
    assert problem(await decide(client, two, made)) == STALE
    await signed_in_before(database, two)
    assert (await decide(client, two, made)).status_code == 200
    await signed_in_before(database, one, minutes=11)
    assert problem(await create(client, one)) == (403, "approval-required"), "told what it takes"
    assert problem(await create(client, one, approval=made)) == STALE
    await signed_in_before(database, one)
    assert (await create(client, one, approval=made)).status_code == 201


async def test_nor_is_what_was_done_told_again(client, database, operators) -> None:
    """The answer holds a secret."""
    one, two = operators
    made = await approved(client, one, two, "createAgency", PATH, STATION)
    key = {"idempotency-key": "one", "approval": made}
    assert (await create(client, one, **key)).status_code == 201
    await signed_in_before(database, one, minutes=11)
    assert problem(await create(client, one, **key)) == STALE


async def test_with_two_factors_where_they_are_asked_for(
    app, settings, database, operators
) -> None:
    one, two = operators
    told = settings.model_copy(update={"second_factor": True})
    async with calling(app, told, database) as client:
        for who in (one, two):
            await signed_in_before(database, who, factors=["pwd"])
        assert problem(await propose(client, one, "createAgency", PATH, STATION)) == STALE
        await signed_in_before(database, one, factors=["pwd", "otp"])
        made = (await propose(client, one, "createAgency", PATH, STATION)).json()["id"]
        assert problem(await decide(client, two, made)) == STALE
        await signed_in_before(database, two, factors=["pwd", "hwk"])
        assert (await decide(client, two, made)).status_code == 200
        await signed_in_before(database, one, factors=["pwd"])
        assert problem(await create(client, one, approval=made)) == STALE
        await signed_in_before(database, one, factors=["pwd", "otp"])
        assert (await create(client, one, approval=made)).status_code == 201


async def test_taking_away_waits_for_nothing(client, database, operators) -> None:
    one, two = operators
    machine = await a_machine_of(client, database, one, two)
    made = (await propose(client, one, "createAgency", PATH, STATION | {"name": "另一所"})).json()
    for who in operators:
        await signed_in_before(database, who, minutes=300, factors=["pwd"])
    taken = await client.post(f"/v1/clients/{machine}/suspension", headers=one.headers)
    assert taken.status_code == 200
    back = await client.post(f"/v1/approvals/{made['id']}/withdrawal", headers=one.headers)
    assert back.status_code == 200


async def test_the_challenge_is_in_the_scheme_of_the_token(
    client, settings, database, operators
) -> None:
    """RFC 9470 §3; a token that is bound to a key is challenged as DPoP (RFC 9449 §7.1)."""
    one, _ = operators
    await signed_in_before(database, one, minutes=11)
    holder = Holder()
    bound = tokens.issue(
        keys_of(database, settings),
        **one.claims,
        now=database.clock(),
        seconds=300,
        key=holder.thumbprint,
    )
    await holder.ask(client, "GET", "/v1/me", bound)
    said = {"operation": "createAgency", "path": PATH, "body": STATION, "reason": "合成记录。" * 4}
    headers = holder.headers("POST", "/v1/approvals", bound)
    answer = await client.post("/v1/approvals", json=said, headers=headers)
    assert problem(answer) == STALE
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('DPoP realm="tonghu", error="insufficient_user_authentication"')
    assert 'max_age="600"' in challenge


GONE = [
    "UPDATE staff_accounts SET active = false WHERE staff_id = $1",
    "UPDATE staff SET active = false WHERE id = $1",
]


@pytest.mark.parametrize("how", GONE)
async def test_who_decided_and_is_suspended_since_lets_nothing_through(
    client, database, operators, how
) -> None:
    one, two = operators
    made = await approved(client, one, two, "createAgency", PATH, STATION)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(how, two.subject_id)
    assert code(await create(client, one, approval=made)) == "approver_left"


@pytest.mark.parametrize("how", GONE)
async def test_who_is_suspended_neither_proposes_decides_nor_uses(
    client, database, operators, how
) -> None:
    one, two = operators
    made = (await propose(client, one, "createAgency", PATH, STATION)).json()["id"]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(how, two.subject_id)
    assert (await decide(client, two, made)).status_code == 401
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(how, one.subject_id)
    assert (await propose(client, one, "createAgency", PATH, STATION)).status_code == 401
    assert (await create(client, one, approval=made)).status_code == 401


async def test_whoever_is_nobody_is_left_with_no_reach(settings, database, operators) -> None:
    """To find out whether an account is active it must be seen, for that moment alone."""
    one, _ = operators
    claims = tokens.verify(keys_of(database, settings), one.token, now=database.clock())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(GONE[0], one.subject_id)
    async with database.begin() as tx:
        assert await queries.open_reach(tx, claims, relation="none") is None
        assert await tx.connection.fetchval("SELECT count(*) FROM staff_accounts") == 0
        assert await tx.connection.fetchval("SELECT count(*) FROM staff") == 0
