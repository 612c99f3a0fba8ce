"""The last page of each list, in time, beside the first: `python -m tests.plans.pages`.

Each list is walked to its end by somebody who sees much of it. Then its first page and its last are
asked in turn, `RUNS` times after some that do not count, by the same caller on one connection. A
look of the client's own is timed; what other work does to one it does to both.

TONGHU_PLANS=1000000 …    more children than 50,000; ONLY=listVisits …: what has this in its name
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from statistics import quantiles
from typing import Any, NamedTuple

import httpx

from app.api import openapi
from app.core.data import db
from tests import schema
from tests.conftest import calling, pinned, undone
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import PURPOSES, ROLES
from tests.plans import world
from tests.plans.asking import callers, somebody
from tests.plans.judging import Watch, open_watched

MUCH = ("civil_affairs", "auditor")
"""Who sees most; others are asked for what these do not see."""
RUNS, WARM = 40, 10
PAGE = 50
P50, P95 = 1.2, 1.3
"""What the last page may take, by the first."""


class Paged(NamedTuple):
    """A list by one caller: how many items it has, and the milliseconds of its pages."""

    operation: str
    caller: str
    items: int
    first: list[float]
    last: list[float]
    pages: tuple[int, int]

    def ratio(self, percent: int) -> float:
        return at(self.last, percent) / at(self.first, percent)


def at(times: list[float], percent: int) -> float:
    return quantiles(times, n=100, method="inclusive")[percent - 1]


async def measured(urls: schema.Urls, kept: world.Kept, only: str) -> list[Paged]:
    settings, watch, found = world.settings_of(urls), Watch(), []
    app = world.quiet(settings)
    described = operations(document := openapi.document(app))
    lists = [
        described[each.operation]
        for each in ASKS
        if only in each.operation and _is_list(document, described[each.operation])
    ]
    widest = {role: (role, *who) for role, *who in callers() if who[0] == "staff"}
    known: set[str] = set()
    pool = db.Database(open_watched(urls.app, settings.database), kept.keyring, lambda: world.NOW)
    for who in sorted(widest.values(), key=lambda who: (who[0] not in MUCH, who)):
        role, holder, level = who
        async with (
            pinned(pool, kept.keyring, world.NOW) as database,
            calling(app, settings, database) as client,
            undone(database),
        ):
            database._pinned.raw.watch = watch
            target = kept.target(min(ROLES[role]["agency_kinds"]))
            caller = await somebody(database, settings, kept, target, who)
            headers = {
                "authorization": f"Bearer {caller.token}",
                "purpose-of-use": (ROLES[role]["purposes"] or PURPOSES)[0],
            }
            for operation in lists:
                if operation.scope in ROLES[role]["scopes"] and operation.id not in known:
                    named = f"{role} {holder} {level}"
                    page = await _paged(Asking(client, operation, headers), watch, named)
                    if page is not None:
                        known.add(operation.id)
                        found.append(page)
                    print(named, operation.id, page and page.items, file=sys.stderr)
    await pool.close()
    return found


def _is_list(document: Mapping[str, Any], operation: Operation) -> bool:
    if operation.method != "GET" or "{" in operation.path:
        return False
    told = document["paths"][operation.path]["get"].get("parameters", ())
    return any(one["name"] == "cursor" for one in told)


class Asking(NamedTuple):
    """A list, and who asks for it."""

    client: httpx.AsyncClient
    operation: Operation
    headers: Mapping[str, str]

    async def page(self, limit: int, cursor: str | None) -> tuple[int, str | None]:
        """Return how many items a page has, and the cursor of the next."""
        asked = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        answer = await self.client.get(
            self.operation.path, params=asked, headers=dict(self.headers)
        )
        if answer.status_code != 200:
            print(self.operation.id, answer.status_code, answer.json()["type"], file=sys.stderr)
            return 0, None
        told = answer.json()
        return len(told["items"]), told["next_cursor"]

    async def walked(self, limit: int, cursor: str | None) -> tuple[int, str | None]:
        """Go on to the end; return how many items there were, and the cursor of the last page that
        was a whole one.
        """
        seen, trail = 0, [cursor]
        while True:
            number, following = await self.page(limit, trail[-1])
            seen += number
            if number < limit or following in (None, trail[-1]):
                return seen, trail[-2] if len(trail) > 1 else None
            trail.append(following)

    async def timed(self, cursor: str | None) -> float:
        begun = time.perf_counter()
        await self.page(PAGE, cursor)
        return (time.perf_counter() - begun) * 1000


async def _paged(asking: Asking, watch: Watch, caller: str) -> Paged | None:
    """Walk a list to its end and time both; None of one that is no longer than two pages."""
    items, end = await asking.walked(200, None)
    end = (await asking.walked(PAGE, end))[1]  # in small steps: the last page is a whole one
    if items <= 2 * PAGE or end is None:
        return None
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(WARM + RUNS):
        for place, cursor in enumerate((None, end)):
            times[place].append(await asking.timed(cursor))
    read = []
    for cursor in (None, end):
        watch.taken()
        watch.on = True
        await asking.page(PAGE, cursor)
        watch.on = False
        read.append(sum(one.buffers for one in watch.taken()))
    first, last = (each[WARM:] for each in times)
    return Paged(asking.operation.id, caller, items, first, last, (read[0], read[1]))


def told(found: list[Paged]) -> None:
    print(
        "| list | by | items | first, p50 / p95 ms | last, p50 / p95 ms | p50 | p95 | pages |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for each in sorted(found):
        p50, p95 = each.ratio(50), each.ratio(95)
        missed = " **missed**" if p50 > P50 or p95 > P95 else ""
        print(
            f"| `{each.operation}` | {each.caller} | {each.items:,} |"
            f" {at(each.first, 50):.1f} / {at(each.first, 95):.1f} |"
            f" {at(each.last, 50):.1f} / {at(each.last, 95):.1f} |"
            f" {p50:.2f} | {p95:.2f}{missed} | {each.pages[0]}, {each.pages[1]} |"
        )


if __name__ == "__main__":
    with world.server() as superuser_url:
        kept, urls = world.at(superuser_url, int(os.environ.get("TONGHU_PLANS", "50000")))
        told(asyncio.run(measured(urls, kept, os.environ.get("ONLY", ""))))
