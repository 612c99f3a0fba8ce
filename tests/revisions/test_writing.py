"""The README's sentence on a changed schema, followed in a copy: what is written, what is not."""

import asyncio
import re

import pytest

from app.core.data import migrations
from tests.releases import backups
from tests.revisions.conftest import Copy

NEXT = f"{int(migrations.head() or 0) + 1:04d}"

CHANGED = '''

class Mood(SQLModel, table=True):
    """How a child seems to be."""

    __tablename__ = "moods"

    code: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant, index=True)
    words: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


rls.protect("moods", using=f"{rls.CALLER} = 'system'", privileges="SELECT, INSERT")

from dataclasses import replace

from sqlalchemy import ForeignKey, String, UniqueConstraint

_visits = Visit.__table__
_visits.append_column(Column("mood", String, ForeignKey("moods.code")))
_visits.append_column(Column("weather", String, nullable=False, server_default="fair"))
_visits.append_constraint(CheckConstraint("weather <> 'snow'", name="weather"))
_visits.append_constraint(UniqueConstraint(_visits.c.id, _visits.c.version))
_visits.append_constraint(UniqueConstraint(_visits.c.id, _visits.c.home_county))
Index("ix_visits_mood", _visits.c.mood, postgresql_where=text("mood IS NOT NULL"))
_visits.c.guardian_present.nullable = True
_old = rls.TABLES["visits"]
rls.protect(
    "visits", using=f"({_old.using}) OR agency_id = {rls.AGENCY}", privileges="SELECT, INSERT"
)
rls.allow("regions", "SELECT, UPDATE (name, source)")
'''


def test_a_changed_schema_is_one_file_that_goes_up_and_back(copy: Copy) -> None:
    before, schema = copy.files(), _schema(copy)
    copy.append("app/visits/models.py", CHANGED)
    done = copy.tonghu("revision", "add moods")
    assert (done.returncode, done.stderr) == (0, "")
    [path] = sorted(set(copy.files()) - set(before))
    assert re.fullmatch(rf"alembic/versions/\d{{4}}_\d\d_\d\d_{NEXT}-add_moods\.py", path)
    assert {name for name, text in before.items() if copy.files()[name] != text} == {
        "app/visits/models.py"
    }
    assert "import app" not in (written := (copy.home / path).read_text())
    assert "from app" not in written

    lint = copy.run("scripts/lint_migrations.py")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    rows = asyncio.run(backups.counts(copy.pg, copy.database))
    assert copy.tonghu("migrate").returncode == 0
    assert (
        done := copy.tonghu("revision", "again")
    ).stdout == "Nothing changed; no file written.\n"
    assert len(copy.files()) == len(before) + 1

    back = copy.downgrade("-1")
    assert back.returncode == 0, back.stderr
    assert _schema(copy) == schema
    assert asyncio.run(backups.counts(copy.pg, copy.database)) == rows
    assert copy.tonghu("migrate").returncode == 0


def test_a_failed_end_can_be_repeated_from_the_top(copy: Copy) -> None:
    copy.append(
        "app/children/models.py",
        """

from sqlalchemy import UniqueConstraint

Child.__table__.append_column(Column("mood", Text))
Child.__table__.append_constraint(UniqueConstraint(Child.__table__.c.sex))
""",
    )
    assert copy.tonghu("revision", "one child of each sex").returncode == 0
    for _ in range(2):
        stopped = copy.tonghu("migrate")
        assert (stopped.returncode, stopped.stdout) == (1, "")
        assert stopped.stderr.startswith("The migration stopped: could not create unique index")
        assert "female" not in stopped.stderr
    numbered = "SELECT id, row_number() OVER () AS n FROM children"
    values = "('{female,male,unknown}'::text[])[n]"
    copy.sql(f"UPDATE children c SET sex = {values} FROM ({numbered}) o WHERE o.id = c.id")
    assert copy.tonghu("migrate").returncode == 0
    assert copy.tonghu("revision", "again").stdout == "Nothing changed; no file written.\n"


@pytest.mark.parametrize(
    ("message", "change", "said"),
    [
        ("", "", "Say what changes"),
        ('add "mood"', "", "without quotes"),
        (
            "add moods",
            "class Moods(SQLModel, table=True):\n    code: str = Field(primary_key=True)\n",
            "The table moods does not say who may see it: call rls.protect",
        ),
        (
            "forget a table",
            'rls.allow("visit", "SELECT")\n',
            "There is no model of visit, but rls.TABLES names it.",
        ),
        (
            "add mood",
            'Visit.__table__.append_column(Column("mood", Text, nullable=False))\n',
            "visits.mood is required and has no server_default",
        ),
    ],
)
def test_what_nobody_can_guess_is_refused_in_a_sentence(copy, message, change, said) -> None:
    copy.append("app/visits/models.py", f"\n{change}")
    before = copy.files()
    done = copy.tonghu("revision", message)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert copy.files() == before


def _schema(copy: Copy) -> str:
    return backups.dumped(copy.pg, copy.database, "--schema-only")
