"""Operator commands on personal data: `tonghu breach`, `tonghu year`."""

import csv
import re
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from app.breaches import listing, printing, yearly
from app.breaches.listing import Asked
from app.cli.console import fail, in_transaction, out, print_json, say
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.core.http.wire import region_text

_ID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ACTOR: Final = re.compile(f"(staff|client):{_ID}|system|unknown")


def breach(
    since: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="From, China time.")
    ],
    until: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Before, China time."),
    ],
    actor: Annotated[
        str | None, typer.Option(help="Only by this one: staff:ID or client:ID.")
    ] = None,
    client: Annotated[UUID | None, typer.Option(help="Only through this client.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only by this operationId.")] = None,
) -> None:
    """List the children whose data was shown or changed, and whose office tells each family: CSV.

    No name is in it: the office reads its own files.
    """
    if until <= since:
        fail("--until must be after --since.")
    if actor is not None and not _ACTOR.fullmatch(actor):
        fail("--actor is staff:ID or client:ID, as the record names them, system or unknown.")
    asked = Asked(
        since.replace(tzinfo=CHINA), until.replace(tzinfo=CHINA), actor, client, operation
    )

    children, untold, offices = in_transaction(partial(_write, asked=asked))
    typer.echo(f"{children} children; {offices} offices tell their families.", err=True)
    if untold:
        say(f"The families of {untold} of them no office tells (no office_id): do it yourself.")


async def _write(tx: Tx, *, asked: Asked) -> tuple[int, int, int]:
    """Write the list; return of how many children it is, whose families no office tells, and how
    many offices tell the others. Silence is no good news: of a slip, or of what names no child.
    """
    meant, unnamed = await listing.looks(tx, asked)
    if not meant:
        say(
            "Nothing of this stands in the record: look for a slip in --since, --until, --actor,"
            " --client and --operation before you tell nobody."
        )
    if unnamed:
        of = ", ".join(f"{operation} {count}" for operation, count in unnamed.items())
        say(f"Looks at what names no child with a file; see yourself whom to tell: {of}.")
    written, told = csv.writer(sys.stdout), []
    written.writerow(_HEAD)
    async for each in listing.concerned(tx, asked):
        told.append(each.office_id)
        place = "" if each.place is None else region_text(each.place)
        times = (each.first_at.isoformat(), each.last_at.isoformat())
        office = (each.office_id or "", _shown(each.office or ""))
        written.writerow(
            [each.child_id, place, *office, each.looks, *times, " ".join(each.operations)]
        )
    return len(told), told.count(None), len({*told} - {None})


def _shown(text: str) -> str:
    """Return what an office is called so that no spreadsheet takes it for something to work out."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


_HEAD = ("child_id", "region_code", "office_id", "office", "looks", "first", "last", "operations")


def year(
    number: Annotated[int, typer.Argument(min=2020, max=9998, help="The year.")],
    document: Annotated[
        Path | None, typer.Option(help="Write the report to print here, as HTML.")
    ] = None,
) -> None:
    """Print the figures of the yearly audit of minors' data (未成年人网络保护条例 37), as JSON, or
    write them as the report.
    """

    async def counted(tx: Tx) -> tuple[dict[str, Any], datetime]:
        return await yearly.figures(tx, number), tx.now

    figures, made_at = in_transaction(counted)
    if document is None:
        print_json(figures)
        return
    document.write_text(printing.year_document(figures, made_at), "utf-8")
    out.print(f"The report is in {document}.", soft_wrap=True)
