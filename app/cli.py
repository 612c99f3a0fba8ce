"""Operator commands: `tonghu --help`. Expected failures print one line and exit with 1."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import asyncpg
import typer
import uvicorn
from alembic.util import CommandError
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app import wiring
from app import worker as job_worker
from app.access import operations as access
from app.agencies import operations as agencies
from app.agencies.models import Agency, AgencyKind
from app.agencies.queries import find as find_agency
from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations, revisions
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, TemporarilyUnavailable, Tx
from app.core.data_files import BadDataFile
from app.core.jobs import queue
from app.core.problems import Problem
from app.core.settings import Environment, Settings
from app.embedded.postgres import EmbeddedDatabaseError
from app.policy import clauses as policy_clauses
from app.regions.divisions import BadDivisionLine, abolished, replaced, shipped
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

_NO_SUCH_DATABASE = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What is wrong with an address; any other error of the database is a fault of ours."""

Answer = TypeVar("Answer")

app = typer.Typer(
    name="tonghu",
    help="Tonghu 童护: run and look after the service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
regions_app = typer.Typer(help="Administrative divisions.", no_args_is_help=True)
agencies_app = typer.Typer(help="Agencies that have duties.", no_args_is_help=True)
clients_app = typer.Typer(help="Systems and apps that call the API.", no_args_is_help=True)
staff_app = typer.Typer(help="People who sign in.", no_args_is_help=True)
keys_app = typer.Typer(help="Signing and encryption keys.", no_args_is_help=True)
jobs_app = typer.Typer(help="Background jobs that were held.", no_args_is_help=True)
app.add_typer(regions_app, name="regions")
app.add_typer(agencies_app, name="agencies")
app.add_typer(clients_app, name="clients")
app.add_typer(staff_app, name="staff")
app.add_typer(keys_app, name="keys")
app.add_typer(jobs_app, name="jobs")

out = Console()
err = Console(stderr=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API."""
    # Let a wrong setting or database fail in one line here, not inside a server process.
    in_transaction(lambda tx: tx.flush())
    # Once stopped in good order, uvicorn raises the signal again: that is success, not a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        server_header=False,
        access_log=False,
        log_config=None,  # app.core.logs decides, for uvicorn's own lines too
        timeout_graceful_shutdown=25,
    )


@app.command()
def worker() -> None:
    """Run jobs and deliver webhooks until SIGTERM."""
    asyncio.run(job_worker.run(Settings()))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, as the owner role."""

    async def run() -> None:
        async with startup.reachable_database(Settings()) as addresses:
            try:
                await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
            except OSError:
                raise TemporarilyUnavailable from None

    asyncio.run(run())
    out.print(f"The database is at revision {migrations.head()}.")


@app.command()
def revision(
    message: Annotated[str, typer.Argument(help="What changes, in a few words.")],
    fill: Annotated[str | None, typer.Option(help="Table whose rows are to change.")] = None,
) -> None:
    """Write the next schema revision: what the models changed, or with --fill what rows get."""
    path = revisions.write(message, fill=fill)
    out.print(f"Written: {path}" if path else "Nothing changed; no file written.", soft_wrap=True)


@app.command()
def clauses() -> None:
    """Print how many of the 209 obligations are carried, by area."""
    table = Table("area", "carried", "of", title="Obligations carried")
    rows = policy_clauses.coverage(policy_clauses.load())
    for row in rows:
        table.add_row(row.area, str(row.carried), str(row.total))
    table.add_section()
    table.add_row("all", str(sum(r.carried for r in rows)), str(sum(r.total for r in rows)))
    out.print(table)


@app.command()
def openapi() -> None:
    """Print the API document."""
    from app import main  # noqa: PLC0415  the routes take longer to load than most commands run

    print_json(main.document())


@regions_app.command("load")
def load_regions() -> None:
    """Load what comes with the program: the nation down to townships, and codes since replaced."""

    async def run(tx: Tx) -> tuple[Imported, int]:
        done = await import_divisions(tx.connection, shipped())
        return done, await import_replaced(tx.connection, chain(replaced(), abolished()))

    done, codes = in_transaction(run)
    out.print(f"{done.read:,} divisions read, {done.added:,} added, {done.renamed:,} renamed.")
    out.print(f"{codes:,} codes that ended since 1984 added.")


@regions_app.command("import")
def import_regions(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    source: Annotated[str, typer.Option(help="Which edition the file is.")] = "",
) -> None:
    """Import a full village file (CSV), all or nothing; `regions load` comes first."""
    with Progress(console=err) as bar:
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


@regions_app.command("replace")
def replace_division(
    old: Annotated[str, typer.Argument(help="Code that ends.")],
    new: Annotated[str, typer.Argument(help="Code that takes its place.")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the new code.")],
    name: Annotated[str | None, typer.Option(help="The new name, if it changed too.")] = None,
) -> None:
    """Let a division take another's place, with all that lies in it and is filed there.

    A new code that exists already takes the old one in: first replace what lies below the old one.
    """
    try:
        codes = in_transaction(
            lambda tx: replace_region(tx, region_code(old), region_code(new), on.date(), name=name)
        )
    except (RegionNotReplaceable, BadRegionCode) as refused:
        fail(f"Nothing was changed: {refused}.")
    out.print(f"{codes:,} codes were replaced; what was filed under them went along.")


@agencies_app.command("create")
def create_agency(
    kind: Annotated[AgencyKind, typer.Option(help="What it is.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    region: Annotated[str, typer.Option(help="Code of the division it serves.")],
    uscc: Annotated[str | None, typer.Option(help="Unified social credit code.")] = None,
) -> None:
    """Register an agency."""
    made = in_transaction(
        lambda tx: agencies.create_agency(tx, kind, name, region_code(region), uscc=uscc)
    )
    print_json({"agency_id": made.id})


@clients_app.command("create")
def create_client(
    name: Annotated[str, typer.Option(help="What it is.")],
    agency: Annotated[UUID | None, typer.Option(help="Agency it acts for (a system).")] = None,
    role: Annotated[str | None, typer.Option(help="Role of roles.yaml (a system).")] = None,
    region: Annotated[str | None, typer.Option(help="Division it answers for (a system).")] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="Its public keys, a JWK set.", exists=True, dir_okay=False)
    ] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help="For an app.")] = None,
) -> None:
    """Register a system (with --agency, --role, --region) or an app (with --redirect-uri).

    A system without --jwks gets a secret, shown this once; production knows keys only.
    """
    settings = Settings()

    async def run(tx: Tx) -> dict[str, object]:
        if redirect_uri:
            made = await access.create_app(tx, name=name, redirect_uris=redirect_uri)
            return {"client_id": made.id}
        if agency is None or role is None or region is None:
            fail("A system needs --agency, --role and --region; an app needs --redirect-uri.")
        done = await access.create_machine(
            tx,
            await _agency(tx, agency),
            name=name,
            role=role,
            region_code=region_code(region),
            jwks=json.loads(jwks.read_text()) if jwks else None,
            secrets_allowed=settings.environment is not Environment.production,
        )
        return {"client_id": done.client.id, "client_secret": done.secret}

    print_json(in_transaction(run))


@staff_app.command("create")
def create_staff(
    agency: Annotated[UUID, typer.Option(help="Who employs them.")],
    name: Annotated[str, typer.Option(help="Their name.")],
    username: Annotated[str, typer.Option(help="To sign in with.")],
    role: Annotated[str, typer.Option(help="Role of roles.yaml.")],
    region: Annotated[str, typer.Option(help="Code of the division of the post.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Hire somebody, give them a post and let them sign in. Asks for the password."""

    async def run(tx: Tx) -> UUID:
        hired = await access.create_staff(
            tx,
            await _agency(tx, agency),
            name=name,
            username=username,
            password=password,
            role=role,
            region_code=region_code(region),
        )
        return hired.staff_id

    print_json({"staff_id": in_transaction(run)})


async def _agency(tx: Tx, agency_id: UUID) -> Agency:
    found = await find_agency(tx, agency_id)
    if found is None:
        fail("There is no such agency.")
    return found


def region_code(text: str) -> int:
    if not re.fullmatch("[0-9]{6}([0-9]{3}){0,2}", text):
        fail("A division code has 6, 9 or 12 digits.")
    return int(text.ljust(12, "0"))


@keys_app.command("generate")
def generate_keys(
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


@jobs_app.command("held")
def held_jobs() -> None:
    """List jobs that raised, or lost their worker, too often."""
    found = in_transaction(lambda tx: queue.held(tx.connection))
    table = Table("id", "job", "failure", "failures", "crashes")
    for job in found:
        shown = (job["id"], job["name"], job["failure"], job["failures"], job["crashes"])
        table.add_row(*map(str, shown))
    out.print(table if found else "No job is held.")


@jobs_app.command("release")
def release_jobs(ids: Annotated[list[int], typer.Argument(help="Ids from `jobs held`.")]) -> None:
    """Let held jobs run again."""
    count = in_transaction(lambda tx: queue.release(tx.connection, ids))
    out.print(f"{count} released.")


def in_transaction(work: Callable[[Tx], Awaitable[Answer]]) -> Answer:
    """Run one piece of work as the system, in one transaction."""

    async def run() -> Answer:
        settings = Settings()
        async with (
            startup.reachable_database(settings) as addresses,
            startup.open_database(settings, utc_now, addresses=addresses) as database,
            database.begin(SYSTEM) as tx,
        ):
            return await work(tx)

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


def main() -> None:
    try:
        wiring.load()
        app()
    except (BadDataFile, CommandError, EmbeddedDatabaseError, startup.UnsafeDatabaseRole) as error:
        say(str(error))
    except TemporarilyUnavailable:
        say("The database cannot be reached.")
    except _NO_SUCH_DATABASE as error:
        say(f"The database refuses: {error}.")
    except Problem as refused:
        say(": ".join([refused.title, *(error.detail for error in refused.errors)]))
    except ValidationError as error:
        for problem in error.errors():
            place = "__".join(str(step) for step in problem["loc"]).upper()
            say(f"TONGHU_{place}: {problem['msg']}")
    else:
        return
    sys.exit(1)


if __name__ == "__main__":
    main()
