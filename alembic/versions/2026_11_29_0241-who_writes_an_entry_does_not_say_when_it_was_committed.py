"""who writes an entry does not say when it was committed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0241
Revises: 0237
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0241"
down_revision: str | Sequence[str] | None = "0237"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SAID = (
    "id, at, actor, client_id, agency_id, role, region_code, purpose, operation, child_ids,"
    " subject_id, beside_ids, field_groups, sought, since, decision, rule, request_id, ip"
)


def upgrade() -> None:
    op.execute("REVOKE INSERT ON audit_entries FROM tonghu_app")
    op.execute(f"GRANT INSERT ({_SAID}) ON audit_entries TO tonghu_app")


def downgrade() -> None:
    op.execute("GRANT INSERT ON audit_entries TO tonghu_app")
