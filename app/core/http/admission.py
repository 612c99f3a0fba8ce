"""Who may come in when more is asked than can be answered (I7): each lane has places of its own.

Pure ASGI, in two parts. `Door` stands before the body is read and turns away at once what finds no
room to wait. `Places` stands after it and lets in as many as the lane has connections, so that a
slow body holds no place. No lane takes another's places: however many push batches or guess
passwords, a report to the police finds a connection ([ADR 31]).

[ADR 31]: docs/decisions/0031-each-lane-has-places-of-its-own.md
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.areas import Lane
from app.core.http.rate_limits import RateLimited, network_of
from app.core.problems import Cause, Problem, response_to

WAITING = 16
"""How many wait for each place of a lane."""
EXPECTED_WAIT = 0.5
"""Seconds in which a place should come; whoever would wait longer is turned away at once."""
LONGEST_WAIT = 1.0
"""Seconds after which whoever was let in to wait is turned away all the same."""
_LONGEST_PAUSE: Mapping[Lane, float] = {
    Lane.reports: 4.0,
    Lane.people: 30.0,
    Lane.machines: 60.0,
    Lane.tokens: 10.0,
    Lane.sign_in: 30.0,
}
"""Seconds a lane tells a client to stay away, at most."""
_SHARED_OUT = (Lane.reports, Lane.tokens, Lane.sign_in)
_FIRST_GUESS = 0.02
_WEIGHT = 0.1
"""How much the last request counts in how long one takes."""


class Told(Protocol):
    """Who counts."""

    def turn_away(self, lane: Lane) -> None: ...

    def waited(self, lane: Lane, seconds: float) -> None: ...


class TooManyAtOnce(Problem, status=503):
    """More is asked at this moment than can be answered; nothing was read or stored."""

    cause = Cause.lane_full
    title = "Too many requests at this moment; come back when Retry-After says"
    title_zh = "当前请求过多;请按 Retry-After 的时间等待后重试"


def corner(path: str) -> str:
    """Return the first two parts of a path: with the method they tell the lane."""
    return "/".join(path.split("/", 3)[:3])


def places(pool_size: int) -> dict[Lane, int]:
    """Divide a pool of connections among the lanes. One is left, for whoever asks how we are; each
    request holds one at a time.
    """
    fifth, tenth = pool_size // 5, max(1, pool_size // 10)
    reserved = {Lane.reports: fifth, Lane.machines: fifth, Lane.tokens: tenth, Lane.sign_in: tenth}
    return {**reserved, Lane.people: pool_size - 1 - sum(reserved.values())}


class _Room:
    """One lane: who is inside, who waits, and when whoever is turned away may come again."""

    def __init__(self, lane: Lane, most: int, told: Told) -> None:
        self.lane = lane
        self._told = told
        self.most = most
        self.inside = 0
        self.queue: deque[asyncio.Future[None]] = deque()
        self.held_by: Counter[str] = Counter()
        self._took = _FIRST_GUESS
        self._promised = 0.0

    @property
    def _pace(self) -> float:
        """Seconds from one place that comes free to the next, as things went lately."""
        return self._took / self.most

    def refuse_if_full(self, address: str) -> None:
        """Raise TooManyAtOnce if nobody more can wait; RateLimited if this address has half of the
        room by itself, in lanes that strangers reach. (Many schools stand behind one address.)
        """
        if self.inside < self.most:
            return
        room = min(self.most * WAITING, EXPECTED_WAIT / self._pace)
        if self.lane in _SHARED_OUT and self.held_by[address] >= max(1, room / 2):
            raise RateLimited(headers=self._come_back())
        if self.queue and len(self.queue) >= room:
            raise self.full()

    def full(self) -> TooManyAtOnce:
        return TooManyAtOnce(headers=self._come_back())

    def _come_back(self) -> dict[str, str]:
        """Give each who is turned away a time of its own, as fast as places come free, so that a
        crowd comes back one by one; ±25 %, lest two crowds fall into step.
        """
        self._told.turn_away(self.lane)
        now = asyncio.get_running_loop().time()
        waits = now + len(self.queue) * self._pace
        promised = max(self._promised, waits) + self._pace
        self._promised = min(promised, now + _LONGEST_PAUSE[self.lane])
        seconds = (self._promised - now) * random.uniform(0.75, 1.25)  # noqa: S311  spreads retries
        wait = max(1, int(seconds + random.random()))  # noqa: S311
        quota = self.most * (1 + WAITING)
        return {
            "retry-after": str(wait),
            "ratelimit-policy": f'"{self.lane}";q={quota};qu="concurrent-requests"',
            "ratelimit": f'"{self.lane}";r=0;t={wait}',
        }

    async def enter(self, address: str) -> Callable[[], None]:
        """Wait for a place; return how to leave it. Raises what `refuse_if_full` does."""
        self.refuse_if_full(address)
        self.held_by[address] += 1
        try:
            await self._wait()
        except BaseException:
            self._forget(address)
            raise
        return partial(self._leave, address, asyncio.get_running_loop().time())

    def _leave(self, address: str, since: float) -> None:
        self._took += _WEIGHT * (asyncio.get_running_loop().time() - since - self._took)
        self._forget(address)
        self._hand_on()

    def _forget(self, address: str) -> None:
        self.held_by[address] -= 1
        if not self.held_by[address]:
            del self.held_by[address]

    async def _wait(self) -> None:
        if self.inside < self.most:  # nobody waits: who leaves hands the place on
            self.inside += 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.queue.append(turn)
        since = loop.time()
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._hand_on()
            elif turn in self.queue:
                self.queue.remove(turn)
            if isinstance(error, TimeoutError):
                raise self.full() from None
            raise
        finally:
            self._told.waited(self.lane, loop.time() - since)

    def _hand_on(self) -> None:
        while self.queue:
            turn = self.queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.inside -= 1


class Lanes:
    """The rooms of one process. `lane_of`: of each method and corner that waits for a place;
    `told`: counts whoever waits, and whoever finds no room.
    """

    def __init__(
        self,
        lane_of: Mapping[tuple[str, str], Lane],
        most: Mapping[Lane, int],
        told: Told,
    ) -> None:
        self._rooms = {lane: _Room(lane, most[lane], told) for lane in Lane}
        self._lane_of = lane_of

    def room(self, scope: Scope) -> _Room | None:
        """Return where a request waits; None: it never does."""
        if scope["type"] != "http":
            return None
        lane = self._lane_of.get((scope["method"], corner(scope["path"])))
        return None if lane is None else self._rooms[lane]

    def name(self, scope: Scope) -> str:
        """Return the lane of a request, in a word."""
        room = self.room(scope)
        return "" if room is None else room.lane


class Door:
    """ASGI middleware before the body is read."""

    def __init__(self, app: ASGIApp, lanes: Lanes) -> None:
        self.app = app
        self.lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        room = self.lanes.room(scope)
        if room is not None:
            try:
                room.refuse_if_full(_address(scope))
            except Problem as problem:
                await response_to(Request(scope), problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Places:
    """ASGI middleware around routing, once the body is here."""

    def __init__(self, app: ASGIApp, lanes: Lanes) -> None:
        self.app = app
        self.lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        room = self.lanes.room(scope)
        if room is None:
            await self.app(scope, receive, send)
            return
        try:
            leave = await room.enter(_address(scope))
        except Problem as problem:
            await response_to(Request(scope), problem)(scope, receive, send)
            return
        with ExitStack() as inside:
            inside.callback(leave)

            async def answer(message: Message) -> None:
                inside.close()  # all is committed: who reads slowly holds no place
                await send(message)

            await self.app(scope, receive, answer)


def _address(scope: Scope) -> str:
    return network_of(scope["client"][0]) if scope.get("client") else ""
