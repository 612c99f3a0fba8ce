"""a month is dropped after it was replaced

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0183
Revises: 0182
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0183"
down_revision: str | Sequence[str] | None = "0182"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_REPLACE = r"""
CREATE OR REPLACE FUNCTION replace_month(month text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE parent regclass; kept text := month || '_kept'; bound text; any_stay boolean;
BEGIN
    SELECT i.inhparent INTO parent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    WHERE p.relname = month AND p.relnamespace = 'public'::regnamespace AND p.relispartition;
    IF parent IS NULL OR NOT has_table_privilege(session_user, parent, 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = format('not yours to replace: %s', month);
    END IF;
    SELECT pg_get_expr(p.relpartbound, p.oid) INTO bound FROM pg_class p
    WHERE p.oid = format('public.%I', month)::regclass;
    EXECUTE format('REVOKE ALL ON public.%I FROM %I', kept, session_user);
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', kept) INTO any_stay;
    FOR turn IN 1..50 LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent);
            EXECUTE format('ALTER TABLE %s DETACH PARTITION public.%I', parent, month);
            IF any_stay THEN
                EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I %s', parent, kept, bound);
            ELSE
                EXECUTE format('ALTER TABLE public.%I RENAME TO %I', kept, kept || '_gone');
            END IF;
            EXECUTE format('ALTER TABLE public.%I RENAME TO %I', month, month || '_gone');
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    RETURN false;
END $$
"""
_DROP = r"""
CREATE OR REPLACE FUNCTION drop_gone_months() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE part name; dropped int := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind = 'r' AND NOT c.relispartition
          AND c.relname ~ '_[0-9]{4}_[0-9]{2}(_kept)?_gone$' ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$
"""
_BEFORE = r"""
CREATE OR REPLACE FUNCTION replace_month(month text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '30ms' AS $$
DECLARE parent regclass; kept text := month || '_kept'; bound text; any_stay boolean;
BEGIN
    SELECT i.inhparent INTO parent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    WHERE p.relname = month AND p.relnamespace = 'public'::regnamespace AND p.relispartition;
    IF parent IS NULL OR NOT has_table_privilege(session_user, parent, 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = format('not yours to replace: %s', month);
    END IF;
    SELECT pg_get_expr(p.relpartbound, p.oid) INTO bound FROM pg_class p
    WHERE p.oid = format('public.%I', month)::regclass;
    EXECUTE format('REVOKE ALL ON public.%I FROM %I', kept, session_user);
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', kept) INTO any_stay;
    FOR turn IN 1..50 LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent);
            EXECUTE format('ALTER TABLE %s DETACH PARTITION public.%I', parent, month);
            IF any_stay THEN
                EXECUTE format('ALTER TABLE %s ATTACH PARTITION public.%I %s', parent, kept, bound);
            ELSE
                EXECUTE format('DROP TABLE public.%I', kept);
            END IF;
            EXECUTE format('DROP TABLE public.%I', month);
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    EXECUTE format('DROP TABLE public.%I', kept);
    RETURN false;
END $$
"""


def upgrade() -> None:
    op.execute(_REPLACE)
    op.execute(_DROP)
    op.execute("REVOKE ALL ON FUNCTION drop_gone_months() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION drop_gone_months() TO tonghu_app")


def downgrade() -> None:
    op.execute(_BEFORE)
    op.execute("DROP FUNCTION drop_gone_months")
