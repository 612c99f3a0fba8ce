"""What is asked at the door looks at what is asked for, however much lies beside it: of guesses at
one name from many networks, and of what one person had open in years.
"""

import asyncpg
import pytest

from app.access import accounts, devices, guessing, queries, sign_in
from app.access.sign_in import Compared, limits
from app.core.data.db import SYSTEM, Database
from app.core.http.cursors import Cursors
from app.core.http.paging import Window
from tests.access.apps import a_person, refresh, signed_in
from tests.conftest import NOW, calling, pinned
from tests.plans.judging import Watch, open_watched

MANY = 6_000
LOOKED_AT = 500
GUESSED = """
INSERT INTO sign_in_places (name_index, network_index, failures, failed_at, seen_at)
SELECT $1, sha256(n::text::bytea), 1, $2::timestamptz - interval '2 hours', $2
FROM generate_series(1, $3) n
"""
LONG_OVER = """
WITH over AS (
    INSERT INTO sign_ins (id, staff_id, client_id, holding_id, scope, started_at, ends_at)
    SELECT gen_random_uuid(), s.staff_id, s.client_id, s.holding_id, s.scope,
        s.started_at - n * interval '1 hour', $1::timestamptz - n * interval '1 hour'
    FROM (SELECT * FROM sign_ins ORDER BY id LIMIT 1) s, generate_series(1, $2) n RETURNING id
)
INSERT INTO refresh_tokens (token_hash, sign_in_id, issued_at)
SELECT sha256(id::text::bytea), id, $1 FROM over
"""


@pytest.fixture
async def person(app, settings, live_database, keyring, database_urls, unique):
    """Somebody who signed in very often, whose name many guessed."""
    made = await a_person(live_database, unique)
    async with calling(app, settings, live_database) as client:
        phone, issued = await signed_in(client, live_database, unique)
        await refresh(client, phone, issued["refresh_token"])
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(GUESSED, sign_in.name_index(keyring, unique), NOW, MANY)
    await owner.execute(LONG_OVER, NOW, MANY)
    await owner.execute("ANALYZE sign_in_places, sign_ins, refresh_tokens")
    await owner.close()
    return made


@pytest.fixture
async def watched(person, database_urls, settings, keyring):
    pool = Database(open_watched(database_urls.app, settings.database), keyring, lambda: NOW)
    async with pinned(pool, keyring, NOW) as database:
        yield database
    await pool.close()


async def _alarm(tx, person) -> None:
    compared = Compared(None, right=False, known=None, network=b"elsewhere")
    assert not await guessing.sprayed(tx, limits(), person.username, compared)


async def _listed(tx, person) -> None:
    window = Window(Cursors(tx.keyring, lambda: "account"), 100)
    assert len((await queries.open_sign_ins(tx, person.staff_id, window)).rows) == 1


async def _ended(tx, person) -> None:
    assert await accounts.end_sign_ins(tx, person.staff_id) == 1


async def _lost(tx, person) -> None:
    await tx.connection.execute(
        "INSERT INTO devices (id, staff_id, thumbprint, name, enrolled_at, seen_at, lease_until)"
        " VALUES (gen_random_uuid(), $1, 'x', 'x', $2, $2, $2)",
        person.staff_id,
        tx.now,
    )
    await devices.revoke(tx, person.staff_id)


@pytest.mark.parametrize("asked", [_alarm, _listed, _ended, _lost])
async def test_little_is_looked_at(watched, person, asked) -> None:
    async with watched.begin(SYSTEM) as tx:
        watch = watched._pinned.raw.watch = Watch()
        watch.on = True
        await asked(tx, person)
        watch.on = False
        judged = watch.taken()
    assert judged
    much = [(each.looked_at, each.statement[:80]) for each in judged if each.looked_at > LOOKED_AT]
    assert not much
