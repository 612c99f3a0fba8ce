"""`tonghu audit`: the log's key, its witnesses, and an export that others check without the
database.
"""

import sys
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from app import sealer
from app.cli.acting import ApprovalId, Asked, By, Password, Reason, act, ask_one
from app.cli.console import fail, in_transactions, out, print_json
from app.core import own_files
from app.core.jobs.queue import Begin
from app.sealing import exporting
from app.sealing.notes import BadNote, Signer

TOLD_EVERY: Final = 100_000
"""Entries after which an export says how far it is."""
app = typer.Typer(help="The sealed audit: its key, witnesses, and exports.", no_args_is_help=True)


@app.command()
def keygen(
    path: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
    name: Annotated[str, typer.Option(help="The log's name, such as tonghu.example/audit.")],
) -> None:
    """Make the key that checkpoints are signed with, for TONGHU_AUDIT_KEY_FILE of `tonghu sealer`
    alone; print the verifier key, which witnesses and verifiers hold.
    """
    try:
        key = Signer.generate(name)
        sealer.write_key(path, key)
    except BadNote as error:
        fail(str(error))
    except FileExistsError:
        fail(f"{path} exists already; keys are never overwritten.")
    typer.echo(key.public)


@app.command()
def witness(
    key: Annotated[str, typer.Argument(help="Its verifier key for cosignatures.")],
    agency: Annotated[UUID, typer.Option(help="The agency: police or civil affairs.")],
    by: By,
    password: Password,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Register an agency that is to countersign checkpoints, by two people."""
    body = {"agency_id": str(agency), "key": key}
    asked = Asked("registerWitness", "POST", "/v1/audit/witnesses", body)
    print_json(act(by, password, asked, reason=reason, approval=approval))


@app.command()
def witnesses(by: By, password: Password) -> None:
    """List the witnesses, and how far each is."""
    print_json(ask_one(by, password, Asked("listWitnesses", "GET", "/v1/audit/witnesses")))


@app.command("start-log")
def start_log(
    key: Annotated[str, typer.Argument(help="The verifier key that `keygen` printed.")],
    by: By,
    password: Password,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Begin another log over the same entries, by two people: the one before forked, or its key is
    lost.
    """
    asked = Asked("startLog", "POST", "/v1/audit/logs", {"key": key})
    print_json(act(by, password, asked, reason=reason, approval=approval))


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
    begins: Annotated[int, typer.Option("--from", min=0, help="The first leaf.")] = 0,
    ends: Annotated[
        int | None, typer.Option("--to", min=1, help="Before this leaf; else all that is signed.")
    ] = None,
) -> None:
    """Write sealed entries as JSON lines, for `tonghu_verify` (clients/verify). It names children
    by their ids: keep it like the audit.
    """

    async def run(begin: Begin) -> int:
        done = 0
        with own_files.create(path, "xb") as file:
            async for done, line in exporting.lines(begin, begins, ends):
                file.write(line + b"\n")
                if done % TOLD_EVERY == 0 and done:
                    sys.stderr.write(f"{done:,} entries written so far\n")
        return done

    try:
        done = in_transactions(run)
    except FileExistsError:
        fail(f"{path} exists already.")
    except exporting.NothingSealed as error:
        path.unlink()
        fail(str(error))
    out.print(f"{done:,} entries written to {path}.")
