"""Register, change and re-key the endpoints of one's own agency."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.core import settings as config
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.problems import FieldError, Problem
from app.regions import queries as region_queries
from app.regions import rules as regions
from app.webhooks import queries, rules, schemas, signing
from app.webhooks.models import PREVIOUS_SECRET_PLACE, SECRET_PLACE, WebhookEndpoint
from app.webhooks.operations.deliveries import pull_forward


class EndpointInvalid(Problem, status=422):
    """The endpoint asks for what it may not have."""

    title = "The webhook endpoint cannot be registered like this"
    title_zh = "推送地址不符合要求"


class DeliveriesOpen(Problem, status=409):
    """Mandatory deliveries are still under way."""

    title = "Mandatory deliveries to this endpoint are still open; close or receive them first"
    title_zh = "该地址仍有未完成的强制推送,请先接收或关闭"


# Of what is taken with its whole package nothing is taken twice.
_SUBSCRIBE: Final = """
INSERT INTO subscriptions (endpoint_id, wire_name, agency_id, relation, region_code)
SELECT e.id, taken, e.agency_id, e.relation, e.region_code
FROM webhook_endpoints e CROSS JOIN LATERAL unnest(e.event_types) AS taken
WHERE e.id = $1
  AND NOT (taken NOT LIKE '%.*' AND split_part(taken, '.', 1) || '.*' = ANY (e.event_types))
"""
_UNSUBSCRIBE: Final = "DELETE FROM subscriptions WHERE endpoint_id = $1"


async def subscribe(tx: Tx, endpoint_id: UUID) -> None:
    """Let an endpoint be found by what it takes now."""
    await tx.connection.execute(_UNSUBSCRIBE, endpoint_id)
    await tx.connection.execute(_SUBSCRIBE, endpoint_id)


_FOLLOW: Final = """
UPDATE webhook_endpoints SET region_code = $2, region_lo = $3, region_hi = $4,
    version = version + 1, updated_at = $5
WHERE agency_id = $1 AND NOT (region_lo >= $3 AND region_hi <= $4) RETURNING id
"""


async def follow_agency(tx: Tx, agency_id: UUID, region_code: int) -> None:
    """Let the endpoints of an agency that serves another place hear of that one, and of none
    outside it any more, also those that are switched off.
    """
    span = regions.subtree(region_code)
    async with tx.as_system():
        moved = await tx.connection.fetch(_FOLLOW, agency_id, region_code, *span, tx.now)
        for row in moved:
            await subscribe(tx, row["id"])


async def register_endpoint(
    tx: Tx, principal: Principal, new: schemas.EndpointCreate, *, settings: config.Webhooks
) -> schemas.EndpointWithSecret:
    """Register an endpoint and give out its secret, once (R11, R16). Police endpoints are mandatory
    ones: reports must reach them (REP-07). Raises EndpointInvalid.
    """
    region_code = principal.region_code
    if new.region_code is not None:
        asked = int(new.region_code)
        region_code = await region_queries.current(tx, asked, tx.today) or asked
    _refuse(
        [
            *_url_errors(new.url, settings),
            *_type_errors(new.event_types, principal),
            *_region_errors(region_code, principal),
        ]
    )
    lo, hi = regions.subtree(region_code)
    identity, secret = new_id(), signing.new_secret()
    endpoint = WebhookEndpoint(
        id=identity,
        agency_id=principal.agency_id,
        url=new.url,
        description=new.description,
        event_types=new.event_types,
        mandatory=principal.agency_kind == "police",
        relation=principal.role.relation,
        region_code=region_code,
        region_lo=lo,
        region_hi=hi,
        secret_sealed=tx.keyring.seal(SECRET_PLACE, identity, secret),
        created_at=tx.now,
        updated_at=tx.now,
    )
    await tx.add(endpoint)
    await subscribe(tx, identity)
    return _with_secret(tx, principal, endpoint, secret)


async def change_endpoint(
    tx: Tx,
    principal: Principal,
    endpoint: WebhookEndpoint,
    change: schemas.EndpointChange,
    *,
    if_match: int,
    settings: config.Webhooks,
) -> schemas.Endpoint:
    """Change a locked endpoint. Raises PreconditionFailed, EndpointInvalid, DeliveriesOpen."""
    check_version(endpoint.version, if_match)
    _refuse(
        [
            *(_url_errors(change.url, settings) if change.url is not None else ()),
            *(_type_errors(change.event_types, principal) if change.event_types else ()),
        ]
    )
    if change.active is False and await queries.has_open_mandatory(tx, endpoint.id):
        raise DeliveriesOpen
    for name, value in change.model_dump(exclude_none=True).items():
        setattr(endpoint, name, value)
    _touch(tx, endpoint)
    await tx.flush()
    if change.event_types is not None:
        await subscribe(tx, endpoint.id)
    if change.active or change.url is not None:
        await pull_forward(tx, [endpoint.id])
    return queries.as_endpoint(tx, principal, endpoint.model_dump())


async def rotate_secret(
    tx: Tx,
    principal: Principal,
    endpoint: WebhookEndpoint,
    rotation: schemas.SecretRotation,
    *,
    if_match: int,
) -> schemas.EndpointWithSecret:
    """Give a new secret; the old one signs on for a while (R16). Raises PreconditionFailed."""
    check_version(endpoint.version, if_match)
    old = tx.keyring.unseal_bytes(SECRET_PLACE, endpoint.id, endpoint.secret_sealed)
    secret = signing.new_secret()
    endpoint.secret_sealed = tx.keyring.seal(SECRET_PLACE, endpoint.id, secret)
    endpoint.previous_secret_sealed = endpoint.previous_secret_until = None
    if rotation.overlap_hours:
        endpoint.previous_secret_sealed = tx.keyring.seal(PREVIOUS_SECRET_PLACE, endpoint.id, old)
        endpoint.previous_secret_until = tx.now + timedelta(hours=rotation.overlap_hours)
    _touch(tx, endpoint)
    await tx.flush()
    return _with_secret(tx, principal, endpoint, secret)


def _touch(tx: Tx, endpoint: WebhookEndpoint) -> None:
    endpoint.version += 1
    endpoint.updated_at = tx.now


def _with_secret(
    tx: Tx, principal: Principal, endpoint: WebhookEndpoint, secret: bytes
) -> schemas.EndpointWithSecret:
    shown = queries.as_endpoint(tx, principal, endpoint.model_dump())
    return schemas.EndpointWithSecret(**shown.model_dump(), secret=signing.secret_text(secret))


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        raise EndpointInvalid(errors=errors)


def _url_errors(url: str, settings: config.Webhooks) -> list[FieldError]:
    if rules.url_allowed(
        url,
        allow_http=settings.allow_http,
        ports=settings.allowed_ports,
        allowed=settings.allowed_networks,
    ):
        return []
    # One text for every reason: the answer is no map of our networks.
    return [FieldError("#/url", "address_not_allowed", "Address not allowed.")]


def _type_errors(event_types: Sequence[str], principal: Principal) -> list[FieldError]:
    """Who may not read a package's resources is not told of its events either (AZ-1)."""
    return [
        FieldError(
            f"#/event_types/{index}",
            "event_type_not_granted",
            "Your role does not read what these events are about.",
        )
        for index, wanted in enumerate(event_types)
        if f"{wanted.partition('.')[0]}:read" not in principal.role.scopes
    ]


def _region_errors(region_code: int, principal: Principal) -> list[FieldError]:
    try:
        lo, hi = regions.subtree(region_code)
    except regions.BadRegionCode:
        lo, hi = -1, -1
    if principal.region_lo <= lo and hi <= principal.region_hi:
        return []
    return [
        FieldError(
            "#/region_code", "region_outside_remit", "The region does not lie in your remit."
        )
    ]
