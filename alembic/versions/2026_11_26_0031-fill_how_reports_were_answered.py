"""fill how reports were answered

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0031
Revises: 0030
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0031"
down_revision: str | Sequence[str] | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


ANSWERS = """(VALUES
    ('living_alone', '{living_alone,parents_unreachable}'::text[]),
    ('guardian_failure', '{guardian_failure,parents_unreachable}'),
    ('abandoned', '{guardian_failure,parents_unreachable}'),
    ('missing', '{missing}'), ('unknown_origin_or_abducted', '{missing,other_harm}'),
    ('domestic_violence', '{domestic_violence}'), ('organised_begging', '{other_harm}')
) AS known (situation, kinds)"""
"""Situations and what answers them. All others are harm whose author is open."""

STEPS = "police_report_steps s WHERE s.report_id = police_reports.id AND s.step"
KINDS = f"ARRAY(SELECT DISTINCT s.codes ->> 'kind' FROM {STEPS} = 'disposed' ORDER BY 1)"
CLOSURES = f"{STEPS} = 'closed' ORDER BY s.recorded_at DESC, s.id DESC LIMIT 1"

CHANGE = f"""
disposed_as = {KINDS},
handled_at = (
    SELECT max(s.recorded_at) FROM {STEPS} = 'disposed' AND NOT EXISTS (
        SELECT 1 FROM unnest(situations) AS said LEFT JOIN {ANSWERS} ON known.situation = said
        WHERE NOT coalesce(known.kinds, '{{other_harm,domestic_violence}}') && {KINDS}
    )
),
assessed_at = (SELECT max(s.at) FROM {STEPS} = 'assessed'),
closed_at = (SELECT s.at FROM {CLOSURES}),
outcome = (SELECT s.codes ->> 'reason' FROM {CLOSURES})
"""

NEEDED = f"""
(disposed_as = '{{}}' AND EXISTS (SELECT 1 FROM {STEPS} = 'disposed'))
OR (assessed_at IS NULL AND EXISTS (SELECT 1 FROM {STEPS} = 'assessed'))
OR (state = 'closed' AND closed_at IS NULL AND EXISTS (SELECT 1 FROM {STEPS} = 'closed'))
"""


def upgrade() -> None:
    in_batches("police_reports", CHANGE, where=NEEDED, reads=("police_report_steps",))


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
