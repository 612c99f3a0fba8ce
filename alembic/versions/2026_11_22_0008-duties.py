"""duties

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0008
Revises: 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "duty_evidence",
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint(
            "rule", "evidence_id", "home_county", name=op.f("pk_duty_evidence")
        ),
    )
    op.create_index(
        "ix_duty_evidence_match_id", "duty_evidence", ["match_id", "rule"], unique=False
    )
    op.create_table(
        "duties",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("bearer_role", sa.String(), nullable=False),
        sa.Column("bearer_agency_id", sa.Uuid(), nullable=True),
        sa.Column("priority", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "priority_flags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("told_to", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("counts_from", sa.Date(), nullable=False),
        sa.Column("counts_until", sa.Date(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discharged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discharged_by", sa.Uuid(), nullable=True),
        sa.Column("discharged_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'discharged') = (discharged_at IS NOT NULL)",
            name=op.f("ck_duties_discharged"),
        ),
        sa.CheckConstraint(
            "state <> 'overdue' OR overdue_at IS NOT NULL", name=op.f("ck_duties_overdue")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'overdue', 'discharged', 'cancelled')", name=op.f("ck_duties_state")
        ),
        sa.ForeignKeyConstraint(
            ["bearer_agency_id"], ["agencies.id"], name=op.f("fk_duties_bearer_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_duties_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duties")),
    )
    op.create_index(
        "ix_duties_bearer_agency_id_due_at",
        "duties",
        ["bearer_agency_id", "due_at", "id"],
        unique=False,
    )
    op.create_index("ix_duties_child_id", "duties", ["child_id"], unique=False)
    op.create_index(
        "ix_duties_open_due_at",
        "duties",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_duties_region_code_due_at", "duties", ["region_code", "due_at", "id"], unique=False
    )
    op.create_index("ix_duties_subject_id", "duties", ["subject_id"], unique=False)
    op.create_index(
        "uq_duties_owed", "duties", ["home_county", "rule", "period", "subject_id"], unique=True
    )
    op.execute("REVOKE ALL ON duties FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON duties TO tonghu_app")
    op.execute("ALTER TABLE duties ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE duties FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON duties USING ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR bearer_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL AND region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND (told_to IS NULL OR (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) = ANY (told_to)))) WITH CHECK ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )
    op.execute("REVOKE ALL ON duty_evidence FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON duty_evidence TO tonghu_app")
    op.execute("ALTER TABLE duty_evidence ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE duty_evidence FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON duty_evidence USING ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system') WITH CHECK ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute("DROP POLICY IF EXISTS remit ON duty_evidence")
    op.drop_index("uq_duties_owed", table_name="duties")
    op.drop_index("ix_duties_subject_id", table_name="duties")
    op.drop_index("ix_duties_region_code_due_at", table_name="duties")
    op.drop_index(
        "ix_duties_open_due_at", table_name="duties", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_index("ix_duties_child_id", table_name="duties")
    op.drop_index("ix_duties_bearer_agency_id_due_at", table_name="duties")
    op.drop_table("duties")
    op.drop_index("ix_duty_evidence_match_id", table_name="duty_evidence")
    op.drop_table("duty_evidence")
