"""What every operation has in common, on the real app."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from app import main
from app.access.acts import Act
from app.access.area import READ_ME
from app.access.deps import needs
from app.access.principal import Principal
from app.api import doors, health
from app.attendance.area import WRITE
from app.children.deps import ChildInPath, ReadsChildren
from app.core.areas import Lane
from app.core.data import months, versions
from app.core.data.db import SYSTEM
from app.core.http.routing import v1 as a_router
from app.core.http.shown import Shown
from app.core.jobs import queue
from app.core.metrics import Figures
from app.core.problems import Cause
from app.core.settings import Settings
from tests.access.factories import a_caller
from tests.conftest import calling
from tests.police_reports.factories import filed

DIRECTOR = ("village_director", 120119101200)


async def test_alive_without_a_database(app) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_a_wrong_method_hears_every_right_one(client) -> None:
    answer = await client.put("/v1/me")
    assert answer.status_code == 405
    assert answer.json()["type"] == "/problems/method-not-allowed"
    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_path_that_names_no_parameter_is_not_taken_for_one_that_does(client) -> None:
    for method in ("GET", "PATCH"):
        answer = await client.request(method, "/v1/children/search")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "QUERY"])
async def test_methods_nobody_offers(client, method: str) -> None:
    assert (await client.request(method, "/v1/me")).status_code == 405


async def test_a_trailing_slash_is_another_path(client) -> None:
    answer = await client.get("/v1/me/")
    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_refusals_come_before_authentication(client, queries) -> None:
    queries.clear()
    answer = await client.post("/v1/me", content=b"x" * 1_048_577)
    assert answer.status_code == 413
    assert len(queries) == 0


async def test_answers_in_the_language_asked_for(client) -> None:
    answer = await client.get("/v1/me", headers={"accept-language": "zh-CN,en;q=0.5"})
    assert (answer.headers["content-language"], answer.headers["vary"]) == ("zh", "accept-language")
    assert answer.json()["title"] == "需要有效的访问令牌"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_head_reads_like_get(client, database, settings) -> None:
    caller = await a_caller(database, settings, *DIRECTOR)
    answer = await client.head("/v1/me", headers=caller.headers)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_says_what_is_left_of_the_share(client, database, settings) -> None:
    caller = await a_caller(database, settings, *DIRECTOR)
    answer = await client.get("/v1/me", headers=caller.headers)
    burst = settings.rate_limit.burst
    assert answer.headers["ratelimit"].startswith(f'"default";r={burst - 1};')


@pytest.fixture
async def meagre(app, database, settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server where each caller has one request of each kind, then waits."""
    share = settings.rate_limit.model_copy(update={"burst": 1})
    changed = settings.model_copy(update={"rate_limit": share})
    async with main.state(changed, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http


async def test_a_caller_over_its_share_waits(meagre, database, settings) -> None:
    caller = await a_caller(database, settings, *DIRECTOR)
    assert (await meagre.get("/v1/me", headers=caller.headers)).status_code == 200
    answer = await meagre.get("/v1/me", headers=caller.headers)
    assert answer.status_code == 429
    assert answer.json()["type"] == "/problems/rate-limited"
    assert answer.headers["retry-after"] == "1"
    write = await meagre.post("/v1/visits", headers=caller.headers)
    assert write.status_code == 422, "reading uses up no share of writing"


async def test_who_reports_to_the_police_never_waits(meagre, database, settings) -> None:
    school = await a_caller(database, settings, "school", 120119101000)
    for _ in range(3):
        await filed(meagre, school)


async def test_every_problem_has_a_page(client) -> None:
    answer = await client.get("/problems/scope-missing")
    assert answer.status_code == 200
    assert "该令牌无权执行此操作" in answer.text
    assert (await client.get("/problems/no-such")).status_code == 404


async def test_counts_by_operation_and_names_nobody(client, database, settings) -> None:
    caller = await a_caller(database, settings, *DIRECTOR)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.escalate", [{}])
    await client.get("/v1/me", headers=caller.headers)
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert 'tonghu_requests_total{operation="readMe",status="200"}' in answer.text
    assert "tonghu_database_up 1.0" in answer.text
    assert 'tonghu_jobs{name="duties.escalate",state="queued"} 1.0' in answer.text
    assert 'tonghu_jobs_oldest_seconds{name="duties.escalate"} 0.0' in answer.text
    assert str(caller.subject_id) not in answer.text


def test_each_figure_has_a_place_of_its_own() -> None:
    figures = Figures(["one", "two"])
    for operation, status, seconds in (("two", 200, 0.003), ("two", 599, 11), ("?", 404, 0.001)):
        figures.note(operation, status, seconds, pool=(3, 16))
    for times, lane in enumerate(Lane, 1):
        for _ in range(times):
            figures.turn_away(lane)
            figures.waited(lane, 0.25)
    for times, cause in enumerate(Cause, 1):
        for _ in range(times):
            figures.note("one", 503, 0.0, pool=(3, 16), cause=cause)
    refused = sum(range(1, len(Cause) + 1))
    found = {
        (one.name, *one.labels.values()): one.value
        for family in figures.collect()
        for one in family.samples
        if one.value and one.name.startswith("tonghu_")
    }
    bounds = dict.fromkeys(("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5"), 1)
    bounds |= {"1": 1, "2.5": 1, "5": 1, "10": 1, "+Inf": 2}
    bucket, seconds = "tonghu_request_seconds_bucket", "tonghu_request_seconds"
    assert found == {
        ("tonghu_requests_total", "two", "200"): 1,
        ("tonghu_requests_total", "two", "599"): 1,
        ("tonghu_requests_total", "-", "404"): 1,
        **{(bucket, "two", le): count for le, count in bounds.items()},
        **{(bucket, "-", le): 1 for le in ("0.002", *bounds)},
        (f"{seconds}_count", "two"): 2,
        (f"{seconds}_count", "-"): 1,
        (f"{seconds}_sum", "two"): 11.003,
        (f"{seconds}_sum", "-"): 0.001,
        **{("tonghu_turned_away_total", lane): times for times, lane in enumerate(Lane, 1)},
        **{("tonghu_lane_waits_total", lane): times for times, lane in enumerate(Lane, 1)},
        **{("tonghu_lane_wait_seconds_total", lane): n / 4 for n, lane in enumerate(Lane, 1)},
        **{("tonghu_refused_total", cause): times for times, cause in enumerate(Cause, 1)},
        ("tonghu_requests_total", "one", "503"): refused,
        **{(bucket, "one", le): refused for le in ("0.002", *bounds, "+Inf")},
        (f"{seconds}_count", "one"): refused,
        ("tonghu_pool_in_use", "0"): 3,
        ("tonghu_pool_size", "0"): 16,
    }
    families = {family.name: family.samples for family in figures.collect()}
    assert families["tonghu_replica_used"] == [], "there is none"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_figures_do_not_exist_for_strangers(client, header: str) -> None:
    answer = await client.get("/metrics", headers={header: "127.0.0.1"})
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize("host", ["192.0.2.7", "a socket"])
async def test_figures_do_not_exist_for_another_network(app, settings, database, host) -> None:
    async with main.state(settings, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, client=(host, 4321))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            assert (await http.get("/metrics")).status_code == 404


async def test_ready_when_database_and_program_agree(client) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_ready_and_told_of_while_there_is_no_month_ahead_and_not_without_this_one(
    client, database
) -> None:
    async with database.begin(SYSTEM) as tx:
        while await months.ahead(tx.connection, database.clock()):
            later = database.clock() + timedelta(days=20)
            database.clock = lambda at=later: at
    with capture_logs() as logs:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "months": "none ahead"}
    assert "no month ahead" in [line["event"] for line in logs]
    database.clock = lambda: later + timedelta(days=32)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")


async def test_not_ready_with_a_database_of_an_older_version(client, monkeypatch) -> None:
    monkeypatch.setattr(versions, "older", lambda: frozenset({versions.head()}))
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/not-ready"
    assert answer.json().keys() == {"type", "title", "status", "request_id"}


async def test_not_ready_before_the_first_revision(client, database) -> None:
    await database.send("SET search_path TO nowhere")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")


async def test_not_ready_while_draining(client) -> None:
    health.DRAINING.set()
    try:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
    finally:
        health.DRAINING.clear()


async def test_however_many_ask_how_we_are_hold_one_connection(app, settings, pool) -> None:
    async with calling(app, settings, pool) as http:
        asked = asyncio.gather(*(http.get("/readyz") for _ in range(20)))
        held: set[int] = set()
        while not asked.done():
            held.add(pool.engine.pool.checkedout())
            await asyncio.sleep(0)
    assert {answer.status_code for answer in await asked} == {200}
    assert max(held) == 1


def test_does_not_start_with_a_route_that_names_no_scope(monkeypatch) -> None:
    forgetful = a_router("Access")

    @forgetful.get("/forgotten")
    async def read_forgotten() -> Response:
        return Response()

    monkeypatch.setattr(main.v1, "ROUTERS", [forgetful])
    with pytest.raises(doors.UnguardedRoute, match="/v1/forgotten"):
        main.create_app(Settings(environment="test"))


def test_does_not_start_with_a_route_that_says_nothing_of_whom_it_shows(monkeypatch) -> None:
    forgetful = a_router("Access")

    @forgetful.get("/forgotten")
    async def read_forgotten(_: Annotated[Principal, needs(READ_ME)]) -> Response:
        return Response()

    monkeypatch.setattr(main.v1, "ROUTERS", [forgetful])
    with pytest.raises(doors.UnguardedRoute, match=r"/v1/forgotten: let .* return Shown"):
        main.create_app(Settings(environment="test"))


def test_does_not_start_with_a_route_that_reads_what_its_path_does_not_name(monkeypatch) -> None:
    mistyped = a_router("Children")

    @mistyped.get("/children/{chid_id}/ages")
    async def read_ages(_: ReadsChildren, child: ChildInPath) -> Shown[dict[str, str]]:
        return Shown({}, children=[child.id])

    monkeypatch.setattr(main.v1, "ROUTERS", [mistyped])
    with pytest.raises(doors.UnguardedRoute, match="called child_id; did you mean chid_id"):
        main.create_app(Settings(environment="test"))


def test_does_not_start_where_one_corner_has_two_lanes(monkeypatch) -> None:
    """Where a request waits is told before it is read: by its method and two parts of its path."""
    both = a_router("Attendance")

    @both.post("/children/attendance")
    async def push(_: Annotated[Principal, needs(WRITE)]) -> Shown[dict[str, str]]:
        return Shown({})

    monkeypatch.setattr(main.v1, "ROUTERS", [*main.v1.ROUTERS, both])
    with pytest.raises(doors.TwoLanes, match="POST /v1/children/attendance"):
        main.create_app(Settings(environment="test"))


def test_does_not_start_with_a_scope_that_no_operation_needs(monkeypatch) -> None:
    without_audit = [each for each in main.v1.ROUTERS if each.tags != ["Audit"]]
    monkeypatch.setattr(main.v1, "ROUTERS", without_audit)
    with pytest.raises(doors.UnusedScope, match="no operation needs audit:read"):
        main.create_app(Settings(environment="test"))


@pytest.mark.parametrize(
    ("name", "scope", "says"),
    [
        (
            "corectVisit",
            "visits:write",
            "no operation is called corectVisit; did you mean",
        ),
        ("correctVisit", "visits:read", "correctVisit asks for visits:read, not visits:write"),
    ],
)
def test_does_not_start_with_an_act_that_is_no_operation(monkeypatch, name, scope, says) -> None:
    monkeypatch.setattr(doors, "declared", [{name: Act(scope)}])
    with pytest.raises(doors.BadAct, match=says):
        main.create_app(Settings(environment="test"))


def test_does_not_start_with_a_public_route_that_is_not_listed(app) -> None:
    other = main.assemble(Settings(environment="test"), None)
    other.router.routes.append(Route("/livez", lambda _: None))
    doors.refuse_unguarded(other)
    other.router.routes.append(Route("/other", lambda _: None))
    with pytest.raises(doors.UnguardedRoute, match="/other"):
        doors.refuse_unguarded(other)


async def test_docs_are_off_in_production(keyring) -> None:
    settings = Settings(
        environment="production",
        database={"url": "postgresql://nobody@127.0.0.1/none"},
        keys=keyring.to_json(),
        tokens={"issuer": "https://tonghu.example"},
    )
    transport = httpx.ASGITransport(main.assemble(settings, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        assert (await http.get("/docs")).status_code == 404
        assert (await http.get("/openapi.json")).status_code == 404
        assert "strict-transport-security" in (await http.get("/livez")).headers


async def test_a_listed_web_app_may_call_and_no_other() -> None:
    settings = Settings(environment="test", cors_origins=("https://app.example",))
    transport = httpx.ASGITransport(main.assemble(settings, None))
    ask = {"access-control-request-method": "PATCH", "access-control-request-headers": "if-match"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        mine = await http.options("/v1/me", headers={"origin": "https://app.example", **ask})
        other = await http.options("/v1/me", headers={"origin": "https://evil.example", **ask})
    assert mine.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in mine.headers
    assert "access-control-allow-origin" not in other.headers


async def test_reads_json_and_nothing_else(client) -> None:
    answer = await client.post("/v1/visits", content=b"a=1", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/unsupported-media-type"
    assert answer.headers["accept-post"] == "application/json"
    for headers, status in (({}, 401), ({"content-type": "application/json"}, 400)):
        nothing = await client.post("/v1/visits", headers=headers)
        assert nothing.status_code == status
