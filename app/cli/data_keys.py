"""`tonghu keys rotate-data | re-encrypt | drop`: what is sealed comes under other keys while the
service runs.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app import wiring
from app.cli.console import fail, in_transaction, out
from app.cli.keys import SEALED_BY_ALL, _File, _held, _read, _require_since, _right, _write
from app.core import startup
from app.core.clock import utc_now
from app.core.data import db, former, key_checks, keys, resealing
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.key_checks import DATA
from app.core.data.sql import about
from app.core.jobs.queue import Begin
from app.core.settings import Settings, read

_STATEMENT_MS: Final = 6 * 3_600_000
"""What is sealed under a key is counted in all rows there are."""
_PASSES: Final = 3
"""What a process that began before goes on to seal as it was is found by the next pass."""


def rotate_data(path: _File) -> None:
    """Let the next data key seal, and make the one after it; those of before go on to open.

    Copy the file to all machines: who has it not as the first is wrong after ten minutes. Then
    `re-encrypt`, and an hour after this `drop` the key of before.
    """
    with _held(path) as ring:

        async def note(tx: Tx) -> Keyring:
            rows = await _right(tx, ring)
            new = ring.rotated_data(key_checks.ids(rows))
            for row in key_checks.coming(rows, DATA):
                if row["kid"] not in {**ring.coming_data, **ring.data}:
                    fail(f"Data key {row['kid']} is coming, and not in this file: take the newest.")
            for kid in ring.coming_data:
                _require_since(tx, rows, (DATA, kid), "since", "is published")
            _write(path, new)
            for kid in ring.coming_data:
                await key_checks.use(tx, DATA, kid)
            for kid in new.coming_data:
                shown = key_checks.shown_of(new, DATA, kid)
                await key_checks.make_known(tx, DATA, kid, shown)
            return new

        new = in_transaction(note)
        if not ring.coming_data:
            out.print("No data key was coming; one is now. Copy the file; in ten minutes again.")
            return
        out.print(f"The data key {next(iter(new.data))} seals; {len(ring.data)} of before open.")


def re_encrypt() -> None:
    """Bring all that is sealed under the key it belongs under: that of its child or report, or the
    newest data key. Stopped, it goes on where it was when it is run again.
    """
    wiring.load()
    refused = asyncio.run(_as_owner(_re_encrypt))
    if refused:
        fail(f"{refused:,} values are opened by no key: is it the right file? See `keys check`.")
    out.print("All lies under the key it belongs under.")


async def _as_owner(work: Any) -> Any:
    settings = read(Settings)
    async with startup.reachable_database(settings) as addresses:
        unhurried = settings.database.model_copy(update={"statement_timeout_ms": _STATEMENT_MS})
        engine = db.open_engine(addresses.owner_url, unhurried)
        database = db.Database(engine, startup.keyring(settings), utc_now)
        try:
            return await work(partial(database.begin, db.SYSTEM))
        finally:
            await database.close()


async def _re_encrypt(as_it_is: Begin) -> int:
    begin = partial(_sealing, as_it_is)
    async with begin() as tx:
        if await former.may_run(tx):
            fail("Processes of the release before may run, and could not read it: in an hour.")
    for table in sorted({kept.table for kept in keys.KEPT.values()}):
        work = partial(resealing.make_keys, table=table)
        await _through(begin, work, f"{table}: made", _of_whom(table))
    refused = 0
    for _ in range(_PASSES):
        changed, refused = 0, 0
        for plain in resealing.IN_PLAIN:
            work = partial(resealing.seal_plain, plain=plain)
            said = f"{plain.table}: codes sealed"
            done, not_opened = await _through(begin, work, said, plain.table)
            changed, refused = changed + done, refused + not_opened
        for each in resealing.in_order():
            work = partial(resealing.seal_anew, table=each)
            said = f"{each.table}: sealed anew"
            done, not_opened = await _through(begin, work, said, each.table)
            changed, refused = changed + done, refused + not_opened
        if not changed:
            break
    return refused


@asynccontextmanager
async def _sealing(begin: Begin) -> AsyncIterator[Tx]:
    """Begin a transaction that seals. Fails by keys of another database, or of before: what is
    sealed under them is opened by nobody when they have gone.
    """
    async with begin() as tx:
        rows, wrong = await key_checks.settle(tx, tx.keyring)
        if wrong:
            fail(f"These are not the keys of the database: {'; '.join(map(str, wrong))}.")
        if (newest := key_checks.overtaken(tx.keyring, rows, DATA)) is not None:
            fail(f"Data key {newest['kid']} {key_checks.BEHIND[DATA]}: take the newest.")
        yield tx


def _of_whom(table: str) -> str:
    return next(kept.of for kept in keys.KEPT.values() if kept.table == table)


async def _through(begin: Begin, work: Any, what: str, table: str) -> tuple[int, int]:
    """Go through a table by batches; say how far it is, how fast, and about how much is left."""
    async with begin() as tx:
        all_of_it = await about(tx.connection, table)
    after, looked, changed, refused, began = None, 0, 0, 0, time.monotonic()
    while True:
        async with begin() as tx:
            batch = await work(tx, after=after)
        looked, changed = looked + batch.looked, changed + batch.changed
        refused, after = refused + batch.refused, batch.last
        rate = looked / max(time.monotonic() - began, 0.001)
        said = f"{what} {changed:,} of {looked:,} rows"
        if after is None:
            break
        left = f", about {all_of_it - looked:,} left" if all_of_it > looked else ""
        out.print(f"{said} so far, {rate:,.0f} a second{left}", soft_wrap=True)
    if changed or refused:
        out.print(f"{said}, {rate:,.0f} a second", soft_wrap=True)
    return changed, refused


def drop(
    path: _File,
    kid: Annotated[str, typer.Argument(help="Which, as `rotate-data` named it.")],
) -> None:
    """Drop a data key of before, once nothing is sealed under it, and nobody seals by it."""
    wiring.load()
    ring = _read(Path(path))
    if kid not in ring.data:
        fail("There is no such data key.")
    if kid == next(iter(ring.data)):
        fail("This key seals: rotate-data first.")
    found = asyncio.run(_as_owner(partial(_end, ring=ring, kid=kid)))
    if found:
        fail(f"Sealed under it still: {', '.join(f'{n:,} of {t}' for t, n in found.items())}.")
    with _held(path) as now:  # others may have changed it while it was counted
        _write(path, now.without_data(kid))
    out.print(f"{kid} is gone from {path}. Restart all processes; keep no copy but an archive's.")


async def _end(begin: Begin, ring: Keyring, kid: str) -> dict[str, int]:
    """Note that a data key is done with, or no file without it is right; unless it is named."""
    async with begin() as tx:
        rows = await _right(tx, ring)
        newest = key_checks.used(rows, DATA)[0]
        _require_since(tx, rows, (DATA, newest), "used_since", "seals", SEALED_BY_ALL)
    async with begin() as tx:  # which may take hours, in which others may go on
        found = await resealing.naming(tx, kid)
        if not found:
            await key_checks.end(tx, DATA, kid)
        return found
