"""Reading endpoints, deliveries and attempts: the caller's own agency only."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from sqlmodel import select

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.agencies import queries as agencies
from app.agencies.models import AgencyKind
from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.envelopes import ERASED, Erased
from app.core.data.sql import Where
from app.core.http import paging
from app.core.jobs import events
from app.webhooks import schemas
from app.webhooks.acts import DELIVERY_ACTS, ENDPOINT_ACTS
from app.webhooks.models import RESPONSE_PLACE, State, WebhookEndpoint, body_of

_ATTEMPTS_SHOWN = 200


async def endpoint(
    tx: Tx, principal: Principal, endpoint_id: UUID, *, lock: bool = False
) -> WebhookEndpoint | None:
    """Find one endpoint of the caller's agency. `lock`: nothing is queued to it meanwhile."""
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.agency_id == principal.agency_id
    )
    return (await tx.session.exec(wanted.with_for_update() if lock else wanted)).first()


_NEWEST: Final = paging.Order({"w.id": UUID}, descending=True)


async def endpoints(
    tx: Tx, principal: Principal, window: paging.Window, *, act: Act | None
) -> paging.Rows:
    where = Where("w.agency_id = {}", principal.agency_id)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="w")
    return await paging.fetch(tx, "SELECT w.* FROM webhook_endpoints w", where, _NEWEST, window)


def as_endpoint(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Endpoint:
    """Show an endpoint without its secrets."""
    may = permitted(ENDPOINT_ACTS, principal, row, tx.today)
    return schemas.Endpoint.model_validate({**row, "permitted": may})


async def turned(
    tx: Tx, principal: Principal, region: str, *, turns: bool = True
) -> dict[str, Any]:
    """Say of what turns an agency's notices what its review asks: over which place, and who stands
    above and is told; of the police the police, of all others civil affairs.
    """
    place, own = int(region), principal.agency_kind
    kind = own if own == AgencyKind.police else AgencyKind.civil_affairs
    find = agencies.above if kind == own else agencies.serving
    above = await find(tx, kind, place) if turns else None
    return {"turns": turns, "agency_id": above, "agency_region": place}


async def has_open_mandatory(tx: Tx, endpoint_id: UUID) -> bool:
    """Tell whether mandatory deliveries to an endpoint are still being tried."""
    found: bool = await tx.connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = $1"
        " AND delivery_class = 'M' AND state IN ('pending', 'leased'))",
        endpoint_id,
    )
    return found


_SHOWN: Final = hiding.shown("w.ordering_key")
_SHOWN_TO_POLICE: Final = hiding.shown("w.ordering_key", below=hiding.POLICE)


def _visible(principal: Principal) -> Where:
    """Limit `webhook_deliveries w` to the caller's agency's, but for what it must learn nothing of
    by now, though it was told (AZ-8).
    """
    codes = principal.region_hi - principal.region_lo
    where = Where("w.agency_id = {}", principal.agency_id)
    shown = _SHOWN_TO_POLICE if principal.agency_kind == "police" else _SHOWN
    return where.add(shown, principal.agency_id, codes, principal.agencies)


async def delivery(tx: Tx, principal: Principal, delivery_id: UUID) -> asyncpg.Record | None:
    where = _visible(principal).add("w.id = {}", delivery_id)
    return await tx.connection.fetchrow(
        f"SELECT w.* FROM webhook_deliveries w WHERE {where}", *where.arguments
    )


async def deliveries(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    endpoint_id: UUID | None,
    event_id: UUID | None,
    state: State | None,
    act: Act | None,
) -> paging.Rows:
    where = _visible(principal).add_given(
        {"w.endpoint_id = {}": endpoint_id, "w.event_id = {}": event_id, "w.state = {}": state}
    )
    if act is not None:
        act.narrow(where, principal, tx.today, alias="w")
    return await paging.fetch(tx, "SELECT w.* FROM webhook_deliveries w", where, _NEWEST, window)


def named(row: Mapping[str, Any], body: str | None = None) -> set[UUID]:
    """Return the children a delivery names: as what it is about, or in its body, if it is shown."""
    kind = events.kinds().get(row["wire_name"])
    found = {row["ordering_key"]} if kind is not None and kind.subject == "child" else set()
    if body is not None and body != ERASED:
        child = orjson.loads(body).get("data", {}).get("child_id")
        found |= {UUID(child)} if child else set()
    return found


def as_delivery(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Delivery:
    return schemas.Delivery.model_validate(_delivery_fields(tx, principal, row))


async def delivery_with_attempts(
    tx: Tx, principal: Principal, row: asyncpg.Record
) -> schemas.DeliveryWithAttempts:
    """Show a delivery with its body and latest attempts."""
    attempts = await tx.connection.fetch(
        "SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT $2",
        row["id"],
        _ATTEMPTS_SHOWN,
    )
    await keys.of_rows(tx, [row])
    try:
        body = body_of(tx.keyring, row).decode()
    except Erased:
        body = ERASED
    return schemas.DeliveryWithAttempts.model_validate(
        {
            **_delivery_fields(tx, principal, row),
            "body": body,
            "attempt_log": [_attempt(tx, attempt) for attempt in attempts],
        }
    )


def _delivery_fields(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "event_type": row["wire_name"],
        "subject_id": row["ordering_key"],
        "next_attempt_at": row["next_at"] if row["state"] == "pending" else None,
        "permitted": permitted(DELIVERY_ACTS, principal, row, tx.today),
    }


def _attempt(tx: Tx, row: asyncpg.Record) -> dict[str, Any]:
    response, sealed = None, row["response_sealed"]
    if sealed is not None:
        raw = tx.keyring.unseal_bytes(RESPONSE_PLACE, row["id"], sealed)
        response = raw.decode(errors="replace").replace("\0", "\ufffd")
    return {**row, "response": response}
