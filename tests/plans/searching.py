"""How long searches for names take at each size of caller, by tokens and as before there were any.

python -m tests.plans.searching          on the register that `make plans` makes
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from statistics import median
from time import perf_counter
from typing import Any

from app.access.principal import Principal
from app.children import listing, names, queries, schemas, search, tokens
from app.core.data import db
from app.core.data.db import Tx
from app.core.http import paging
from app.core.http.cursors import Cursors
from tests.children.factories import everywhere
from tests.plans import world
from tests.plans.asking import searches
from tests.plans.judging import Watch, open_watched
from tests.plans.likely import name_of

TIMES = 7
Search = Callable[[Tx, Principal, schemas.ChildSearch], Awaitable[paging.Rows]]


def _cursors(tx: Tx) -> Cursors:
    return Cursors(tx.keyring, lambda: "search")


async def _by_tokens(tx: Tx, principal: Principal, wanted: schemas.ChildSearch) -> paging.Rows:
    return await search.found(tx, principal, wanted, None, _cursors(tx))


async def _as_before(tx: Tx, principal: Principal, wanted: schemas.ChildSearch) -> paging.Rows:
    conditions = search.compared(tx, wanted, None)
    return await listing.list_page(tx, principal, conditions, paging.Window(_cursors(tx)))


async def _measured(
    database: db.Database, watch: Watch, lo: int, hi: int, how: Search, body: dict[str, Any]
) -> str:
    wanted, principal, took = schemas.ChildSearch(**body), everywhere(lo, hi), []
    async with database.begin(db.Reach(lo, hi)) as tx:
        for _ in range(TIMES):
            started = perf_counter()
            rows = (await how(tx, principal, wanted)).rows
            took.append((perf_counter() - started) * 1000)
        tx.connection.watch, watch.on = watch, True
        await how(tx, principal, wanted)
        watch.on = False
    pages = sum(each.buffers for each in watch.taken())
    return f"{median(took):,.1f} ms, {pages:,} pages, {len(rows)} found"


class _TakenBack(Exception):
    pass


async def _written(database: db.Database) -> None:
    """Write the tokens of some children that have none; take it back."""
    async with database.begin(db.SYSTEM) as tx:
        size = await tx.connection.fetchval(_SIZE)
        children = [
            (queries.ref_of(row), row["name"]) for row in await tx.connection.fetch(_SOME, BATCH)
        ]
    took = []
    for each in (children, *([one] for one in children[:100])):
        with suppress(_TakenBack):
            async with database.begin(db.SYSTEM) as tx:
                ids = [child.id for child, _ in each]
                await tx.connection.execute(
                    "DELETE FROM child_names WHERE child_id = ANY ($1)", ids
                )
                started = perf_counter()
                await names.keep(tx, each)
                took.append(perf_counter() - started)
                raise _TakenBack
    all_, *single = took
    count = sum(len(tokens.kept(name)) for _, name in children)
    print(f"tokens of one child: {median(single) * 1000:.2f} ms")
    print(f"of {BATCH} children, {count} tokens: {count / all_:,.0f} tokens/s")
    print(f"bytes for each child, indexes too: {size}")


BATCH = 1000
_SOME = "SELECT id, home_county, region_code, school_id, name FROM children ORDER BY id LIMIT $1"
_SIZE = """
SELECT pg_total_relation_size('child_names') / nullif(reltuples, 0)::bigint
FROM pg_class WHERE relname = 'children'
"""


async def _all(kept: world.Kept, url: str, settings: Any) -> None:
    watch = Watch()
    database = db.Database(open_watched(url, settings.database), kept.keyring, lambda: world.NOW)
    region = kept.target("civil_affairs").region
    sizes = {"township": 10**3, "county": 10**6, "province": 10**10, "nation": 10**12}
    for what, body in searches(name_of(kept.copy)).items():
        for size, codes in sizes.items():
            lo = region // codes * codes
            found = []
            for how in (_as_before, _by_tokens):
                try:
                    found.append(await _measured(database, watch, lo, lo + codes, how, body))
                except search.SearchTooBroad:
                    found.append("refused")
            print(f"{what:<10} {size:<9} {found[0]:<42} {found[1]}", flush=True)
    await _written(database)
    await database.close()


if __name__ == "__main__":
    with world.server() as superuser_url:
        made, urls = world.at(superuser_url, int(os.environ.get("TONGHU_PLANS", "1000000")))
        asyncio.run(_all(made, urls.app, world.settings_of(urls)))
