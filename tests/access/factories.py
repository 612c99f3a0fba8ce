"""Callers for tests: an agency, its authority, and a real token for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from app.access import tokens
from app.access.roles import Purpose
from app.access.roles import role as role_of
from app.core.clock import local_date
from app.core.data.db import SYSTEM, Database, Tx
from app.core.ids import new_id
from app.core.settings import Settings
from app.regions import rules as regions


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token; `headers` is what their requests carry."""

    agency_id: UUID
    subject_id: UUID
    token: str
    purpose: Purpose | None
    claims: dict[str, Any]
    """What the token claims, for `renewed`."""

    @property
    def headers(self) -> dict[str, str]:
        purpose = {"purpose-of-use": str(self.purpose)} if self.purpose else {}
        return {"authorization": f"Bearer {self.token}", **purpose}


_AN_AGENCY = """
INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, true, 1, $5, $5)
"""


async def an_agency(
    database: Database, kind: str, region_code: int, *, agency_id: UUID | None = None
) -> UUID:
    async with database.begin(SYSTEM) as tx:
        return await _an_agency(tx, kind, region_code, agency_id or new_id())


async def _an_agency(tx: Tx, kind: str, region_code: int, agency_id: UUID) -> UUID:
    name = f"测试机构 {kind} {region_code}"
    await tx.connection.execute(_AN_AGENCY, agency_id, kind, name, region_code, tx.now)
    return agency_id


async def a_caller(
    database: Database,
    settings: Settings,
    role_code: str,
    region_code: int,
    *,
    agency_id: UUID | None = None,
    machine: bool | None = None,
    scopes: frozenset[str] | None = None,
) -> Caller:
    """Make somebody who holds `role_code` for a region, in a new agency unless one is given."""
    async with database.begin(SYSTEM) as tx:
        claims = await _somebody(
            tx, role_code, region_code, agency_id=agency_id, machine=machine, scopes=scopes
        )
    return _caller(database, settings, claims)


async def callers(
    database: Database, settings: Settings, **posts: tuple[str, int]
) -> dict[str, Caller]:
    """Make somebody for each role and region, each in a new agency: `a_caller`s at one go."""
    async with database.begin(SYSTEM) as tx:
        made = {name: await _somebody(tx, *post) for name, post in posts.items()}
    return {name: _caller(database, settings, claims) for name, claims in made.items()}


async def _somebody(
    tx: Tx,
    role_code: str,
    region_code: int,
    *,
    agency_id: UUID | None = None,
    machine: bool | None = None,
    scopes: frozenset[str] | None = None,
) -> dict[str, Any]:
    granted = role_of(role_code)
    as_machine = ("staff" not in granted.holders) if machine is None else machine
    make = _a_machine if as_machine else _a_staff_member
    kind = None if agency_id else min(granted.agency_kinds)
    agency = agency_id or new_id()
    subject_id, grant_id, client_id, sign_in_id = await make(
        tx, agency, kind, role_code, region_code
    )
    return {
        "subject": f"{'client' if as_machine else 'staff'}:{subject_id}",
        "grant_id": grant_id,
        "client_id": str(client_id),
        "agency_id": agency,
        "role": role_code,
        "region_code": region_code,
        "scopes": frozenset(granted.scopes) if scopes is None else scopes,
        "session_id": sign_in_id,
    }


def _caller(database: Database, settings: Settings, claims: dict[str, Any]) -> Caller:
    token = _issued(database, settings, claims)
    purposes = sorted(role_of(claims["role"]).purposes)
    purpose = Purpose(purposes[0]) if purposes else None
    subject_id = UUID(claims["subject"].partition(":")[2])
    return Caller(claims["agency_id"], subject_id, token, purpose, claims)


_A_NEW_POST = """
WITH left_ AS (
    UPDATE post_holdings SET until = $8 WHERE id = $1
), person AS (
    UPDATE staff SET agency_id = $3, region_code = $5 WHERE id = $2
), post AS (
    INSERT INTO posts (id, agency_id, role, local_title, region_code, remit_lo, remit_hi, active,
                       created_at)
    VALUES ($10, $3, $4, '测试岗位', $5, $6, $7, true, $9)
), holding AS (
    INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)
    VALUES ($11, $10, $2, $8, $9)
)
INSERT INTO sign_ins (id, staff_id, client_id, holding_id, scope, started_at, ends_at)
VALUES ($12, $2, $13, $11, '', $9, $9)
"""


async def a_new_post(
    database: Database,
    settings: Settings,
    caller: Caller,
    role_code: str,
    region_code: int,
    on: date,
) -> Caller:
    """Let somebody leave their post for one at a new agency, whose first day is `on`."""
    granted = role_of(role_code)
    agency = await an_agency(database, min(granted.agency_kinds), region_code)
    post, holding, sign_in = (new_id() for _ in range(3))
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            _A_NEW_POST,
            *(caller.claims["grant_id"], caller.subject_id, agency, role_code, region_code),
            *(*regions.subtree(region_code), on, tx.now, post, holding, sign_in),
            UUID(caller.claims["client_id"]),
        )
    claims = {
        **caller.claims,
        "grant_id": holding,
        "agency_id": agency,
        "role": role_code,
        "region_code": region_code,
        "scopes": frozenset(granted.scopes),
        "session_id": sign_in,
    }
    return replace(
        caller, agency_id=agency, token=_issued(database, settings, claims), claims=claims
    )


async def signed_in_before(
    database: Database,
    caller: Caller,
    *,
    minutes: int = 0,
    factors: Sequence[str] = ("pwd", "otp"),
) -> None:
    """Have somebody have signed in so many minutes ago, with these factors."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE sign_ins SET factors = $2::text[], started_at = $3, ends_at = $4"
            " WHERE staff_id = $1",
            caller.subject_id,
            list(factors),
            tx.now - timedelta(minutes=minutes),
            tx.now + timedelta(hours=1),
        )


def renewed(database: Database, settings: Settings, caller: Caller) -> Caller:
    """Give somebody a token of now."""
    return replace(caller, token=_issued(database, settings, caller.claims))


def _issued(database: Database, settings: Settings, claims: dict[str, Any]) -> str:
    keys = keys_of(database, settings)
    return tokens.issue(keys, **claims, now=database.clock(), seconds=300)


def keys_of(database: Database, settings: Settings) -> tokens.TokenKeys:
    """The keys that tokens are signed with, built once for all who are given one."""
    signing = tuple(database.keyring.signing.items())
    return _built(signing, settings.tokens.issuer, settings.tokens.audience)


@cache
def _built(signing: tuple[tuple[str, str], ...], issuer: str, audience: str) -> tokens.TokenKeys:
    return tokens.token_keys(dict(signing), issuer=issuer, audience=audience)


def a_token(database: Database, settings: Settings, system: Caller, *, agency_id: UUID) -> str:
    """Give a system of civil affairs a token for the agency it belongs to now."""
    return tokens.issue(
        keys_of(database, settings),
        subject=f"client:{system.subject_id}",
        grant_id=system.subject_id,
        client_id=str(system.subject_id),
        agency_id=agency_id,
        role="civil_affairs",
        region_code=120119000000,
        scopes=frozenset(role_of("civil_affairs").scopes),
        session_id=new_id(),
        now=database.clock(),
        seconds=300,
    )


_NEW_AGENCY = """
WITH agency AS (
    INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
    SELECT {id}, {kind}, '测试机构 ' || {kind} || ' ' || {region}, {region}, true, 1, {at}, {at}
    WHERE {kind} IS NOT NULL
)
"""
"""The agency of whom is made in the same statement, if its kind is given: a round trip less."""

_A_MACHINE = f"""
{_NEW_AGENCY.format(id="$2::uuid", kind="$8::text", region="$4::bigint", at="$7::timestamptz")}
INSERT INTO clients (id, kind, name, agency_id, role, region_code, remit_lo, remit_hi,
                     redirect_uris, active, created_at)
VALUES ($1, 'machine', 'test system', $2, $3, $4, $5, $6, '{{}}', true, $7)
"""


async def _a_machine(
    tx: Tx, agency: UUID, kind: str | None, role_code: str, region_code: int
) -> tuple[UUID, UUID, UUID, UUID]:
    client_id = new_id()
    remit = regions.subtree(region_code)
    await tx.connection.execute(
        _A_MACHINE, client_id, agency, role_code, region_code, *remit, tx.now, kind
    )
    return client_id, client_id, client_id, new_id()


# One statement, as a suite makes thousands of them.
_A_STAFF_MEMBER = f"""
{_NEW_AGENCY.format(id="$6::uuid", kind="$13::text", region="$8::bigint", at="$10::timestamptz")}
, app AS (
    INSERT INTO clients (id, kind, name, redirect_uris, active, created_at)
    VALUES ($1, 'app', 'test app', '{{}}', true, $10)
), person AS (
    INSERT INTO staff (id, agency_id, region_code, name, active, created_at)
    VALUES ($2, $6, $8, '测试员', true, $10)
), account AS (
    INSERT INTO staff_accounts (staff_id, username, password_hash, failed_attempts, active,
                                created_at)
    VALUES ($2, $2::uuid::text, '-', 0, true, $10)
), post AS (
    INSERT INTO posts (id, agency_id, role, local_title, region_code, remit_lo, remit_hi, active,
                       created_at)
    VALUES ($3, $6, $7, '测试岗位', $8, $11, $12, true, $10)
), holding AS (
    INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)
    VALUES ($4, $3, $2, $9, $10)
)
INSERT INTO sign_ins (id, staff_id, client_id, holding_id, scope, started_at, ends_at)
VALUES ($5, $2, $1, $4, '', $10, $10)
"""


async def _a_staff_member(
    tx: Tx, agency: UUID, kind: str | None, role_code: str, region_code: int
) -> tuple[UUID, UUID, UUID, UUID]:
    app, person, post, holding, sign_in = (new_id() for _ in range(5))
    await tx.connection.execute(
        _A_STAFF_MEMBER,
        *(app, person, post, holding, sign_in, agency, role_code, region_code),
        *(local_date(tx.now).replace(year=2020), tx.now, *regions.subtree(region_code), kind),
    )
    return person, holding, app, sign_in
