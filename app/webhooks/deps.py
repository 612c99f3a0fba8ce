"""Load the endpoint or delivery a path names, or answer that there is none."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from app.access.deps import authenticated
from app.access.principal import Principal
from app.core.http.routing import Transaction
from app.core.problems import Problem, raises
from app.webhooks import queries, schemas
from app.webhooks.models import WebhookEndpoint


class EndpointNotFound(Problem):
    """No such endpoint, or another agency's: the same answer (AZ-3)."""

    status = 404
    title = "No such webhook endpoint"
    title_zh = "没有这个推送地址"
    denies = True


class DeliveryNotFound(Problem):
    """No such delivery, or another agency's: the same answer (AZ-3)."""

    status = 404
    title = "No such webhook delivery"
    title_zh = "没有这条推送记录"
    denies = True


EndpointId = Annotated[UUID, Path(description="The endpoint's id.")]
DeliveryId = Annotated[UUID, Path(description="The delivery's id.")]
Caller = Annotated[Principal, Depends(authenticated)]


@raises(EndpointNotFound)
async def _endpoint_in_path(
    endpoint_id: EndpointId, tx: Transaction, principal: Caller
) -> WebhookEndpoint:
    found = await queries.endpoint(tx, principal, endpoint_id)
    if found is None:
        raise EndpointNotFound
    return found


@raises(EndpointNotFound)
async def _endpoint_to_change(
    endpoint_id: EndpointId, tx: Transaction, principal: Caller
) -> WebhookEndpoint:
    found = await queries.endpoint(tx, principal, endpoint_id, lock=True)
    if found is None:
        raise EndpointNotFound
    return found


@raises(DeliveryNotFound)
async def _delivery_in_path(
    delivery_id: DeliveryId, tx: Transaction, principal: Caller
) -> schemas.Delivery:
    found = await queries.delivery(tx, principal, delivery_id)
    if found is None:
        raise DeliveryNotFound
    return found


EndpointInPath = Annotated[WebhookEndpoint, Depends(_endpoint_in_path)]
"""The endpoint named in the path, if it is the caller's agency's; else 404."""

EndpointToChange = Annotated[WebhookEndpoint, Depends(_endpoint_to_change)]
"""The same, locked: nothing is queued to it until the transaction ends."""

DeliveryInPath = Annotated[schemas.Delivery, Depends(_delivery_in_path)]
"""The delivery named in the path, if it is to the caller's agency; else 404."""
