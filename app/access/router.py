"""Who am I; and the clients of an agency."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request

from app.access import accounts, devices, grants, operations, queries, schemas
from app.access.acts import Act, PersonRequired, asked, permitted, stands
from app.access.area import AREA, READ_CLIENTS, READ_ME, WRITE_CLIENTS, WRITE_ME
from app.access.deps import named_in_path, needs
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
from app.core.settings import Environment
from app.regions import queries as regions

router = routing.v1(AREA.tag)
ReadsMe = Annotated[Principal, needs(READ_ME)]
WritesMe = Annotated[Principal, needs(WRITE_ME)]
ReadsClients = Annotated[Principal, needs(READ_CLIENTS)]
WritesClients = Annotated[Principal, needs(WRITE_CLIENTS)]


class ClientNotFound(Problem, status=404, denies=True):
    """There is no such client, or not one of the caller's agency."""

    title = "No such client"
    title_zh = "没有这个客户端"


ACTS: Final[Mapping[str, Act]] = {
    "replaceClientKeys": Act(
        WRITE_CLIENTS.code, (stands(lambda *_: ("machine",), lambda *_: ClientNotFound(), "kind"),)
    ),
    "suspendClient": Act(WRITE_CLIENTS.code),
    "resumeClient": Act(WRITE_CLIENTS.code),
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


class NotYoursToRegister(Problem, status=403, denies=True):
    """Nobody gives a machine more than they have (AZ-11): another agency, a place outside the
    remit, a role with other scopes, or an app, which the operator registers.
    """

    title = "You may not register a client with this authority"
    title_zh = "您无权登记具有该权限的客户端"


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
    return Shown(_client_of(tx, principal, client.model_dump()))


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
    request: Request, principal: WritesClients, new: schemas.ClientCreate, tx: Transaction
) -> Shown[schemas.ClientRegistered]:
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
    shown = _client_of(tx, principal, made.client.model_dump()).model_dump()
    registered = schemas.ClientRegistered(**shown, client_secret=made.secret)
    return Shown(registered, subject=registered.id)


@router.post(
    "/clients/apps",
    status_code=201,
    responses=documented(NotYoursToRegister, operations.RedirectUriUnsafe),
)
async def register_app(
    principal: WritesClients, new: schemas.AppCreate, tx: Transaction
) -> Shown[schemas.Client]:
    """Register an app through which people sign in, as the operator."""
    if principal.agency_kind != "operator":
        raise NotYoursToRegister
    app = await operations.create_app(tx, name=new.name, redirect_uris=new.redirect_uris)
    made = _client_of(tx, principal, app.model_dump())
    return Shown(made, subject=made.id, headers={"location": f"/v1/clients/{made.id}"})


@router.put("/clients/{client_id}/jwks", responses=documented(operations.KeysUnusable))
async def replace_client_keys(
    principal: WritesClients, client: ClientInPath, new: schemas.PublicKeys, tx: Transaction
) -> Shown[schemas.Client]:
    """Replace a machine's keys; those left out count no more."""
    ACTS["replaceClientKeys"].require(principal, client.model_dump(), tx.today)
    await operations.replace_keys(tx, client, new.model_dump(exclude_none=True))
    return Shown(_client_of(tx, principal, client.model_dump()))


@router.post("/clients/{client_id}/suspension")
async def suspend_client(
    principal: WritesClients, client: ClientInPath, tx: Transaction
) -> Shown[schemas.Client]:
    """Suspend a client: its tokens stop counting at once."""
    await operations.set_active(tx, client, active=False)
    return Shown(_client_of(tx, principal, client.model_dump()))


@router.delete("/clients/{client_id}/suspension")
async def resume_client(
    principal: WritesClients, client: ClientInPath, tx: Transaction
) -> Shown[schemas.Client]:
    """Let a suspended client work again."""
    await operations.set_active(tx, client, active=True)
    return Shown(_client_of(tx, principal, client.model_dump()))


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


def _client_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Client:
    keys = (row["jwks"] or {}).get("keys", [])
    return schemas.Client.model_validate(
        {
            **row,
            "key_ids": [key["kid"] for key in keys],
            "permitted": permitted(ACTS, principal, row, tx.today),
        }
    )
