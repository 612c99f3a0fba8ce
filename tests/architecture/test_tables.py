"""Every table says who may see it, and the database agrees (DB-1…DB-3, D14)."""

from sqlmodel import SQLModel

from app import wiring
from app.core.data import rls

PRIVILEGES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
       ARRAY(SELECT privilege_type FROM information_schema.role_table_grants g
             WHERE g.table_name = c.relname AND g.grantee = current_user) AS privileges,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'child_id')
         AS below_child,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'home_county'
         AND a.attnotnull) AS in_county
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
"""


def test_every_table_is_declared_and_every_declaration_is_a_table() -> None:
    wiring.load()
    assert set(SQLModel.metadata.tables) == set(rls.TABLES)


async def test_the_database_forces_what_is_declared(tx) -> None:
    rows = await tx.connection.fetch(PRIVILEGES)
    assert {row["relname"] for row in rows} == set(rls.TABLES)
    for row in rows:
        declared = rls.TABLES[row["relname"]]
        protected = declared.using is not None
        assert row["relrowsecurity"] == row["relforcerowsecurity"] == protected, row["relname"]
        wanted = {word.strip() for word in declared.privileges.split(",")}
        assert set(row["privileges"]) == wanted, row["relname"]


async def test_what_lies_below_a_child_is_protected_and_keeps_its_county(tx) -> None:
    for row in await tx.connection.fetch(PRIVILEGES):
        if row["below_child"]:
            assert row["relforcerowsecurity"], row["relname"]
            assert row["in_county"], row["relname"]


async def test_no_trigger_of_ours(tx) -> None:
    found = await tx.connection.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert found == []
