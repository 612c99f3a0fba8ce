"""All commands: `tonghu --help`."""

import asyncio
import json
from typing import Annotated

import typer
import uvloop
from alembic.util import CommandError
from rich.table import Column, Table

from app import sealer as sealer_process
from app import worker as job_worker
from app.children import rederiving
from app.cli import audit, backup, data_keys, duties, keys, power, privacy, regions, retention
from app.cli.console import fail, in_transaction, out
from app.cli.serve import serve
from app.core import startup
from app.core.clock import CHINA
from app.core.data import migrations, revisions, versions
from app.core.data.db import TemporarilyUnavailable
from app.core.jobs import queue
from app.core.settings import SealerSettings, Settings, read
from app.policy import clauses as policy_clauses

app = typer.Typer(
    name="tonghu",
    help="Tonghu 童护: run and look after the service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
jobs_app = typer.Typer(
    help="Background jobs: what is held, and when periodic ones last succeeded.",
    no_args_is_help=True,
)
app.command()(serve)
app.command("init")(power.init)
app.add_typer(power.agencies, name="agencies")
app.add_typer(power.clients, name="clients")
app.add_typer(power.staff, name="staff")
app.add_typer(power.posts, name="posts")
app.add_typer(power.approvals, name="approvals")
app.command()(backup.backup)
app.command()(backup.wal)
app.command()(backup.restore)
app.command()(backup.verify)
app.command()(privacy.breach)
app.command()(privacy.year)
app.add_typer(regions.app, name="regions")
app.add_typer(duties.app, name="duties")
app.add_typer(retention.app, name="retention")
keys.app.command()(data_keys.rotate_data)
keys.app.command()(data_keys.re_encrypt)
keys.app.command()(data_keys.drop)
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(jobs_app, name="jobs")


@app.command()
def worker() -> None:
    """Run jobs and deliver webhooks until SIGTERM."""
    uvloop.run(job_worker.run(read(Settings)))


@app.command()
def sealer() -> None:
    """Seal the audit, and sign it, until SIGTERM."""
    uvloop.run(sealer_process.run(read(SealerSettings)))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, as the owner role."""

    async def run() -> None:
        async with startup.reachable_database(read(Settings)) as addresses:
            try:
                await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
            except OSError as error:
                raise TemporarilyUnavailable from error
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


@jobs_app.command("held")
def held_jobs() -> None:
    """List jobs that raised, or lost their worker, too often."""
    found = in_transaction(lambda tx: queue.held(tx.connection))
    whole = (Column(each, overflow="fold") for each in ("id", "job", "failure"))
    table = Table(*whole, "failures", "crashes")
    for job in found:
        shown = (job["id"], job["name"], job["failure"], job["failures"], job["crashes"])
        table.add_row(*map(str, shown))
    out.print(table if found else "No job is held.")


@jobs_app.command("schedules")
def schedules() -> None:
    """Say of each periodic job when it last came to its end, and how far files are derived."""
    found = in_transaction(lambda tx: queue.schedules(tx.connection))
    whole = (Column(each, no_wrap=True) for each in ("job", "cron"))
    table = Table(*whole, "begun", "succeeded", "next", box=None, padding=(0, 1, 0, 0))
    for job in found:
        days = (job["begun_at"], job["succeeded_at"], job["next_at"])
        table.add_row(
            job["name"],
            job["cron"],
            *(f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}" if at else "-" for at in days),
        )
    out.print(table if found else "No job is known yet: `tonghu worker` notes them when it begins.")
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
