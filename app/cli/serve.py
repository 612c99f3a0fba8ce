"""`tonghu serve`, apart from the other commands, of which a web process holds nothing."""

from typing import Annotated

import typer

from app.cli.console import Session, in_session
from app.core.data.db import SYSTEM


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API."""
    # Let a wrong setting or database fail in one line here, not inside a server process.
    documented = in_session(_started)
    from app import serving  # noqa: PLC0415  the routes take longer to load than most commands run

    there = serving.address(host, port)
    docs = ", its docs at /docs" if documented else ""
    typer.echo(f"Serving {there}{docs}; Ctrl-C stops it.", err=True)
    serving.run(host, port, workers)


async def _started(session: Session) -> bool:
    """Reach the database; tell whether the docs are served."""
    async with session.database.begin(SYSTEM) as tx:
        await tx.flush()
    return session.settings.serves_docs
