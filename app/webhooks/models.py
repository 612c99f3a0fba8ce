"""Who is told by webhook, what is on its way to them, and every attempt made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.data import distribution, hiding, months, resealing, retention, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Owner
from app.core.ids import new_id
from app.core.jobs.events import owner_in

SECRET_PLACE = "webhook_endpoints.secret_sealed"  # noqa: S105  a column's name, as crypto wants it
PREVIOUS_SECRET_PLACE = "webhook_endpoints.previous_secret_sealed"  # noqa: S105  the same
BODY_PLACE = "webhook_deliveries.body"
CLOSED_PLACE = "webhook_deliveries.closed_because_sealed"
RESPONSE_PLACE = "webhook_attempts.response_sealed"
State = Literal["pending", "leased", "succeeded", "exhausted", "closed", "withheld"]
_OPEN = text("state IN ('pending', 'leased')")
_NOT_DONE = text("state NOT IN ('succeeded', 'exhausted', 'closed', 'withheld')")
"""The same in other words: where nobody counted the rows yet, a planner that may take an index by
either looks for what comes before a delivery among all that wait for its endpoint.
"""
_OWN = f"{rls.own('agency_id')} OR {rls.SYSTEM}"


class WebhookEndpoint(SQLModel, table=True):
    """Where an agency wants to be told, and of what.

    `event_types` holds wire names and `package.*`. `mandatory`: the agency must be told (the
    police); such an endpoint is never switched off with deliveries open. `relation` is that of the
    registering role: it limits which events are handed out (`operations.fan_out`). Not `active`:
    what is for it waits.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__: Any = (
        CheckConstraint("relation IN ('region', 'enrolled', 'none')", name="relation"),
        CheckConstraint(
            "(previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)", name="rotation"
        ),
        Index(
            "ix_webhook_endpoints_of_region",
            "region_code",
            postgresql_where=text("relation = 'region'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    agency_id: UUID = Field(foreign_key="agencies.id", index=True)
    url: str
    description: str
    event_types: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    mandatory: bool
    relation: str
    region_code: int = Field(sa_type=BigInteger)
    region_lo: int = Field(sa_type=BigInteger)
    region_hi: int = Field(sa_type=BigInteger)
    secret_sealed: bytes
    previous_secret_sealed: bytes | None = None
    previous_secret_until: datetime | None = Field(default=None, sa_type=Instant)
    last_sequence: int = Field(default=0, sa_type=BigInteger)
    """Counted up by the release before, which numbered deliveries by endpoint; goes with the next.
    """
    active: bool = True
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Subscription(SQLModel, table=True):
    """What an endpoint takes, to be found by whom and where: a wire name or `package.*`. The other
    columns are the endpoint's.
    """

    __tablename__ = "subscriptions"
    __table_args__: Any = (
        CheckConstraint("relation IN ('region', 'enrolled', 'none')", name="relation"),
        Index(
            "ix_subscriptions_wire_name_region_code",
            "wire_name",
            "region_code",
            postgresql_include=["endpoint_id", "agency_id"],
            postgresql_where=text("relation = 'region'"),
        ),
        Index(
            "ix_subscriptions_agency_id_wire_name",
            "agency_id",
            "wire_name",
            postgresql_include=["endpoint_id", "relation"],
        ),
    )

    endpoint_id: UUID = Field(foreign_key="webhook_endpoints.id", primary_key=True)
    wire_name: str = Field(primary_key=True)
    agency_id: UUID
    relation: str
    region_code: int = Field(sa_type=BigInteger)


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint.

    `delivery_class`: `M` mandatory, tried without end; `S` subscriber, held for thirty days.
    `urgent`: goes before others of its class.

    `state`: `pending` waits for `next_at`; `leased` a worker is sending it, and `next_at` is when
    the lease runs out; `succeeded` was answered 2xx; `exhausted` the time of S is over; `closed`
    a named person ended M; `withheld` when it was due, its agency must not learn of it any more.

    `replays_due`: sends asked for by hand and not begun. `replayed_after`: attempts made before the
    last replay, so that the schedule starts afresh. `not_before`: until when its receiver asked not
    to be tried again.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__: Any = (
        CheckConstraint("delivery_class IN ('M', 'S')", name="delivery_class"),
        one_of("state", get_args(State)),
        CheckConstraint("(state = 'leased') = (lease IS NOT NULL)", name="lease"),
        CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)"
            " AND (state <> 'closed' OR closed_at IS NOT NULL)",
            name="closed",
        ),
        UniqueConstraint("event_id", "endpoint_id"),
        Index(
            "ix_webhook_deliveries_turn",
            "endpoint_id",
            "delivery_class",
            "urgent",
            "next_at",
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_webhook_deliveries_lag",
            "delivery_class",
            "endpoint_id",
            "created_at",
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_webhook_deliveries_before",
            "endpoint_id",
            "ordering_key",
            "sequence",
            postgresql_where=_NOT_DONE,
        ),
        Index(  # asked by the release before; goes with the next
            "ix_webhook_deliveries_order",
            "endpoint_id",
            "ordering_key",
            "sequence",
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_webhook_deliveries_leased", "endpoint_id", postgresql_where=text("state = 'leased'")
        ),
        Index(
            "ix_webhook_deliveries_overdue",
            "created_at",
            postgresql_where=text(
                "delivery_class = 'M' AND delivered_at IS NULL AND overdue_announced_at IS NULL"
            ),
        ),
        Index("ix_webhook_deliveries_agency_id_id", "agency_id", "id"),
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        # Each attempt updates the row: leave room for it on the page.
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    webhook_id: str
    endpoint_id: UUID = Field(foreign_key="webhook_endpoints.id")
    agency_id: UUID
    """The endpoint's, which says that there is such a one."""
    event_id: UUID
    wire_name: str
    ordering_key: UUID
    region_code: int = Field(sa_type=BigInteger)
    home_county: int = Field(sa_type=BigInteger)
    told_to: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid), nullable=True))
    """Of a mandatory delivery: the only agencies that may hear of the event, or of this (AZ-8)."""
    sequence: int = Field(sa_type=BigInteger)
    body: bytes
    """Sealed where it tells of a case, once for all who are told (`body_of`)."""
    delivery_class: str
    state: str
    attempts: int = 0
    replays_due: int = 0
    replayed_after: int = 0
    next_at: datetime = Field(sa_type=Instant)
    urgent: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    lease: UUID | None = None
    created_at: datetime = Field(sa_type=Instant)
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)
    overdue_announced_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_by: UUID | None = Field(default=None, foreign_key="staff.id")
    closed_because: str | None = None
    """In the clear, in rows that a release before closed."""
    closed_because_sealed: bytes | None = None


class WebhookAttempt(SQLModel, table=True):
    """One attempt to deliver, never changed afterwards.

    A number without a row is an attempt whose worker died before it could say how it went, or one
    that is older than the policy keeps it.
    `error` is a code; the answer's first 16 KiB are encrypted, a receiver may repeat anything.
    """

    __tablename__ = "webhook_attempts"
    __table_args__: Any = (
        CheckConstraint("trigger IN ('auto', 'manual')", name="trigger"),
        # Of one number there is one: it is counted up by whoever takes the delivery.
        Index("ix_webhook_attempts_delivery_id_number", "delivery_id", "number"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    delivery_id: UUID
    agency_id: UUID
    number: int
    trigger: str
    started_at: datetime = Field(sa_type=Instant)
    duration_ms: int
    address: str | None = None
    status: int | None = None
    error: str | None = None
    response_sealed: bytes | None = None
    response_truncated: bool
    key_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


# What police are told, they learn as police, whichever office words may mean.
_HIDDEN = (
    f"CASE WHEN EXISTS (SELECT FROM agencies a WHERE a.id = {rls.AGENCY} AND a.kind = 'police')"
    f" THEN {hiding.hidden('webhook_deliveries.ordering_key', below=hiding.POLICE)}"
    f" ELSE {hiding.hidden('webhook_deliveries.ordering_key')} END"
)

distribution.in_one_place(
    "written from the events, in one statement a batch (ADR 32)",
    *("webhook_endpoints", "subscriptions", "webhook_deliveries", "webhook_attempts"),
)
rls.protect(
    "subscriptions",
    using=rls.case((rls.SYSTEM, "true"), (rls.own("agency_id"), "true")),
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
rls.protect("webhook_endpoints", using=_OWN, privileges="SELECT, INSERT, UPDATE")
rls.protect(
    "webhook_deliveries",
    using=rls.case(
        (rls.SYSTEM, "true"),
        (_HIDDEN, "false"),
        (rls.own("agency_id"), "true"),
    ),
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
months.partitioned("webhook_attempts", by="id")
rls.protect("webhook_attempts", using=_OWN, privileges="SELECT, INSERT, DELETE")

# A dead letter waits for somebody to replay it, for ever (R18).
_NEEDED = "{0}.delivery_class = 'M' OR {0}.state IN ('pending', 'leased', 'exhausted')"
_OF = "EXISTS (SELECT FROM webhook_deliveries d WHERE d.{0} AND ({1}))"
retention.keep("webhook_attempts", by="started_at")
retention.unless(
    "webhook_attempts",
    "its delivery is mandatory, or not done",
    _OF.format("id = k.delivery_id", _NEEDED.format("d")),
)
retention.keep("webhook_deliveries", by="created_at")
retention.unless("webhook_deliveries", "mandatory, or not done", _NEEDED.format("k"))
retention.unless(
    "webhook_deliveries",
    "attempts of it are kept",
    "EXISTS (SELECT FROM webhook_attempts a WHERE a.delivery_id = k.id)",
)


def keep_while(reason: str, condition: str) -> None:
    """Keep what was told of a subject, and how it went, while a condition holds: `{}` in it stands
    for the subject's id.
    """
    told = condition.format("d.ordering_key")
    retention.unless("webhook_deliveries", reason, condition.format("k.ordering_key"))
    retention.unless("webhook_attempts", reason, _OF.format("id = k.delivery_id", told))


retention.unless(
    "events",
    "a delivery of it is mandatory, or not done",
    _OF.format("event_id = k.id", _NEEDED.format("d")),
)
sealed.under_service(
    "webhook_endpoints",
    {"secret_sealed": SECRET_PLACE, "previous_secret_sealed": PREVIOUS_SECRET_PLACE},
)
sealed.by_value("webhook_deliveries", {"body": BODY_PLACE}, row="t.event_id::text")
sealed.under_service("webhook_deliveries", {"closed_because_sealed": CLOSED_PLACE})
sealed.under_service("webhook_attempts", {"response_sealed": RESPONSE_PLACE})


def body_of(keyring: Keyring, row: Mapping[str, Any]) -> bytes:
    """Return the body of a delivery whose key is open. Raises Erased."""
    body: bytes = row["body"]
    return body if body[:1] == b"{" else keyring.unseal_bytes(BODY_PLACE, row["event_id"], body)


def _owner_of(keyring: Keyring, row: Mapping[str, Any]) -> Owner | None:
    said = orjson.loads(body_of(keyring, row))["data"]
    return owner_in(row["wire_name"], row["ordering_key"], said)


def _anew(tx: Tx, row: Mapping[str, Any]) -> Mapping[str, Any]:
    of = _owner_of(tx.keyring, row)
    if of is None:
        return {}
    body = body_of(tx.keyring, row)
    return {"body": tx.keyring.seal(BODY_PLACE, row["event_id"], body, of)}


resealing.IN_PLAIN.append(resealing.InPlain("webhook_deliveries", "body", _owner_of, _anew))
