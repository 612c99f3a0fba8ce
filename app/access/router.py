"""Who am I; and the clients of an agency."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request

from app.access import accounts, bearers, devices, grants, operations, queries, schemas
from app.access.acts import (
    Act,
    Condition,
    PersonRequired,
    asked,
    permitted,
    permitted_by_two,
    stands,
)
from app.access.approvals.schemas import UNSAID, TakenAway, because
from app.access.area import AREA, READ_CLIENTS, READ_ME, WRITE_CLIENTS, WRITE_ME
from app.access.deps import named_in_path, needs
from app.access.guards import ALWAYS, CLIENT_OF_POWER, NEW_KEYS, POWER_TAKEN, UNPROVEN_KEYS
from app.access.models import Client
from app.access.principal import Principal
from app.access.roles import UnknownRole, role
from app.agencies import operations as agencies
from app.agencies import queries as agency_queries
from app.agencies.models import Agency
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented
from app.core.settings import Environment, Settings
from app.regions import queries as regions

router = routing.v1(AREA.tag)
ReadsMe = Annotated[Principal, needs(READ_ME)]
WritesMe = Annotated[Principal, needs(WRITE_ME)]
ReadsClients = Annotated[Principal, needs(READ_CLIENTS)]
GivesKeys = Annotated[Principal, needs(WRITE_CLIENTS, approval=NEW_KEYS)]
ResumesClients = Annotated[Principal, needs(WRITE_CLIENTS, approval=CLIENT_OF_POWER)]
TakesAway = Annotated[Principal, needs(WRITE_CLIENTS, review=POWER_TAKEN)]
AllowsBearers = Annotated[Principal, needs(WRITE_CLIENTS, approval=ALWAYS)]
ReplacesKeys = Annotated[Principal, needs(WRITE_CLIENTS, approval=UNPROVEN_KEYS)]


class ClientNotFound(Problem, status=404, denies=True):
    """There is no such client, or not one of the caller's agency."""

    title = "No such client"
    title_zh = "没有这个客户端"


class NotYoursToRegister(Problem, status=403, denies=True):
    """Nobody gives a machine more than they have (AZ-11): another agency, a place outside the
    remit, a role with other scopes, or an app, which the operator registers.
    """

    title = "You may not register a client with this authority"
    title_zh = "您无权登记具有该权限的客户端"


_by_the_operator = Condition(
    ("id",),
    lambda principal, _: principal.agency_kind == "operator",
    lambda _, operates: bool(operates),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: NotYoursToRegister(),
)
ACTS: Final[Mapping[str, Act]] = {
    "replaceClientKeys": Act(
        WRITE_CLIENTS.code,
        (stands(lambda *_: ("machine",), lambda *_: ClientNotFound(), "kind"),),
        guard=UNPROVEN_KEYS,
    ),
    "suspendClient": Act(WRITE_CLIENTS.code),
    "resumeClient": Act(WRITE_CLIENTS.code, guard=CLIENT_OF_POWER),
    "allowBearerTokens": Act(WRITE_CLIENTS.code, (_by_the_operator,), guard=ALWAYS),
    "endBearerTokens": Act(WRITE_CLIENTS.code, (_by_the_operator,)),
}
"""What may be done with a client, by operationId."""

ClientInPath = Annotated[
    Client,
    named_in_path("client_id", "The client's id.", queries.client_administered, ClientNotFound),
]
"""The client named in the path, if the caller administers it; else 404."""


class SignInNotFound(Problem, status=404, denies=True):
    """The caller has no such sign-in open."""

    title = "No such sign-in is open"
    title_zh = "没有这项打开的登录"


OwnSignIn = Annotated[
    Any, named_in_path("sign_in_id", "The sign-in's id.", queries.open_sign_in, SignInNotFound)
]
"""One of the caller's own that is open; else 404."""


@router.get("/me")
async def read_me(principal: ReadsMe) -> Shown[schemas.Me]:
    """Read who the token speaks for and what it may do."""
    return Shown(
        schemas.Me(
            subject=principal.subject,
            agency_id=principal.agency_id,
            agency_kind=principal.agency_kind,
            role=principal.role.code,
            region_code=principal.region_code,
            scopes=sorted(principal.scopes),
            purposes=sorted(principal.role.purposes),
            reads=sorted(principal.role.reads),
            writes=sorted(principal.role.writes),
        )
    )


@router.get("/me/sign-ins", responses=documented(PersonRequired))
async def list_my_sign_ins(
    principal: ReadsMe, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.OpenSignIn]]:
    """List where you are signed in, latest first."""
    page = await queries.open_sign_ins(tx, _person(principal), window)
    return Shown(page.shown(lambda row: schemas.OpenSignIn(**row)))


@router.post("/me/sign-ins/end", responses=documented(PersonRequired))
async def end_my_sign_ins(principal: WritesMe, tx: Transaction) -> Shown[schemas.SignInsEnded]:
    """End all you have open, also the one that asks, and revoke your phones: yours is lost."""
    ended = await accounts.end_sign_ins(tx, _person(principal))
    await devices.revoke(tx, _person(principal))
    return Shown(schemas.SignInsEnded(ended=ended))


@router.post("/me/sign-ins/{sign_in_id}/end")
async def end_my_sign_in(
    _: WritesMe, sign_in: OwnSignIn, tx: Transaction
) -> Shown[schemas.SignInsEnded]:
    """End one of your sign-ins."""
    await grants.end_sign_in(tx, sign_in["id"])
    return Shown(schemas.SignInsEnded(ended=1))


def _person(principal: Principal) -> UUID:
    if principal.staff_id is None:
        raise PersonRequired
    return principal.staff_id


@router.get("/clients")
async def list_clients(
    principal: ReadsClients,
    tx: ReadTransaction,
    window: Paged,
    act: Annotated[Act | None, asked(ACTS)] = None,
) -> Shown[Page[schemas.Client]]:
    """List the clients of your agency; the operator lists all."""
    page = await queries.clients(tx, principal, window, act=act)
    return Shown(page.shown(lambda row: _client_of(tx, principal, row)))


@router.get("/clients/{client_id}")
async def read_client(
    principal: ReadsClients, client: ClientInPath, tx: Transaction
) -> Shown[schemas.Client]:
    """Read a client of your agency; the operator reads any."""
    return await _shown(tx, principal, client)


@router.post(
    "/clients",
    status_code=201,
    responses=documented(
        NotYoursToRegister,
        operations.RoleDoesNotFit,
        operations.KeysUnusable,
        operations.SecretsNotAccepted,
        agencies.RegionUnknown,
        agencies.PostOutsideAgency,
    ),
)
async def register_client(
    request: Request, principal: GivesKeys, new: schemas.ClientCreate, tx: Transaction
) -> Shown[schemas.ClientRegistered]:
    """Register a machine client of your agency, or, as the operator, of any."""
    agency = await _agency_for(tx, principal, new)
    made = await operations.create_machine(
        tx,
        agency,
        name=new.name,
        role=new.role,
        region_code=int(new.region_code),
        jwks=new.jwks.model_dump(exclude_none=True) if new.jwks else None,
        jwks_uri=new.jwks_uri,
        until=new.until,
        secrets_allowed=not _in_production(request),
        bound=new.dpop_bound_access_tokens,
    )
    row = {**made.client.model_dump(), **_about(agency)}
    shown = _client_of(tx, principal, row).model_dump()
    registered = schemas.ClientRegistered(**shown, client_secret=made.secret)
    return Shown(registered, subject=registered.id, about=row)


@router.post(
    "/clients/apps",
    status_code=201,
    responses=documented(NotYoursToRegister, operations.RedirectUriUnsafe, operations.KeysUnusable),
)
async def register_app(
    request: Request, principal: GivesKeys, new: schemas.AppCreate, tx: Transaction
) -> Shown[schemas.Client]:
    """Register an app through which people sign in, as the operator."""
    if principal.agency_kind != "operator":
        raise NotYoursToRegister
    app = await operations.create_app(
        tx,
        name=new.name,
        redirect_uris=new.redirect_uris,
        jwks=new.jwks.model_dump(exclude_none=True) if new.jwks else None,
        bound=new.dpop_bound_access_tokens,
        pushed=new.require_pushed_authorization_requests,
        production=_in_production(request),
    )
    row = {**app.model_dump(), **_about(None)}
    made = _client_of(tx, principal, row)
    headers = {"location": f"/v1/clients/{made.id}"}
    return Shown(made, subject=made.id, headers=headers, about=row)


@router.put(
    "/clients/{client_id}/jwks",
    responses=documented(operations.KeysUnusable, operations.OldKeyUnproven),
)
async def replace_client_keys(
    request: Request,
    principal: ReplacesKeys,
    client: ClientInPath,
    new: schemas.PublicKeysReplaced,
    tx: Transaction,
) -> Shown[schemas.Client]:
    """Replace a client's keys, with a statement signed by one of them, or by two people; those left
    out count no more.
    """
    ACTS["replaceClientKeys"].require(principal, client.model_dump(), tx.today)
    proven = await operations.replace_keys(
        tx,
        client,
        new.model_dump(include={"keys"}, exclude_none=True),
        until=new.until,
        statement=new.statement,
        issuer=request.state.settings.tokens.issuer,
        production=_in_production(request),
    )
    row = await _described(tx, client)
    return Shown(_client_of(tx, principal, row), about={**row, "proven": proven})


@router.post("/clients/{client_id}/suspension")
async def suspend_client(
    principal: TakesAway, client: ClientInPath, tx: Transaction, why: TakenAway = UNSAID
) -> Shown[schemas.Client]:
    """Suspend a client: its tokens stop counting at once. Another person reviews it."""
    await operations.set_active(tx, client, active=False)
    shown = await _shown(tx, principal, client)
    return replace(shown, about=because(shown.about, why))


@router.delete("/clients/{client_id}/suspension", responses=documented(agencies.PostOutsideAgency))
async def resume_client(
    principal: ResumesClients, client: ClientInPath, tx: Transaction
) -> Shown[schemas.Client]:
    """Let a suspended client work again, where its agency still serves the place it answers for."""
    agency = await agency_queries.find(tx, client.agency_id) if client.agency_id else None
    if agency is not None and client.region_code is not None:
        await agencies.remit(tx, agency, client.region_code)
    await operations.set_active(tx, client, active=True)
    return await _shown(tx, principal, client)


def _in_production(request: Request) -> bool:
    settings: Settings = request.state.settings
    return settings.environment is Environment.production


@router.put(
    "/clients/{client_id}/bearer-exception",
    responses=documented(NotYoursToRegister, bearers.ExceptionTooLong),
)
async def allow_bearer_tokens(
    principal: AllowsBearers,
    client: ClientInPath,
    new: schemas.BearerExceptionCreate,
    tx: Transaction,
) -> Shown[schemas.Client]:
    """Let a client have tokens bound to no key for a while, as the operator, by two people;
    elsewhere than in production it may have them anyway, unless it is registered otherwise.
    """
    ACTS["allowBearerTokens"].require(principal, client.model_dump(), tx.today)
    given_by = principal.subject
    await bearers.allow(tx, client, reason=new.reason, given_by=given_by, until=new.until)
    return await _shown(tx, principal, client)


@router.delete("/clients/{client_id}/bearer-exception")
async def end_bearer_tokens(
    principal: TakesAway, client: ClientInPath, tx: Transaction
) -> Shown[schemas.Client]:
    """Let a client have no more tokens bound to no key, as the operator. Another person reviews
    it.
    """
    ACTS["endBearerTokens"].require(principal, client.model_dump(), tx.today)
    await bearers.end(tx, client, ended_by=principal.subject)
    return await _shown(tx, principal, client)


async def _agency_for(tx: Tx, principal: Principal, new: schemas.ClientCreate) -> Agency:
    agency = await agency_queries.find(tx, new.agency_id or principal.agency_id)
    if principal.agency_kind != "operator":
        own = agency is not None and agency.id == principal.agency_id
        asked = int(new.region_code)
        place = await regions.current(tx, asked, tx.today) or asked
        inside = principal.region_lo <= place < principal.region_hi
        if not own or not inside or not _scopes_of(new.role) <= principal.role.scopes:
            raise NotYoursToRegister
    if agency is None or not agency.active:
        raise NotYoursToRegister
    return agency


def _scopes_of(code: str) -> frozenset[str]:
    try:
        return role(code).scopes
    except UnknownRole:
        raise operations.RoleDoesNotFit from None


def _about(agency: Agency | None) -> dict[str, Any]:
    """Return what of a client's agency decides whether it takes two people; an app has none."""
    if agency is None:
        return {"agency_id": None, "agency_kind": None, "agency_region": None}
    region = agency.region_code
    return {"agency_id": agency.id, "agency_kind": agency.kind, "agency_region": region}


async def _described(tx: Tx, client: Client) -> dict[str, Any]:
    agency = client.agency_id and await agency_queries.find(tx, client.agency_id)
    excepted = await queries.bearer_exception(tx, client.id)
    return {**client.model_dump(), **_about(agency or None), "bearer_exception": excepted}


async def _shown(tx: Tx, principal: Principal, client: Client) -> Shown[schemas.Client]:
    row = await _described(tx, client)
    return Shown(_client_of(tx, principal, row), about=row)


def _client_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Client:
    keys = (row["jwks"] or {}).get("keys", [])
    excepted = row.get("bearer_exception")
    if excepted is not None and datetime.fromisoformat(excepted["until"]) <= tx.now:
        excepted = None
    told = {**row, "proven": False}  # nobody knows who has the key
    return schemas.Client.model_validate(
        {
            **row,
            "key_ids": [key["kid"] for key in keys],
            "bearer_exception": excepted,
            "permitted": permitted(ACTS, principal, told, tx.today),
            "permitted_by_two": permitted_by_two(ACTS, principal, told, tx.today),
        }
    )
