"""Operator commands for what goes when it is old: `tonghu retention --help`."""

from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from app import wiring
from app.cli.console import fail, in_transaction, in_transactions, out
from app.core.data import retention
from app.core.data.db import Tx
from app.core.data.retention import KINDS, Kind
from app.core.jobs.queue import Begin
from app.policy import operations

app = typer.Typer(help="How long what only grows is kept.", invoke_without_command=True)


@app.callback()
def show(context: typer.Context) -> None:
    """Say of each kind of rows how long they are kept, why, how many there are and are to go."""
    wiring.load()
    if context.invoked_subcommand is None:
        out.print(in_transaction(_table))
        for kind in KINDS.values():
            for reason in retention.reasons(kind.table):
                out.print(f"{kind.table} stay, however old: {reason}", soft_wrap=True)


async def _table(tx: Tx) -> Table:
    table = Table("kind", "days", "rows, about", "oldest", "due", "old, and stay", "why")
    for kind in KINDS.values():
        kept = operations.days_of(tx, kind)
        before = tx.now - timedelta(days=kept.value)
        found = await retention.figures(tx.connection, kind, before)
        table.add_row(kind.table, str(kept.value), *_cells(found), kept.citation)
    return table


def _cells(found: Any) -> tuple[str, ...]:
    oldest = found["oldest"].date().isoformat() if found["oldest"] else ""
    least = "≥ " * bool(found["more"])
    return (f"{found['rows']:,}", oldest, f"{least}{found['due']:,}", f"{least}{found['stay']:,}")


@app.command("run")
def run_now(
    kind: Annotated[str | None, typer.Option(help="Only this one of the table's kinds.")] = None,
) -> None:
    """Delete now what is due, in small transactions, and say how far it is."""
    if kind is not None and kind not in KINDS:
        fail(f"There is no kind {kind}: {', '.join(KINDS)}.")

    async def work(begin: Begin) -> None:
        for each in KINDS.values() if kind is None else [KINDS[kind]]:
            await _forget_all(begin, each)

    in_transactions(work)


async def _forget_all(begin: Begin, kind: Kind) -> None:
    deleted, after = 0, None
    while True:
        async with begin() as tx:
            batch = await operations.forget(tx, kind, after=after)
        deleted, after = deleted + batch.deleted, batch.last
        if after is None:
            break
        out.print(f"{kind.table}: {deleted:,} deleted so far")
    out.print(f"{kind.table}: {deleted:,} deleted")
