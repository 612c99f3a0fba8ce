"""Row-level security and grants, declared beside the tables (DB-1…DB-3, design idea 5).

Each `models.py` says for each table who may see its rows (`protect`) or that it holds nothing
personal (`allow`). Migrations carry the statements; a test compares the database with this list.

A policy compares the row's own columns with the caller's settings: what it needs lies on the row
(ADR 14). Only in one place (`distribution`) may it look further: the steps and the reporter of a
police report look at the report, and what knows a report by its id alone at `hidden_subjects`,
which is changed long after the row was written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import SQLModel

# Here, since every models.py imports this module before it defines a table.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

APP_ROLE = "tonghu_app"
OWNER_ROLE = "tonghu_owner"
BACKUP_ROLE = "tonghu_backup"
"""Sees every row, and changes none but of when a backup was made."""
SEALER_ROLE = "tonghu_sealer"
"""It seals the audit (ADR 65): it bypasses row-level security, and has rights on nothing else."""


def _setting(name: str, kind: str) -> str:
    # Plainly: in a function of ours marked IMMUTABLE, a prepared statement would go on answering
    # for whoever was asking when it was planned.
    return f"NULLIF(current_setting('tonghu.{name}', true), '')::{kind}"


LO = _setting("lo", "bigint")
HI = _setting("hi", "bigint")
AGENCY = _setting("agency", "uuid")
SCHOOL = _setting("school", "uuid")
CALLER = _setting("caller", "text")
SERVED = _setting("served", "uuid[]")
SYSTEM = f"{CALLER} = 'system'"
OPENED = f"id = {_setting('opened', 'uuid')}"
"""The one child whose file is open to the caller in an emergency, for one statement (ADR 57)."""
IN_RANGE = f"region_code >= {LO} AND region_code < {HI}"


def own(column: str) -> str:
    """Say that a column names the caller's agency."""
    return f"{column} = {AGENCY}"


def served(agencies: str) -> str:
    """Say that a column of agencies names the caller's, or one in which they ever held a post."""
    return f"({AGENCY} = ANY ({agencies}) OR coalesce({agencies} && {SERVED}, false))"


def of_owner(table: str) -> str:
    """Say that it is the owner of a table who asks, whom a policy binds like everybody: nobody else
    may empty it.
    """
    return f"has_table_privilege('{table}', 'TRUNCATE')"


def case(*arms: tuple[str, str]) -> str:
    """Write arms of (condition, what it means for the row); the first that holds decides.

    The planner takes any CASE to let half the rows through, so how much a caller may see never
    enters a plan; it took the bare range of one caller for that of all. The price: no index serves
    a policy, so a query states its own range as well.
    """
    return f"CASE {' '.join(f'WHEN {when} THEN ({then})' for when, then in arms)} ELSE false END"


def in_remit(school: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Write the last arms of most policies: a school's own pupils, wherever they live; for everyone
    else the caller's range.
    """
    return (f"{SCHOOL} IS NOT NULL", f"{school} = {SCHOOL}"), (IN_RANGE, "true")


@dataclass(frozen=True, slots=True)
class Table:
    """One table's privileges for the app role and, if it is protected, its policy."""

    name: str
    privileges: str
    using: str | None = None
    check: str | None = None


TABLES: dict[str, Table] = {}
LET: dict[tuple[str, str], str] = {}
"""What roles besides the app's may do with which tables."""


def protect(table: str, *, using: str, check: str | None = None, privileges: str) -> None:
    """Force row-level security on a table. `using`: which rows exist for the caller;
    `check`: which rows the caller may write (the same, unless given).
    """
    TABLES[table] = Table(table, privileges, using, check)


def allow(table: str, privileges: str) -> None:
    """Grant the app role privileges on a table that holds nothing personal."""
    TABLES[table] = Table(table, privileges)


def let_sealer(table: str, privileges: str) -> None:
    """Grant the sealer's role privileges on a table; with all others it may do nothing."""
    let(table, SEALER_ROLE, privileges)


def let(table: str, role: str, privileges: str) -> None:
    """Grant a role besides the app's privileges on a table."""
    LET[table, role] = privileges


def for_others() -> str:
    """Return the statement that grants it all, of what is there, on a server with such roles."""
    there = "to_regrole('{}') IS NOT NULL AND to_regclass('public.{}') IS NOT NULL"
    grants = (
        f"IF {there.format(role, table)} THEN GRANT {what} ON {table} TO {role}; END IF;"
        for (table, role), what in LET.items()
    )
    return f"DO $$ BEGIN {' '.join(grants)} END $$"


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
