"""Behind pgbouncer as Debian ships it: what is promised is kept, and every timeout bites."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from app.core import settings as config
from app.core.clock import utc_now
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings
from scripts import with_debian_postgres as debian
from tests import schema
from tests.faults import town as towns
from tests.faults.load import Load, a_report, assert_nothing_lost
from tests.faults.town import Town, read_signed
from tests.waiting import PATIENCE, until
from tests.webhooks.workshop import Receiver

pytestmark = pytest.mark.xdist_group("pooler")

PGBOUNCER = Path("/usr/sbin/pgbouncer")
DOCUMENTED = Path(__file__).parents[2] / "docs" / "processes.md"
LOCK_TIMEOUT = 300
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@dataclass
class Pooled(Town):
    """A town whose web processes reach the database through the pooler, its worker past it."""

    past: schema.Urls | None = None
    pooler: str = ""

    @property
    def settings(self) -> Settings:
        database = {"url": self.past.app, "owner_url": self.past.owner}
        return Settings(environment=Environment.sandbox, data_dir=self.data_dir, database=database)

    @property
    def environment(self) -> dict[str, str]:
        limits = {"LOCK_TIMEOUT_MS": str(LOCK_TIMEOUT), "STATEMENT_TIMEOUT_MS": "15000"}
        urls = {"URL": self.pooler, "DIRECT_URL": self.past.app, "BEHIND_PGBOUNCER": "true"}
        own = {f"TONGHU_DATABASE__{name}": value for name, value in (urls | limits).items()}
        return super().environment | own

    def start(self, name: str, *arguments: str) -> None:
        """Two web processes: what one names on a server's connection the other finds there."""
        super().start(name, *arguments, *(("--workers", "2") if name == "web" else ()))


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    """A server that listens on a port: as root, nobody reaches the embedded one's socket."""
    if given := os.environ.get("TONGHU_TEST_SUPERUSER_URL"):
        yield given
        return
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("there is no PostgreSQL of the distribution")
    with debian.cluster(debian.binaries()) as url:
        yield url


@pytest.fixture(scope="module")
def pooler(superuser: str, scratch: Path) -> Iterator[tuple[Path, schema.Urls, str]]:
    """A folder, a database, and the address of the pooler before it."""
    if not PGBOUNCER.exists():
        pytest.skip("there is no pgbouncer here")
    place = Path(tempfile.mkdtemp(prefix="tonghu-pooled-", dir=scratch))
    place.chmod(0o755)
    name = f"tonghu_pooled_{os.getpid()}"
    urls = schema.bare(superuser, name)
    [port] = towns.free_ports(1)
    configure(place, urls.app, port)
    account = "postgres" if os.geteuid() == 0 else None
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen([PGBOUNCER, place / "ini"], user=account, stderr=log) as process,
    ):
        yield place, urls, f"postgresql://tonghu_app:{schema.PASSWORD}@127.0.0.1:{port}/tonghu"
        process.terminate()
    asyncio.run(schema.drop(superuser, name))
    shutil.rmtree(place)


@pytest.fixture(scope="module")
async def pooled(pooler: tuple[Path, schema.Urls, str], superuser: str) -> AsyncIterator[Pooled]:
    place, urls, dsn = pooler
    port, receiver = towns.free_ports(2)
    town = Pooled(place / "data", port, receiver_port=receiver, past=urls, pooler=dsn)
    town.database = urlsplit(superuser)._replace(path=urlsplit(urls.app).path).geturl()
    role = f"IN DATABASE {urlsplit(urls.app).path[1:]} SET lock_timeout = {LOCK_TIMEOUT}"
    await town.query(f"ALTER ROLE tonghu_app {role}")
    await towns.build(town)
    yield town
    await asyncio.to_thread(town.stop)


def configure(place: Path, url: str, port: int) -> None:
    """Write the documented settings, for this server and this port."""
    (place / "users").write_text(f'"tonghu_app" "{schema.PASSWORD}"\n')
    server = urlsplit(url)
    [documented] = re.findall(r"```ini\n(.*?)```", DOCUMENTED.read_text(), re.DOTALL)
    here = {
        "port=5432 dbname=tonghu": f"port={server.port} dbname={server.path[1:]}",
        "6432": str(port),
        "/etc/pgbouncer/userlist.txt": str(place / "users"),
        "default_pool_size = 20": "default_pool_size = 3",
    }
    for said, meant in here.items():
        assert said in documented
        documented = documented.replace(said, meant)
    (place / "ini").write_text(documented)


async def test_a_report_is_filed_delivered_and_followed(pooled: Pooled) -> None:
    load = await asyncio.to_thread(Load.of, pooled)
    async with towns.desk(pooled, Receiver()) as receiver:
        await load.run(24)
        reports = await assert_nothing_lost(load)
        assert all(wish.promised for wish in load.wishes)
        delivered = "SELECT FROM police_reports WHERE id = ANY ($1::uuid[]) AND state = 'delivered'"

        async def all_delivered() -> bool:
            return len(await pooled.query(delivered, list(reports))) == len(reports)

        await until(all_delivered)  # by a job, after the webhook was answered
        assert read_signed(pooled, receiver).keys() == reports


async def test_no_timeout_is_lost_on_the_way_and_nothing_is_left(pooled: Pooled) -> None:
    load = await asyncio.to_thread(Load.of, pooled)
    lost = a_report(pooled)
    lost.patient = False
    load.wishes = [lost]
    holder = await asyncpg.connect(pooled.database)
    async with httpx.AsyncClient(base_url=pooled.base, timeout=PATIENCE) as http:
        async with holder.transaction():
            await holder.execute("LOCK TABLE police_reports")
            await load.send(http, lost)  # for ever, if nothing bit
        await holder.close()
        assert (lost.promised, load.surprises) == (False, []), "503: nothing stored"
        lost.patient = True
        await load.send(http, lost)
    await assert_nothing_lost(load)

    async with opened(pooled) as first, opened(pooled) as second:
        async with first.begin() as tx:
            told = [await tx.connection.fetchval(f"SHOW {name}") for name in TIMEOUTS]
            await tx.session.exec(text("SELECT 1"))
        async with second.begin() as tx:
            left = await tx.connection.fetch("SELECT * FROM pg_prepared_statements")
    assert told == ["15s", f"{LOCK_TIMEOUT}ms", "1min"]
    assert left == [], "a name that the next process on the server's connection would meet"


@asynccontextmanager
async def opened(pooled: Pooled) -> AsyncIterator[db.Database]:
    behind = config.Database(behind_pgbouncer=True, direct_url=pooled.past.app)
    engine = db.open_engine(pooled.pooler, behind)
    database = db.Database(engine, Keyring.generate(), utc_now)
    yield database
    await database.close()
