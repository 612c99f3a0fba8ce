"""Revisions that touch rows, written by hand: every row is seen, or it says what to do."""

import asyncio
import re

import pytest

from app.core.data import rls
from scripts import lint_migrations
from tests.releases import backups
from tests.revisions.conftest import Copy

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

SINCE_THE_RELEASE = """
INSERT INTO child_stays (id, home_county, child_id, region_code, lived_in, since, until)
SELECT gen_random_uuid(), home_county, id, region_code, region_code, now(), now() FROM children;
INSERT INTO dropout_alert_steps (id, home_county, child_id, region_code, alert_id, school_id, kind,
    taken_by, taken_at)
SELECT gen_random_uuid(), home_county, child_id, region_code, id, school_id, 'doubted', '-', now()
FROM dropout_alerts;
INSERT INTO presence_doubts (id, home_county, child_id, region_code, school_id, school_day,
    seen_by_id, opened_at)
SELECT gen_random_uuid(), home_county, child_id, region_code, school_id, '2026-11-20', school_id,
    now()
FROM dropout_alerts;
INSERT INTO presence_sightings (id, home_county, child_id, region_code, source_id, seen_by_id,
    since, recorded_at)
SELECT gen_random_uuid(), home_county, child_id, region_code, id, school_id, '2026-11-20', now()
FROM dropout_alerts;
INSERT INTO attendance_rolls (id, agency_id, batch_id, source, event_id, content_sha256, class_name,
    class_key, school_day, session, happened_at, pupils, spoke_for, received_at)
VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '-', '-', '-', '-', '-',
    '2026-11-20', 'whole_day', now(), 0, 0, now());
INSERT INTO child_aliases (alias, agency_id, home_county, child_id, region_code, agreed, made_at)
SELECT gen_random_uuid(), gen_random_uuid(), home_county, id, region_code, false, now()
FROM children;
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)
VALUES (gen_random_uuid(), '{}', 0);
WITH asked AS (
    INSERT INTO unresolved (id, kind, reason, region_code, owner_role, state, due_at, received_at,
        updated_at, version)
    VALUES (gen_random_uuid(), 'visit', 'child_unknown', 1, '-', 'open', now(), now(), now(), 1)
    RETURNING id
)
INSERT INTO unresolved_evidence (id, unresolved_id, agency_id, region_code, kind, sender_ref,
    content_mac, sent_sealed, happened_on, waiting, received_at)
SELECT gen_random_uuid(), id, gen_random_uuid(), 1, 'visit', '-', '-', '-', '2026-11-20', true,
    now()
FROM asked
"""
"""Rows of the tables that the kept release did not have."""


def test_a_revision_sees_every_row_of_every_protected_table(copy: Copy) -> None:
    copy.sql(
        "INSERT INTO school_calendar_days (id, region_code, day, is_school_day, source)"
        " SELECT gen_random_uuid(), n, '2026-01-01', false, 'test' FROM generate_series(1, 4500) n"
    )
    copy.sql(SINCE_THE_RELEASE)
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
    assert all(rows[name] for name in PROTECTED)
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
