"""The README's sentence on changed rows, followed in a copy: every row is seen, or it says so."""

import asyncio
import re

import pytest

from app.core.data import migrations, rls
from tests.releases import backups
from tests.revisions.conftest import Copy

NEXT = f"{int(migrations.head() or 0) + 1:04d}"
PROTECTED = sorted(table.name for table in rls.TABLES.values() if table.using)


@pytest.fixture
def expanded(copy: Copy) -> Copy:
    """Visits have one column more, empty."""
    copy.append("app/visits/models.py", '\nVisit.__table__.append_column(Column("mood", Text))\n')
    assert copy.tonghu("revision", "add mood").returncode == 0
    assert copy.tonghu("migrate").returncode == 0
    return copy


def test_the_one_line_is_completed_and_every_row_is_filled(expanded: Copy) -> None:
    before = expanded.files()
    done = expanded.tonghu("revision", "fill mood", "--fill", "visits")
    assert (done.returncode, done.stderr) == (0, "")
    [path] = sorted(set(expanded.files()) - set(before))
    assert path.endswith("-fill_mood.py")

    stopped = expanded.tonghu("migrate")
    assert stopped.returncode == 1
    assert "Say which rows of visits change, and how" in stopped.stderr

    file = expanded.home / path
    line = '    in_batches("visits", "column = …", where="column IS NULL")\n'
    assert file.read_text().count(line) == 1
    file.write_text(
        file.read_text().replace(
            line, '    in_batches("visits", "mood = \'calm\'", where="mood IS NULL")\n'
        )
    )
    lint = expanded.run("scripts/lint_migrations.py")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    done = expanded.tonghu("migrate")
    count = asyncio.run(backups.counts(expanded.pg, expanded.database))["visits"]
    assert (done.returncode, done.stderr) == (0, f"visits: {count} rows changed\n")
    expanded.sql("DO $$ BEGIN ASSERT (SELECT bool_and(mood = 'calm') FROM visits); END $$")


def test_a_revision_sees_every_row_of_every_protected_table(copy: Copy) -> None:
    rows = asyncio.run(backups.counts(copy.pg, copy.database))
    keys = """
        keys = sa.inspect(op.get_bind()).get_pk_constraint(table)["constrained_columns"]
        same = f'"{keys[0]}" = "{keys[0]}"'
        """
    copy.revision(
        f"""for table in {PROTECTED!r}:{keys}
        with every_row(table):
            done = op.get_bind().execute(sa.text(f"UPDATE {{table}} SET {{same}}")).rowcount
        print(table, done, in_batches(table, same, where="true"))
    """,
        imports="import sqlalchemy as sa\nfrom reach import every_row, in_batches\n",
    )
    done = copy.tonghu("migrate")
    assert done.returncode == 0, done.stderr
    told = dict(re.findall(r"^(\w+) (\d+ \d+)$", done.stdout, re.MULTILINE))
    assert told == {name: f"{rows[name]} {rows[name]}" for name in PROTECTED}
    assert all(rows[name] for name in PROTECTED)
    # The owner is bound again.
    copy.sql(
        "DO $$ BEGIN ASSERT NOT EXISTS (SELECT 1 FROM pg_class"
        " WHERE relrowsecurity AND NOT relforcerowsecurity); END $$"
    )


def test_batches_end_at_the_last_row_and_leave_out_what_is_right(copy: Copy) -> None:
    copy.sql(
        "INSERT INTO school_calendar_days (id, region_code, day, is_school_day, source)"
        " SELECT gen_random_uuid(), n, '2026-01-01', false, 'test' FROM generate_series(1, 4500) n"
    )
    copy.revision(
        "for _ in range(2):\n"
        '        print(in_batches("school_calendar_days", "is_school_day = true",'
        ' where="NOT is_school_day"))',
        imports="from reach import in_batches",
    )
    done = copy.tonghu("migrate")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["4500", "0"]
    assert len(done.stderr.splitlines()) == 6  # three batches, twice


@pytest.mark.parametrize(
    ("body", "imports", "said"),
    [
        (
            "op.execute(\"UPDATE visits SET place = 'home'\")",
            "",
            'row-level security hides from it: put the statement in `with every_row("visits"):`',
        ),
        (
            'with every_row("visits"):\n        op.execute("DELETE FROM visits USING children")',
            "from reach import every_row",
            'rows of "children" that row-level security hides from it',
        ),
        (
            'in_batches("visits", "mood = \'calm\'", where="true")',
            "from reach import in_batches",
            'The migration stopped: column "mood" of relation "visits" does not exist.',
        ),
    ],
    ids=["unopened", "another table unopened", "no such column"],
)
def test_a_slip_stops_the_migration_in_a_sentence_and_changes_nothing(
    copy: Copy, body: str, imports: str, said: str
) -> None:
    before = backups.dumped(copy.pg, copy.database)
    copy.revision(body, imports=imports)
    done = copy.tonghu("migrate")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert backups.dumped(copy.pg, copy.database) == before


def test_a_revision_that_imports_the_app_is_refused(copy: Copy) -> None:
    path = copy.revision("pass", imports="from app.visits import models")
    done = copy.run("scripts/lint_migrations.py")
    assert done.returncode == 1
    assert f"alembic/versions/{path.name}:3 imports app" in done.stderr


@pytest.mark.parametrize(
    ("changed", "table", "said"),
    [
        (False, "visit", "There is no table visit; do you mean visits?"),
        (True, "visits", "The models differ from the revisions: write that one first."),
    ],
)
def test_a_wrong_beginning_is_refused_in_a_sentence(copy, changed, table, said) -> None:
    if changed:
        copy.append("app/visits/models.py", '\nVisit.__table__.append_column(Column("m", Text))\n')
    before = copy.files()
    done = copy.tonghu("revision", "fill mood", "--fill", table)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert copy.files() == before
