"""phones are enrolled

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0196
Revises: 0195
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0196"
down_revision: str | Sequence[str] | None = "0195"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "device_codes",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_device_codes_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_device_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_device_codes_code_hash")),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_device_codes_expires_at"),
        "device_codes",
        ["expires_at"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("thumbprint", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_devices_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("thumbprint", name=op.f("uq_devices_thumbprint")),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_devices_staff_id"), "devices", ["staff_id"], unique=False, if_not_exists=True
    )
    op.add_column("sign_ins", sa.Column("device_id", sa.Uuid(), nullable=True), if_not_exists=True)
    op.add_column(
        "sign_ins",
        sa.Column("asks_device", sa.Boolean(), server_default="false", nullable=False),
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON device_codes FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON device_codes TO tonghu_app")
    op.execute("REVOKE ALL ON devices FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON devices TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE sign_ins DROP CONSTRAINT IF EXISTS fk_sign_ins_device_id_devices")
        op.create_foreign_key(
            op.f("fk_sign_ins_device_id_devices"),
            "sign_ins",
            "devices",
            ["device_id"],
            ["id"],
            postgresql_not_valid=True,
        )
        op.execute("ALTER TABLE sign_ins VALIDATE CONSTRAINT fk_sign_ins_device_id_devices")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_sign_ins_device_id_devices"), "sign_ins", type_="foreignkey")
    op.drop_column("sign_ins", "asks_device")
    op.drop_column("sign_ins", "device_id")
    op.drop_index(op.f("ix_devices_staff_id"), table_name="devices")
    op.drop_table("devices")
    op.drop_index(op.f("ix_device_codes_expires_at"), table_name="device_codes")
    op.drop_table("device_codes")
