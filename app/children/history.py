"""What a file was: every change with its author, and facts with the days they held (REG-03)."""

from collections.abc import Collection, Iterator

import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef
from app.children.sections import SECTIONS, File
from app.children.sections.marks import Section
from app.core.data.db import Tx
from app.core.ids import new_id


async def remember(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    operation: str,
    version: int,
    *,
    before: File | None,
    after: File,
    sections: Collection[str],
) -> None:
    """Keep who changed what of which sections (REG-11), and the dated facts."""
    change_id = new_id()
    changes = [*_changes(before, after, sections)]
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
        [*sections],
        tx.keyring.seal("child_changes.changes_sealed", change_id, orjson.dumps(changes)),
    )
    for section in sections:
        if SECTIONS[section].dated:
            await _state_fact(tx, principal, child, section, getattr(after, section))


def _changes(
    before: File | None, after: File, sections: Collection[str]
) -> Iterator[dict[str, object]]:
    for section in sections:
        was = {} if before is None else getattr(before, section).model_dump()
        for field, value in getattr(after, section).model_dump().items():
            old = was.get(field)
            if value != old and (old is not None or value != []):
                yield {"pointer": f"/{section}/{field}", "before": old, "after": value}


async def _state_fact(
    tx: Tx, principal: Principal, child: ChildRef, kind: str, value: Section
) -> None:
    since = getattr(value, "since", None) or tx.today
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
        tx.keyring.seal("child_facts.value_sealed", fact_id, orjson.dumps(value.model_dump())),
        since,
        principal.subject,
        tx.now,
    )
