"""How a person signs in (TOK-6): request, password, post, code. No username is ever betrayed."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from app.access import grants, passwords, queries, roles, rules
from app.access.models import AuthorizationCode, Client, SignIn
from app.access.oauth import Origin, Refused
from app.audit import operations as audit
from app.core.data.crypto import DecryptionRefused, Keyring
from app.core.data.db import Database, Tx
from app.core.http.rate_limits import RateLimited, RateLimits, network_of
from app.core.http.shown import Seen

PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "request_uri",
)
_LONGEST = 2000
_KNOWN = "oauth.known_browser"
KNOWN_FOR = timedelta(days=90)


class RequestUntrusted(Exception):
    """The request names no app we know, or an address it did not register: tell the person,
    redirect nowhere (RFC 6749 §4.1.2.1).
    """


class RequestRefused(Exception):
    """The app asked for something it cannot have: tell it at `location`."""

    def __init__(self, location: str) -> None:
        super().__init__("refused")
        self.location = location


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What an app asks for when it sends a person to sign in."""

    client: Client
    redirect_uri: str
    state: str | None
    scope: str
    code_challenge: str
    key: str | None
    """The thumbprint of the key the code is for (RFC 9449 §10)."""
    pushed: str | None
    """By what it was pushed."""

    def location(self, issuer: str, **answer: str) -> str:
        """Return where to send the browser with an answer (RFC 6749 §4.1.2, RFC 9207)."""
        values = {**answer, **({} if self.state is None else {"state": self.state}), "iss": issuer}
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(values)}"


async def read_request(tx: Tx, asked: Mapping[str, str], *, issuer: str) -> AuthorizationRequest:
    """Check an authorization request. Raises RequestUntrusted, RequestRefused."""
    if any(len(value) > _LONGEST or "\x00" in value for value in asked.values()):
        raise RequestUntrusted
    client = await queries.usable_client(tx, asked.get("client_id"))
    redirect_uri = asked.get("redirect_uri", "")
    if client is None or client.kind != "app" or redirect_uri not in client.redirect_uris:
        raise RequestUntrusted
    said = (asked.get("state"), asked.get("scope", ""), asked.get("code_challenge", ""))
    bound = (asked.get("dpop_jkt"), asked.get("request_uri"))
    request = AuthorizationRequest(client, redirect_uri, *said, *bound)
    try:
        check(asked, pushed=request.pushed is not None or not client.must_push)
        key_asked_for(asked)
    except Refused as refused:
        answer = {"error": refused.error, "error_description": refused.description}
        raise RequestRefused(request.location(issuer, **answer)) from None
    return request


def key_asked_for(asked: Mapping[str, str]) -> str | None:
    """Return the thumbprint of the key a code is to be for. Raises Refused for what is none."""
    key = asked.get("dpop_jkt")
    if key is not None and not re.fullmatch(r"[A-Za-z0-9_-]{43}", key):
        raise Refused("invalid_request", "dpop_jkt is no thumbprint of a key (RFC 7638).")
    return key


def check(asked: Mapping[str, str], *, pushed: bool = True) -> None:
    """Raise Refused for what no app may ask for, or not in this way."""
    if not pushed:
        raise Refused("invalid_request", "Push it, then name it by request_uri (RFC 9126).")
    if asked.get("response_type") != "code":
        raise Refused("unsupported_response_type", "Only response_type=code is supported.")
    if asked.get("code_challenge_method") != "S256":
        raise Refused("invalid_request", "PKCE is required, with code_challenge_method=S256.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", asked.get("code_challenge", "")):
        raise Refused("invalid_request", "code_challenge is not an S256 challenge.")
    grants.asked_scopes(asked.get("scope", ""))


def normal_username(username: str) -> str:
    """Fold what a phone keyboard changes: case, width, spaces around."""
    return unicodedata.normalize("NFKC", username).strip().lower()


class Limits(NamedTuple):
    """How much is tried at the door, before any password is compared (TOK-10).

    `address`: all the staff of an office get in at once; who guesses soon waits, and alone.
    `browser`: of one that somebody signed in with, for that name, while the account rests: however
    many guess the name, its owner gets in from where they always do.
    """

    address: RateLimits
    browser: RateLimits


def limits() -> Limits:
    return Limits(RateLimits(per_second=1, burst=100), RateLimits(per_second=1 / 60, burst=5))


class Compared(NamedTuple):
    """What came of comparing a password with what was `stored` at that moment."""

    stored: str | None
    right: bool
    known: bool
    """The name signed in from this browser before, and it has tries left: no rest stops it."""


_ACCOUNT = """
SELECT staff_id, password_hash, failed_attempts,
       active AND ($3 OR locked_until IS NULL OR locked_until <= $2) AS open
FROM staff_accounts WHERE username = $1
"""


def remembered(keyring: Keyring, username: str, now: datetime) -> str:
    """Make what a browser keeps to be known by when this name signs in again."""
    until = str(int((now + KNOWN_FOR).timestamp())).encode()
    sealed = keyring.seal(_KNOWN, normal_username(username), until)
    return base64.urlsafe_b64encode(sealed).decode()


def _known_as(keyring: Keyring, username: str, kept: str, now: datetime) -> str | None:
    """Return by what a browser is known that this name signed in from, however it is spelt; None
    if it is not.
    """
    try:
        opened = base64.b64decode(kept, altchars=b"-_", validate=True)
        until = keyring.unseal_bytes(_KNOWN, normal_username(username), opened)
    except (DecryptionRefused, ValueError):
        return None
    return hashlib.sha256(opened).hexdigest() if int(until) > now.timestamp() else None


async def compare(
    database: Database, limits: Limits, form: Mapping[str, str], *, address: str, kept: str
) -> Compared:
    """Compare a password, with no transaction open meanwhile. `kept`: by what the browser may be
    known. Raises RateLimited for an address that tries too often.
    """
    now, username = database.clock(), form.get("username", "")
    limits.address.spend(f"password {network_of(address)}", now)
    known_as = _known_as(database.keyring, username, kept, now)
    if known_as is not None:
        try:
            limits.browser.spend(f"browser {known_as}", now)
        except RateLimited:
            known_as = None
    known = known_as is not None
    async with database.begin(grants.AT_THE_DOOR) as tx:
        account = await tx.connection.fetchrow(_ACCOUNT, normal_username(username), now, known)
    stored = account["password_hash"] if account is not None and account["open"] else None
    return Compared(stored, await passwords.matches(stored, form.get("password", "")), known)


async def check_password(tx: Tx, username: str, compared: Compared) -> UUID | None:
    """Return who signs in, or None: wrong, unknown, suspended and resting look alike.

    Wrong passwords are counted; from the fifth in a row the account rests (TOK-10). The row is
    locked meanwhile, so parallel guesses count one by one, and one that was compared before the
    account came to rest is worth nothing.
    """
    await tx.reach(grants.AT_THE_DOOR)
    account = await tx.connection.fetchrow(
        f"{_ACCOUNT} FOR UPDATE", normal_username(username), tx.now, compared.known
    )
    if account is None or not account["open"]:
        return None
    right = compared.right and compared.stored == account["password_hash"]
    failures = 0 if right else account["failed_attempts"] + 1
    pause = rules.pause_after(failures)
    if not right or account["failed_attempts"]:
        await tx.connection.execute(
            "UPDATE staff_accounts SET failed_attempts = $2, locked_until = $3 WHERE staff_id = $1",
            account["staff_id"],
            failures,
            tx.now + pause if pause else None,
        )
    staff_id: UUID = account["staff_id"]
    return staff_id if right else None


async def posts_of(tx: Tx, staff_id: UUID) -> list[queries.Holding]:
    """List the posts a person may sign in to: those of roles a person can hold."""
    held = await queries.holdings_today(tx, staff_id)
    return [
        post
        for post in held
        if post.role in roles.roles() and "staff" in roles.role(post.role).holders
    ]


async def grant_code(
    tx: Tx, request: AuthorizationRequest, post: queries.Holding, origin: Origin
) -> str:
    """Begin the sign-in to one post and return the code the app exchanges for tokens. Raises
    RequestUntrusted for what was pushed and is used already.
    """
    if request.pushed is not None and not await tx.connection.fetchval(
        "DELETE FROM pushed_requests WHERE reference_hash = $1 RETURNING true",
        grants.hashed(request.pushed),
    ):
        raise RequestUntrusted
    begun = await tx.add(
        SignIn(
            staff_id=post.staff_id,
            client_id=request.client.id,
            holding_id=post.id,
            scope=request.scope,
            started_at=tx.now,
            ends_at=tx.now + rules.sign_in_lasts(post.role),
        )
    )
    code = grants.opaque()
    await tx.add(
        AuthorizationCode(
            code_hash=grants.hashed(code),
            sign_in_id=begun.id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            key_thumbprint=request.key,
            expires_at=tx.now + rules.CODE_LIVES,
        )
    )
    actor = origin.actor(request.client, staff_id=post.staff_id, holding=post)
    await audit.record(tx, actor, "signIn", Seen(subject=begun.id))
    return code


async def suspend_person(tx: Tx, staff_id: UUID) -> None:
    """Let a person sign in no more, and end every sign-in of theirs: their tokens stop with the
    next request (TOK-4). One person does that alone; it is undone like any other suspension. In
    SYSTEM's reach.
    """
    await tx.connection.execute(
        "UPDATE staff_accounts SET active = false WHERE staff_id = $1", staff_id
    )
    await tx.connection.execute(
        "UPDATE sign_ins SET revoked_at = $2 WHERE staff_id = $1 AND revoked_at IS NULL",
        staff_id,
        tx.now,
    )
