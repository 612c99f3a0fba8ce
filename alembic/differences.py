"""What the models declare and Alembic does not compare: who may see a table, checks, primary keys.

Everything declared is made in a scratch schema, read back and rolled back, so PostgreSQL itself
brings both sides to the same words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.util import CommandError
from sqlmodel import SQLModel

from app.core.data import revisions, rls

SCRATCH = "tonghu_declared"

_POLICIES = """
SELECT v.tablename, v.policyname, format('CREATE POLICY %I ON %I AS %s FOR %s TO %s', v.policyname,
       v.tablename, v.permissive, v.cmd, array_to_string(v.roles, ', ')),
       coalesce(format(' USING (%s)', pg_get_expr(p.polqual, p.polrelid, true)), '') ||
       coalesce(format(' WITH CHECK (%s)', pg_get_expr(p.polwithcheck, p.polrelid, true)), '')
FROM pg_policies v JOIN pg_policy p ON p.polname = v.policyname
 AND p.polrelid = format('%I.%I', v.schemaname, v.tablename)::text::regclass
WHERE v.schemaname = :schema ORDER BY 1, 2
"""
_FORCED = """
SELECT relname, relrowsecurity, relforcerowsecurity, pg_get_partkeydef(oid) FROM pg_class
WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'p')
  AND relname <> 'alembic_version' AND NOT relispartition
"""
_PRIVILEGES = """
SELECT c.relname, a.privilege_type, NULL FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND a.grantee = CAST(:role AS regrole)
UNION ALL
SELECT c.relname, a.privilege_type, string_agg(t.attname, ', ' ORDER BY t.attname COLLATE "C")
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND NOT t.attisdropped,
     aclexplode(t.attacl) a
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND a.grantee = CAST(:role AS regrole)
GROUP BY 1, 2 ORDER BY 1, 2
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid, true) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND k.contype IN ('c', 'p', 'x')
"""
_INDEXES = """
SELECT c.relname, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid, 0, true)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = CAST(:schema AS regnamespace)
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


_CASTS = re.compile(r"::(character varying|text)(\[\])?")


def same(one: dict[str, str], other: dict[str, str]) -> bool:
    """Compare expressions of the catalogue. A database that was dumped and restored casts the
    values of `column IN ('a', 'b')` one by one, and means the same.
    """
    plain_one, plain_other = (
        {name: _CASTS.sub("", text) for name, text in each.items()} for each in (one, other)
    )
    return plain_one == plain_other


@dataclass
class Standing:
    """How one table stands in a schema."""

    name: str
    enabled: bool = False
    forced: bool = False
    cut: str | None = None
    """By what its rows lie in partitions; None: all in one."""
    policies: dict[str, str] = field(default_factory=dict)
    privileges: list[str] = field(default_factory=list)
    constraints: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    worded: list[str] = field(default_factory=list)
    """The policies in the words of `models.py`, for people; PostgreSQL's words compare."""
    checks: dict[str, str] = field(default_factory=dict)
    """The checks likewise."""

    def closing(self) -> Iterator[str]:
        """Yield what takes the policies away."""
        for policy in self.policies:
            yield f"DROP POLICY IF EXISTS {policy} ON {self.name}"

    def opening(self, before: "Standing | None") -> Iterator[str]:
        """Yield what brings privileges and policies here from `before`, policies closed."""
        before = before or Standing(self.name)
        if self.privileges != before.privileges:
            yield f"REVOKE ALL ON {self.name} FROM {rls.APP_ROLE}"
            if self.privileges:
                yield f"GRANT {', '.join(self.privileges)} ON {self.name} TO {rls.APP_ROLE}"
        if self.enabled != before.enabled:
            word = "ENABLE" if self.enabled else "DISABLE"
            yield f"ALTER TABLE {self.name} {word} ROW LEVEL SECURITY"
        if self.forced != before.forced:
            word = "FORCE" if self.forced else "NO FORCE"
            yield f"ALTER TABLE {self.name} {word} ROW LEVEL SECURITY"
        if not same(self.policies, before.policies):
            yield from self.worded or self.policies.values()


def standing(connection: sa.Connection, schema: str) -> dict[str, Standing]:
    """Read every table of a schema, which must come first in the search path."""

    def rows(sql: str) -> list[tuple[str, ...]]:
        given = {"schema": schema, "role": rls.APP_ROLE}
        wanted = {name: value for name, value in given.items() if f":{name}" in sql}
        return [tuple(row) for row in connection.execute(sa.text(sql), wanted)]

    found = {
        name: Standing(name, bool(enabled), bool(forced), cut)
        for name, enabled, forced, cut in rows(_FORCED)
    }
    for table, policy, head, tail in rows(_POLICIES):
        plain = head.replace(" AS PERMISSIVE FOR ALL TO public", "")
        found[table].policies[policy] = plain + tail
    for table, privilege, columns in rows(_PRIVILEGES):
        if table in found:
            found[table].privileges.append(f"{privilege} ({columns})" if columns else privilege)
    for table, name, text in rows(_CONSTRAINTS):
        if table in found:
            found[table].constraints[name] = text
    for table, name, text in rows(_INDEXES):
        if table in found:
            found[table].indexes[name] = text
    return found


def refuse_cutting(before: dict[str, Standing], after: dict[str, Standing]) -> None:
    """Raise CommandError for a table that stands in one piece and is declared to lie in months:
    PostgreSQL cuts no table that is there.
    """
    for name in sorted(before.keys() & after.keys()):
        if before[name].cut is None and after[name].cut is not None:
            raise CommandError(
                f"The table {name} stands in one piece, which is not cut into months by itself:"
                " write a revision that lets what is there become the first partition, as 0182"
                " does, or take months.partitioned away."
            )


def declared(connection: sa.Connection) -> dict[str, Standing]:
    """Read how the tables would stand, were the database made from the models."""
    if missing := revisions.undeclared():
        raise CommandError(missing)
    with connection.begin_nested() as scratch:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCRATCH}")
        # The extensions' operator classes stay in reach, the tables of the same names do not.
        connection.exec_driver_sql(f"SET LOCAL search_path = {SCRATCH}, public")
        SQLModel.metadata.create_all(connection, checkfirst=False)
        for named in rls.TABLES.values():
            for statement in rls.statements(named):
                connection.exec_driver_sql(statement)
        found = standing(connection, SCRATCH)
        scratch.rollback()
    named_as = connection.dialect.identifier_preparer.format_constraint
    for name, table in found.items():
        said = rls.statements(rls.TABLES[name])
        table.worded = [words for words in said if words.startswith("CREATE POLICY")]
        table.checks = {
            str(named_as(check)): f"CHECK ({check.sqltext})"
            for check in SQLModel.metadata.tables[name].constraints
            if isinstance(check, sa.CheckConstraint)
        }
    return found
