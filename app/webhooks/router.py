"""Endpoints of one's own agency, deliveries to them, and sending again."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from app.access.deps import ScopeMissing, Unauthenticated, needs
from app.access.principal import Principal
from app.audit import operations as audit
from app.core import settings as config
from app.core.http import routing
from app.core.http.paging import Cursor, CursorInvalid, Limit, Page
from app.core.http.preconditions import IfMatch, PreconditionFailed, PreconditionRequired, etag
from app.core.http.routing import Transaction
from app.core.problems import documented
from app.webhooks import endpoints, operations, queries, schemas
from app.webhooks.area import AREA, READ, WRITE
from app.webhooks.deps import (
    DeliveryInPath,
    DeliveryNotFound,
    EndpointInPath,
    EndpointNotFound,
    EndpointToChange,
)

router = routing.router(AREA.tag)

ReadsWebhooks = Annotated[Principal, needs(READ)]
WritesWebhooks = Annotated[Principal, needs(WRITE)]

_CHANGE = (
    Unauthenticated,
    ScopeMissing,
    EndpointNotFound,
    PreconditionRequired,
    PreconditionFailed,
)


@router.post(
    "/webhook-endpoints",
    status_code=201,
    response_model=schemas.EndpointWithSecret,
    responses=documented(Unauthenticated, ScopeMissing, endpoints.EndpointInvalid),
)
async def register_webhook_endpoint(
    principal: WritesWebhooks,
    new: schemas.EndpointCreate,
    request: Request,
    response: Response,
    tx: Transaction,
) -> schemas.EndpointWithSecret:
    """Register a webhook endpoint.

    The answer holds the signing secret, which is not shown again. Deliveries follow Standard
    Webhooks 1.0.0: verify `webhook-signature` over `webhook-id.webhook-timestamp.body`, and use
    `webhook-id` to recognise repeats.
    """
    made = await endpoints.register_endpoint(tx, principal, new, settings=_settings(request))
    response.headers["etag"] = etag(made.version)
    response.headers["location"] = f"/v1/webhook-endpoints/{made.id}"
    return made


@router.get(
    "/webhook-endpoints",
    response_model=Page[schemas.Endpoint],
    responses=documented(Unauthenticated, ScopeMissing, CursorInvalid),
)
async def list_webhook_endpoints(
    principal: ReadsWebhooks, tx: Transaction, limit: Limit = 50, cursor: Cursor = None
) -> Page[schemas.Endpoint]:
    """List the webhook endpoints of your agency, newest first."""
    return await queries.endpoints(tx, principal, limit=limit, cursor=cursor)


@router.get(
    "/webhook-endpoints/{endpoint_id}",
    response_model=schemas.Endpoint,
    responses=documented(Unauthenticated, ScopeMissing, EndpointNotFound),
)
async def read_webhook_endpoint(
    principal: ReadsWebhooks, endpoint: EndpointInPath, response: Response
) -> schemas.Endpoint:
    """Read a webhook endpoint of your agency."""
    response.headers["etag"] = etag(endpoint.version)
    return queries.as_endpoint(endpoint)


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    response_model=schemas.Endpoint,
    responses=documented(*_CHANGE, endpoints.EndpointInvalid, endpoints.DeliveriesOpen),
)
async def change_webhook_endpoint(
    principal: WritesWebhooks,
    endpoint: EndpointToChange,
    change: schemas.EndpointChange,
    if_match: IfMatch,
    request: Request,
    response: Response,
    tx: Transaction,
) -> schemas.Endpoint:
    """Change a webhook endpoint, or switch it off or on.

    One with mandatory deliveries under way cannot be switched off.
    """
    changed = await endpoints.change_endpoint(
        tx, principal, endpoint, change, if_match=if_match, settings=_settings(request)
    )
    response.headers["etag"] = etag(changed.version)
    return changed


@router.post(
    "/webhook-endpoints/{endpoint_id}/secret-rotations",
    status_code=201,
    response_model=schemas.EndpointWithSecret,
    responses=documented(*_CHANGE),
)
async def rotate_webhook_secret(
    principal: WritesWebhooks,
    endpoint: EndpointToChange,
    rotation: schemas.SecretRotation,
    if_match: IfMatch,
    response: Response,
    tx: Transaction,
) -> schemas.EndpointWithSecret:
    """Replace the signing secret; for a while both sign, the new one first."""
    rotated = await endpoints.rotate_secret(tx, principal, endpoint, rotation, if_match=if_match)
    response.headers["etag"] = etag(rotated.version)
    return rotated


@router.get(
    "/webhook-deliveries",
    response_model=Page[schemas.Delivery],
    responses=documented(Unauthenticated, ScopeMissing, CursorInvalid),
)
async def list_webhook_deliveries(
    principal: ReadsWebhooks,
    tx: Transaction,
    endpoint_id: Annotated[UUID | None, Query(description="Only those to this endpoint.")] = None,
    event_id: Annotated[UUID | None, Query(description="Only those of this event.")] = None,
    state: Annotated[schemas.State | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[schemas.Delivery]:
    """List the deliveries to your agency, newest first."""
    return await queries.deliveries(
        tx,
        principal,
        endpoint_id=endpoint_id,
        event_id=event_id,
        state=state,
        limit=limit,
        cursor=cursor,
    )


@router.get(
    "/webhook-deliveries/{delivery_id}",
    response_model=schemas.DeliveryWithAttempts,
    responses=documented(Unauthenticated, ScopeMissing, DeliveryNotFound),
)
async def read_webhook_delivery(
    principal: ReadsWebhooks, delivery: DeliveryInPath, tx: Transaction
) -> schemas.DeliveryWithAttempts:
    """Read a delivery: the exact bytes sent and every attempt."""
    await audit.record(tx, principal.actor, "readWebhookDelivery", subject=delivery.id)
    return await queries.delivery_with_attempts(tx, delivery)


@router.post(
    "/webhook-deliveries/{delivery_id}/replays",
    status_code=202,
    response_model=schemas.Delivery,
    responses=documented(Unauthenticated, ScopeMissing, DeliveryNotFound),
)
async def replay_webhook_delivery(
    principal: WritesWebhooks, delivery: DeliveryInPath, tx: Transaction
) -> schemas.Delivery:
    """Send a delivery again: the same id and bytes, whatever came of it before."""
    return await operations.replay_delivery(tx, principal, delivery)


@router.post(
    "/webhook-deliveries/{delivery_id}/closure",
    status_code=201,
    response_model=schemas.Delivery,
    responses=documented(
        Unauthenticated,
        ScopeMissing,
        DeliveryNotFound,
        operations.PersonRequired,
        operations.DeliveryNotOpen,
    ),
)
async def close_webhook_delivery(
    principal: WritesWebhooks,
    delivery: DeliveryInPath,
    closure: schemas.Closure,
    tx: Transaction,
) -> schemas.Delivery:
    """Stop trying a mandatory delivery, in the name of the person signed in."""
    return await operations.close_delivery(tx, principal, delivery, closure)


def _settings(request: Request) -> config.Webhooks:
    settings: config.Settings = request.state.settings
    return settings.webhooks
