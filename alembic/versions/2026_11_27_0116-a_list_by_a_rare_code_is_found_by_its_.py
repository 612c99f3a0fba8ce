"""a list by a rare code is found by its index

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0116
Revises: 0115
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0116"
down_revision: str | Sequence[str] | None = "0115"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_difficulty_family")
        op.create_index(
            "ix_children_categories_difficulty_family",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.family' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_difficulty_guardianship"
        )
        op.create_index(
            "ix_children_categories_difficulty_guardianship",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.guardianship' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_difficulty_self")
        op.create_index(
            "ix_children_categories_difficulty_self",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.self' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_difficulty_temporary")
        op.create_index(
            "ix_children_categories_difficulty_temporary",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.temporary' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_left_behind")
        op.create_index(
            "ix_children_categories_left_behind",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'left_behind' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_orphan")
        op.create_index(
            "ix_children_categories_orphan",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'orphan' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_categories_unattended")
        op.create_index(
            "ix_children_categories_unattended",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'unattended' = ANY (categories)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_disabled")
        op.create_index(
            "ix_children_priority_flags_disabled",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'disabled' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_ill")
        op.create_index(
            "ix_children_priority_flags_ill",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'ill' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_no_guardian")
        op.create_index(
            "ix_children_priority_flags_no_guardian",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'no_guardian' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_no_hukou")
        op.create_index(
            "ix_children_priority_flags_no_hukou",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'no_hukou' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_one_away_other_incapable"
        )
        op.create_index(
            "ix_children_priority_flags_one_away_other_incapable",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'one_away_other_incapable' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_orphan")
        op.create_index(
            "ix_children_priority_flags_orphan",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'orphan' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_out_of_school")
        op.create_index(
            "ix_children_priority_flags_out_of_school",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'out_of_school' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_priority_flags_poor_guardianship")
        op.create_index(
            "ix_children_priority_flags_poor_guardianship",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'poor_guardianship' = ANY (priority_flags)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_difficulty_family")
        op.create_index(
            "ix_children_undecided_difficulty_family",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.family' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_difficulty_guardianship"
        )
        op.create_index(
            "ix_children_undecided_difficulty_guardianship",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.guardianship' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_difficulty_self")
        op.create_index(
            "ix_children_undecided_difficulty_self",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.self' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_difficulty_temporary")
        op.create_index(
            "ix_children_undecided_difficulty_temporary",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'difficulty.temporary' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_disabled")
        op.create_index(
            "ix_children_undecided_disabled",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'disabled' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_ill")
        op.create_index(
            "ix_children_undecided_ill",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'ill' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_left_behind")
        op.create_index(
            "ix_children_undecided_left_behind",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'left_behind' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_left_behind_counted")
        op.create_index(
            "ix_children_undecided_left_behind_counted",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'left_behind.counted' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_no_guardian")
        op.create_index(
            "ix_children_undecided_no_guardian",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'no_guardian' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_no_hukou")
        op.create_index(
            "ix_children_undecided_no_hukou",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'no_hukou' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_one_away_other_incapable"
        )
        op.create_index(
            "ix_children_undecided_one_away_other_incapable",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'one_away_other_incapable' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_orphan")
        op.create_index(
            "ix_children_undecided_orphan",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'orphan' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_out_of_school")
        op.create_index(
            "ix_children_undecided_out_of_school",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'out_of_school' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_poor_guardianship")
        op.create_index(
            "ix_children_undecided_poor_guardianship",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'poor_guardianship' = ANY (undecided)"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_undecided_unattended")
        op.create_index(
            "ix_children_undecided_unattended",
            "children",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("'unattended' = ANY (undecided)"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_children_undecided_unattended",
            table_name="children",
            postgresql_where=sa.text("'unattended' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_poor_guardianship",
            table_name="children",
            postgresql_where=sa.text("'poor_guardianship' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_out_of_school",
            table_name="children",
            postgresql_where=sa.text("'out_of_school' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_orphan",
            table_name="children",
            postgresql_where=sa.text("'orphan' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_one_away_other_incapable",
            table_name="children",
            postgresql_where=sa.text("'one_away_other_incapable' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_no_hukou",
            table_name="children",
            postgresql_where=sa.text("'no_hukou' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_no_guardian",
            table_name="children",
            postgresql_where=sa.text("'no_guardian' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_left_behind_counted",
            table_name="children",
            postgresql_where=sa.text("'left_behind.counted' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_left_behind",
            table_name="children",
            postgresql_where=sa.text("'left_behind' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_ill",
            table_name="children",
            postgresql_where=sa.text("'ill' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_disabled",
            table_name="children",
            postgresql_where=sa.text("'disabled' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_difficulty_temporary",
            table_name="children",
            postgresql_where=sa.text("'difficulty.temporary' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_difficulty_self",
            table_name="children",
            postgresql_where=sa.text("'difficulty.self' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_difficulty_guardianship",
            table_name="children",
            postgresql_where=sa.text("'difficulty.guardianship' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_undecided_difficulty_family",
            table_name="children",
            postgresql_where=sa.text("'difficulty.family' = ANY (undecided)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_poor_guardianship",
            table_name="children",
            postgresql_where=sa.text("'poor_guardianship' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_out_of_school",
            table_name="children",
            postgresql_where=sa.text("'out_of_school' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_orphan",
            table_name="children",
            postgresql_where=sa.text("'orphan' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_one_away_other_incapable",
            table_name="children",
            postgresql_where=sa.text("'one_away_other_incapable' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_no_hukou",
            table_name="children",
            postgresql_where=sa.text("'no_hukou' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_no_guardian",
            table_name="children",
            postgresql_where=sa.text("'no_guardian' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_ill",
            table_name="children",
            postgresql_where=sa.text("'ill' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_priority_flags_disabled",
            table_name="children",
            postgresql_where=sa.text("'disabled' = ANY (priority_flags)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_unattended",
            table_name="children",
            postgresql_where=sa.text("'unattended' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_orphan",
            table_name="children",
            postgresql_where=sa.text("'orphan' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_left_behind",
            table_name="children",
            postgresql_where=sa.text("'left_behind' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_difficulty_temporary",
            table_name="children",
            postgresql_where=sa.text("'difficulty.temporary' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_difficulty_self",
            table_name="children",
            postgresql_where=sa.text("'difficulty.self' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_difficulty_guardianship",
            table_name="children",
            postgresql_where=sa.text("'difficulty.guardianship' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_categories_difficulty_family",
            table_name="children",
            postgresql_where=sa.text("'difficulty.family' = ANY (categories)"),
            postgresql_concurrently=True,
            if_exists=True,
        )
