"""What any operation may answer, from the real app: cut off, too slow, out of order."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from app import main
from app.access import tokens
from app.api import doors
from app.core.areas import Lane
from app.core.data import db
from app.core.http.admission import WAITING, Door, Lanes
from app.core.http.hardening import Hardening, Limits
from app.core.ids import new_id
from app.core.metrics import Figures
from app.core.settings import Settings
from tests.access.factories import a_caller
from tests.answers_seen import Recorder
from tests.children.factories import a_child
from tests.conftest import VILLAGE, calling
from tests.schema import Urls


def _to(app: ASGIApp, **state: object) -> httpx.AsyncClient:
    async def with_state(scope, receive, send):
        scope["state"] = dict(state)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def _problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"x": "y" * 33_000}, (431, "headers-too-large")),
        ({"content-encoding": "gzip"}, (415, "encoding-not-supported")),
        ({"content-length": "9999999"}, (413, "body-too-large")),
    ],
)
async def test_refused_unread(client, headers: dict[str, str], refusal: tuple[int, str]) -> None:
    answer = await client.post("/v1/visits", content=b"{}", headers=headers)
    assert _problem(answer) == refusal


async def test_a_body_that_does_not_come(app: FastAPI) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    impatient = Hardening(app, Limits(read_seconds=0.01), str)
    async with _to(Recorder(impatient, under_test=app)) as http:
        answer = await http.post("/v1/visits", content=never())
    assert _problem(answer) == (408, "body-too-slow")


async def test_a_fault_of_ours(app: FastAPI) -> None:
    async with _to(app) as http:
        answer = await http.get("/v1/me", headers={"authorization": "Bearer x"})
    assert _problem(answer) == (500, "internal-error")


async def test_a_database_that_is_away(app: FastAPI, settings: Settings, keyring, now) -> None:
    engine = db.open_engine("postgresql://nobody@127.0.0.1:9/none", settings.database)
    away = db.Database(engine, keyring, lambda: now)
    async with main.state(settings, away) as shared, _to(app, **shared) as http:
        token = tokens.issue(
            shared["token_keys"],
            subject=f"staff:{new_id()}",
            grant_id=new_id(),
            client_id=str(new_id()),
            agency_id=new_id(),
            role="police",
            region_code=VILLAGE,
            scopes=frozenset(),
            session_id=new_id(),
            now=now,
            seconds=60,
        )  # a forged one is refused before the database is asked
        answer = await http.get("/v1/me", headers={"authorization": f"Bearer {token}"})
    await away.close()
    assert _problem(answer) == (503, "temporarily-unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_more_than_can_wait(app: FastAPI) -> None:
    lanes = Lanes(doors.lanes(app), dict.fromkeys(Lane, 1), Figures([]))
    room = lanes.room({"type": "http", "method": "GET", "path": "/v1/me"})
    crowd = [asyncio.ensure_future(room.enter("")) for _ in range(1 + WAITING)]
    await crowd[0]
    async with _to(Recorder(Door(app, lanes), under_test=app)) as http:
        answer = await http.get("/v1/me")
    assert _problem(answer) == (503, "too-many-at-once")
    for each in crowd:
        each.cancel()


_CUT_OFF = """
CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER cut_off AFTER INSERT ON audit_entries DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION cut_off()
"""


@pytest.fixture
async def cut_off_at_the_commit(pg: str, database_urls: Urls) -> AsyncIterator[None]:
    """A server that hangs up when it is told to keep what was written."""
    superuser = await asyncpg.connect(
        pg, database=database_urls.owner.partition("?")[0].rpartition("/")[2]
    )
    await superuser.execute(_CUT_OFF)
    yield
    await superuser.execute("DROP TRIGGER cut_off ON audit_entries; DROP FUNCTION cut_off()")
    await superuser.close()


async def test_a_commit_that_is_not_answered(
    app: FastAPI, settings: Settings, live_database, cut_off_at_the_commit
) -> None:
    director = await a_caller(live_database, settings, "village_director", VILLAGE)
    child = await a_child(live_database, VILLAGE)
    async with calling(app, settings, live_database) as http:
        answer = await http.get(f"/v1/children/{child.id}", headers=director.headers)
    assert _problem(answer) == (503, "outcome-unknown")
