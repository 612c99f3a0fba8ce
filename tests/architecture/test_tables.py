"""Every table says who may see it, and the database agrees (DB-1…DB-3, D14)."""

from sqlmodel import SQLModel

from app import wiring
from app.core.data import rls
from tests import schema

FORCED = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
"""


def test_every_table_is_declared_and_every_declaration_is_a_table() -> None:
    wiring.load()
    assert set(SQLModel.metadata.tables) == set(rls.TABLES)


async def test_the_database_forces_what_is_declared(tx) -> None:
    rows = await tx.connection.fetch(FORCED)
    assert {row["relname"] for row in rows} == set(rls.TABLES)
    for row in rows:
        declared = rls.TABLES[row["relname"]]
        protected = declared.using is not None
        assert row["relrowsecurity"] == row["relforcerowsecurity"] == protected, row["relname"]
    granted = {tuple(row) for row in await tx.connection.fetch(schema.GRANTED)}
    assert granted - {("alembic_version", "SELECT", None)} == schema.declared()


async def test_no_trigger_of_ours(tx) -> None:
    found = await tx.connection.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert found == []
