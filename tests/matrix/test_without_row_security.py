"""The queries alone keep to the remit: with row-level security out of the way, nothing more shows.

Row-level security repeats the rule (DB-2) and would hide a query that forgot it; so here the app
speaks to the database as a superuser, whom no policy binds.
"""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.settings import Settings
from tests import schema
from tests.conftest import NOW, pinned, undone
from tests.matrix.asking import Theatre, ask, due, mismatches, shown, visible
from tests.matrix.asks import ASKS
from tests.matrix.expectation import ROLES, Answer
from tests.matrix.groups import CALLERS, asked_by
from tests.matrix.stage import a_stage


@pytest.fixture(scope="module")
async def unbound(
    pg: str, database_urls: schema.Urls, settings: Settings, keyring: Keyring
) -> AsyncIterator[db.Database]:
    url = urlsplit(pg)._replace(path=urlsplit(database_urls.app).path).geturl()
    database = db.Database(db.open_engine(url, settings.database), keyring, lambda: NOW)
    yield database
    await database.close()


@pytest.fixture
async def database(unbound: db.Database, keyring: Keyring) -> AsyncIterator[db.Database]:
    async with pinned(unbound, keyring, NOW) as database:
        yield database


@pytest.mark.parametrize(("role", "holder"), CALLERS)
async def test_the_queries_alone_hold(client, database, settings, described, role, holder) -> None:
    theirs = [
        (operation, each)
        for operation, each in asked_by(ASKS, described, (role, holder))
        if operation.scope in ROLES[role]["scopes"]
        and (operation.names or each.names or each.shows)
    ]
    if not theirs:
        return
    stage = await a_stage(database, settings, role, holder)
    theatre = Theatre(client, database, stage, {})
    wrong = []
    for operation, each in theirs:
        if operation.names or each.names:
            # What may be done can be done with row-level security in the way, too.
            hidden = [t for t in stage.targets if due(stage, operation, each, t) is not Answer.DONE]
            wrong += await mismatches(theatre, operation, each, hidden)
        else:
            async with undone(database):
                answer = await ask(client, operation, each, stage.targets[0], stage.headers())
            if shown(answer, stage, each) != visible(stage, each):
                wrong.append(f"{operation.id} shows something else")
    assert not wrong, "\n".join(["", *wrong])
