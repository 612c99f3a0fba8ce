"""`tonghu keys`: make the key file, compare it, and change its keys while the service runs."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from app.children import reindexing
from app.cli.console import fail, in_transaction, out
from app.core import own_files
from app.core.clock import CHINA
from app.core.data import crypto, key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import TO_PUBLIC
from app.core.data.key_checks import INDEX, KNOWN_FOR, SIGNING, SPOOL

app = typer.Typer(help="Signing and encryption keys.", no_args_is_help=True)
GOES_WITH_TIME: Final = timedelta(days=30)
"""For so long what is sent again is known again by an index key of before: as its answers are kept.
"""
SEALED_BY_ALL: Final = timedelta(hours=1)
"""So long after the first use of a data key, or of one of the spool, no process seals by the one
before: who has it not as the first is wrong after ten minutes, and then seals to the newest of the
spool in the database.
"""
_LONG: Final = {KNOWN_FOR: "ten minutes", SEALED_BY_ALL: "an hour", GOES_WITH_TIME: "30 days"}
_File = Annotated[Path, typer.Argument(help="The key file.", exists=True, dir_okay=False)]


@app.command()
def generate(
    path: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
) -> None:
    """Make a key file for TONGHU_KEYS_FILE. Whoever has it can read every child's file."""
    try:
        with own_files.create(path) as file:
            file.write(Keyring.generate().to_json())
    except FileExistsError:
        fail(f"{path} exists already; keys are never overwritten.")
    out.print(f"Keys written to {path}. Keep a copy apart from the database's backups.")


@app.command()
def check(path: _File) -> None:
    """Compare a key file with the database, a line a key; exit with 1 if something is wrong."""
    ring = _read(path)
    rows, wrong, anew, waiting = in_transaction(partial(_look, ring))
    for kind, kid, says in _compared(ring, rows, wrong):
        out.print(f"{kind} key {kid}: {says}", highlight=False, soft_wrap=True)
    if anew is not None and anew.left:
        said = (
            f"{anew.files:,} files written anew, {anew.left:,} of {anew.counties:,} counties left"
        )
        out.print(f"index key {anew.kid}: {said}", highlight=False, soft_wrap=True)
    behind = [row for row in key_checks.coming(rows) if not key_checks.has(ring, row)]
    for fault in wrong:
        out.print(str(fault), style="red", highlight=False, soft_wrap=True)
    for row in behind:
        said = "is coming, and not in this file yet: copy the new file before it is used"
        out.print(f"{row['kind']} key {row['kid']} {said}", style="red", soft_wrap=True)
    shut = {kid: count for kid, count in waiting.items() if kid not in (ring.unspool or ring.spool)}
    for kid, count in shut.items():
        said = f"is missing: {count:,} reports that wait are sealed to it, and nobody opens them"
        out.print(f"spool key {kid} {said}", style="red", highlight=False, soft_wrap=True)
    if wrong or behind or shut:
        raise typer.Exit(1)


async def _look(
    ring: Keyring, tx: Tx
) -> tuple[key_checks.Rows, list[key_checks.Fault], reindexing.Progress | None, dict[str, int]]:
    """Return what is known of keys, what is wrong with a file's, how far files are under the newest
    index key, and how many reports wait under which key of the spool.
    """
    rows = await key_checks.rows_of(tx)
    waiting = {row["kid"]: row["waiting"] for row in await tx.connection.fetch(_WAITING)}
    if not rows:
        return rows, await key_checks.unproven(tx, ring), None, waiting
    return rows, key_checks.faults(ring, rows, tx.now), await reindexing.progress(tx), waiting


def _compared(
    ring: Keyring, rows: key_checks.Rows, faults: Sequence[key_checks.Fault]
) -> Iterator[tuple[str, str, str]]:
    """Yield what is to be said of each key of a file that is not wrong."""
    known = {(row["kind"], row["kid"]): row for row in rows}
    wrong = {fault[:2] for fault in faults}
    for kind, kid in key_checks.named(ring):
        row = known.get((kind, kid))
        if row is None:
            yield kind, kid, "not known yet; it is when a process begins with it"
        elif row["ended_at"] is not None and (kind, kid) not in wrong:
            yield kind, kid, f"ended {_day(row['ended_at'])}; it may leave this file"
        elif (kind, kid) not in wrong:
            used = row["used_since"]
            said = f"used since {_day(used)}" if used else f"coming since {_day(row['since'])}"
            yield kind, kid, f"right, {said}"


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


@app.command("list")
def list_keys(path: _File) -> None:
    """List the keys of access tokens: which signs, which did before, which comes next."""
    ring = _read(path)
    table = Table("kid", "it")
    for place, kid in enumerate(ring.signing):
        table.add_row(kid, "signs" if place == 0 else "signed before; verifies")
    for kid in ring.coming:
        table.add_row(kid, "signs next; verifies")
    out.print(table)


@app.command()
def rotate(path: _File) -> None:
    """Let the next key sign, which has stood published for ten minutes at least. The one that
    signed verifies what it signed, until the next rotation.

    Processes that run take it within seconds. Where the file lies on several machines, copy it to
    all within five minutes.
    """
    with _held(path) as held:
        is_next = _rotate(path, held)
    if not is_next:
        out.print("A next key is published: in ten minutes, run this again to let it sign.")
    list_keys(path)


def _rotate(path: Path, held: Keyring) -> bool:
    """Change the keys of tokens; tell whether another signs."""

    async def note(tx: Tx) -> tuple[Keyring, bool]:
        rows = await _right(tx, held)
        ring = held.without(*key_checks.ended(rows, SIGNING))
        changed = ring.rotated()
        if ring.coming:
            next_kid, signs = next(iter(ring.coming)), next(iter(ring.signing))
            _require_since(tx, rows, (SIGNING, next_kid), "since", "is published")
            if len(ring.signing) > 1:
                _require_since(tx, rows, (SIGNING, signs), "used_since", "signs")
            await key_checks.use(tx, SIGNING, next_kid)
        await _leave(tx, rows, changed)
        return changed, bool(ring.coming)

    changed, is_next = in_transaction(note)
    _write(path, changed)
    return is_next


@app.command()
def retire(path: _File, kid: Annotated[str, typer.Argument(help="Which, by `keys list`.")]) -> None:
    """Let a key verify no more: at once, all that it signed counts for nothing."""
    with _held(path) as ring:
        if kid == next(iter(ring.signing)):
            fail("This key signs: rotate first.")
        if kid not in {*ring.signing, *ring.coming}:
            fail("There is no such key.")

        async def note(tx: Tx) -> None:
            await _right(tx, ring)
            await key_checks.end(tx, SIGNING, kid)

        in_transaction(note)
        _write(path, ring.without(kid))
    list_keys(path)


@app.command()
def rotate_index(path: _File) -> None:
    """Add a key of blind indexes, which is asked from then on; ten minutes later, let it be the one
    that makes them. A worker writes anew what is found; after thirty days `drop-index` the one
    before.
    """
    with _held(path) as ring:

        async def note(tx: Tx) -> str:
            rows = await _right(tx, ring)
            used, coming = key_checks.used(rows, INDEX), key_checks.coming(rows, INDEX)
            if coming:
                kid = coming[0]["kid"]
                if kid not in ring.index:
                    fail(f"Index key {kid} is coming, and not in this file: take the newest file.")
                _require_since(tx, rows, (INDEX, kid), "since", "is published")
                _write(path, replace(ring, index={kid: ring.index[kid], **ring.index}))
                await key_checks.use(tx, INDEX, kid)
                return f"{kid} makes blind indexes by now; in ten minutes a worker writes all anew."
            if len(used) > 1:
                fail(f"Index key {used[-1]} is in use still: drop it first.")
            made = crypto.new_key(key_checks.ids(rows))
            [kid] = made
            await key_checks.make_known(tx, INDEX, kid, crypto.check(made[kid]))
            _write(path, replace(ring, index={**ring.index, **made}))
            said = (
                "is asked from now on. In ten minutes, run this again to let it make blind indexes."
            )
            return f"{kid} {said}"

        said = in_transaction(note)
        out.print(f"Index key {said}", f"Copy {path} to all machines before.", soft_wrap=True)


@app.command()
def drop_index(path: _File, kid: Annotated[str, typer.Argument(help="Which, by `check`.")]) -> None:
    """Let an index key go for good, by which nothing is found any more."""
    with _held(path) as ring:
        if kid not in ring.index:
            fail("There is no such key.")

        async def note(tx: Tx) -> None:
            rows = await _right(tx, ring)
            newest = key_checks.used(rows, INDEX)[0]
            if kid == newest:
                fail("This key makes blind indexes: rotate-index first.")
            if not await reindexing.is_whole(tx, newest):
                fail("Files are found by it still: `tonghu keys check` says how far a worker is.")
            _require_since(tx, rows, (INDEX, newest), "used_since", "makes them", GOES_WITH_TIME)
            await key_checks.end(tx, INDEX, kid)

        in_transaction(note)
        _write(path, replace(ring, index={k: key for k, key in ring.index.items() if k != kid}))
        out.print(f"Index key {kid} has gone. Copy {path} to all machines.", soft_wrap=True)


@app.command()
def rotate_spool(path: _File) -> None:
    """Add a key of the spool, which opens from then on; ten minutes later, let what waits be sealed
    to it. An hour after that `drop-spool` the one before.

    The file has the private keys; web processes that have one without get a copy made anew.
    """
    with _held(path) as ring:
        if not ring.spool.keys() <= ring.unspool.keys():
            fail("This file has not the private keys of the spool: take that of the workers.")

        async def note(tx: Tx) -> str:
            rows = await _right(tx, ring)
            known = {row["kid"]: row for row in rows if row["kind"] == SPOOL}
            for kid, row in known.items():
                if row["ended_at"] is None and kid not in ring.spool:
                    fail(f"Spool key {kid} is not in this file: take the newest file.")
            seals, last = next(iter(ring.spool)), [*ring.spool][-1]
            if known[last]["since"] > known[seals]["used_since"]:
                _require_since(tx, rows, (SPOOL, last), "since", "is published")
                _write(path, replace(ring, spool={last: ring.spool[last], **ring.spool}))
                await key_checks.use(tx, SPOOL, last)
                return f"{last} seals what waits from now on; in an hour drop-spool the one before."
            if last != seals:
                fail(f"Spool key {last} may be sealed to still: drop it first.")
            made = crypto.new_key(key_checks.ids(rows))
            [(kid, public)] = crypto.public_parts(made).items()
            await key_checks.make_known(tx, SPOOL, kid, public)
            spool, unspool = {**ring.spool, kid: public}, {**ring.unspool, **made}
            _write(path, replace(ring, spool=spool, unspool=unspool))
            return f"{kid} opens from now on. In ten minutes, run this again to seal to it."

        said = in_transaction(note)
        out.print(f"Spool key {said}", f"Copy {path} to all machines before.", soft_wrap=True)


@app.command()
def drop_spool(path: _File, kid: Annotated[str, typer.Argument(help="Which, by `check`.")]) -> None:
    """Let a key of the spool go for good, to which nothing is sealed any more."""
    with _held(path) as ring:
        newest = next(iter(ring.spool))
        if kid not in ring.spool:
            fail("There is no such key.")
        if kid == newest:
            fail("This key seals: rotate-spool first.")

        async def note(tx: Tx) -> None:
            rows = await _right(tx, ring)
            _require_since(tx, rows, (SPOOL, newest), "used_since", "seals", SEALED_BY_ALL)
            if waiting := await tx.connection.fetchval(_SEALED_TO, TO_PUBLIC + kid.encode()):
                fail(f"{waiting:,} reports that wait are sealed to it: a worker files them first.")
            await key_checks.end(tx, SPOOL, kid)

        in_transaction(note)
        kept = [{k: key for k, key in of.items() if k != kid} for of in (ring.spool, ring.unspool)]
        _write(path, replace(ring, spool=kept[0], unspool=kept[1]))
        out.print(f"Spool key {kid} has gone. Copy {path} to all machines.", soft_wrap=True)


_SEALED_TO: Final = "SELECT count(*) FROM spooled_reports WHERE substr(sealed, 1, 5) = $1"
_WAITING: Final = """
SELECT encode(substr(sealed, 2, 4), 'escape') AS kid, count(*) AS waiting FROM spooled_reports
GROUP BY kid ORDER BY kid
"""


async def _right(tx: Tx, ring: Keyring) -> key_checks.Rows:
    """Return what is known of keys, now that it is known of all of this file, and let nobody else
    change that. Fails for another file.
    """
    await key_checks.hold(tx)
    rows, wrong = await key_checks.settle(tx, ring)
    if wrong:
        fail(f"This is not the key file of the database: {'; '.join(map(str, wrong))}.")
    return rows


def _require_since(
    tx: Tx,
    rows: key_checks.Rows,
    key: tuple[str, str],
    column: str,
    does: str,
    long: timedelta = KNOWN_FOR,
) -> None:
    """Fail if a key is so since less `long` than is asked for."""
    since = next(row[column] for row in rows if (row["kind"], row["kid"]) == key)
    if tx.now - since < long:
        again = f"run this again {_day(since + long)}"
        fail(f"Key {key[1]} {does} for less than {_LONG[long]}: {again}.")


async def _leave(tx: Tx, rows: key_checks.Rows, ring: Keyring) -> None:
    """Note which keys of tokens a changed file has, and which no more."""
    for row in rows:
        if row["kind"] == SIGNING and not key_checks.has(ring, row):
            await key_checks.end(tx, SIGNING, row["kid"])
    for kid in ring.coming:
        shown = key_checks.shown_of(ring, SIGNING, kid)
        await key_checks.make_known(tx, SIGNING, kid, shown)


@contextmanager
def _held(path: Path) -> Iterator[Keyring]:
    """Read a key file that nobody else on this machine changes meanwhile."""
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield _read(path)
    finally:
        os.close(folder)


def _read(path: Path) -> Keyring:
    try:
        return Keyring.from_json(path.read_text())
    except (ValueError, KeyError, TypeError, AttributeError):
        fail(f"{path} is no key file.")


def _write(path: Path, ring: Keyring) -> None:
    """Put a new file in the place of the old one; a reader finds the one or the other whole. What
    comes is there before the database knows of it, what goes after: where only one of both was
    done, the file is right.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)  # of who was killed
    with own_files.create(beside) as file:
        file.write(ring.to_json())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
