"""people are invited and have a second factor

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0195
Revises: 0194
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0195"
down_revision: str | Sequence[str] | None = "0194"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sign_in_places",
        sa.Column("name_index", sa.LargeBinary(), nullable=False),
        sa.Column("network_index", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name_index", "network_index", name=op.f("pk_sign_in_places")),
    )
    op.create_index(
        "ix_sign_in_places_network_failed",
        "sign_in_places",
        ["network_index", "failed_at"],
        unique=False,
    )
    op.create_index(op.f("ix_sign_in_places_seen_at"), "sign_in_places", ["seen_at"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("opens", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "opens IN ('account', 'password', 'second_factor')", name=op.f("ck_invitations_opens")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_invitations_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invitations_code_hash")),
    )
    op.create_index(op.f("ix_invitations_expires_at"), "invitations", ["expires_at"], unique=False)
    op.add_column(
        "sign_ins",
        sa.Column("factors", postgresql.ARRAY(sa.Text()), server_default="{pwd}", nullable=False),
    )
    op.add_column(
        "staff_accounts", sa.Column("generation", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("staff_accounts", sa.Column("totp_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("staff_accounts", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column(
        "staff_accounts",
        sa.Column(
            "recovery", postgresql.ARRAY(sa.LargeBinary()), server_default="{}", nullable=False
        ),
    )
    op.add_column(
        "staff_accounts",
        sa.Column("factor_failures", sa.Integer(), server_default="0", nullable=False),
    )
    op.add_column(
        "staff_accounts", sa.Column("factor_rests_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.execute("REVOKE ALL ON invitations FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON invitations TO tonghu_app")
    op.execute("ALTER TABLE invitations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE invitations FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON invitations USING (NULLIF(current_setting('tonghu.caller', true), '')::text IN ('system', 'sign-in')) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text IN ('system', 'sign-in'))"
    )
    op.execute("REVOKE ALL ON sign_in_places FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON sign_in_places TO tonghu_app")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON invitations")
    op.drop_column("staff_accounts", "factor_rests_until", if_exists=True)
    op.drop_column("staff_accounts", "factor_failures", if_exists=True)
    op.drop_column("staff_accounts", "recovery", if_exists=True)
    op.drop_column("staff_accounts", "totp_step", if_exists=True)
    op.drop_column("staff_accounts", "totp_sealed", if_exists=True)
    op.drop_column("staff_accounts", "generation", if_exists=True)
    op.drop_column("sign_ins", "factors", if_exists=True)
    op.drop_index(op.f("ix_invitations_expires_at"), table_name="invitations", if_exists=True)
    op.drop_table("invitations", if_exists=True)
    op.drop_index(op.f("ix_sign_in_places_seen_at"), table_name="sign_in_places", if_exists=True)
    op.drop_index("ix_sign_in_places_network_failed", table_name="sign_in_places", if_exists=True)
    op.drop_table("sign_in_places", if_exists=True)
