"""Revisions that touch rows, written by hand: every row is seen, or it says what to do."""

import asyncio
import re

import pytest

from app.core.data import rls
from scripts import lint_migrations
from tests.releases import backups
from tests.revisions.conftest import Copy

pytestmark = pytest.mark.xdist_group("schema")

PROTECTED = sorted(table.name for table in rls.TABLES.values() if table.using)
IMPORTS = "from reach import every_row, in_batches"
BEHIND = """
CREATE FUNCTION behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO school_calendar_days (id, region_code, day, is_school_day, source)
    VALUES ('00000000-0000-0000-0000-000000000000', 4501, '2026-01-01', false, 'test');
    RETURN NULL;
END $$;
CREATE TRIGGER behind AFTER UPDATE ON school_calendar_days FOR EACH ROW
WHEN (OLD.region_code = 4500) EXECUTE FUNCTION behind();
"""
"""Adds a row behind the batches, as the release before may."""


def test_a_revision_sees_every_row_of_every_protected_table(copy: Copy) -> None:
    copy.sql(
        "INSERT INTO school_calendar_days (id, region_code, day, is_school_day, source)"
        " SELECT gen_random_uuid(), n, '2026-01-01', false, 'test' FROM generate_series(1, 4500) n"
    )
    asyncio.run(backups.fill(copy.pg, copy.database))
    rows = asyncio.run(backups.counts(copy.pg, copy.database))
    copy.sql(BEHIND)
    copy.revision(
        f"""for table in {PROTECTED!r}:
        keys = sa.inspect(op.get_bind()).get_pk_constraint(table)["constrained_columns"]
        same = f'"{{keys[0]}}" = "{{keys[0]}}"'
        with every_row(table):
            done = op.get_bind().execute(sa.text(f"UPDATE {{table}} SET {{same}}")).rowcount
        op.execute(f"ALTER TABLE {{table}} ADD COLUMN filled boolean")
        print(table, done, in_batches(table, "filled = true", where="filled IS NULL"))
    for turn in ("first", "second"):
        change = "is_school_day = true"
        print(turn, in_batches("school_calendar_days", change, where="NOT is_school_day"))
""",
        imports="import sqlalchemy as sa\nfrom reach import every_row, in_batches\n",
    )
    done = copy.tonghu("migrate")
    assert done.code == 0, done.errors
    told = dict(re.findall(r"^(\w+) (\d+ \d+)$", done.out, re.MULTILINE))
    assert told == {name: f"{rows[name]} {rows[name]}" for name in PROTECTED}
    assert [name for name in PROTECTED if not rows[name]] == []
    # Batches leave out what is right, and go back for the row that came behind them.
    assert re.findall(r"^(?:first|second) (\d+)$", done.out, re.MULTILINE) == ["4501", "0"]
    assert len(re.findall("^school_calendar_days:", done.errors, re.MULTILINE)) == 4
    # The owner is bound again.
    copy.sql(
        "DO $$ BEGIN ASSERT NOT EXISTS (SELECT 1 FROM pg_class"
        " WHERE relrowsecurity AND NOT relforcerowsecurity); END $$"
    )


def test_a_slip_stops_the_migration_in_a_sentence_and_changes_nothing(copy: Copy) -> None:
    before = backups.dumped(copy.pg, copy.database)
    for body, said in (
        (
            "op.execute(\"UPDATE visits SET place = 'home'\")",
            'row-level security hides from it: put the statement in `with every_row("visits"):`',
        ),
        (
            'with every_row("visits"):\n        op.execute("DELETE FROM visits USING children")',
            'rows of "children" that row-level security hides from it',
        ),
        (
            'in_batches("visits", "mood = 0", where="true")',
            'The migration stopped: column "mood" of relation "visits" does not exist.',
        ),
        (
            'in_batches("school_calendar_days", "source = moood", where="true")',  # no row yet
            'The migration stopped: column "moood" does not exist.',
        ),
    ):
        copy.revision(body, imports=IMPORTS)
        done = copy.tonghu("migrate")
        assert (done.code, done.out) == (1, "")
        assert said in done.errors
        assert backups.dumped(copy.pg, copy.database) == before
    copy.revision('in_batches("visits", "id = id", where="true")', imports=IMPORTS)
    endless = copy.tonghu("migrate")
    assert endless.code == 1
    assert "Rows of visits that were changed still fit `where`" in endless.errors


def test_a_revision_that_imports_the_app_is_refused(tmp_path, monkeypatch) -> None:
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    (versions / "0013-x.py").write_text("import sys\n\nfrom app.visits import models\n")
    monkeypatch.setattr(lint_migrations, "HOME", tmp_path)
    with pytest.raises(SystemExit, match=r"0013-x\.py:3 imports app: the app changes later"):
        lint_migrations.main()
