"""How a person signs in (TOK-6): request, password, post, code. No username is ever betrayed."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from app.access import grants, passwords, queries, roles, rules
from app.access.models import AuthorizationCode, Client, SignIn
from app.access.oauth import Origin, Refused
from app.audit import operations as audit
from app.core.data.crypto import Keyring
from app.core.data.db import Database, Tx
from app.core.data.envelopes import DecryptionRefused
from app.core.http.rate_limits import RateLimited, RateLimits, network_of
from app.core.http.shown import Seen

PARAMETERS = (
    *("response_type", "client_id", "redirect_uri", "scope", "state"),
    *("code_challenge", "code_challenge_method", "dpop_jkt", "request_uri"),
    *("prompt", "max_age", "acr_values"),
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
    key: str | None = None
    """The thumbprint of the key the code is for (RFC 9449 §10)."""
    pushed: str | None = None
    """By what it was pushed."""
    two_factors: bool = False
    """The app asks for a second factor (`acr_values`), whatever the role does."""

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
    two_factors = rules.TWO_FACTORS in asked.get("acr_values", "").split()
    request = AuthorizationRequest(client, redirect_uri, *said, *bound, two_factors)
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
    # Who signs in proves who they are each time, so any `max_age` and `prompt=login` are met.
    if not re.fullmatch(r"[0-9]{0,9}", asked.get("max_age", "")):
        raise Refused("invalid_request", "max_age is a number of seconds.")
    if "none" in asked.get("prompt", "").split():
        raise Refused("login_required", "A person signs in anew each time.")
    grants.asked_scopes(asked.get("scope", ""))


def normal_username(username: str) -> str:
    """Fold what a phone keyboard changes: case, width, spaces around."""
    return unicodedata.normalize("NFKC", username).strip().lower()


class Limits(NamedTuple):
    """How much is tried at the door, before any password is compared (TOK-10).

    `address`: all the staff of an office get in at once; who guesses soon waits, and alone.
    `browser`: of one that somebody signed in with, for that name, while the name or the address
    rests: however many guess it, or from beside them, its owner gets in from where they always do.
    `alarms`: how often one alarm is raised again.
    """

    address: RateLimits
    browser: RateLimits
    alarms: RateLimits


def limits() -> Limits:
    return Limits(
        RateLimits(per_second=1, burst=100),
        RateLimits(per_second=1 / 60, burst=5),
        RateLimits(per_second=1 / 3600, burst=1),
    )


class Compared(NamedTuple):
    """What came of comparing a password with what was `stored` at that moment."""

    stored: str | None
    right: bool
    known: int | None
    """The account's generation when it signed in from this browser before, which has tries left: no
    rest stops it, unless something of the account was reset since."""
    network: bytes


class Proved(NamedTuple):
    """How a person proved who they are, and when they began to."""

    factors: tuple[str, ...]
    at: datetime


class Person(NamedTuple):
    """Whose password was right, and by what their account is known while the next page is open."""

    staff_id: UUID
    generation: int
    has_factor: bool
    known: bool


_ACCOUNT = """
SELECT a.staff_id, a.password_hash, a.failed_attempts, a.generation,
       a.totp_sealed IS NOT NULL AS has_factor, coalesce(a.generation = $3, false) AS known,
       coalesce(p.known_until > $2, false) AS at_home,
       a.active AND s.active AND (coalesce(a.generation = $3, false) OR (
           coalesce(p.rests_until <= $2, true)
           AND (coalesce(p.known_until > $2, false) OR coalesce(a.locked_until <= $2, true))
       )) AS open
FROM staff_accounts a JOIN staff s ON s.id = a.staff_id
LEFT JOIN sign_in_places p ON p.name_index = $4 AND p.network_index = $5
WHERE a.username = $1
"""

_MOVED: Final = """
WITH before AS (
    DELETE FROM sign_in_places
    WHERE (name_index, network_index) IN (SELECT * FROM unnest($3::bytea[], $4::bytea[]))
    RETURNING failures, failed_at, rests_until, known_until, seen_at)
INSERT INTO sign_in_places (name_index, network_index, failures, failed_at, rests_until,
                            known_until, seen_at)
SELECT $1, $2, * FROM before ON CONFLICT DO NOTHING
"""
"""What is known of a name at a place, under index keys of before."""
_HELD: Final = "SELECT FROM staff_accounts WHERE username = $1 FOR UPDATE"


def remembered(keyring: Keyring, username: str, generation: int, now: datetime) -> str:
    """Make what a browser keeps to be known by when this name signs in again."""
    until = f"{int((now + KNOWN_FOR).timestamp())} {generation}".encode()
    sealed = keyring.seal(_KNOWN, normal_username(username), until)
    return base64.urlsafe_b64encode(sealed).decode()


def _known_as(keyring: Keyring, username: str, kept: str, now: datetime) -> tuple[str, int] | None:
    """Return by what a browser is known that this name signed in from, however it is spelt, and the
    account's generation then; None if it is not.
    """
    try:
        opened = base64.b64decode(kept, altchars=b"-_", validate=True)
        said = keyring.unseal(_KNOWN, normal_username(username), opened)
    except (DecryptionRefused, ValueError):
        return None
    until, _, generation = said.partition(" ")
    spelt = base64.urlsafe_b64encode(opened).decode()
    if spelt != kept or int(until) <= now.timestamp():
        return None
    return hashlib.sha256(opened).hexdigest(), int(generation or 0)


def name_index(keyring: Keyring, username: str) -> bytes:
    return keyring.blind_index("sign-in name", normal_username(username))


async def compare(
    database: Database, limits: Limits, username: str, password: str, *, address: str, kept: str
) -> Compared:
    """Compare a password, with no transaction open meanwhile. `kept`: by what the browser may be
    known: then it has tries of its own, whoever else is at its address. Raises RateLimited for an
    address that tries too often.
    """
    now, keyring = database.clock(), database.keyring
    known = _known_as(keyring, username, kept, now)
    if known is not None:
        try:
            limits.browser.spend(f"browser {known[0]}", now)
        except RateLimited:
            known = None
    if known is None:
        limits.address.spend(f"password {network_of(address)}", now)
    generation = None if known is None else known[1]
    networks = keyring.blind_indexes("sign-in network", network_of(address))
    names = keyring.blind_indexes("sign-in name", normal_username(username))
    network = networks[0]
    of = (normal_username(username), now, generation, names[0], network)
    async with database.begin(grants.AT_THE_DOOR) as tx:
        if len(names) > 1:
            await tx.connection.execute(_MOVED, names[0], network, names[1:], networks[1:])
        account = await tx.connection.fetchrow(_ACCOUNT, *of)
    stored = account["password_hash"] if account is not None and account["open"] else None
    return Compared(stored, await passwords.matches(stored, password), generation, network)


async def check_password(tx: Tx, username: str, compared: Compared) -> Person | None:
    """Return who signs in, or None: wrong, unknown, suspended and resting look alike.

    Wrong passwords are counted where they come from: from the fifth in a row the name rests there
    (TOK-10). Those of strangers count together, too, and from the twentieth the name rests for all
    who come from nowhere known. Account and place are locked meanwhile, so parallel guesses count
    one by one, and one that was compared before the name came to rest is worth nothing.
    """
    await tx.reach(grants.AT_THE_DOOR)
    index, name = name_index(tx.keyring, username), normal_username(username)
    await tx.connection.execute(_HELD, name)  # by a statement of its own: the next sees all others
    of = (name, tx.now, compared.known, index, compared.network)
    account = await tx.connection.fetchrow(_ACCOUNT, *of)
    if account is not None and not account["open"]:
        return None
    right = account is not None and compared.right and compared.stored == account["password_hash"]
    await _count_at_place(tx, index, compared.network, right=right)
    if account is None:
        return None
    if right:
        await _let_strangers_try(tx, account)
    elif not (account["known"] or account["at_home"]):
        await _count_stranger(tx, account)
    if not right:
        return None
    return Person(*(account[each] for each in Person._fields))


_PLACE: Final = """
INSERT INTO sign_in_places (name_index, network_index, failures, failed_at, rests_until,
                            known_until, seen_at)
VALUES ($1, $2, $3, $4, NULL, $5, $6)
ON CONFLICT (name_index, network_index) DO UPDATE SET seen_at = $6,
    failures = CASE WHEN $3 = 0 THEN 0 ELSE sign_in_places.failures + 1 END,
    failed_at = coalesce($4, sign_in_places.failed_at),
    known_until = coalesce($5, sign_in_places.known_until), rests_until = NULL
RETURNING failures
"""


async def _count_at_place(tx: Tx, index: bytes, network: bytes, *, right: bool) -> None:
    failed_at, known_until = (None, tx.now + KNOWN_FOR) if right else (tx.now, None)
    failures = await tx.connection.fetchval(
        _PLACE, index, network, int(not right), failed_at, known_until, tx.now
    )
    if pause := rules.pause_after(failures):
        await tx.connection.execute(
            "UPDATE sign_in_places SET rests_until = $3"
            " WHERE name_index = $1 AND network_index = $2",
            *(index, network, tx.now + pause),
        )


async def _count_stranger(tx: Tx, account: Any) -> None:
    pause = rules.pause_for_strangers(account["failed_attempts"] + 1)
    await tx.connection.execute(
        "UPDATE staff_accounts SET failed_attempts = failed_attempts + 1, locked_until = $2"
        " WHERE staff_id = $1",
        account["staff_id"],
        tx.now + pause if pause else None,
    )


async def _let_strangers_try(tx: Tx, account: Any) -> None:
    if account["failed_attempts"]:
        await tx.connection.execute(
            "UPDATE staff_accounts SET failed_attempts = 0, locked_until = NULL"
            " WHERE staff_id = $1",
            account["staff_id"],
        )


async def staff_called(tx: Tx, username: str) -> UUID | None:
    """Return whose name it is, if it is anybody's."""
    found: UUID | None = await tx.connection.fetchval(
        "SELECT staff_id FROM staff_accounts WHERE username = $1", normal_username(username)
    )
    return found


async def posts_of(tx: Tx, staff_id: UUID) -> list[queries.Holding]:
    """List the posts a person may sign in to: those of roles a person can hold."""
    held = await queries.holdings_today(tx, staff_id)
    return [
        post
        for post in held
        if post.role in roles.roles() and "staff" in roles.role(post.role).holders
    ]


async def grant_code(
    tx: Tx,
    request: AuthorizationRequest,
    post: queries.Holding,
    origin: Origin,
    proved: Proved,
    *,
    asks_device: bool = False,
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
            factors=list(proved.factors),
            asks_device=asks_device,
            started_at=proved.at,
            ends_at=proved.at + rules.sign_in_lasts(post.role),
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
