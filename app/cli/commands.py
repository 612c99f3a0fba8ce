"""All commands: `tonghu --help`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
import uvloop
from alembic.util import CommandError
from rich.table import Table

from app import worker as job_worker
from app.access import operations as access
from app.agencies import operations as agencies
from app.agencies.models import Agency, AgencyKind
from app.agencies.queries import find as find_agency
from app.agencies.queries import find_same as find_same_agency
from app.children import rederiving
from app.cli import duties, privacy, regions, retention
from app.cli.console import fail, in_transaction, out, print_json, region_code
from app.cli.serve import serve
from app.core import startup
from app.core.clock import CHINA
from app.core.data import migrations, revisions, versions
from app.core.data.crypto import Keyring
from app.core.data.db import TemporarilyUnavailable, Tx
from app.core.jobs import queue
from app.core.settings import Environment, Settings
from app.policy import clauses as policy_clauses

app = typer.Typer(
    name="tonghu",
    help="Tonghu 童护: run and look after the service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
agencies_app = typer.Typer(help="Agencies that have duties.", no_args_is_help=True)
clients_app = typer.Typer(help="Systems and apps that call the API.", no_args_is_help=True)
staff_app = typer.Typer(help="People who sign in.", no_args_is_help=True)
keys_app = typer.Typer(help="Signing and encryption keys.", no_args_is_help=True)
jobs_app = typer.Typer(
    help="Background jobs: what is held, and when periodic ones last succeeded.",
    no_args_is_help=True,
)
app.command()(serve)
app.command()(privacy.breach)
app.command()(privacy.year)
app.add_typer(regions.app, name="regions")
app.add_typer(duties.app, name="duties")
app.add_typer(retention.app, name="retention")
app.add_typer(agencies_app, name="agencies")
app.add_typer(clients_app, name="clients")
app.add_typer(staff_app, name="staff")
app.add_typer(keys_app, name="keys")
app.add_typer(jobs_app, name="jobs")


@app.command()
def worker() -> None:
    """Run jobs and deliver webhooks until SIGTERM."""
    uvloop.run(job_worker.run(Settings()))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, as the owner role."""

    async def run() -> None:
        async with startup.reachable_database(Settings()) as addresses:
            try:
                await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
            except OSError:
                raise TemporarilyUnavailable from None
            except CommandError as error:
                fail(str(error))

    asyncio.run(run())
    out.print(f"The database is at revision {versions.head()}.")


@app.command()
def revision(  # pragma: no cover  tests write revisions in a copy of the project
    message: Annotated[str, typer.Argument(help="What changes, in a few words.")],
    fill: Annotated[str | None, typer.Option(help="Table whose rows are to change.")] = None,
) -> None:
    """Write the next schema revision: what the models changed, or with --fill what rows get."""
    try:
        path = revisions.write(message, fill=fill)
    except CommandError as error:
        fail(str(error))
    out.print(f"Written: {path}" if path else "Nothing changed; no file written.", soft_wrap=True)


@app.command()
def clauses() -> None:
    """Print how many obligations are carried, partly or not yet, by area, and what is missing."""
    table = Table("area", "carried", "partly", "not yet", title="Obligations carried")
    loaded = policy_clauses.load()
    rows = policy_clauses.coverage(loaded)
    for area, *counts in rows:
        table.add_row(area, *map(str, counts))
    table.add_section()
    _, *by_state = zip(*rows, strict=True)
    table.add_row(f"all {len(loaded)}", *(str(sum(counts)) for counts in by_state))
    out.print(table)
    for each in loaded:
        if each.partly:
            out.print(f"{each.id}  {each.partly}", soft_wrap=True, highlight=False)


@app.command()
def openapi() -> None:
    """Print the API document."""
    from app import main  # noqa: PLC0415  the routes take longer to load than most commands run

    typer.echo(json.dumps(main.document(), ensure_ascii=False, indent=2))


@agencies_app.command("create")
def create_agency(
    kind: Annotated[AgencyKind, typer.Option(help="What it is.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    region: Annotated[str, typer.Option(help="Code of the division it serves.")],
    uscc: Annotated[str | None, typer.Option(help="Unified social credit code.")] = None,
) -> None:
    """Register an agency; one of this kind and name in this place is not registered again."""

    async def run(tx: Tx) -> UUID:
        before = await find_same_agency(tx, kind, name, region_code(region))
        if before is not None:
            typer.echo("It was registered before.", err=True)
            return before
        return (await agencies.create_agency(tx, kind, name, region_code(region), uscc=uscc)).id

    print_json({"agency_id": in_transaction(run)})


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


@jobs_app.command("schedules")
def schedules() -> None:
    """Say of each periodic job when it last came to its end, and how far files are derived."""
    found = in_transaction(lambda tx: queue.schedules(tx.connection))
    table = Table("job", "cron", "begun", "succeeded", "next")
    for job in found:
        days = (job["begun_at"], job["succeeded_at"], job["next_at"])
        table.add_row(
            job["name"],
            job["cron"],
            *(f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}" if at else "-" for at in days),
        )
    out.print(table)
    so = in_transaction(rederiving.how_far)
    out.print(
        f"Files derived by these rules: {so.files}, all of {so.whole} of {so.counties} counties;"
        f" true of {so.derived_on or 'no day yet'}."
    )


@jobs_app.command("release")
def release_jobs(ids: Annotated[list[int], typer.Argument(help="Ids from `jobs held`.")]) -> None:
    """Let held jobs run again."""
    count = in_transaction(lambda tx: queue.release(tx.connection, ids))
    out.print(f"{count} released.")
