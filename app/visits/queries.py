"""Reads of visits. Every one starts from the children the caller may know of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children import queries as children
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.visits import schemas

WORDS: Final = "visits.words_sealed"
SNAPSHOT: Final = "visit_versions.snapshot_sealed"

_FIRST: Final = "ORDER BY v.received_at, v.home_county LIMIT 1"
"""Of visits of two counties to which their clients gave one id, it names the one received first."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of visits is narrowed to; None means any."""

    child_id: UUID | None = None
    visited_from: date | None = None
    visited_until: date | None = None
    abnormal: bool | None = None
    region: tuple[int, int] | None = None


async def find(
    tx: Tx, principal: Principal, visit_id: UUID, *, for_update: bool = False
) -> Any | None:
    """Find one visit to a visible child: its row and the child's `birth_date`."""
    remit = children.visible_below(principal, "v")
    return await tx.connection.fetchrow(
        "SELECT v.*, c.birth_date FROM visits v"
        " JOIN children c ON c.home_county = v.home_county AND c.id = v.child_id"
        f" WHERE {remit.sql} AND v.id = ${remit.next} {_FIRST}"
        + (" FOR UPDATE OF v" if for_update else ""),
        *remit.arguments,
        visit_id,
    )


async def list_visits(
    tx: Tx,
    principal: Principal,
    filters: Filters,
    *,
    after: Sequence[Any] | None,
    limit: int,
) -> list[schemas.Visit]:
    """Return visits to visible children, latest first, from `after` = (visited_on, id) on."""
    remit = children.visible_below(principal, "v")
    conditions, arguments = [remit.sql], list(remit.arguments)

    def narrow(condition: str, *values: Any) -> None:
        places = (f"${len(arguments) + n}" for n in range(1, len(values) + 1))
        conditions.append(condition.format(*places))
        arguments.extend(values)

    if filters.child_id is not None:
        narrow("v.child_id = {}", filters.child_id)
    if filters.visited_from is not None:
        narrow("v.visited_on >= {}", filters.visited_from)
    if filters.visited_until is not None:
        narrow("v.visited_on <= {}", filters.visited_until)
    if filters.abnormal is not None:
        narrow("v.abnormal = {}", filters.abnormal)
    if filters.region is not None:
        narrow("v.region_code >= {} AND v.region_code < {}", *filters.region)
    if after is not None:
        narrow("(v.visited_on, v.id) < ({}, {})", *after)
    rows = await tx.connection.fetch(
        f"SELECT v.* FROM visits v WHERE {' AND '.join(conditions)}"
        f" ORDER BY v.visited_on DESC, v.id DESC LIMIT {int(limit)}",
        *arguments,
    )
    return [visit_of(tx.keyring, row) for row in rows]


async def list_versions(
    tx: Tx, visit_id: UUID, *, before: int | None, limit: int
) -> list[schemas.VisitVersion]:
    """Return the corrected versions of a visit the caller was found to see, latest first."""
    rows = await tx.connection.fetch(
        "SELECT version, snapshot_sealed, replaced_at, replaced_by FROM visit_versions"
        " WHERE visit_id = $1 AND version < $2 AND home_county ="
        f" (SELECT v.home_county FROM visits v WHERE v.id = $1 {_FIRST})"
        f" ORDER BY version DESC LIMIT {int(limit)}",
        visit_id,
        before or 2**31 - 1,
    )
    return [
        schemas.VisitVersion(
            version=row["version"],
            replaced_at=row["replaced_at"],
            replaced_by=row["replaced_by"],
            visit=schemas.Visit.model_validate_json(
                tx.keyring.unseal_bytes(
                    SNAPSHOT, f"{visit_id}/{row['version']}", row["snapshot_sealed"]
                )
            ),
        )
        for row in rows
    ]


def visit_of(keyring: Keyring, row: Any) -> schemas.Visit:
    """Read a row, with what is sealed in it."""
    sealed = row["words_sealed"]
    words = orjson.loads(keyring.unseal_bytes(WORDS, row["id"], sealed)) if sealed else {}
    findings = row["findings"]
    notes = words.get("findings") or [None] * len(findings)
    return schemas.Visit(
        **{name: row[name] for name in _PLAIN},
        region_code=region_text(row["visited_in"]),
        findings=[
            schemas.VisitFinding(**finding, note=note)
            for finding, note in zip(findings, notes, strict=True)
        ],
        note=words.get("note"),
    )


_PLAIN: Final = tuple(schemas.Visit.model_fields.keys() - {"region_code", "findings", "note"})
