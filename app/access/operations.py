"""Register clients and staff accounts, and suspend clients. For the API and the operator's CLI."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.access import accounts, assertions, credentials, passwords, roles, rules
from app.access.models import Client
from app.access.sign_in import normal_username
from app.agencies import operations as agencies
from app.agencies.models import Agency, PostHolding
from app.core.data.db import Tx
from app.core.data_files import unknown
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


class PasswordTooWeak(Problem, status=422):
    """The password is short, contains the username, or is one that many have chosen."""

    title = "Passwords have 10 to 128 characters, no username in them, and are hard to guess"
    title_zh = "密码须为 10 至 128 个字符,不得包含用户名,且不得为易被猜中的密码"


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
    secrets_allowed: bool,
) -> Registered:
    """Register a machine client of an agency: with its public keys, or with a generated secret
    where `secrets_allowed` (never in production).

    Raises RoleDoesNotFit, agencies.PostOutsideAgency, agencies.RegionUnknown, KeysUnusable or
    SecretsNotAccepted.
    """
    fitting_role(role, agency.kind, region_code, holder="machine")
    place = await agencies.remit(tx, agency, region_code)
    if jwks is None and not secrets_allowed:
        raise SecretsNotAccepted
    secret = secrets.token_urlsafe(32) if jwks is None else None
    client = Client(
        kind="machine",
        name=name,
        agency_id=agency.id,
        role=role,
        region_code=place.region_code,
        remit_lo=place.lo,
        remit_hi=place.hi,
        jwks=None if jwks is None else _public_keys(jwks),
        secret_hash=None if secret is None else credentials.secret_hash(secret),
        created_at=tx.now,
    )
    return Registered(await tx.add(client), secret)


async def create_app(tx: Tx, *, name: str, redirect_uris: Sequence[str]) -> Client:
    """Register an app, which has no authority of its own. Raises RedirectUriUnsafe."""
    if not redirect_uris or not all(map(rules.redirect_uri_is_safe, redirect_uris)):
        raise RedirectUriUnsafe
    return await tx.add(
        Client(kind="app", name=name, redirect_uris=list(redirect_uris), created_at=tx.now)
    )


async def replace_keys(tx: Tx, client: Client, jwks: Mapping[str, Any]) -> None:
    """Give a machine new keys; the old ones, and a secret, count no more. Raises KeysUnusable."""
    client.jwks = _public_keys(jwks)
    client.secret_hash = None
    await tx.flush()


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
    account_name = usable_username(username)
    if await passwords.unfit(password, account_name):
        raise PasswordTooWeak
    fitting = fitting_role(role, agency.kind, region_code, holder="staff")
    post = await agencies.add_post(tx, agency, role, fitting.name.zh, region_code)
    person = await agencies.hire(tx, agency.id, name)
    holding = await agencies.hold_post(tx, post, person.id, tx.today)
    made = await passwords.hash_of(password)
    if not await accounts.open_account(tx, person.id, account_name, made):
        raise UsernameTaken
    return holding


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
        raise _misfit(unknown("role", code, roles.roles())) from None
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


def _public_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return assertions.public_keys(jwks)
    except assertions.KeyRefused as refused:
        raise KeysUnusable.at("#/jwks", "keys_unusable", str(refused)) from None
