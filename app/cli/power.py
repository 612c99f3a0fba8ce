"""Operator commands that give power, and those by which two operators share it: each is a request
of a named operator (`acting`), but for `tonghu init`, which names the first two.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import typer
from rich.table import Column, Table

from app.access import founding
from app.access import operations as access
from app.access.approvals.models import ApprovalState
from app.access.events import Verdict
from app.access.founding import Named
from app.agencies.models import AgencyKind
from app.agencies.queries import find_same
from app.audit import operations as audit
from app.cli.acting import ApprovalId, Asked, By, Password, Reason, act, ask_one, operator
from app.cli.console import (
    Session,
    fail,
    in_session,
    in_transaction,
    out,
    print_json,
    region_code,
)
from app.core.clock import CHINA
from app.core.data.db import SYSTEM, Tx
from app.core.http.shown import Seen

agencies = typer.Typer(help="Agencies that have duties.", no_args_is_help=True)
clients = typer.Typer(help="Systems and apps that call the API.", no_args_is_help=True)
staff = typer.Typer(help="People who sign in.", no_args_is_help=True)
posts = typer.Typer(help="Posts, which give power, and who holds them.", no_args_is_help=True)
approvals = typer.Typer(help="What takes two people.", no_args_is_help=True)


def init(
    first: Annotated[tuple[str, str], typer.Option(help="Name and username of one operator.")],
    second: Annotated[tuple[str, str], typer.Option(help="Of another person.")],
    agency: Annotated[str, typer.Option(help="Name of the operator.")] = "平台运营方",
) -> None:
    """Name the two operators of a new service, once. Prints for each a password and a code, with
    which they set up their second factor at /oauth/invitation, this once: let each see their own
    only.
    """

    async def run(tx: Tx) -> list[dict[str, Any]]:
        return [each._asdict() for each in await founding.found(tx, agency, *named)]

    named = (Named(*first), Named(*second))
    print_json({"operators": in_transaction(run)})


@agencies.command("create")
def create_agency(
    kind: Annotated[AgencyKind, typer.Option(help="What it is.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    region: Annotated[str, typer.Option(help="Code of the division it serves.")],
    by: By,
    password: Password,
    uscc: Annotated[str | None, typer.Option(help="Unified social credit code.")] = None,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Register an agency; one of this kind and name in this place is not registered again."""
    place = region_code(region)
    before = in_transaction(lambda tx: find_same(tx, kind, name, place))
    if before is not None:
        typer.echo("It was registered before.", err=True)
        print_json({"agency_id": before})
        return
    body = {"kind": kind, "name": name, "region_code": f"{place:012d}"}
    if uscc is not None:
        body["uscc"] = uscc
    asked = Asked("createAgency", "POST", "/v1/agencies", body)
    _print(act(by, password, asked, reason=reason, approval=approval), "agency_id")


@clients.command("create")
def create_client(
    name: Annotated[str, typer.Option(help="What it is.")],
    by: By,
    password: Password,
    agency: Annotated[UUID | None, typer.Option(help="Agency it acts for (a system).")] = None,
    role: Annotated[str | None, typer.Option(help="Role of roles.yaml (a system).")] = None,
    region: Annotated[str | None, typer.Option(help="Division it answers for (a system).")] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="Its public keys, a JWK set.", exists=True, dir_okay=False)
    ] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help="For an app.")] = None,
    *,
    bound: Annotated[bool, typer.Option(help="No tokens but such as are bound to a key.")] = False,
    pushed: Annotated[bool, typer.Option(help="An app: pushed requests only.")] = False,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Register a system (with --agency, --role, --region) or an app (with --redirect-uri).

    A system without --jwks gets a secret, shown this once; production knows keys only. An app with
    --jwks runs on a server: it proves itself and pushes its requests.
    """
    body: dict[str, Any] = {"name": name, "dpop_bound_access_tokens": bound}
    if jwks is not None:
        body["jwks"] = _json(jwks)
    if redirect_uri:
        body |= {"redirect_uris": redirect_uri, "require_pushed_authorization_requests": pushed}
        asked = Asked("registerApp", "POST", "/v1/clients/apps", body)
    elif agency is None or role is None or region is None:
        fail("A system needs --agency, --role and --region; an app needs --redirect-uri.")
    else:
        place = f"{region_code(region):012d}"
        body |= {"agency_id": str(agency), "role": role, "region_code": place}
        asked = Asked("registerClient", "POST", "/v1/clients", body)
    made = act(by, password, asked, reason=reason, approval=approval)
    _print(made, "client_id", "client_secret")


@staff.command("create")
def create_staff(
    agency: Annotated[UUID, typer.Option(help="Who employs them.")],
    name: Annotated[str, typer.Option(help="Their name.")],
    username: Annotated[str, typer.Option(help="To sign in with.")],
    by: By,
    password: Password,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Enter somebody, by two people; prints a code, this once, with which they choose a password at
    /oauth/invitation. What they may do comes with a post: `posts hold`.
    """
    body = {"agency_id": str(agency), "name": name, "username": username}
    asked = Asked("createStaff", "POST", "/v1/staff", body)
    made = act(by, password, asked, reason=reason, approval=approval)
    if "invitation" in made:
        made = {"staff_id": made["id"], "code": made["invitation"]["code"]}
    print_json(made)


@staff.command("same")
def same_person(
    one: Annotated[UUID, typer.Argument(help="An id of theirs.")],
    other: Annotated[UUID, typer.Argument(help="Another.")],
    by: By,
    password: Password,
) -> None:
    """Say that two entries of the staff are one person, who counts as one wherever it takes two."""

    async def run(session: Session) -> None:
        actor = await operator(session, by, password)
        async with session.database.begin(SYSTEM) as tx:
            await access.note_same_person(tx, one, other)
            await audit.record(tx, actor, "noteSamePerson", Seen(subject=one, beside=(other,)))

    in_session(run)
    out.print("They count as one person from now on.")


@posts.command("add")
def add_post(
    agency: Annotated[UUID, typer.Option(help="Whose post it is.")],
    role: Annotated[str, typer.Option(help="Role of roles.yaml.")],
    region: Annotated[str, typer.Option(help="Code of the division it answers for.")],
    title: Annotated[str, typer.Option(help="What people call it.")],
    by: By,
    password: Password,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Set up a post."""
    place = f"{region_code(region):012d}"
    said = {"agency_id": str(agency), "role": role, "local_title": title, "region_code": place}
    asked = Asked("addPost", "POST", "/v1/posts", said)
    _print(act(by, password, asked, reason=reason, approval=approval), "post_id")


@posts.command("hold")
def hold_post(
    post: Annotated[UUID, typer.Argument(help="The post.")],
    staff_id: Annotated[UUID, typer.Argument(help="The person.")],
    since: Annotated[str, typer.Option(help="First day in the post, YYYY-MM-DD.")],
    by: By,
    password: Password,
    reason: Reason = None,
    approval: ApprovalId = None,
) -> None:
    """Put a person into a post: from that day they have its power."""
    body = {"staff_id": str(staff_id), "since": since}
    asked = Asked("holdPost", "POST", f"/v1/posts/{post}/holdings", body)
    _print(act(by, password, asked, reason=reason, approval=approval), "holding_id")


@approvals.command("list")
def list_approvals(
    by: By,
    password: Password,
    state: Annotated[
        ApprovalState, typer.Option(help="Where they stand.")
    ] = ApprovalState.proposed,
) -> None:
    """List what waits for a second person, or stands otherwise."""
    path = f"/v1/approvals?{urlencode({'state': state, 'limit': 200})}"
    found = ask_one(by, password, Asked("listApprovals", "GET", path))["items"]
    whole = (Column(each, no_wrap=True) for each in ("id", "until"))  # what `show` takes: to copy
    table = Table(*whole, Column("operation", overflow="fold"), box=None, padding=(0, 1, 0, 0))
    for each in found:
        until = datetime.fromisoformat(each["expires_at"]).astimezone(CHINA)
        table.add_row(each["id"], f"{until:%Y-%m-%d %H:%M}", each["operation"])
    out.print(table if found else "There is none.")


@approvals.command("show")
def show_approval(
    approval: Annotated[UUID, typer.Argument(help="Its id.")], by: By, password: Password
) -> None:
    """Print an approval with the whole request it is for: read it before you decide."""
    print_json(ask_one(by, password, Asked("readApproval", "GET", f"/v1/approvals/{approval}")))


@approvals.command("decide")
def decide_approval(
    approval: Annotated[UUID, typer.Argument(help="Its id.")],
    verdict: Annotated[Verdict, typer.Option(help="What you say.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    by: By,
    password: Password,
) -> None:
    """Approve or refuse what the other operator proposed."""
    said = {"verdict": verdict, "reason": reason}
    asked = Asked("decideApproval", "POST", f"/v1/approvals/{approval}/decision", said)
    out.print(f"It is {ask_one(by, password, asked)['state']}.")


def _print(answered: dict[str, Any], called: str, *also: str) -> None:
    """Print what was made, by the name a reader looks for; of a proposal all that was answered."""
    if "id" not in answered:
        print_json(answered)
        return
    print_json({called: answered["id"], **{name: answered.get(name) for name in also}})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        fail(f"{path} is no JSON: {error}.")
