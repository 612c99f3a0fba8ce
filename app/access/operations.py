"""Register clients and staff accounts, and suspend clients. For the API and the operator's CLI."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from app.access import accounts, assertions, credentials, passwords, roles, rules
from app.access.models import Client
from app.access.sign_in import normal_username
from app.agencies import operations as agencies
from app.agencies.models import Agency, PostHolding
from app.core.data.db import Tx
from app.core.data.sql import insert
from app.core.problems import FieldError, Problem
from app.regions import rules as regions


class RoleDoesNotFit(Problem, status=422):
    """The role is not one that this kind of agency, this level or this kind of holder has."""

    title = "The role does not fit the agency, the level of the place or the holder"
    title_zh = "该角色与机构类别、区域级别或持有者类型不符"
    errors = (FieldError("#/role", "role_does_not_fit", "See the roles."),)


class KeysUnusable(Problem, status=422):
    """The JWK set cannot prove a client."""

    title = "The keys cannot be used"
    title_zh = "密钥无法使用"
    errors = (FieldError("#/jwks", "keys_unusable", "Give public P-256 or RSA keys."),)


class OldKeyUnproven(Problem, status=403, denies=True):
    """Whoever replaces the keys of a client proves to have one of them."""

    title = "New keys need a statement signed with one of the keys of now"
    title_zh = "更换密钥须附用现有密钥签署的声明"


class SecretsNotAccepted(Problem, status=422):
    """Production knows client keys only (TOK-5)."""

    title = "Register a public key; shared secrets exist in sandboxes only"
    title_zh = "请登记公钥;共享密钥仅限沙箱环境使用"
    errors = (FieldError("#/jwks", "keys_required", "Send `jwks`."),)


class RedirectUriUnsafe(Problem, status=422):
    """A redirect URI must be one that only the app receives."""

    title = "Redirect URIs are https, http on this machine, or a private scheme with a dot"
    title_zh = "回调地址须为 https、本机 http 或带点号的私有协议"
    errors = (
        FieldError(
            "#/redirect_uris",
            "redirect_uri_unsafe",
            "Exact addresses without fragment; RFC 8252 says which are safe.",
        ),
    )


class UsernameTaken(Problem, status=409):
    """Usernames are unique."""

    title = "The username is taken"
    title_zh = "用户名已被使用"


class UsernameInvalid(Problem, status=422):
    """Usernames can be typed on any keyboard."""

    title = "Usernames have 3 to 64 characters: a-z, 0-9 and . _ @ -"
    title_zh = "用户名须为 3 至 64 个字符:a-z、0-9 及 . _ @ -"


class StaffUnknown(Problem, status=422):
    """Nobody is entered under the id, or both are one."""

    title = "These are not two entries of the staff"
    title_zh = "这不是两条人员记录"


class FoundedAlready(Problem, status=409):
    """There are operators: whoever joins them is appointed by two of them."""

    title = "Operators were named before; two of them appoint others"
    title_zh = "运营人员已指定;新的运营人员须由其中两人任命"


class PasswordTooWeak(Problem, status=422):
    """The password is short, contains the username, or is one that many have chosen."""

    title = "Passwords have 10 to 128 characters, no username in them, and are hard to guess"
    title_zh = "密码须为 10 至 128 个字符,不得包含用户名,且不得为易被猜中的密码"


KEYS_LIVE: Final = timedelta(days=365)
"""How long keys of clients count at most: whoever took one in secret has it no longer than this."""


KEYS_READ_COUNT: Final = timedelta(days=1)
"""How long keys that are read under a URL count without being read again."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client. `secret` is shown this once; only its hash is kept."""

    client: Client
    secret: str | None = None


async def create_machine(
    tx: Tx,
    agency: Agency,
    *,
    name: str,
    role: str,
    region_code: int,
    jwks: Mapping[str, Any] | None,
    jwks_uri: str | None = None,
    until: datetime | None = None,
    secrets_allowed: bool,
    bound: bool = False,
) -> Registered:
    """Register a machine client of an agency: with its public keys, or where it publishes them,
    which are read within minutes; or with a generated secret where `secrets_allowed` (never in
    production). Keys that are given end as `until` says, or in a year. `bound`: it gets tokens
    bound to a key only.

    Raises RoleDoesNotFit, agencies.PostOutsideAgency, agencies.RegionUnknown, KeysUnusable or
    SecretsNotAccepted.
    """
    fitting_role(role, agency.kind, region_code, holder="machine")
    place = await agencies.remit(tx, agency, region_code)
    if jwks is not None and jwks_uri is not None:
        raise KeysUnusable.at("#/jwks_uri", "keys_twice", "Give `jwks` or `jwks_uri`.")
    keyless = jwks is None and jwks_uri is None
    if keyless and not secrets_allowed:
        raise SecretsNotAccepted
    secret = secrets.token_urlsafe(32) if keyless else None
    client = Client(
        kind="machine",
        name=name,
        agency_id=agency.id,
        role=role,
        region_code=place.region_code,
        remit_lo=place.lo,
        remit_hi=place.hi,
        jwks=None if jwks is None else _public_keys(jwks, production=not secrets_allowed),
        jwks_uri=jwks_uri,
        keys_until=None if jwks is None else keys_end(tx.now, until),
        dpop_bound_access_tokens=bound,
        secret_hash=None if secret is None else credentials.secret_hash(secret),
        created_at=tx.now,
    )
    return Registered(await tx.add(client), secret)


async def create_app(
    tx: Tx,
    *,
    name: str,
    redirect_uris: Sequence[str],
    jwks: Mapping[str, Any] | None = None,
    until: datetime | None = None,
    bound: bool = False,
    pushed: bool = False,
    production: bool = False,
) -> Client:
    """Register an app, which has no authority of its own: a confidential one with its public keys.
    `bound`, `pushed`: it asks for tokens bound to a key only, with pushed requests only. Raises
    RedirectUriUnsafe, KeysUnusable.
    """
    if not redirect_uris or not all(map(rules.redirect_uri_is_safe, redirect_uris)):
        raise RedirectUriUnsafe
    return await tx.add(
        Client(
            kind="app",
            name=name,
            redirect_uris=list(redirect_uris),
            jwks=None if jwks is None else _public_keys(jwks, production=production),
            keys_until=None if jwks is None else keys_end(tx.now, until),
            dpop_bound_access_tokens=bound,
            require_pushed_authorization_requests=pushed,
            created_at=tx.now,
        )
    )


async def replace_keys(
    tx: Tx,
    client: Client,
    jwks: Mapping[str, Any],
    *,
    until: datetime | None,
    statement: str | None,
    issuer: str,
    production: bool,
) -> bool:
    """Give a client new keys, which end as `until` says, or in a year; the old ones, and a secret,
    count no more. Who has one of the old ones says so by a `statement` signed with it; return
    whether it was said: else it takes two people. Raises KeysUnusable, OldKeyUnproven.
    """
    kept = _public_keys(jwks, production=production)
    end = keys_end(tx.now, until)
    if statement is not None:
        await _prove(tx, client, kept, statement, issuer)
    client.jwks, client.keys_until, client.jwks_uri = kept, end, None
    client.secret_hash = None
    await tx.flush()
    return statement is not None


async def take_key_set(tx: Tx, client_id: UUID, url: str, said: bytes | None) -> str | None:
    """Give a client the keys that were read where it publishes them: those left out count no more,
    all count for a day unless they are read again. Return why not, where nothing usable was said:
    then those of before stay, for that day.
    """
    client = await tx.session.get(Client, client_id)
    if client is None or client.jwks_uri != url:
        return "registered otherwise meanwhile"
    client.keys_read_at = tx.now
    why = None
    try:
        client.jwks = assertions.public_keys(orjson.loads(said or b""))
        client.keys_until = tx.now + KEYS_READ_COUNT
    except (ValueError, AttributeError) as error:
        why = str(error) if isinstance(error, assertions.KeyRefused) else "no key set"
    await tx.flush()
    return why


async def _prove(
    tx: Tx, client: Client, kept: Mapping[str, Any], statement: str, issuer: str
) -> None:
    """Raise OldKeyUnproven unless who has a key of now says that these replace it, once."""
    if not client.active or (client.keys_until is not None and client.keys_until <= tx.now):
        raise OldKeyUnproven("Its keys count no more: propose the new ones, without a statement.")
    try:
        proof = assertions.verify_statement(
            statement,
            client.jwks or {},
            replaced_by=kept,
            client_id=str(client.id),
            issuer=issuer,
            now=tx.now,
        )
    except assertions.AssertionRefused as refused:
        raise OldKeyUnproven(refused.mend) from None
    use = {"client_id": client.id, "token_id": proof.token_id, "expires_at": proof.expires_at}
    if not await insert(tx.connection, "used_assertions", use, unless_taken=True):
        raise OldKeyUnproven("The statement was used before.")


def keys_end(now: datetime, until: datetime | None) -> datetime:
    """Return when new keys end. Raises KeysUnusable for what is past or more than a year away."""
    latest = now + KEYS_LIVE
    if until is None:
        return latest
    if not now < until <= latest:
        raise KeysUnusable.at("#/until", "keys_end", "Keys end within a year, and not at once.")
    return until


async def set_active(tx: Tx, client: Client, *, active: bool) -> None:
    """Suspend a client, or let it work again. Its tokens stop with the next request (TOK-4)."""
    client.active = active
    await tx.flush()


async def create_staff(
    tx: Tx,
    agency: Agency,
    *,
    name: str,
    username: str,
    password: str,
    role: str,
    region_code: int,
) -> PostHolding:
    """Hire a person, set up a post for them, called by the role's Chinese name, and let them sign
    in from today. Needs the SYSTEM reach. Raises UsernameInvalid, UsernameTaken, PasswordTooWeak,
    RoleDoesNotFit, and what agencies.add_post raises.
    """
    fitting = fitting_role(role, agency.kind, region_code, holder="staff")
    account_name = usable_username(username)
    if await passwords.unfit(password, account_name):
        raise PasswordTooWeak
    person = await agencies.hire(tx, agency.id, name)
    made = await passwords.hash_of(password)
    if not await accounts.open_account(tx, person.id, account_name, made):
        raise UsernameTaken
    post = await agencies.add_post(tx, agency, role, fitting.name.zh, region_code)
    return await agencies.hold_post(tx, post, person.id, tx.today)


_SAME: Final = """
WITH known AS (
    SELECT coalesce((SELECT s.person_id FROM same_persons s WHERE s.staff_id = $1), $1) AS person
), other AS (
    SELECT coalesce((SELECT s.person_id FROM same_persons s WHERE s.staff_id = $2), $2) AS person
), joined AS (
    UPDATE same_persons s SET person_id = known.person FROM known, other
    WHERE s.person_id = other.person AND s.staff_id <> ALL (ARRAY[$1, $2]::uuid[])
)
INSERT INTO same_persons (staff_id, person_id)
SELECT staff.id, known.person FROM staff, known WHERE staff.id IN ($1, $2)
ON CONFLICT (staff_id) DO UPDATE SET person_id = excluded.person_id
"""


async def note_same_person(tx: Tx, one: UUID, other: UUID) -> None:
    """Say that two entries of `staff` are one human being, who counts as one person from now on
    wherever it takes two. Needs the SYSTEM reach. Raises StaffUnknown.
    """
    if await tx.connection.execute(_SAME, one, other) != "INSERT 0 2":
        raise StaffUnknown


def usable_username(username: str) -> str:
    """Return a username as it is kept. Raises UsernameInvalid."""
    account_name = normal_username(username)
    if not re.fullmatch(r"[a-z0-9._@-]{3,64}", account_name):
        raise UsernameInvalid
    return account_name


def fitting_role(
    code: str, agency_kind: str, region_code: int, *, holder: Literal["staff", "machine"]
) -> roles.Role:
    """Return the role if it fits such an agency, holder and place. Raises RoleDoesNotFit."""
    try:
        role = roles.role(code)
        level = "nation" if region_code == regions.NATION else str(regions.level_of(region_code))
    except roles.UnknownRole:
        raise _misfit(f"There is no such role. There are: {', '.join(roles.roles())}.") from None
    except regions.BadRegionCode:
        raise _misfit("The post's place is no division.") from None
    for said, known in (
        (agency_kind, role.agency_kinds),
        (level, role.levels),
        (holder, role.holders),
    ):
        if said not in known:
            raise _misfit(f"{code} is for {', '.join(sorted(known))}, not for {said}.")
    return role


def _misfit(detail: str) -> RoleDoesNotFit:
    return RoleDoesNotFit.at("#/role", "role_does_not_fit", detail)


def _public_keys(jwks: Mapping[str, Any], *, production: bool) -> dict[str, Any]:
    algorithms = assertions.IN_PRODUCTION if production else assertions.ALGORITHMS
    try:
        return assertions.public_keys(jwks, algorithms=algorithms)
    except assertions.KeyRefused as refused:
        raise KeysUnusable.at("#/jwks", "keys_unusable", str(refused)) from None
