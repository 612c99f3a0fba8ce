"""Operator commands for what is owed: `tonghu duties --help`."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.console import fail, in_transaction, out
from app.duties import explaining
from app.duties.rulebook import rules

app = typer.Typer(help="Who owes what by when.", no_args_is_help=True)


@app.callback()
def duties() -> None:
    """Who owes what by when."""


@app.command("explain")
def explain_duty(
    rule: Annotated[str, typer.Argument(help="Code in rules.yaml, such as VIS-01.")],
    child: Annotated[UUID | None, typer.Option(help="The child.")] = None,
    subject: Annotated[UUID | None, typer.Option(help="The visit, alert or report.")] = None,
) -> None:
    """Say what a rule asks, whether it is owed here, why, by whom, until when, and what counts."""
    about = child or subject
    if rule not in rules():
        fail(f"There is no rule {rule}.")
    if about is None or (child and subject):
        fail("Give one of --child and --subject.")
    lines = in_transaction(lambda tx: explaining.explain(tx, rules()[rule], about))
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
