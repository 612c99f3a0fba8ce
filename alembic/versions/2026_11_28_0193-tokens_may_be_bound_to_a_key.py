"""tokens may be bound to a key

Revision: 0193
Revises: 0192
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0193"
down_revision: str | Sequence[str] | None = "0192"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "used_proofs",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_used_proofs")),
    )
    op.create_index(op.f("ix_used_proofs_expires_at"), "used_proofs", ["expires_at"], unique=False)
    op.create_table(
        "pushed_requests",
        sa.Column("reference_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("asked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_pushed_requests_client_id_clients")
        ),
        sa.PrimaryKeyConstraint("reference_hash", name=op.f("pk_pushed_requests")),
    )
    op.create_index(
        op.f("ix_pushed_requests_expires_at"), "pushed_requests", ["expires_at"], unique=False
    )
    op.add_column("authorization_codes", sa.Column("key_thumbprint", sa.String(), nullable=True))
    op.add_column(
        "clients",
        sa.Column(
            "dpop_bound_access_tokens",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
    )
    op.add_column(
        "clients",
        sa.Column(
            "require_pushed_authorization_requests",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
    )
    op.add_column("refresh_tokens", sa.Column("key_thumbprint", sa.String(), nullable=True))
    op.execute("REVOKE ALL ON pushed_requests FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON pushed_requests TO tonghu_app")
    op.execute("REVOKE ALL ON used_proofs FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON used_proofs TO tonghu_app")


def downgrade() -> None:
    op.drop_column("refresh_tokens", "key_thumbprint")
    op.drop_column("clients", "require_pushed_authorization_requests")
    op.drop_column("clients", "dpop_bound_access_tokens")
    op.drop_column("authorization_codes", "key_thumbprint")
    op.drop_index(op.f("ix_pushed_requests_expires_at"), table_name="pushed_requests")
    op.drop_table("pushed_requests")
    op.drop_index(op.f("ix_used_proofs_expires_at"), table_name="used_proofs")
    op.drop_table("used_proofs")
