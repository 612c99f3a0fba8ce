"""`tonghu keys`: make the key file, and change which key signs tokens while the service runs."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from app.cli.console import fail, out
from app.core.clock import utc_now
from app.core.data.crypto import Keyring

app = typer.Typer(help="Signing and encryption keys.", no_args_is_help=True)
_TOKENS_LIVE: Final = timedelta(minutes=10)
_File = Annotated[Path, typer.Argument(help="The key file.", exists=True, dir_okay=False)]


@app.command()
def generate(
    path: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
) -> None:
    """Make a key file for TONGHU_KEYS_FILE. Whoever has it can read every child's file."""
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(Keyring.generate().to_json())
    except FileExistsError:
        fail(f"{path} exists already; keys are never overwritten.")
    out.print(f"Keys written to {path}. Keep a copy apart from the database's backups.")


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
    """Let the next key sign. The one that signed verifies what it signed, until the next rotation.

    Processes that run take it within seconds. Where the file lies on several machines, copy it to
    all within five minutes.
    """
    ring = _read(path)
    since = utc_now() - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if len(ring.signing) > 1 and since < _TOKENS_LIVE:
        fail("The keys were changed less than ten minutes ago: tokens of the key before may live.")
    _write(path, ring.rotated())
    list_keys(path)


@app.command()
def retire(path: _File, kid: Annotated[str, typer.Argument(help="Which, by `keys list`.")]) -> None:
    """Let a key verify no more: at once, all that it signed counts for nothing."""
    ring = _read(path)
    if kid == next(iter(ring.signing)):
        fail("This key signs: rotate first.")
    if kid not in {*ring.signing, *ring.coming}:
        fail("There is no such key.")
    _write(path, ring.without(kid))
    list_keys(path)


def _read(path: Path) -> Keyring:
    try:
        return Keyring.from_json(path.read_text())
    except (ValueError, KeyError, TypeError, AttributeError):
        fail(f"{path} is no key file.")


def _write(path: Path, ring: Keyring) -> None:
    """Put a new file in the place of the old one; a reader finds the one or the other whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(ring.to_json())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
