"""What a file was: every change with its author, and facts with the days they held (REG-03)."""

from collections.abc import Collection, Iterator, Mapping

import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef
from app.children.sections import SECTIONS, File
from app.children.sections.marks import Section
from app.core.data import sql
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
    said = {
        "version": version,
        "at": tx.now,
        "actor": principal.subject,
        "agency_id": principal.agency_id,
        "role": principal.role.code,
        "operation": operation,
        "sections": [*sections],
    }
    changes = [*_changes(before, after, sections)]
    await _insert(tx, "child_changes", child, said, "changes_sealed", changes)
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
    said = {"kind": kind, "since": since, "stated_by": principal.subject, "recorded_at": tx.now}
    await _insert(tx, "child_facts", child, said, "value_sealed", value.model_dump())


async def _insert(
    tx: Tx, table: str, child: ChildRef, said: Mapping[str, object], column: str, secret: object
) -> None:
    row_id = new_id()
    sealed = tx.keyring.seal(f"{table}.{column}", row_id, orjson.dumps(secret))
    await sql.insert(tx.connection, table, {"id": row_id, **child.place(), **said, column: sealed})
