"""A revision that is taken back drops no table with rows, also not beside one without."""

import asyncio

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.data import migrations
from tests import schema

pytestmark = pytest.mark.xdist_group("schema")
_MADE = ("CREATE TABLE one (n int)", "CREATE TABLE two (n int)", "INSERT INTO two VALUES (1)")


@pytest.mark.parametrize("named", ["one, two", "two, one", "public.one, public.two"])
def test_of_several_tables_dropped_at_once_none_may_hold_rows(
    database_urls: schema.Urls, named: str
) -> None:
    ScriptDirectory.from_config(migrations.configuration())  # lets its folder be imported from
    import losing  # noqa: PLC0415  lies beside the revisions

    async def dropped(*before: str) -> None:
        engine = create_async_engine(
            database_urls.owner.replace("postgresql://", "postgresql+asyncpg://"),
            poolclass=sa.NullPool,
        )
        async with engine.connect() as connection:
            await connection.run_sync(losing.refuse_to_lose)
            for statement in (*_MADE, *before, f"DROP TABLE {named}"):
                await connection.execute(sa.text(statement))
        await engine.dispose()

    with pytest.raises(CommandError, match="would lose the rows of two: "):
        asyncio.run(dropped())
    asyncio.run(dropped("DELETE FROM two"))
