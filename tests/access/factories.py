"""Callers for tests: an agency, its authority, and a real token for it."""

from dataclasses import dataclass
from uuid import UUID

from app.access import tokens
from app.access.models import Client, SignIn, StaffAccount
from app.access.roles import Purpose
from app.access.roles import role as role_of
from app.agencies.models import Agency, Post, PostHolding, Staff
from app.core.clock import local_date
from app.core.data.db import SYSTEM, Database
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

    @property
    def headers(self) -> dict[str, str]:
        purpose = {"purpose-of-use": str(self.purpose)} if self.purpose else {}
        return {"authorization": f"Bearer {self.token}", **purpose}


async def an_agency(
    database: Database, kind: str, region_code: int, *, agency_id: UUID | None = None
) -> UUID:
    chosen = agency_id or new_id()
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            Agency(
                id=chosen,
                kind=kind,
                name=f"测试机构 {kind} {region_code}",
                region_code=region_code,
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
    return chosen


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
    granted = role_of(role_code)
    agency = agency_id or await an_agency(database, min(granted.agency_kinds), region_code)
    as_machine = ("staff" not in granted.holders) if machine is None else machine
    make = _a_machine if as_machine else _a_staff_member
    subject_id, grant_id, client_id, sign_in_id = await make(
        database, agency, role_code, region_code
    )
    keys = tokens.token_keys(
        database.keyring.signing,
        issuer=settings.tokens.issuer,
        audience=settings.tokens.audience,
    )
    token = tokens.issue(
        keys,
        subject=f"{'client' if as_machine else 'staff'}:{subject_id}",
        grant_id=grant_id,
        client_id=str(client_id),
        agency_id=agency,
        role=role_code,
        region_code=region_code,
        scopes=frozenset(granted.scopes) if scopes is None else scopes,
        session_id=sign_in_id,
        now=database.clock(),
        seconds=300,
    )
    purposes = sorted(granted.purposes)
    return Caller(agency, subject_id, token, Purpose(purposes[0]) if purposes else None)


def a_token(database: Database, settings: Settings, system: Caller, *, agency_id: UUID) -> str:
    """Give a system of civil affairs a token for the agency it belongs to now."""
    keys = tokens.token_keys(
        database.keyring.signing, issuer=settings.tokens.issuer, audience=settings.tokens.audience
    )
    return tokens.issue(
        keys,
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


async def _a_machine(
    database: Database, agency: UUID, role_code: str, region_code: int
) -> tuple[UUID, UUID, UUID, UUID]:
    client_id = new_id()
    lo, hi = regions.subtree(region_code)
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            Client(
                id=client_id,
                kind="machine",
                name="test system",
                agency_id=agency,
                role=role_code,
                region_code=region_code,
                remit_lo=lo,
                remit_hi=hi,
                created_at=tx.now,
            )
        )
    return client_id, client_id, client_id, new_id()


async def _a_staff_member(
    database: Database, agency: UUID, role_code: str, region_code: int
) -> tuple[UUID, UUID, UUID, UUID]:
    post, person, holding, app, sign_in = (new_id() for _ in range(5))
    lo, hi = regions.subtree(region_code)
    async with database.begin(SYSTEM) as tx:
        add = tx.session.add
        add(Client(id=app, kind="app", name="test app", created_at=tx.now))
        add(
            Staff(
                id=person,
                agency_id=agency,
                region_code=region_code,
                name="测试员",
                created_at=tx.now,
            )
        )
        add(
            Post(
                id=post,
                agency_id=agency,
                role=role_code,
                local_title="测试岗位",
                region_code=region_code,
                remit_lo=lo,
                remit_hi=hi,
                created_at=tx.now,
            )
        )
        await tx.flush()
        add(
            StaffAccount(
                staff_id=person, username=str(person), password_hash="-", created_at=tx.now
            )
        )
        add(
            PostHolding(
                id=holding,
                post_id=post,
                staff_id=person,
                since=local_date(tx.now).replace(year=2020),
                created_at=tx.now,
            )
        )
        await tx.flush()
        add(
            SignIn(
                id=sign_in,
                staff_id=person,
                client_id=app,
                holding_id=holding,
                scope="",
                started_at=tx.now,
                ends_at=tx.now,
            )
        )
    return person, holding, app, sign_in
