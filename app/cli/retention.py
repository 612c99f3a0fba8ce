"""Operator commands for what goes when it is old: `tonghu retention --help`."""

from datetime import timedelta
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from app import wiring
from app.cli.console import fail, in_transaction, in_transactions, out
from app.core.data import months, retention
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
        table, reasons = in_transaction(_figures)
        out.print(table)
        for reason in reasons:
            out.print(reason, soft_wrap=True, highlight=False)
        left = in_transaction(lambda tx: months.ahead(tx.connection, tx.now))
        out.print(f"There is room for {left} months ahead.")


async def _figures(tx: Tx) -> tuple[Table, list[str]]:
    table, reasons = Table("kind", "days", "about", "oldest", "due", "stay", box=box.SIMPLE), []
    for kind in KINDS.values():
        kept = operations.days_of(tx, kind)
        before = tx.now - timedelta(days=kept.value)
        found = await retention.figures(tx.connection, kind, before)
        oldest = f"{found['oldest']:%Y-%m-%d}" if found["oldest"] else ""
        least = "≥ " if found["more"] else ""
        counts = (f"{found['rows']:,}", oldest, *(least + f"{found[n]:,}" for n in ("due", "stay")))
        table.add_row(kind.table, str(kept.value), *counts)
        reasons.append(f"{kind.table}, {kept.value} days: {kept.citation}")
        reasons += [f"  stays, however old: {why}" for why in retention.reasons(kind.table)]
    return table, reasons


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
    await _shrink_months(begin, kind)


async def _shrink_months(begin: Begin, kind: Kind) -> None:
    month, after, kept = None, None, None
    while True:
        async with begin() as tx:
            done = await operations.put_by(tx, kind, month=month, after=after, kept=kept)
        if done is None:
            return
        month, after, kept = done.month.name, done.batch.last, done.kept
        if after is None:
            await _replace(begin, kind, month, kept)


async def _replace(begin: Begin, kind: Kind, month: str, kept: int | None) -> None:
    async with begin() as tx:
        replaced = await operations.replace_month(tx, kind, month, kept)
    if not replaced:
        fail(f"{month} was in use all the time: run this again.")
    async with begin() as tx:
        await months.drop_gone(tx.connection)
    out.print(f"{month} is gone but for what stays")
