"""A command that gives power is a request of a named operator: it may do no more than that.

It is answered in this process, by the same routes, under the same guards: where it takes two, it
becomes a proposal, which the other operator decides, and is given again with the approval.
"""

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import orjson
import typer
from fastapi import FastAPI
from starlette.types import Message

from app.access import accounts, founding, sign_in, tokens
from app.access.models import SignIn
from app.access.roles import role
from app.audit import operations as audit
from app.audit.operations import Actor
from app.cli.console import Session, fail, in_session, say
from app.core import logs
from app.core.data.db import SYSTEM
from app.core.http.shown import Seen
from app.core.ids import new_id

By = Annotated[str, typer.Option(help="The operator who does it: their username.")]
Password = Annotated[
    str, typer.Option(prompt="Password of the operator", hide_input=True, help="Theirs; asked for.")
]
Reason = Annotated[
    str | None, typer.Option(help="Why: for the other operator, if it takes two people.")
]
ApprovalId = Annotated[UUID | None, typer.Option("--approval", help="What the other one approved.")]
_SECONDS: Final = 60
_COMMAND: Final = "SELECT id FROM clients WHERE kind = 'app' AND name = $1 AND redirect_uris = '{}'"


class Asked(NamedTuple):
    """A request, as a command makes it. `operation`: its operationId."""

    operation: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    """What it was answered."""

    status: int
    said: dict[str, Any]


def act(
    by: str, password: str, asked: Asked, *, reason: str | None, approval: UUID | None
) -> dict[str, Any]:
    """Do as an operator what a request says, or propose it if it takes two people; return what was
    answered, or leave with what refused it.
    """

    async def run(session: Session) -> dict[str, Any]:
        ask = await _signed_in(session, by, password)
        answer = await ask(asked, approval=approval)
        if answer.said.get("type") != "/problems/approval-required":
            return _taken(answer)
        if reason is None:
            fail("This takes two people: say why with --reason, and another operator decides.")
        proposal = {"operation": asked.operation, "path": asked.path, "body": asked.body}
        said = {**proposal, "reason": reason}
        proposed = _taken(await ask(Asked("proposeApproval", "POST", "/v1/approvals", said)))
        say(
            "This takes two people; it is proposed. The other operator reads it: tonghu approvals"
            f" show {proposed['id']} --by USERNAME; and decides: tonghu approvals decide"
            f" {proposed['id']} --verdict approved --reason WHY --by USERNAME. Then give this"
            f" command again with --approval {proposed['id']}."
        )
        return {"approval_id": proposed["id"], "expires_at": proposed["expires_at"]}

    return in_session(run)


def ask_one(by: str, password: str, asked: Asked) -> dict[str, Any]:
    """Ask one request as an operator; return what was answered, or leave with what refused it."""

    async def run(session: Session) -> dict[str, Any]:
        ask = await _signed_in(session, by, password)
        return _taken(await ask(asked))

    return in_session(run)


async def operator(session: Session, by: str, password: str) -> Actor:
    """Return who gives a command, as the audit names them; leave if they are no operator."""
    post, _ = await _post_of(session, by, password)
    return _actor(post, None)


class _Asker:
    """Asks requests as one who has signed in."""

    def __init__(self, app: FastAPI, state: Mapping[str, Any], token: str) -> None:
        self._app, self._state, self._token = app, state, token

    async def __call__(self, asked: Asked, *, approval: UUID | None = None) -> Answer:
        headers = [
            (b"authorization", f"Bearer {self._token}".encode()),
            (b"content-type", b"application/json"),
            *([] if approval is None else [(b"approval", str(approval).encode())]),
        ]
        path, _, query = asked.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
            "state": dict(self._state),
        }
        body = b"" if asked.body is None else orjson.dumps(asked.body)
        status, said = 500, b""

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            nonlocal status, said
            status = message.get("status", status)
            said += message.get("body", b"")

        await self._app(scope, receive, send)
        return Answer(status, orjson.loads(said))


async def _signed_in(session: Session, by: str, password: str) -> _Asker:
    from app import main  # noqa: PLC0415  the routes take longer to load than most commands run

    logs.configure(logging.WARNING)  # a command says itself what was answered
    post, factors = await _post_of(session, by, password)
    settings, database = session
    app = main.assemble(settings, None)  # first: it may take a while, and a token is short-lived
    async with database.begin(SYSTEM) as tx:
        client_id = await tx.connection.fetchval(_COMMAND, founding.COMMAND)
        begun = await tx.add(
            SignIn(
                staff_id=post.staff_id,
                client_id=client_id,
                holding_id=post.id,
                scope="",
                factors=factors,
                started_at=tx.now,
                ends_at=tx.now,
            )
        )
        await audit.record(tx, _actor(post, client_id), "signIn", Seen(subject=begun.id))
    async with main.state(settings, database) as state:
        token = tokens.issue(
            state["token_keys"],
            subject=f"staff:{post.staff_id}",
            grant_id=post.id,
            client_id=str(client_id),
            agency_id=post.agency_id,
            role=post.role,
            region_code=post.region_code,
            scopes=role(post.role).scopes,
            session_id=begun.id,
            now=database.clock(),
            seconds=_SECONDS,
        )
        return _Asker(app, state, token)


async def _post_of(session: Session, by: str, password: str) -> tuple[Any, list[str]]:
    """Sign an operator in, with the second factor if they have one; return in which post, and how
    they proved who they are.
    """
    _, database = session
    limits = sign_in.limits()
    compared = await sign_in.compare(database, limits, by, password, address="127.0.0.1", kept="")
    async with database.begin(SYSTEM) as tx:
        person = await sign_in.check_password(tx, by, compared)
        await tx.reach(SYSTEM)
        held = [] if person is None else await sign_in.posts_of(tx, person.staff_id)
    post = next((each for each in held if each.role == "operator"), None)
    if person is None or post is None:
        fail("No operator signs in with this name and password. (`tonghu init` names the first.)")
    if not person.has_factor:
        return post, ["pwd"]
    code = typer.prompt("Code of the second factor", hide_input=True)
    async with database.begin(SYSTEM) as tx:
        tried = await accounts.try_factor(tx, person.staff_id, code, known=False)
    if not tried.right:
        fail("The code is wrong, or was used already.")
    return post, ["pwd", "otp"]


def _actor(post: Any, client_id: UUID | None) -> Actor:
    return Actor(
        f"staff:{post.staff_id}",
        client_id,
        post.agency_id,
        post.role,
        post.region_code,
        None,
        str(new_id()),
        None,
    )


def _taken(answer: Answer) -> dict[str, Any]:
    said = answer.said
    if answer.status >= 400:  # noqa: PLR2004  the classes of statuses
        errors = [
            f"{each['pointer'].removeprefix('#/')}: {each['detail']}"
            for each in said.get("errors", ())
        ]
        fail(": ".join([said["title"], *filter(None, [said.get("detail")]), *errors]))
    return said
