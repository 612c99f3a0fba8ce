"""The list of commands, printed without loading them; a test holds it to what they say."""

from typing import Final

import typer

HELP: Final = "Tonghu 童护: run and look after the service."
COMMANDS: Final = {
    "serve": "Serve the API.",
    "init": "Name the two operators of a new service, once.",
    "backup": "Copy the whole server, or with --archive dump the rows that may be kept for years.",
    "wal": "Keep what the server writes, as it writes it, until SIGTERM: for any moment since.",
    "restore": "Bring a backup back: the server's files at any moment since, or an archive's rows.",
    "verify": "Say in one line for each thing looked at whether a backup, or a database, is whole.",
    "breach": "List the children whose data was shown or changed, and whose office tells each"
    " family: CSV.",
    "year": "Print the figures of the yearly audit of minors' data"
    " (未成年人网络保护条例 37), as JSON, or write them as the report.",
    "worker": "Run jobs and deliver webhooks until SIGTERM.",
    "sealer": "Seal the audit, and sign it, until SIGTERM.",
    "migrate": "Bring the database to this version's schema, as the owner role.",
    "revision": "Write the next schema revision: what the models changed, or with --fill what rows"
    " get.",
    "clauses": "Print how many obligations are carried, partly or not yet, by area, and what is"
    " missing.",
    "openapi": "Print the API document.",
    "agencies": "Agencies that have duties.",
    "clients": "Systems and apps that call the API.",
    "staff": "People who sign in.",
    "posts": "Posts, which give power, and who holds them.",
    "approvals": "What takes two people.",
    "regions": "Administrative divisions.",
    "duties": "Who owes what by when.",
    "retention": "How long what only grows is kept.",
    "keys": "Signing and encryption keys.",
    "audit": "The sealed audit: its key, witnesses, and exports.",
    "jobs": "Background jobs: what is held, and when periodic ones last succeeded.",
}


def show() -> None:
    """Print what `tonghu --help` says."""
    app = typer.Typer(
        name="tonghu", help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
    for name, told in COMMANDS.items():
        app.command(name, help=told)(_nothing)
    app(["--help"], prog_name="tonghu")


def _nothing() -> None:
    """Stand in for a command."""
