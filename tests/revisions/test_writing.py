"""The README's sentences on changed tables and rows, followed in a copy from end to end."""

import asyncio
import re

import pytest
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from app.core.data import migrations, revisions, rls, versions
from scripts import lint_migrations
from tests.releases import backups
from tests.revisions.conftest import Copy

pytestmark = pytest.mark.xdist_group("schema")

NEXT = int(versions.head()) + 1

CHANGED = '''

from sqlmodel import SQLModel

from app.core.data import distribution, rls


class Mood(SQLModel, table=True):
    """How a child seems to be."""

    __tablename__ = "moods"

    code: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant, index=True)
    words: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


distribution.everywhere("moods")
rls.protect("moods", using=f"{rls.CALLER} = 'system'", privileges="SELECT, INSERT")

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint

_visits = Visit.__table__
_visits.append_column(Column("mood", String, ForeignKey("moods.code")))
_visits.append_column(Column("weather", String))
_visits.append_column(Column("light", String, nullable=False, server_default="day"))
_visits.append_constraint(CheckConstraint("weather <> 'snow'", name="weather"))
_visits.append_constraint(UniqueConstraint(_visits.c.id, _visits.c.version))
Index("ix_visits_mood", _visits.c.mood, postgresql_where=text("mood IS NOT NULL"))
_old = rls.TABLES["visits"]
rls.protect(
    "visits", using=f"({_old.using}) OR agency_id = {rls.AGENCY}", privileges="SELECT, INSERT"
)
rls.allow("regions", "SELECT, UPDATE (name, source)")
'''

UNFINISHED = '    in_batches("visits", "column = …", where="column IS NULL")\n'
FINISHED = '    in_batches("visits", "weather = \'fair\'", where="weather IS NULL")\n'


@pytest.mark.long  # of what is written here, test_filling migrates in every run
def test_a_changed_table_goes_up_and_back(copy: Copy) -> None:
    before, schema = copy.files(), _schema(copy)
    rows = asyncio.run(backups.counts(copy.pg, copy.database))
    copy.append("app/visits/models.py", CHANGED)
    assert copy.tonghu("revision", "add moods")[::2] == (0, "")
    path = _only_new(copy, before, f"{NEXT:04d}-add_moods")
    assert not re.search(r"^(from|import) app\b", (copy.home / path).read_text(), re.MULTILINE)
    assert copy.tonghu("migrate").code == 0
    assert copy.tonghu("downgrade", f"{NEXT - 1:04d}").code == 0
    assert _schema(copy) == schema
    assert asyncio.run(backups.counts(copy.pg, copy.database)) == rows
    assert copy.tonghu("migrate").code == 0


@pytest.mark.long
def test_rows_are_filled_after_their_table_has_changed(copy: Copy, monkeypatch) -> None:
    rows = asyncio.run(backups.counts(copy.pg, copy.database))
    copy.append("app/visits/models.py", CHANGED)
    early = copy.tonghu("revision", "fill weather", "--fill", "visits")
    assert (early.code, early.out) == (1, "")
    assert "The models differ from the revisions: write that one first." in early.errors

    assert copy.tonghu("revision", "add moods").code == 0
    # That nothing is left to write is what lets the next one be about rows alone.
    between = copy.files()
    assert copy.tonghu("revision", "fill weather", "--fill", "visits")[::2] == (0, "")
    filling = copy.home / _only_new(copy, between, f"{NEXT + 1:04d}-fill_weather")

    stopped = copy.tonghu("migrate")
    assert (stopped.code, stopped.out) == (1, "")
    assert "Say which rows of visits change, and how" in stopped.errors
    text = filling.read_text()
    assert text.count(UNFINISHED) == 1
    filling.write_text(text.replace(UNFINISHED, FINISHED))

    monkeypatch.setattr(lint_migrations, "HOME", copy.home)
    monkeypatch.setenv("PYTHONPATH", str(copy.home))
    with pytest.raises(SystemExit) as lint:
        lint_migrations.main()
    assert lint.value.code == 0

    done = copy.tonghu("migrate")
    assert (done.code, done.errors) == (0, f"visits: {rows['visits']:,} rows changed\n")
    copy.sql("DO $$ BEGIN ASSERT (SELECT bool_and(weather = 'fair') FROM visits); END $$")


@pytest.mark.long
def test_an_end_that_failed_is_repeated_from_the_top(copy: Copy) -> None:
    copy.append(
        "app/children/models.py",
        """

from sqlalchemy import UniqueConstraint

Child.__table__.append_column(Column("mood", Text))
Child.__table__.append_constraint(UniqueConstraint(Child.__table__.c.sex))
""",
    )
    assert copy.tonghu("revision", "one child of each sex").code == 0
    for _ in range(2):
        stopped = copy.tonghu("migrate")
        assert (stopped.code, stopped.out) == (1, "")
        assert stopped.errors.startswith("The migration stopped: could not create unique index")
        assert "female" not in stopped.errors
    numbered = "SELECT id, row_number() OVER () AS n FROM children"
    values = "('{female,male,unknown}'::text[])[n]"
    copy.sql(f"UPDATE children c SET sex = {values} FROM ({numbered}) o WHERE o.id = c.id")
    assert copy.tonghu("migrate").code == 0


@pytest.mark.long
def test_nothing_changed_writes_nothing() -> None:
    before = set(migrations.HOME.glob("alembic/versions/*.py"))
    assert revisions.write("add nothing") is None
    assert set(migrations.HOME.glob("alembic/versions/*.py")) == before


@pytest.mark.parametrize("message", ["", "x", 'add "mood"', "add\nmood"])
def test_a_message_that_says_nothing_or_does_not_fit_is_refused(message) -> None:
    with pytest.raises(CommandError, match="Say what changes, on one line"):
        revisions.write(message)


def test_a_table_that_does_not_say_who_may_see_it_is_refused(monkeypatch) -> None:
    monkeypatch.delitem(rls.TABLES, "visits")
    with pytest.raises(CommandError, match="The table visits does not say who may see it"):
        revisions.write("add moods")


def test_a_policy_on_a_table_nobody_knows_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(rls.TABLES, "visit", rls.TABLES["visits"])
    with pytest.raises(CommandError, match="No model has the table visit that"):
        revisions.write("add moods")


def test_a_table_to_fill_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CommandError, match=r"There is no table visit; do you mean visits\?"):
        revisions.write("fill mood", fill="visit")


def _written(*found: ops.MigrateOperation) -> tuple[str, list[str]]:
    """Return what becomes of operations on visits, and what a person is told."""
    ScriptDirectory.from_config(migrations.configuration())  # lets its folder be imported from
    import differences  # noqa: PLC0415  lies beside the revisions
    import gentle  # noqa: PLC0415

    visits = {"visits": differences.Standing("visits")}
    plan = gentle.Plan(visits, visits, forward=True)
    script = ops.UpgradeOps(plan.operations([*found]))
    return render_python_code(script), plan.lost


def test_a_table_that_stands_in_one_piece_is_not_cut_into_months() -> None:
    ScriptDirectory.from_config(migrations.configuration())
    import differences  # noqa: PLC0415  lies beside the revisions

    flat, cut = differences.Standing("visits"), differences.Standing("visits", cut="RANGE (id)")
    with pytest.raises(CommandError, match="visits stands in one piece, which is not cut"):
        differences.refuse_cutting({"visits": flat}, {"visits": cut})
    differences.refuse_cutting({"visits": cut}, {"visits": cut})
    differences.refuse_cutting({}, {"visits": cut})


def test_a_required_column_without_a_default_is_refused() -> None:
    add = ops.AddColumnOp("visits", sa.Column("mood", sa.Text, nullable=False))
    with pytest.raises(CommandError, match=r"visits\.mood is required and has no server_default"):
        _written(add)


def test_what_is_dropped_is_told() -> None:
    text, told = _written(ops.DropColumnOp("visits", "place"))
    sentence = "visits.place is dropped: what it holds is lost"
    assert f"# {sentence}" in text
    assert text.index("A new name for it is two releases") < text.index("op.drop_column")
    assert [each.startswith(sentence) for each in told] == [True]


def test_what_is_unique_keeps_its_words_or_is_refused() -> None:
    words = {"postgresql_nulls_not_distinct": True}
    text, _ = _written(ops.CreateUniqueConstraintOp("uq", "visits", ["place"], **words))
    assert "CONCURRENTLY uq ON visits (place) NULLS NOT DISTINCT" in text
    later = ops.CreateUniqueConstraintOp("uq", "visits", ["place"], deferrable=True)
    with pytest.raises(CommandError, match="uq of visits by hand: it is unique with deferrable"):
        _written(later)


def _only_new(copy: Copy, before: dict[str, bytes], ending: str) -> str:
    """Return the one file more; only the model was touched besides."""
    now = copy.files()
    [path] = set(now) - set(before)
    assert re.fullmatch(rf"alembic/versions/\d{{4}}_\d\d_\d\d_{ending}\.py", path)
    assert {name for name in before if now[name] != before[name]} <= {"app/visits/models.py"}
    return path


def _schema(copy: Copy) -> str:
    return backups.dumped(copy.pg, copy.database, "--schema-only")
