"""the month before is made too

After a sleep of months there was room for this month and those to come: what was begun in the last
minutes of the month before had none.

Revision: 0188
Revises: 0186
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0188"
down_revision: str | Sequence[str] | None = "0186"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MAKE = r"""
CREATE OR REPLACE FUNCTION make_months() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE parent name; upto text; month timestamp; begins uuid; ends uuid; part text; made int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tonghu months'));
    FOR parent IN
        SELECT c.relname FROM pg_class c JOIN pg_partitioned_table t ON t.partrelid = c.oid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = t.partattrs[0]
        WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
          AND t.partstrat = 'r' AND a.atttypid = 'uuid'::regtype ORDER BY 1
    LOOP
        SELECT coalesce(max(substring(pg_get_expr(p.relpartbound, p.oid)
            FROM 'TO \(''([0-9a-f-]+)''') COLLATE "C"), '') INTO upto
        FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
        WHERE i.inhparent = format('public.%I', parent)::regclass;
        FOR ahead IN {first}..3 LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
            begins := (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0')
                || repeat('0', 20))::uuid;
            ends := (lpad(to_hex((extract(epoch FROM month + interval '1 month') * 1000)::bigint), 12, '0')
                || repeat('0', 20))::uuid;
            CONTINUE WHEN ends::text COLLATE "C" <= upto;
            part := parent || to_char(month, '_YYYY_MM');
            EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL'
                ' EXCLUDING IDENTITY)', part, parent);
            EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES'
                ' FROM (%L) TO (%L)', parent, part, begins, ends);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$
"""


def upgrade() -> None:
    op.execute(_MAKE.format(first=-1))


def downgrade() -> None:
    op.execute(_MAKE.format(first=0))
