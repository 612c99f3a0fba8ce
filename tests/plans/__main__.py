"""Hold every statement of the product to a ceiling of what it reads, on a register of N children.

    TONGHU_PLANS=50000 make plans
"""

import asyncio
import logging
import os
import sys
from contextlib import asynccontextmanager
from collections.abc import AsyncIterator

import structlog
from sqlalchemy import event

from app import main
from app.api import openapi
from app.core.data import db
from app.core.settings import Settings
from tests import schema
from tests.conftest import PinnedDatabase, calling, pinned
from tests.matrix.described import operations
from tests.plans import world
from tests.plans.asking import Asked, asked_of, callers
from tests.plans.judging import Watch, Watched
from tests.plans.telling import told


@asynccontextmanager
async def watched(
    urls: schema.Urls, settings: Settings, kept: world.Kept
) -> AsyncIterator[tuple[PinnedDatabase, Watch]]:
    """Open one connection that is watched, in a transaction that is taken back."""
    engine, watch = db.open_engine(urls.app, settings.database), Watch()

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect_watched(dialect, record, arguments, options) -> None:
        options["connection_class"] = Watched

    pool = db.Database(engine, kept.keyring, lambda: world.NOW)
    async with pinned(pool, kept.keyring, world.NOW) as database:
        database._pinned.raw.watch = watch
        yield database, watch
    await pool.close()


async def asked_by_all(urls: schema.Urls, kept: world.Kept) -> list[Asked]:
    settings = world.settings_of(urls)
    app = main.create_app(settings)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    document = openapi.document(app)
    described, found = operations(document), []
    async with (
        watched(urls, settings, kept) as (database, watch),
        calling(app, settings, database) as client,
    ):
        for who in callers():
            if os.environ.get("WHO", "") not in "-".join(who):
                continue
            asked = await asked_of(
                client, database, settings, kept, document, described, who, watch,
                os.environ.get("ONLY", ""),
            )
            over = sum(judged.over for each in asked for judged in each.judged)
            statements = sum(len(each.judged) for each in asked)
            print(f"{' '.join(who)}: {len(asked)} asked, {statements} judged, {over} over",
                  file=sys.stderr, flush=True)
            found += asked
    return found


def run(children: int) -> int:
    with world.server() as superuser_url:
        kept, urls = world.at(superuser_url, children)
        return told(asyncio.run(asked_by_all(urls, kept)))


if __name__ == "__main__":
    raise SystemExit(run(int(os.environ.get("TONGHU_PLANS", "1000000"))))
