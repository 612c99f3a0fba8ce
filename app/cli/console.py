"""What every command says, and how it reaches the database."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, NoReturn, TypeVar

import typer
from rich.console import Console

from app.core import logs, startup
from app.core.clock import utc_now
from app.core.data.db import SYSTEM, Database, Tx
from app.core.data.wrong_keys import KeysWrong
from app.core.jobs.queue import Begin
from app.core.settings import Settings, read

Answer = TypeVar("Answer")
out = Console()
err = Console(stderr=True)


def in_transaction(work: Callable[[Tx], Awaitable[Answer]]) -> Answer:
    """Run one piece of work as the system, in one transaction."""

    async def run(begin: Begin) -> Answer:
        async with begin() as tx:
            return await work(tx)

    return in_transactions(run)


def in_transactions(work: Callable[[Begin], Awaitable[Answer]]) -> Answer:
    """Run work that begins its transactions itself, as the system."""
    return in_session(lambda session: work(partial(session.database.begin, SYSTEM)))


class Session(NamedTuple):
    """What a command works with."""

    settings: Settings
    database: Database


def in_session(work: Callable[[Session], Awaitable[Answer]]) -> Answer:
    """Run work on the database."""

    async def run() -> Answer:
        settings = read(Settings)
        logs.configure(logging.CRITICAL)  # a command says itself what is wrong
        async with (
            startup.reachable_database(settings) as addresses,
            startup.open_database(settings, utc_now, addresses=addresses) as database,
        ):
            try:
                return await work(Session(settings, database))
            except KeysWrong:
                told = database.wrong_keys.told if database.wrong_keys else ""
                fail(f"This takes the keys of the database: {told}.")

    return asyncio.run(run())


def print_json(value: object) -> None:
    out.print_json(json.dumps(value, default=str, ensure_ascii=False))


def fail(message: str) -> NoReturn:
    """Print one line and leave with exit code 1."""
    say(message)
    raise typer.Exit(1)


def say(message: str) -> None:
    """Print one line of what went wrong, however long it is."""
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)


def region_code(text: str) -> int:
    if not re.fullmatch("[0-9]{6}([0-9]{3}){0,2}", text):
        fail("A division code has 6, 9 or 12 digits.")
    return int(text.ljust(12, "0"))
