"""kinds of agency that must report

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0034
Revises: 0033
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0034"
down_revision: str | Sequence[str] | None = "0033"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "police_reports", sa.Column("bound_as", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("ALTER TABLE agencies DROP CONSTRAINT IF EXISTS ck_agencies_kind")
    op.execute(
        "ALTER TABLE agencies ADD CONSTRAINT ck_agencies_kind CHECK (kind IN ('village_committee', 'township_government', 'civil_affairs', 'school', 'education', 'police', 'hospital', 'welfare_institution', 'rescue_institution', 'social_work', 'disabled_persons_federation', 'mass_organisation', 'trade_union', 'youth_league', 'womens_federation', 'next_generation_committee', 'kindergarten', 'childcare_institution', 'training_institution', 'activity_centre', 'after_school_care', 'school_bus_provider', 'domestic_service', 'hotel', 'state_organ', 'court', 'procuratorate', 'supervision', 'operator')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE agencies VALIDATE CONSTRAINT ck_agencies_kind")


def downgrade() -> None:
    op.drop_column("police_reports", "bound_as", if_exists=True)
    op.execute("ALTER TABLE agencies DROP CONSTRAINT IF EXISTS ck_agencies_kind")
    op.execute(
        "ALTER TABLE agencies ADD CONSTRAINT ck_agencies_kind CHECK (kind::text = ANY (ARRAY['village_committee'::character varying, 'township_government'::character varying, 'civil_affairs'::character varying, 'school'::character varying, 'education'::character varying, 'police'::character varying, 'hospital'::character varying, 'welfare_institution'::character varying, 'rescue_institution'::character varying, 'social_work'::character varying, 'disabled_persons_federation'::character varying, 'mass_organisation'::character varying, 'court'::character varying, 'procuratorate'::character varying, 'supervision'::character varying, 'operator'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE agencies VALIDATE CONSTRAINT ck_agencies_kind")
