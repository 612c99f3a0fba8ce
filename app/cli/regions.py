"""Operator commands for administrative divisions: `tonghu regions --help`."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.progress import Progress

from app.cli.console import Answer, err, fail, in_transaction, out, region_code
from app.core.data.db import Tx
from app.regions.divisions import BadDivisionLine, abolished, replaced, shipped
from app.regions.entering import add_region, import_successors
from app.regions.operations import (
    BadDivisions,
    Imported,
    RegionNotReplaceable,
    import_divisions,
    import_replaced,
    import_village_file,
    replace_region,
)
from app.regions.rules import BadRegionCode

app = typer.Typer(help="Administrative divisions.", no_args_is_help=True)


@app.command("load")
def load_regions() -> None:
    """Load what comes with the program: the nation down to townships, and codes since replaced."""

    async def run(tx: Tx) -> tuple[Imported, int, int]:
        done = await import_divisions(tx.connection, shipped())
        codes = await import_replaced(tx.connection, chain(replaced(), abolished()))
        return done, codes, await import_successors(tx, replaced())

    done, codes, successors = in_transaction(run)
    out.print(f"{done.read:,} divisions read, {done.added:,} added, {done.renamed:,} renamed.")
    out.print(f"{codes:,} codes that ended since 1984 added; {successors:,} got their successor.")


@app.command("import")
def import_regions(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    source: Annotated[str, typer.Option(help="Which edition the file is.")] = "",
) -> None:
    """Import a full village file (CSV), all or nothing; `regions load` comes first."""
    with Progress(console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("villages", total=None)
        try:
            done = in_transaction(
                lambda tx: import_village_file(
                    tx.connection,
                    file,
                    source=source or file.name,
                    progress=lambda read: bar.update(task, completed=read),
                )
            )
        except (BadDivisions, BadDivisionLine) as bad:
            for line in getattr(bad, "problems", [str(bad)])[:100]:
                err.print(line, markup=False, highlight=False)
            fail("Nothing was imported.")
    out.print(f"{done.read:,} villages read, {done.added:,} added, {done.renamed:,} renamed.")


Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the new code.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do it, say so, and take it back.")]


@app.command("add")
def add_division(
    code: Annotated[str, typer.Argument(help="Its code.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    on: Day,
    source: Annotated[str, typer.Option(help="The document that says so.")],
    out_of: Annotated[str | None, typer.Option(help="The place it was a part of.")] = None,
    dry_run: DryRun = False,  # noqa: FBT002  a flag of the command
) -> None:
    """Enter a division that the tables shipped do not have: a new one, or a part of one that was
    split. Then `regions replace` brings along what lies in it and had other codes.
    """
    part = None if out_of is None else region_code(out_of)
    _change_regions(
        lambda tx: add_region(tx, region_code(code), name, on.date(), source=source, out_of=part),
        dry_run=dry_run,
    )
    out.print("It was entered; reports that named it and wait are brought there.")


@app.command("replace")
def replace_division(
    old: Annotated[str, typer.Argument(help="Code that ends, or has ended without a successor.")],
    new: Annotated[str, typer.Argument(help="Code that takes its place.")],
    on: Day,
    name: Annotated[str | None, typer.Option(help="The new name, if it changed too.")] = None,
    dry_run: DryRun = False,  # noqa: FBT002  a flag of the command
) -> None:
    """Let a division take another's place, with all that lies in it and is filed there.

    A new code that exists already takes the old one in: first replace what lies below the old one.
    """
    codes = _change_regions(
        lambda tx: replace_region(tx, region_code(old), region_code(new), on.date(), name=name),
        dry_run=dry_run,
    )
    out.print(f"{codes:,} codes were replaced; what was filed under them went along.")


def _change_regions(work: Callable[[Tx], Awaitable[Answer]], *, dry_run: bool) -> Answer:
    """Run a change of divisions; of a dry run nothing stays."""

    async def run(tx: Tx) -> Answer:
        done = await work(tx)
        if dry_run:
            raise _DryRun(done)
        return done

    try:
        return in_transaction(run)
    except _DryRun as tried:
        out.print("Tried, and taken back:")
        return cast("Answer", tried.args[0])
    except (RegionNotReplaceable, BadRegionCode) as refused:
        fail(f"Nothing was changed: {refused}.")


class _DryRun(Exception):
    """What was to be tried has been done; raised so that the transaction is taken back."""
