"""Endpoints of one's own agency, deliveries to them, and sending again."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Query, Request

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.guards import NOTICES_TURNED
from app.access.principal import Principal
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented
from app.webhooks import feed, queries, schemas
from app.webhooks.acts import DELIVERY_ACTS, ENDPOINT_ACTS, DeliveryNotOpen
from app.webhooks.area import AREA, READ, WRITE
from app.webhooks.models import State, WebhookEndpoint
from app.webhooks.operations import deliveries, endpoints

router = routing.v1(AREA.tag)


class EndpointNotFound(Problem, status=404, denies=True):
    """No such endpoint, or another agency's: the same answer (AZ-3)."""

    title = "No such webhook endpoint"
    title_zh = "没有这个推送地址"


class DeliveryNotFound(Problem, status=404, denies=True):
    """No such delivery, or another agency's: the same answer (AZ-3)."""

    title = "No such webhook delivery"
    title_zh = "没有这条推送记录"


ReadsWebhooks = Annotated[Principal, needs(READ)]
ReadsFeed = Annotated[Principal, needs(READ, personal=True)]
WritesWebhooks = Annotated[Principal, needs(WRITE)]
TurnsNotices = Annotated[Principal, needs(WRITE, review=NOTICES_TURNED)]
_ENDPOINT = ("endpoint_id", "The endpoint's id.", queries.endpoint, EndpointNotFound)
EndpointInPath = Annotated[WebhookEndpoint, named_in_path(*_ENDPOINT)]
EndpointToChange = Annotated[WebhookEndpoint, named_in_path(*_ENDPOINT, lock=True)]
"""Locked: nothing is queued to it until the transaction ends."""
_DELIVERY = ("delivery_id", "The delivery's id.", queries.delivery, DeliveryNotFound)
DeliveryInPath = Annotated[asyncpg.Record, named_in_path(*_DELIVERY)]


@router.post("/webhook-endpoints", status_code=201, responses=documented(endpoints.EndpointInvalid))
async def register_webhook_endpoint(
    principal: TurnsNotices, new: schemas.EndpointCreate, request: Request, tx: Transaction
) -> Shown[schemas.EndpointWithSecret]:
    """Register a webhook endpoint.

    The answer holds the signing secret, which is not shown again. Deliveries follow Standard
    Webhooks 1.0.0: verify `webhook-signature` over `webhook-id.webhook-timestamp.body`, and use
    `webhook-id` to recognise repeats.
    """
    settings = request.state.settings.webhooks
    made = await endpoints.register_endpoint(tx, principal, new, settings=settings)
    about = await queries.turned(tx, principal, made.region_code)
    return Shown(made, subject=made.id, about=about)


@router.get("/webhook-endpoints")
async def list_webhook_endpoints(
    principal: ReadsWebhooks,
    tx: ReadTransaction,
    window: Paged,
    act: Annotated[acts.Act | None, acts.asked(ENDPOINT_ACTS)] = None,
) -> Shown[Page[schemas.Endpoint]]:
    """List the webhook endpoints of your agency, newest first."""
    page = await queries.endpoints(tx, principal, window, act=act)
    return Shown(page.shown(lambda row: queries.as_endpoint(tx, principal, row)))


@router.get("/webhook-endpoints/{endpoint_id}")
async def read_webhook_endpoint(
    principal: ReadsWebhooks, endpoint: EndpointInPath, tx: Transaction
) -> Shown[schemas.Endpoint]:
    """Read a webhook endpoint of your agency."""
    return Shown(queries.as_endpoint(tx, principal, endpoint.model_dump()))


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    responses=documented(endpoints.EndpointInvalid, endpoints.DeliveriesOpen),
)
async def change_webhook_endpoint(
    principal: TurnsNotices,
    endpoint: EndpointToChange,
    change: schemas.EndpointChange,
    if_match: IfMatch,
    request: Request,
    tx: Transaction,
) -> Shown[schemas.Endpoint]:
    """Change a webhook endpoint, or switch it off or on.

    One with mandatory deliveries under way cannot be switched off.
    """
    settings = request.state.settings.webhooks
    changed = await endpoints.change_endpoint(
        tx, principal, endpoint, change, if_match=if_match, settings=settings
    )
    about = await queries.turned(tx, principal, changed.region_code, turns=change.turns)
    return Shown(changed, about=about)


@router.post("/webhook-endpoints/{endpoint_id}/secret-rotations", status_code=201)
async def rotate_webhook_secret(
    principal: TurnsNotices,
    endpoint: EndpointToChange,
    rotation: schemas.SecretRotation,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.EndpointWithSecret]:
    """Replace the signing secret; for a while both sign, the new one first."""
    made = await endpoints.rotate_secret(tx, principal, endpoint, rotation, if_match=if_match)
    return Shown(made, about=await queries.turned(tx, principal, made.region_code))


@router.get("/webhook-deliveries")
async def list_webhook_deliveries(
    principal: ReadsWebhooks,
    tx: ReadTransaction,
    window: Paged,
    endpoint_id: Annotated[UUID | None, Query(description="Only those to this endpoint.")] = None,
    event_id: Annotated[UUID | None, Query(description="Only those of this event.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    act: Annotated[acts.Act | None, acts.asked(DELIVERY_ACTS)] = None,
) -> Shown[Page[schemas.Delivery]]:
    """List the deliveries to your agency, newest first."""
    page = await queries.deliveries(
        tx, principal, window, endpoint_id=endpoint_id, event_id=event_id, state=state, act=act
    )
    about = [child for row in page.rows for child in queries.named(row)]
    return Shown(page.shown(lambda row: queries.as_delivery(tx, principal, row)), children=about)


@router.get("/webhook-deliveries/{delivery_id}")
async def read_webhook_delivery(
    principal: ReadsWebhooks, delivery: DeliveryInPath, tx: Transaction
) -> Shown[schemas.DeliveryWithAttempts]:
    """Read a delivery: the exact bytes sent and every attempt."""
    whole = await queries.delivery_with_attempts(tx, principal, delivery)
    children = queries.named(delivery, whole.body)
    return Shown(whole, children=children, groups=["webhook_delivery"])


@router.post("/webhook-deliveries/{delivery_id}/replays", status_code=202)
async def replay_webhook_delivery(
    principal: WritesWebhooks, delivery: DeliveryInPath, tx: Transaction
) -> Shown[schemas.Delivery]:
    """Send a delivery again: the same id and bytes, whatever came of it before."""
    row = await deliveries.replay_delivery(tx, delivery)
    return Shown(queries.as_delivery(tx, principal, row), children=queries.named(row))


@router.post(
    "/webhook-deliveries/{delivery_id}/closure",
    status_code=201,
    responses=documented(PersonRequired, DeliveryNotOpen),
)
async def close_webhook_delivery(
    principal: TurnsNotices, delivery: DeliveryInPath, closure: schemas.Closure, tx: Transaction
) -> Shown[schemas.Delivery]:
    """Stop trying a mandatory delivery, in the name of the person signed in."""
    row = await deliveries.close_delivery(tx, principal, delivery, closure)
    about = await queries.turned(tx, principal, str(row["region_code"]))
    about = {**about, "reason": closure.reason}
    shown = queries.as_delivery(tx, principal, row)
    return Shown(shown, children=queries.named(row), about=about)


@router.get("/events")
async def list_events(
    principal: ReadsFeed,
    tx: ReadTransaction,
    window: Paged,
    event_type: Annotated[
        list[schemas.EventType] | None,
        Query(max_length=50, description="Only these: wire names, or `package.*`."),
    ] = None,
) -> Shown[schemas.Feed]:
    """Read the feed: what happened that an endpoint of yours would be told, oldest first.

    Begin without a cursor, keep the last `next_cursor`, and ask again from there: each event comes
    once, per subject in order, and none is left out. An empty page with `more` has gone on, too.
    """
    rows, cursor, more = await feed.page(tx, principal, window, kinds=event_type)
    shown = schemas.Feed(items=[*map(feed.as_event, rows)], next_cursor=cursor, more=more)
    children = [child for row in rows for child in feed.named(row)]
    return Shown(shown, children=children, groups=["events"])
