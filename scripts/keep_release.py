"""Keep a small backup of this version, and its statements, for the tests of later ones.

    python -m scripts.keep_release

Once a release, on the schema it ships. Everything in it is synthetic, the keys too.
"""

import asyncio
import tomllib
from pathlib import Path

from app import wiring
from app.core.data import migrations
from app.core.data.crypto import Keyring
from app.embedded import postgres
from tests import schema
from tests.conftest import NOW
from tests.releases import backups, readers, statements, world

HOME = Path(__file__).resolve().parents[1]
NAME = "tonghu_kept"


async def _fill(urls: schema.Urls, keyring: Keyring) -> readers.Seen:
    async with readers.serving(urls, keyring, NOW) as (client, database, settings):
        found = await world.play(client, database, settings)
        return [(one, await readers.read(client, database, settings, one)) for one in found]


def played(superuser_url: str, name: str) -> tuple[schema.Urls, Keyring, readers.Seen]:
    """Play the world on a new database of the newest schema, till no table of it is empty."""
    keyring = Keyring.generate()
    urls = schema.bare(superuser_url, name)
    migrations.upgrade(urls.owner)
    seen = asyncio.run(_fill(urls, keyring))
    asyncio.run(backups.fill(superuser_url, name))  # what the world does not come to
    return urls, keyring, seen


def main() -> None:
    wiring.load()
    version = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["version"]
    folder = backups.HERE / version
    with postgres.passing("tonghu-keep-") as lease:
        superuser = lease.server.superuser_url
        urls, keyring, seen = played(superuser, NAME)
        folder.mkdir(exist_ok=True)
        backups.dump(superuser, NAME, folder)
        readers.remember(folder, keyring, seen)
        statements.record(folder)
        asyncio.run(statements.leave_out_refused(urls.app, folder))
    print(f"Kept: {folder}")


if __name__ == "__main__":
    main()
