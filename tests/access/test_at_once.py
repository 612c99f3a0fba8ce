"""What comes twice at one moment counts once (TOK-6, TOK-7); each guess counts (TOK-10)."""

import asyncio
import threading

import asyncpg
import pytest

from app.access import passwords
from app.access.accounts import try_factor
from app.access.sign_in import Compared, check_password
from app.core.data.db import SYSTEM
from tests.access.apps import (
    a_person,
    an_app,
    an_authenticator,
    answer_of,
    exchange,
    pkce,
    refresh,
    sign_in,
    signed_in,
)
from tests.at_once import at_once, behind
from tests.conftest import calling
from tests.waiting import until


def _compared(stored: str | None, *, right: bool) -> Compared:
    return Compared(stored, right=right, known=None, network=b"somewhere")


@pytest.fixture
async def emptied(live_database, database_urls):
    """The live database, emptied afterwards of what this module puts into it."""
    yield live_database
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("SELECT set_config('tonghu.caller', 'system', false)")
    for table in (
        "refresh_tokens",
        "authorization_codes",
        "sign_ins",
        "devices",
        "device_codes",
        "clients",
        "invitations",
        "sign_in_places",
        "staff_accounts",
        "post_holdings",
        "posts",
        "staff",
        "agencies",
        "regions",
        "audit_entries",
    ):
        await owner.execute(f"DELETE FROM {table}")
    await owner.close()


async def test_parallel_refreshes_have_one_successor(
    app, settings, emptied, database_urls, unique
) -> None:
    await a_person(emptied, unique)
    async with calling(app, settings, emptied) as http:
        phone, issued = await signed_in(http, emptied, unique)

        async def again():
            return await refresh(http, phone, issued["refresh_token"])

        answers = await at_once(emptied, database_urls.owner, again, again)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    async with emptied.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM refresh_tokens") == 2


async def test_of_two_who_spend_a_code_one_has_tokens(
    app, settings, emptied, database_urls, unique
) -> None:
    await a_person(emptied, unique)
    phone = await an_app(emptied)
    verifier, challenge = pkce()
    async with calling(app, settings, emptied) as http:
        code = answer_of(await sign_in(http, phone, challenge, unique))["code"]

        async def spend():
            return await exchange(http, phone, code, verifier)

        answers = await at_once(emptied, database_urls.owner, spend, spend)
    assert [answer.status_code for answer in answers] == [200, 400]


async def test_guesses_at_one_moment_count_one_by_one(emptied, unique) -> None:
    await a_person(emptied, unique)

    async def guess():
        async with emptied.begin() as tx:
            return await check_password(tx, unique, _compared(None, right=False))

    held = "SELECT FROM staff_accounts FOR UPDATE"
    assert await behind(emptied, held, guess, guess) == [None, None]
    async with emptied.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT failed_attempts FROM staff_accounts") == 2


async def test_a_code_of_the_second_factor_counts_once(emptied, unique) -> None:
    person = await a_person(emptied, unique)
    code = (await an_authenticator(emptied, person.staff_id)).code(emptied.clock())

    async def use():
        async with emptied.begin(SYSTEM) as tx:
            return (await try_factor(tx, person.staff_id, code, known=False)).right

    assert await behind(emptied, "SELECT FROM staff_accounts FOR UPDATE", use, use) == [True, False]


async def test_a_right_one_waits_for_the_guesses_before_it(emptied, unique) -> None:
    await a_person(emptied, unique)
    async with emptied.begin(SYSTEM) as tx:
        stored = await tx.connection.fetchval("SELECT password_hash FROM staff_accounts")

    async def right():
        async with emptied.begin() as tx:
            return await check_password(tx, unique, _compared(stored, right=True))

    (person,) = await behind(emptied, "SELECT FROM staff_accounts FOR UPDATE", right)
    assert person is not None


async def test_no_connection_is_held_while_a_password_is_compared(
    app, settings, emptied, unique
) -> None:
    await a_person(emptied, unique)
    phone = await an_app(emptied)
    begun, go_on = threading.Event(), threading.Event()

    def keep_busy() -> None:
        begun.set()
        go_on.wait()

    async with calling(app, settings, emptied) as http:
        passwords._THREAD.submit(keep_busy)
        await until(begun.is_set)
        signing_in = asyncio.ensure_future(sign_in(http, phone, pkce()[1], unique))
        try:
            await until(lambda: passwords._THREAD._work_queue.qsize() == 1)
            assert emptied.engine.pool.checkedout() == 0
        finally:
            go_on.set()
        assert (await signing_in).status_code == 303


async def test_what_was_compared_before_the_account_changed_is_worth_nothing(
    emptied, unique
) -> None:
    await a_person(emptied, unique)
    column = "SELECT password_hash FROM staff_accounts"
    async with emptied.begin(SYSTEM) as tx:
        stored = await tx.connection.fetchval(column)
        assert await check_password(tx, unique, _compared("another", right=True)) is None
        right = _compared(stored, right=True)
        assert await check_password(tx, unique, right) is not None
        for _ in range(5):
            await check_password(tx, unique, _compared(stored, right=False))
        assert await check_password(tx, unique, right) is None


async def test_a_name_that_nobody_has_takes_the_same_work(monkeypatch) -> None:
    compared = []

    class Hasher:
        def verify(self, stored: str, _: str) -> bool:
            compared.append(stored)
            return True

        def hash(self, _: str) -> str:
            return "nobody's"

    monkeypatch.setattr(passwords, "_HASHER", Hasher())
    passwords._nobodys.cache_clear()
    assert [await passwords.matches(stored, "x") for stored in ("somebody's", None)] == [
        True,
        False,
    ]
    passwords._nobodys.cache_clear()
    assert compared == ["somebody's", "nobody's"]
