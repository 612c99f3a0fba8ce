"""Each caller on a stage made once, which everything in this folder asks in turn."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.data.replica import Answer, Ask, Standing
from app.core.settings import Settings
from tests.conftest import NOW, calling, pinned
from tests.matrix.asking import Theatre
from tests.matrix.groups import CALLERS
from tests.matrix.stage import a_stage


class _ReadsOnly:
    """In the place of a replica: the request's own transaction, in which nothing can be written or
    locked as long as the endpoint reads, and which sees what a replica would be told to show.
    """

    standing = Standing.used

    async def read(self, tx: db.Tx, reach: db.Reach, ask: Ask[Answer]) -> tuple[Answer, Standing]:
        for name, value in reach.settings.items():
            shown = await tx.connection.fetchval("SELECT current_setting($1)", f"tonghu.{name}")
            assert shown == str(value), name
        await tx.connection.execute("SAVEPOINT reading; SET LOCAL transaction_read_only = on")
        try:
            return await ask(tx), Standing.used
        finally:
            await tx.connection.execute("ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading")


@pytest.fixture(
    scope="package",
    params=[pytest.param(each, marks=pytest.mark.xdist_group("-".join(each))) for each in CALLERS],
    ids="-".join,
)
async def theatre(
    request: pytest.FixtureRequest,
    app: FastAPI,
    settings: Settings,
    pool: db.Database,
    keyring: Keyring,
) -> AsyncIterator[Theatre]:
    """Every caller in turn on a stage of their own.

    Its transaction stays open between tests: nothing in this folder uses another database.
    """
    role, holder = request.param
    async with (
        pinned(pool, keyring, NOW) as database,
        calling(app, settings, database, replica=_ReadsOnly()) as client,
    ):
        yield Theatre(client, database, await a_stage(database, settings, role, holder), {})
