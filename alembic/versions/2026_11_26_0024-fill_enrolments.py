"""fill enrolments

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0024
Revises: 0023
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import ROWS_A_BATCH, every_row

revision: str = "0024"
down_revision: str | Sequence[str] | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Of each set of files, held where they are, those that are enrolled and have no enrolment yet.
FILL = f"""
WITH next AS MATERIALIZED (
    SELECT home_county, id, region_code, school_id, education, created_at FROM children
    WHERE (home_county, id) > (:county, CAST(:id AS uuid))
    ORDER BY home_county, id LIMIT {ROWS_A_BATCH} FOR SHARE
), filled AS (
    INSERT INTO child_enrolments (id, home_county, child_id, region_code, pupil_of, school_id,
        class_name, boarding, since, stated_by, recorded_at)
    SELECT gen_random_uuid(), home_county, id, region_code, school_id, school_id, NULL,
        (education ->> 'boarding')::boolean,
        coalesce((education ->> 'since')::date, (created_at AT TIME ZONE 'Asia/Shanghai')::date),
        'system', now()
    FROM next n
    WHERE school_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM child_enrolments e
        WHERE e.home_county = n.home_county AND e.child_id = n.id AND e.until IS NULL)
    ON CONFLICT DO NOTHING
)
SELECT home_county, id FROM next ORDER BY home_county DESC, id DESC LIMIT 1
"""


def upgrade() -> None:
    if op.get_context().as_sql:
        return  # Rows are gone through on a connection only.
    with op.get_context().autocommit_block(), every_row("children", "child_enrolments"):
        connection = op.get_bind()
        last = (0, "00000000-0000-0000-0000-000000000000")
        while last is not None:
            at = {"county": last[0], "id": str(last[1])}
            last = connection.execute(sa.text(FILL), at).first()


def downgrade() -> None:
    pass  # The rows keep what they got; the table goes with its own revision.
