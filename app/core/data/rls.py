"""Row-level security and grants, declared beside the tables (DB-1…DB-3, design idea 5).

Each `models.py` says for each table who may see its rows (`protect`) or that it holds nothing
personal (`allow`). Migrations carry the statements; a test compares the database with this list.
"""

from collections.abc import Iterator
from dataclasses import dataclass

APP_ROLE = "tonghu_app"
OWNER_ROLE = "tonghu_owner"


def _setting(name: str, kind: str) -> str:
    # As a sub-select it is evaluated once per query, not once per row.
    return f"(SELECT NULLIF(current_setting('tonghu.{name}', true), '')::{kind})"


LO = _setting("lo", "bigint")
HI = _setting("hi", "bigint")
AGENCY = _setting("agency", "uuid")
SCHOOL = _setting("school", "uuid")
CALLER = _setting("caller", "text")

CHILD_VISIBLE = (
    "EXISTS (SELECT 1 FROM children c"
    " WHERE c.home_county = {table}.home_county AND c.id = {table}.child_id)"
)
"""For tables below the child: visible exactly when the child is (its own policy applies)."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table's privileges for the app role and, if it is protected, its policy."""

    name: str
    privileges: str
    using: str | None = None
    check: str | None = None


TABLES: dict[str, Table] = {}


def protect(table: str, *, using: str, check: str | None = None, privileges: str) -> None:
    """Force row-level security on a table. `using`: which rows exist for the caller;
    `check`: which rows the caller may write (the same, unless given).
    """
    TABLES[table] = Table(table, privileges, using, check)


def allow(table: str, privileges: str) -> None:
    """Grant the app role privileges on a table that holds nothing personal."""
    TABLES[table] = Table(table, privileges)


def statements(table: Table) -> Iterator[str]:
    """Yield the DDL for one table, idempotent."""
    yield f"REVOKE ALL ON {table.name} FROM {APP_ROLE}"
    yield f"GRANT {table.privileges} ON {table.name} TO {APP_ROLE}"
    if table.using is None:
        return
    yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS remit ON {table.name}"
    yield (
        f"CREATE POLICY remit ON {table.name} USING ({table.using})"
        f" WITH CHECK ({table.check or table.using})"
    )
