"""The queries alone keep to the remit: with row-level security out of the way, nothing more shows.

Row-level security repeats the rule (DB-2) and would hide a query that forgot it; so here the app
speaks to the database as a superuser, whom no policy binds.
"""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from app.api import openapi
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.settings import Settings
from tests import schema
from tests.conftest import NOW, PinnedDatabase
from tests.matrix.asking import ask, mismatches, shown, undone, visible
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import ROLES
from tests.matrix.stage import a_stage


@pytest.fixture
async def database(
    pg: str, database_urls: schema.Urls, settings: Settings, keyring: Keyring
) -> AsyncIterator[db.Database]:
    url = urlsplit(pg)._replace(path=urlsplit(database_urls.app).path).geturl()
    engine = db.open_engine(url, settings.database)
    async with db.Database(engine, keyring, lambda: NOW).lane() as lane:
        outer = lane.raw.transaction()
        await outer.start()
        yield PinnedDatabase(lane, keyring, lambda: NOW)
        await outer.rollback()
    await engine.dispose()


@pytest.fixture(scope="module")
def described(app: FastAPI) -> dict[str, Operation]:
    return operations(openapi.document(app))


@pytest.mark.parametrize("role", ROLES)
async def test_the_queries_alone_hold(client, database, settings, described, role) -> None:
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    wrong = []
    for each in ASKS:
        operation = described[each.operation]
        if operation.scope not in ROLES[role]["scopes"]:
            continue
        if operation.names or each.names:
            wrong += await mismatches(client, database, stage, operation, each, stage.targets)
        elif each.shows:
            async with undone(database):
                answer = await ask(client, operation, each, stage.targets[0], stage.headers())
            if shown(answer, stage, each) != visible(stage, each):
                wrong.append(f"{operation.id} shows something else")
    assert not wrong, "\n".join(["", *wrong])
