"""Each lane has places of its own, and who finds none is told at once when to come back (I7)."""

import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from app.api import doors
from app.core.areas import Lane
from app.core.http.admission import WAITING, Door, Lanes, Places, TooManyAtOnce, places
from app.core.http.hardening import Hardening, Limits
from app.core.metrics import Figures
from tests.waiting import happens, until

POOL = 10
MOST = places(POOL)
LANES = {
    ("POST", "/v1/batches"): Lane.machines,
    ("POST", "/v1/police-reports"): Lane.reports,
    ("POST", "/oauth/token"): Lane.tokens,
    ("POST", "/oauth/authorize"): Lane.sign_in,
    ("GET", "/v1/reports"): Lane.reports,
}


class House:
    """An app whose answers to batches and tokens wait for `go_on`, behind its lanes."""

    def __init__(self) -> None:
        self.inside: Counter[str] = Counter()
        self.go_on = asyncio.Event()
        self.turned_away: list[Lane] = []
        self.waits: list[tuple[Lane, float]] = []
        lanes = Lanes(LANES, MOST, self)
        hardened = Hardening(Places(self.answer, lanes), Limits(bodies=3), lanes.name)
        self.app = Door(hardened, lanes)

    def turn_away(self, lane: Lane) -> None:
        self.turned_away.append(lane)

    def waited(self, lane: Lane, seconds: float) -> None:
        self.waits.append((lane, seconds))

    async def answer(self, scope, receive, send) -> None:
        path = scope["path"]
        self.inside[path] += 1
        if path != "/v1/police-reports":
            await self.go_on.wait()
        await Response(await Request(scope, receive).body())(scope, receive, send)
        self.inside[path] -= 1

    @asynccontextmanager
    async def visited(self, address: str = "127.0.0.1"):
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
            yield http


@pytest.fixture
async def house():
    return House()


@pytest.mark.parametrize("pool_size", [6, 10, 23, 200])
def test_reports_find_a_connection_whoever_else_is_inside(pool_size) -> None:
    most = places(pool_size)
    assert min(most.values()) >= 1
    assert most[Lane.reports] == most[Lane.machines] == pool_size // 5
    assert sum(most.values()) == pool_size - 1  # one is left for whoever asks how we are
    assert set(most) == set(Lane)


async def full(house: House, http: httpx.AsyncClient, path: str, lane: Lane):
    """Fill a lane: its places and the room to wait."""
    crowd = [asyncio.ensure_future(http.post(path)) for _ in range(MOST[lane] * (1 + WAITING))]
    await until(lambda: house.inside[path] == MOST[lane])
    return crowd


async def test_a_full_lane_turns_away_and_the_others_go_on(house) -> None:
    async with house.visited() as http:
        crowd = await full(house, http, "/v1/batches", Lane.machines)
        refused = await http.post("/v1/batches", headers={"accept-language": "zh"})
        assert refused.status_code == 503
        assert house.turned_away == [Lane.machines]
        assert refused.json()["type"] == "/problems/too-many-at-once"
        assert "请求过多" in refused.json()["title"]
        wait = refused.headers["retry-after"]
        assert refused.headers["ratelimit"] == f'"machines";r=0;t={wait}'
        assert refused.headers["ratelimit-policy"] == '"machines";q=34;qu="concurrent-requests"'
        assert (await http.post("/v1/police-reports")).status_code == 200
        house.go_on.set()
        assert {answer.status_code for answer in await asyncio.gather(*crowd)} == {200}
        assert (await http.post("/v1/batches")).status_code == 200
    waited = len(crowd) - MOST[Lane.machines]
    assert [lane for lane, _ in house.waits] == [Lane.machines] * waited, "not who came right in"


async def test_a_crowd_is_told_to_come_back_one_by_one(house) -> None:
    """As fast as places come free, later and later, and no two crowds in step."""
    async with house.visited() as http:
        crowd = await full(house, http, "/v1/batches", Lane.machines)
        refused = [(await http.post("/v1/batches")).headers for _ in range(1000)]
        house.go_on.set()
        await asyncio.gather(*crowd)
    told = [int(each["retry-after"]) for each in refused]
    assert {each["ratelimit"] for each in refused} == {
        f'"machines";r=0;t={wait}' for wait in {*told}
    }
    assert min(told) >= 1
    assert max(Counter(told).values()) <= 200  # of a thousand who came at once
    tenths = [sum(told[n : n + 100]) for n in range(0, 1000, 100)]
    assert tenths == sorted(tenths)
    assert max(told[-100:]) - min(told[-100:]) >= 3  # though their times are a second apart


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/oauth/token"), ("POST", "/oauth/authorize"), ("GET", "/v1/reports")],
)
async def test_one_address_leaves_room_at_the_door_for_others(house, method, path) -> None:
    async with house.visited() as guesser, house.visited("192.0.2.7") as other:
        crowd = [asyncio.ensure_future(guesser.request(method, path)) for _ in range(40)]
        most = MOST[LANES[method, path]]
        await until(lambda: sum(each.done() for each in crowd) == 40 - most * 8)
        refused = {each.result().status_code for each in crowd if each.done()}
        assert refused == {429}
        waiting = asyncio.ensure_future(other.request(method, path))
        house.go_on.set()
        assert (await waiting).status_code == 200
        await asyncio.gather(*crowd)


async def test_addresses_that_one_may_choose_from_are_one_at_the_door(house) -> None:
    path = "/oauth/token"
    async with AsyncExitStack() as guesser, house.visited("2001:db8:0:1::1") as other:
        doors = [
            await guesser.enter_async_context(house.visited(f"2001:db8::{number:x}"))
            for number in range(1, 41)
        ]
        crowd = [asyncio.ensure_future(each.post(path)) for each in doors]
        await until(lambda: sum(each.done() for each in crowd) == 40 - MOST[Lane.tokens] * 8)
        waiting = asyncio.ensure_future(other.post(path))
        house.go_on.set()
        assert (await waiting).status_code == 200
        await asyncio.gather(*crowd)


async def test_who_waits_too_long_is_turned_away_and_leaves_no_hole(house, monkeypatch) -> None:
    monkeypatch.setattr("app.core.http.admission.LONGEST_WAIT", 0.01)
    async with house.visited() as http:
        inside = [asyncio.ensure_future(http.post("/v1/batches")) for _ in range(2)]
        await until(lambda: house.inside["/v1/batches"] == 2)
        assert (await http.post("/v1/batches")).status_code == 503
        [(lane, seconds)] = house.waits
        assert (lane, seconds > 0) == (Lane.machines, True)
        house.go_on.set()
        await asyncio.gather(*inside)
        assert (await http.post("/v1/batches")).status_code == 200


def a_room(path: str):
    """Return the room of one place that a path leads to."""
    lanes = Lanes(LANES, dict.fromkeys(Lane, 1), Figures([]))
    return lanes.room({"type": "http", "method": "POST", "path": path})


@pytest.mark.parametrize(("path", "most"), [("/v1/police-reports", 4), ("/v1/batches", 60)])
async def test_nobody_is_kept_away_for_longer_than_their_lane_bears(path, most) -> None:
    room = a_room(path)
    told = [int(room.full().headers["retry-after"]) for _ in range(5000)]
    assert most <= max(told) <= most * 1.25 + 1


async def test_no_more_wait_than_find_a_place_in_time(monkeypatch) -> None:
    """Where each request takes a second, whoever came behind another would wait for too long."""
    room, loop, passed = a_room("/v1/batches"), asyncio.get_running_loop(), 0.0
    monkeypatch.setattr(loop, "time", lambda: passed)
    for _ in range(100):
        leave = await room.enter("")
        passed += 1
        leave()
    monkeypatch.undo()
    leave = await room.enter("")
    waiting = asyncio.ensure_future(room.enter(""))
    await until(lambda: room.queue)
    with pytest.raises(TooManyAtOnce):
        room.refuse_if_full("")
    leave()
    (await waiting)()


async def test_whoever_came_first_is_let_in_first_and_none_beyond_the_room() -> None:
    """Bodies that came slowly, and passed the door while there was room, arrive together, too."""
    room, order = a_room("/v1/batches"), list[int]()
    leave = await room.enter("")

    async def comes(number: int) -> None:
        left = await room.enter("")
        order.append(number)
        left()

    crowd = [asyncio.ensure_future(comes(number)) for number in range(WAITING)]
    await until(lambda: len(room.queue) == WAITING)
    with pytest.raises(TooManyAtOnce):
        await room.enter("")
    leave()
    await asyncio.gather(*crowd)
    assert order == [*range(WAITING)]


async def test_who_was_turned_away_while_waiting_takes_no_room(monkeypatch) -> None:
    room = a_room("/v1/batches")
    leave = await room.enter("")
    with monkeypatch.context() as soon:
        soon.setattr("app.core.http.admission.LONGEST_WAIT", 0.0)
        for _ in range(WAITING + 1):
            with pytest.raises(TooManyAtOnce):
                await room.enter("")
    room.refuse_if_full("")
    leave()
    assert (room.inside, room.held_by) == (0, {})


@pytest.mark.parametrize("first", ["leaves", "is gone"])
async def test_who_is_gone_when_the_turn_comes_hands_it_on(first) -> None:
    room = a_room("/v1/batches")
    leave = await room.enter("")
    gone = asyncio.ensure_future(room.enter(""))
    await until(lambda: room.queue)
    for step in (leave, gone.cancel) if first == "leaves" else (gone.cancel, leave):
        step()
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()
    assert (room.inside, room.held_by) == (0, {})


async def test_a_slow_body_holds_no_place(house) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def slowly():
        begun.set()
        yield b"x"
        await never.wait()

    async with house.visited() as http:
        slow = []
        for _ in range(5):  # of three bodies at once the one that began first loses
            slow.append(asyncio.ensure_future(http.post("/v1/police-reports", content=slowly())))
            await happens(begun)
            begun.clear()
        quick = await http.post("/v1/police-reports", content=b"seen")
        assert (quick.status_code, quick.content) == (200, b"seen")
        assert {(await each).status_code for each in slow[:3]} == {408}
        assert not any(each.done() for each in slow[3:])
        for each in slow:
            each.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_who_reads_slowly_holds_no_place(house) -> None:
    reads = asyncio.Event()

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_) -> None:
        await reads.wait()

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/police-reports",
        "headers": [],
        "query_string": b"",
        "client": ("127.0.0.1", 1),
    }
    slow = [asyncio.ensure_future(house.app(scope, receive, send)) for _ in range(5)]
    await until(lambda: house.inside["/v1/police-reports"] >= MOST[Lane.reports])
    async with house.visited() as http:
        assert (await http.post("/v1/police-reports")).status_code == 200
    reads.set()
    await asyncio.gather(*slow)


async def test_an_app_that_is_put_together_tells_the_lanes_apart(app) -> None:
    lanes = doors.lanes(app)
    assert {corner for (_, corner), lane in lanes.items() if lane is Lane.reports} == {
        "/v1/police-reports"
    }
    assert [key for key, lane in lanes.items() if lane is Lane.machines] == [
        ("POST", "/v1/attendance-events"),
        ("GET", "/v1/audit"),
        ("POST", "/v1/audit"),
    ]
    inwards = [each.cls for each in app.user_middleware]
    assert inwards.index(Door) < inwards.index(Hardening) < inwards.index(Places)
    assert not any(re.search("livez|readyz|metrics", corner) for _, corner in lanes)
