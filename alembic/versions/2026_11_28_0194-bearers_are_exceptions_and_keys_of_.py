"""bearers are exceptions and keys of clients end

Revision: 0194
Revises: 0193
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0194"
down_revision: str | Sequence[str] | None = "0193"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "bearer_exceptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_bearer_exceptions_client_id_clients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bearer_exceptions")),
    )
    op.create_index(
        "ix_bearer_exceptions_open",
        "bearer_exceptions",
        ["client_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("clients", sa.Column("keys_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("clients", sa.Column("jwks_uri", sa.String(), nullable=True))
    op.add_column("clients", sa.Column("keys_read_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("clients", sa.Column("keys_noticed", sa.DateTime(timezone=True), nullable=True))
    op.execute("REVOKE ALL ON bearer_exceptions FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON bearer_exceptions TO tonghu_app")


def downgrade() -> None:
    op.drop_column("clients", "keys_noticed")
    op.drop_column("clients", "keys_read_at")
    op.drop_column("clients", "jwks_uri")
    op.drop_column("clients", "keys_until")
    op.drop_index(
        "ix_bearer_exceptions_open",
        table_name="bearer_exceptions",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("bearer_exceptions")
