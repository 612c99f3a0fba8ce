"""Hold every statement of the product to a ceiling of what it reads, on a register of N children.

TONGHU_PLANS=50000 make plans        fewer children than a million
ONLY=listVisits make plans           what has this in its name
"""

import asyncio
import os
import sys

from app.api import openapi
from app.core.data import db
from tests import schema
from tests.conftest import calling, pinned
from tests.matrix.described import operations
from tests.plans import figures, jobs, world
from tests.plans.asking import asked_of, callers
from tests.plans.judging import Watch, open_watched
from tests.plans.telling import Asked, told


async def asked_by_all(urls: schema.Urls, kept: world.Kept, only: str) -> list[Asked]:
    """Have everything asked, each job run and each figure read on one watched connection; all is
    taken back.
    """
    settings, watch, found = world.settings_of(urls), Watch(), []
    app = world.quiet(settings)
    document = openapi.document(app)
    described = operations(document)
    pool = db.Database(open_watched(urls.app, settings.database), kept.keyring, lambda: world.NOW)
    for who in (None, *callers()):
        # In a transaction each, so that what was taken back can be swept up before the next.
        async with (
            pinned(pool, kept.keyring, world.NOW) as database,
            calling(app, settings, database) as client,
        ):
            database._pinned.raw.watch = watch
            asked = (
                await asked_of(
                    client, database, settings, kept, document, described, who, watch, only
                )
                if who
                else [
                    *await jobs.run_each(database, watch, only),
                    *await figures.read_each(database, watch, only),
                ]
            )
        _progress(" ".join(who or ["jobs and figures"]), asked)
        found += asked
    await pool.close()
    return found


def _progress(who: str, asked: list[Asked]) -> None:
    judged = [one for each in asked for one in each.judged]
    over = sum(one.over for one in judged)
    print(f"{who}: {len(asked)} asked, {len(judged)} judged, {over} over", file=sys.stderr)


def run(children: int, only: str) -> int:
    with world.server() as superuser_url:
        kept, urls = world.at(superuser_url, children)
        asked = asyncio.run(asked_by_all(urls, kept, only))
    if not asked:
        print(f"Nothing has {only!r} in its name: nothing was judged.", file=sys.stderr)
        return 1
    return told(asked, children, whole=not only)


if __name__ == "__main__":
    if sys.argv[1:]:  # a million files would be made for `--help`
        raise SystemExit(__doc__)
    raise SystemExit(
        run(int(os.environ.get("TONGHU_PLANS", "1000000")), os.environ.get("ONLY", ""))
    )
