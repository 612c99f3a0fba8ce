"""the child's home is a party, and reports of one event

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0032
Revises: 0031
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import every_row
from sqlalchemy.dialects import postgresql

revision: str = "0032"
down_revision: str | Sequence[str] | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.drop_constraint(op.f("child"), "police_reports", type_="foreignkey", if_exists=True)
    op.add_column(
        "police_reports",
        sa.Column("child_county", sa.BigInteger(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("home_region", sa.BigInteger(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column(
            "former_homes", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False
        ),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("identified_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports", sa.Column("incident_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) WHEN home_region >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND home_region < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) WHEN NULLIF(current_setting('tonghu.lo', true), '')::bigint = ANY (former_homes) THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) WHEN home_region >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND home_region < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) WHEN NULLIF(current_setting('tonghu.lo', true), '')::bigint = ANY (former_homes) THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_police_reports_child"),
            table_name="police_reports",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_child")
        op.create_index(
            "ix_police_reports_child",
            "police_reports",
            ["child_county", "child_id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_home")
        op.create_index(
            "ix_police_reports_home",
            "police_reports",
            ["home_region", "filed_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_incident")
        op.create_index(
            "ix_police_reports_incident",
            "police_reports",
            ["incident_id"],
            unique=False,
            postgresql_where=sa.text("incident_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_moved")
        op.create_index(
            "ix_police_reports_moved",
            "police_reports",
            ["filed_at", "id"],
            unique=False,
            postgresql_where=sa.text("cardinality(former_homes) > 0"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.drop_column("police_reports", "incident_id", if_exists=True)
    op.drop_column("police_reports", "identified_at", if_exists=True)
    op.drop_column("police_reports", "former_homes", if_exists=True)
    op.drop_column("police_reports", "home_region", if_exists=True)
    op.drop_column("police_reports", "child_county", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (also_told) THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (also_told) THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE police_reports DROP CONSTRAINT IF EXISTS child")
        op.create_foreign_key(
            op.f("child"),
            "police_reports",
            "children",
            ["home_county", "child_id"],
            ["home_county", "id"],
            postgresql_not_valid=True,
        )
        with every_row("police_reports", "children"):
            op.execute("ALTER TABLE police_reports VALIDATE CONSTRAINT child")
        op.drop_index(
            "ix_police_reports_moved",
            table_name="police_reports",
            postgresql_where=sa.text("cardinality(former_homes) > 0"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_incident",
            table_name="police_reports",
            postgresql_where=sa.text("incident_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_home",
            table_name="police_reports",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_child",
            table_name="police_reports",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_child")
        op.create_index(
            op.f("ix_police_reports_child"),
            "police_reports",
            ["home_county", "child_id"],
            unique=False,
            postgresql_concurrently=True,
        )
