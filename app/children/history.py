"""What a file was: every change with its author, and facts with the days they held (REG-03)."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import orjson

from app.access.principal import Principal
from app.access.roles import FIELD_GROUPS
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.ids import new_id

_DATED: Final = frozenset({"hukou", "residence", "family", "guardianship", "education"})
"""Sections whose history is kept as dated facts."""


async def remember(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    operation: str,
    version: int,
    *,
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> None:
    """Keep who changed what of which sections (REG-11), and the dated facts."""
    changes = [
        {"pointer": f"/{section}/{field}", "before": old, "after": value}
        for section in after
        for field, value in after[section].items()
        if (old := before.get(section, {}).get(field)) != value and (value or old) not in ([], None)
    ]
    change_id = new_id()
    await tx.connection.execute(
        "INSERT INTO child_changes (id, child_id, home_county, region_code, pupil_of, version, at,"
        " actor, agency_id, role, operation, sections, changes_sealed)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        change_id,
        child.id,
        child.home_county,
        child.region_code,
        child.school_id,
        version,
        tx.now,
        principal.subject,
        principal.agency_id,
        principal.role.code,
        operation,
        [section for section in FIELD_GROUPS if section in after],
        tx.keyring.seal("child_changes.changes_sealed", change_id, orjson.dumps(changes)),
    )
    for kind in sorted(_DATED & after.keys()):
        await _state_fact(tx, principal, child, kind, after[kind])


async def _state_fact(
    tx: Tx, principal: Principal, child: ChildRef, kind: str, value: Mapping[str, Any]
) -> None:
    stated = value.get("since")
    since = tx.today if stated is None else date.fromisoformat(stated)
    await tx.connection.execute(
        "UPDATE child_facts SET until = greatest(since, $4) WHERE home_county = $1"
        " AND child_id = $2 AND kind = $3 AND until IS NULL",
        child.home_county,
        child.id,
        kind,
        since,
    )
    fact_id = new_id()
    await tx.connection.execute(
        "INSERT INTO child_facts (id, child_id, home_county, region_code, pupil_of, kind,"
        " value_sealed, since, stated_by, recorded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        fact_id,
        child.id,
        child.home_county,
        child.region_code,
        child.school_id,
        kind,
        tx.keyring.seal("child_facts.value_sealed", fact_id, orjson.dumps(value)),
        since,
        principal.subject,
        tx.now,
    )
