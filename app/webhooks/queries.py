"""Reading endpoints, deliveries and attempts: the caller's own agency only."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlmodel import col, select

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.http import paging
from app.core.http.wire import region_text
from app.webhooks import schemas
from app.webhooks.models import RESPONSE_PLACE, WebhookEndpoint

_ATTEMPTS_SHOWN = 200


async def endpoint(
    tx: Tx, principal: Principal, endpoint_id: UUID, *, lock: bool = False
) -> WebhookEndpoint | None:
    """Find one endpoint of the caller's agency. `lock`: nothing is queued to it meanwhile."""
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.agency_id == principal.agency_id
    )
    return (await tx.session.exec(wanted.with_for_update() if lock else wanted)).first()


async def endpoints(
    tx: Tx, principal: Principal, *, limit: int, cursor: str | None
) -> paging.Page[schemas.Endpoint]:
    """List the agency's endpoints, newest first."""
    wanted = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.agency_id == principal.agency_id)
        .order_by(col(WebhookEndpoint.id).desc())
        .limit(limit + 1)
    )
    after = paging.decode(cursor, UUID)
    if after is not None:
        wanted = wanted.where(col(WebhookEndpoint.id) < after[0])
    found = (await tx.session.exec(wanted)).all()
    return paging.Page(
        items=[as_endpoint(row) for row in found[:limit]],
        next_cursor=paging.encode(str(found[limit - 1].id)) if len(found) > limit else None,
    )


def as_endpoint(row: WebhookEndpoint) -> schemas.Endpoint:
    """Show an endpoint without its secrets."""
    return schemas.Endpoint.model_validate(
        {**row.model_dump(), "region_code": region_text(row.region_code)}
    )


async def has_open_mandatory(tx: Tx, endpoint_id: UUID) -> bool:
    """Tell whether mandatory deliveries to an endpoint are still being tried."""
    found: bool = await tx.connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = $1"
        " AND delivery_class = 'M' AND state IN ('pending', 'leased'))",
        endpoint_id,
    )
    return found


async def delivery(tx: Tx, principal: Principal, delivery_id: UUID) -> schemas.Delivery | None:
    """Find one delivery of the caller's agency."""
    row = await tx.connection.fetchrow(
        "SELECT * FROM webhook_deliveries WHERE id = $1 AND agency_id = $2",
        delivery_id,
        principal.agency_id,
    )
    return None if row is None else as_delivery(row)


async def deliveries(
    tx: Tx,
    principal: Principal,
    *,
    endpoint_id: UUID | None,
    event_id: UUID | None,
    state: schemas.State | None,
    limit: int,
    cursor: str | None,
) -> paging.Page[schemas.Delivery]:
    """List the agency's deliveries, newest first."""
    after = paging.decode(cursor, UUID)
    found = await tx.connection.fetch(
        """SELECT * FROM webhook_deliveries
           WHERE agency_id = $1
             AND ($2::uuid IS NULL OR endpoint_id = $2) AND ($3::uuid IS NULL OR event_id = $3)
             AND ($4::text IS NULL OR state = $4) AND ($5::uuid IS NULL OR id < $5)
           ORDER BY id DESC LIMIT $6""",
        principal.agency_id,
        endpoint_id,
        event_id,
        state,
        None if after is None else after[0],
        limit + 1,
    )
    return paging.Page(
        items=[as_delivery(row) for row in found[:limit]],
        next_cursor=paging.encode(str(found[limit - 1]["id"])) if len(found) > limit else None,
    )


def as_delivery(row: asyncpg.Record) -> schemas.Delivery:
    """Show a row of `webhook_deliveries`."""
    return schemas.Delivery(**_delivery_fields(row))


async def delivery_with_attempts(
    tx: Tx, delivery: schemas.Delivery
) -> schemas.DeliveryWithAttempts:
    """Read the body and the latest attempts of a delivery the caller may see."""
    body = await tx.connection.fetchval(
        "SELECT body FROM webhook_deliveries WHERE id = $1", delivery.id
    )
    rows = await tx.connection.fetch(
        "SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT $2",
        delivery.id,
        _ATTEMPTS_SHOWN,
    )
    return schemas.DeliveryWithAttempts(
        **delivery.model_dump(),
        body=body.decode(),
        attempt_log=[_attempt(tx, row) for row in rows],
    )


def _delivery_fields(row: asyncpg.Record) -> dict[str, Any]:
    waits = row["state"] == "pending"
    shown: Sequence[str] = (
        *("id", "webhook_id", "endpoint_id", "event_id", "sequence", "delivery_class", "state"),
        *("attempts", "created_at", "delivered_at", "closed_at"),
    )
    return {
        **{name: row[name] for name in shown},
        "event_type": row["wire_name"],
        "subject_id": row["ordering_key"],
        "next_attempt_at": row["next_at"] if waits else None,
    }


def _attempt(tx: Tx, row: asyncpg.Record) -> schemas.Attempt:
    sealed = cast("bytes | None", row["response_sealed"])
    raw = tx.keyring.unseal_bytes(RESPONSE_PLACE, row["id"], sealed) if sealed is not None else None
    shown = (
        *("number", "trigger", "started_at", "duration_ms", "address", "status", "error"),
        *("response_truncated", "key_ids"),
    )
    return schemas.Attempt(
        **{name: row[name] for name in shown},
        response=None if raw is None else raw.decode(errors="replace").replace("\0", "\ufffd"),
    )
