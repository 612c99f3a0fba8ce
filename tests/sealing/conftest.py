"""What tests of the sealed audit share."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from app.core.settings import Settings
from tests.access.approving import send_by_two
from tests.access.factories import a_caller
from tests.conftest import calling
from tests.sealing import stranger
from tests.sealing.stage import KEY, Log, a_log
from tests.sealing.stranger import Stranger
from tests.sealing.witnesses import COUNTY, WITNESSES, Witness


@pytest.fixture
async def log(live_database, database_urls) -> AsyncIterator[Log]:
    """A log, empty."""
    async with a_log(database_urls.sealer) as log:
        yield log


@pytest.fixture
async def superuser(pg, database_urls) -> AsyncIterator[asyncpg.Connection]:
    """Who may do anything in the database."""
    path = urlsplit(database_urls.app).path
    connection = await asyncpg.connect(urlunsplit(urlsplit(pg)._replace(path=path)))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def client(app, settings: Settings, live_database):
    async with calling(app, settings, live_database) as http:
        yield http


@pytest.fixture
async def operators(live_database, settings):
    one = await a_caller(live_database, settings, "operator", 0)
    two = await a_caller(live_database, settings, "operator", 0, agency_id=one.agency_id)
    return one, two


@pytest.fixture
async def two(client, live_database, settings, operators) -> list[Witness]:
    """The police and civil affairs of a county, registered by two operators."""
    made = []
    for role in ("police", "civil_affairs"):
        caller = await a_caller(live_database, settings, role, COUNTY, machine=True)
        witness = Witness(f"{role}.example", caller, str(KEY.public))
        said = {"agency_id": str(caller.agency_id), "key": witness.key}
        answer = await send_by_two(client, *operators, "registerWitness", "POST", WITNESSES, said)
        assert answer.status_code == 201, answer.text
        read = await client.get(answer.headers["location"], headers=caller.headers)
        assert read.json() == answer.json(), read.text
        made.append(witness)
    return made


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    return stranger.from_the_folder(tmp_path_factory.mktemp("stranger"))
