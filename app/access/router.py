"""Who am I; and the clients of an agency."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request

from app.access import operations, queries, schemas
from app.access.area import AREA, READ_CLIENTS, READ_ME, WRITE_CLIENTS
from app.access.deps import ScopeMissing, Unauthenticated, needs
from app.access.models import Client
from app.access.principal import Principal
from app.access.roles import UnknownRole, role
from app.agencies import operations as agencies
from app.agencies import queries as agency_queries
from app.agencies.queries import AgencyRef
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http import paging, routing
from app.core.http.routing import Transaction
from app.core.http.wire import region_text
from app.core.problems import Problem, documented
from app.core.settings import Environment

router = routing.router(AREA.tag)

ReadsMe = Annotated[Principal, needs(READ_ME)]
ReadsClients = Annotated[Principal, needs(READ_CLIENTS)]
WritesClients = Annotated[Principal, needs(WRITE_CLIENTS)]
ClientId = Annotated[UUID, Path(description="The client's id.")]


class ClientNotFound(Problem):
    """There is no such client, or not one of the caller's agency."""

    status = 404
    title = "No such client"
    title_zh = "没有这个客户端"
    denies = True


class NotYoursToRegister(Problem):
    """Nobody gives a machine more than they have (AZ-11): another agency, a place outside the
    remit, a role with other scopes, or an app, which the operator registers.
    """

    status = 403
    title = "You may not register a client with this authority"
    title_zh = "您无权登记具有该权限的客户端"
    denies = True


@router.get("/me", response_model=schemas.Me, responses=documented(Unauthenticated, ScopeMissing))
async def read_me(principal: ReadsMe) -> schemas.Me:
    """Read who the token speaks for and what it may do."""
    return schemas.Me(
        subject=principal.subject,
        agency_id=principal.agency_id,
        agency_kind=principal.agency_kind,
        role=principal.role.code,
        region_code=f"{principal.region_code:012d}",
        scopes=sorted(principal.scopes),
        purposes=sorted(principal.role.purposes),
        reads=sorted(principal.role.reads),
        writes=sorted(principal.role.writes),
    )


@router.get(
    "/clients",
    response_model=paging.Page[schemas.Client],
    responses=documented(Unauthenticated, ScopeMissing, paging.CursorInvalid),
)
async def list_clients(
    principal: ReadsClients,
    tx: Transaction,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> paging.Page[schemas.Client]:
    """List the clients of your agency; the operator lists all."""
    place = paging.decode(cursor, UUID)
    found = await queries.clients(tx, principal, after=place[0] if place else None, limit=limit + 1)
    shown = found[:limit]
    more = paging.encode(str(shown[-1].id)) if len(found) > limit else None
    return paging.Page(items=[_shown(client) for client in shown], next_cursor=more)


@router.post(
    "/clients",
    status_code=201,
    response_model=schemas.ClientRegistered,
    responses=documented(
        Unauthenticated,
        ScopeMissing,
        NotYoursToRegister,
        operations.RoleDoesNotFit,
        operations.KeysUnusable,
        operations.SecretsNotAccepted,
        agencies.RegionUnknown,
        agencies.PostOutsideAgency,
    ),
)
async def register_client(
    request: Request, principal: WritesClients, new: schemas.ClientCreate, tx: Transaction
) -> schemas.ClientRegistered:
    """Register a machine client of your agency, or, as the operator, of any."""
    made = await operations.create_machine(
        tx,
        await _agency_for(tx, principal, new),
        name=new.name,
        role=new.role,
        region_code=int(new.region_code),
        jwks=new.jwks.model_dump(exclude_none=True) if new.jwks else None,
        secrets_allowed=request.state.settings.environment is not Environment.production,
    )
    await audit.record(tx, principal.actor, "registerClient", subject=made.client.id)
    shown = _shown(made.client).model_dump()
    return schemas.ClientRegistered(**shown, client_secret=made.secret)


@router.post(
    "/clients/apps",
    status_code=201,
    response_model=schemas.Client,
    responses=documented(
        Unauthenticated, ScopeMissing, NotYoursToRegister, operations.RedirectUriUnsafe
    ),
)
async def register_app(
    principal: WritesClients, new: schemas.AppCreate, tx: Transaction
) -> schemas.Client:
    """Register an app through which people sign in, as the operator."""
    if principal.agency_kind != "operator":
        raise NotYoursToRegister
    app = await operations.create_app(tx, name=new.name, redirect_uris=new.redirect_uris)
    await audit.record(tx, principal.actor, "registerApp", subject=app.id)
    return _shown(app)


@router.put(
    "/clients/{client_id}/jwks",
    response_model=schemas.Client,
    responses=documented(Unauthenticated, ScopeMissing, ClientNotFound, operations.KeysUnusable),
)
async def replace_client_keys(
    principal: WritesClients, client_id: ClientId, new: schemas.PublicKeys, tx: Transaction
) -> schemas.Client:
    """Replace a machine's keys; those left out count no more."""
    client = await _client(tx, principal, client_id)
    if client.kind != "machine":
        raise ClientNotFound
    await operations.replace_keys(tx, client, new.model_dump(exclude_none=True))
    await audit.record(tx, principal.actor, "replaceClientKeys", subject=client_id)
    return _shown(client)


@router.post(
    "/clients/{client_id}/suspension",
    response_model=schemas.Client,
    responses=documented(Unauthenticated, ScopeMissing, ClientNotFound),
)
async def suspend_client(
    principal: WritesClients, client_id: ClientId, tx: Transaction
) -> schemas.Client:
    """Suspend a client: its tokens stop counting at once."""
    client = await _client(tx, principal, client_id)
    await operations.set_active(tx, client, active=False)
    await audit.record(tx, principal.actor, "suspendClient", subject=client_id)
    return _shown(client)


@router.delete(
    "/clients/{client_id}/suspension",
    response_model=schemas.Client,
    responses=documented(Unauthenticated, ScopeMissing, ClientNotFound),
)
async def resume_client(
    principal: WritesClients, client_id: ClientId, tx: Transaction
) -> schemas.Client:
    """Let a suspended client work again."""
    client = await _client(tx, principal, client_id)
    await operations.set_active(tx, client, active=True)
    await audit.record(tx, principal.actor, "resumeClient", subject=client_id)
    return _shown(client)


async def _client(tx: Tx, principal: Principal, client_id: UUID) -> Client:
    client = await queries.client_administered(tx, principal, client_id)
    if client is None:
        raise ClientNotFound
    return client


async def _agency_for(tx: Tx, principal: Principal, new: schemas.ClientCreate) -> AgencyRef:
    agency = await agency_queries.find(tx, new.agency_id or principal.agency_id)
    if principal.agency_kind != "operator":
        own = agency is not None and agency.id == principal.agency_id
        inside = principal.region_lo <= int(new.region_code) < principal.region_hi
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


def _shown(client: Client) -> schemas.Client:
    keys = (client.jwks or {}).get("keys", [])
    return schemas.Client.model_validate(
        {
            "id": client.id,
            "kind": client.kind,
            "name": client.name,
            "agency_id": client.agency_id,
            "role": client.role,
            "region_code": None if client.region_code is None else region_text(client.region_code),
            "key_ids": [key["kid"] for key in keys],
            "redirect_uris": client.redirect_uris,
            "active": client.active,
            "created_at": client.created_at,
        }
    )
