"""What was read of a release and the keys it is sealed with: `NAME/seen.json`, `keys.json`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from re import fullmatch, sub
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from app import main
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings
from tests import schema
from tests.access.factories import a_caller
from tests.releases.world import Reader

Seen = list[tuple[Reader, dict[str, Any]]]


@asynccontextmanager
async def serving(
    urls: schema.Urls, keyring: Keyring, now: datetime
) -> AsyncIterator[tuple[httpx.AsyncClient, db.Database, Settings]]:
    """Serve the app on a database of its own, at an instant."""
    settings = Settings(
        environment=Environment.test, database={"url": urls.app, "owner_url": urls.owner}
    )
    engine = db.open_engine(urls.app, settings.database)
    database = db.Database(engine, keyring, lambda: now)
    app = main.create_app(settings)
    async with main.state(settings, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            try:
                yield client, database, settings
            finally:  # or the loop waits for its connections for good
                await database.close()


async def read(
    client: httpx.AsyncClient, database: db.Database, settings: Settings, reader: Reader
) -> dict[str, Any]:
    """Read all of a reader's URLs as somebody new of that agency."""
    caller = await a_caller(
        database, settings, reader.role, reader.region, agency_id=reader.agency_id
    )
    found = {}
    for url in reader.urls:
        answer = await client.get(url, headers=caller.headers)
        assert answer.status_code == httpx.codes.OK, f"{url}: {answer.text}"
        found[url] = answer.json()
    return found


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads(Path("openapi/v1.json").read_bytes()))


def unfit(url: str, answer: Any) -> list[str]:
    """Say where an answer to a GET is not as the document says."""
    document = _document()
    asked = url.partition("?")[0]
    paths = sorted(document["paths"], key=lambda path: path.count("{"))  # one without comes first
    path = next(path for path in paths if fullmatch(sub(r"{\w+}", "[^/]+", path), asked))
    said = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**said["schema"], "components": document["components"]}
    return [
        f"{url}: {each.json_path}: {each.message}"
        for each in Draft202012Validator(schema).iter_errors(answer)
    ]


def remember(folder: Path, keyring: Keyring, seen: Seen) -> None:
    (folder / "keys.json").write_text(keyring.to_json() + "\n")
    told = [{**asdict(reader), "urls": answers} for reader, answers in seen]
    (folder / "seen.json").write_text(
        json.dumps(told, ensure_ascii=False, indent=1, default=str) + "\n"
    )


def remembered(folder: Path) -> tuple[Keyring, Seen]:
    told = json.loads((folder / "seen.json").read_text())
    return Keyring.from_json((folder / "keys.json").read_text()), [
        (Reader(**{**one, "urls": list(one["urls"])}), one["urls"]) for one in told
    ]
