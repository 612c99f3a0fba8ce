"""each month lies in a partition of its own

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

What is there stays where it is, and becomes the first partition: up to the month after the next, so
that nobody writes beyond it while this goes on. That it holds nothing beyond is checked while the
app goes on; what is left for the lock are names.

Revision: 0182
Revises: 0131
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from reach import in_batches


revision: str = "0182"
down_revision: str | Sequence[str] | None = "0181"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Table, the column it is cut by, and its indexes with what follows the table's name.
TABLES = (
    (
        "audit_entries",
        "id",
        {
            "ix_audit_entries_agency_id_at": "(agency_id, at)",
            "ix_audit_entries_at_id": "(at, id)",
            "ix_audit_entries_region_code_at": "(region_code, at)",
        },
    ),
    (
        "audit_children",
        "entry_id",
        {
            "ix_audit_children_child_ids": (
                "USING gin (child_ids) WITH (gin_pending_list_limit = '256')"
            )
        },
    ),
    (
        "webhook_attempts",
        "id",
        {"ix_webhook_attempts_delivery_id_number": "(delivery_id, number)"},
    ),
)
_REMIT = {
    "audit_entries": """USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid AND decision = 'denied' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = ANY (audit_entries.subject_id || audit_entries.beside_ids) AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (true)""",
    "webhook_attempts": """USING (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system') WITH CHECK (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')""",
}
_PRIVILEGES = {
    "audit_entries": "INSERT, SELECT",
    "audit_children": "INSERT, SELECT",
    "webhook_attempts": "DELETE, INSERT, SELECT",
}
FUNCTIONS = {
    "make_months()": r"""
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
        FOR ahead IN 0..3 LOOP
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
""",
    "begin_replacing_month(text)": r"""
CREATE OR REPLACE FUNCTION begin_replacing_month(month text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE parent regclass; kept text := month || '_kept';
BEGIN
    SELECT i.inhparent INTO parent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    WHERE p.relname = month AND p.relnamespace = 'public'::regnamespace AND p.relispartition;
    IF parent IS NULL OR NOT has_table_privilege(session_user, parent, 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = format('not yours to replace: %s', month);
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', kept);
    EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY,'
        ' CONSTRAINT within CHECK (%s))', kept, parent,
        pg_get_partition_constraintdef(format('public.%I', month)::regclass));
    EXECUTE format('GRANT INSERT ON public.%I TO %I', kept, session_user);
END $$
""",
    "replace_month(text)": r"""
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
""",
}


def _month_after_the_next() -> datetime:
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 + 2, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _first_id(at: datetime) -> str:
    written = f"{int(at.timestamp() * 1000):012x}" + "0" * 20
    return "-".join(written[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


_IN_TIME = (
    "(lpad(to_hex((extract(epoch FROM started_at) * 1000)::bigint), 12, '0')"
    " || substr(replace(id::text, '-', ''), 13))::uuid"
)


def upgrade() -> None:
    upto = _month_after_the_next()
    # Nothing names an attempt by its id; one that does not begin with its time gets it.
    in_batches("webhook_attempts", f"id = {_IN_TIME}", where=f"id >= '{_first_id(upto)}'")
    for table, by, _ in TABLES:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_upto")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_upto"
            f" CHECK ({by} < '{_first_id(upto)}') NOT VALID"
        )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_attempts_delivery_id_number")
        op.create_index(
            "ix_webhook_attempts_delivery_id_number",
            "webhook_attempts",
            ["delivery_id", "number"],
            unique=False,
            postgresql_concurrently=True,
        )
        for table, _, _ in TABLES:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_upto")
    for name in (
        "uq_webhook_attempts_delivery_id_number",
        "fk_webhook_attempts_delivery_id_webhook_deliveries",
        "fk_webhook_attempts_agency_id_agencies",
    ):
        op.execute(f"ALTER TABLE webhook_attempts DROP CONSTRAINT IF EXISTS {name}")
    for table, by, indexes in TABLES:
        first = f"{table}_until_{upto:%Y_%m}"
        op.execute(f"REVOKE ALL ON {table} FROM tonghu_app")
        op.execute(f"DROP POLICY IF EXISTS remit ON {table}")
        if table in _REMIT:
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"-- squawk-ignore renaming-table\nALTER TABLE {table} RENAME TO {first}")
        for name in (f"pk_{table}", *indexes):
            op.execute(
                f"-- squawk-ignore renaming-object\nALTER INDEX {name} RENAME TO {name}_until"
            )
        op.execute(
            f"CREATE TABLE {table} (LIKE {first} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            f" PARTITION BY RANGE ({by})"
        )
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_upto")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({by})")
        for name, columns in indexes.items():
            op.execute(f"CREATE INDEX {name} ON {table} {columns}")
        op.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {first}"
            f" FOR VALUES FROM (MINVALUE) TO ('{_first_id(upto)}')"
        )
        op.execute(f"ALTER TABLE {first} DROP CONSTRAINT ck_{table}_upto")
        op.execute(f"GRANT {_PRIVILEGES[table]} ON {table} TO tonghu_app")
        if table in _REMIT:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY remit ON {table} {_REMIT[table]}")
    for name, text in FUNCTIONS.items():
        op.execute(text)
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO tonghu_app")
    op.execute("SELECT make_months()")


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}")
    for table, by, indexes in TABLES:
        whole = f"{table}_whole"
        if table in _REMIT:
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE TABLE {whole} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        op.execute(f"INSERT INTO {whole} SELECT * FROM {table}")
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE {whole} RENAME TO {table}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({by})")
        if table == "webhook_attempts":
            _keys_of_attempts()
        else:
            for name, columns in indexes.items():
                op.execute(f"CREATE INDEX {name} ON {table} {columns}")
        op.execute(f"GRANT {_PRIVILEGES[table]} ON {table} TO tonghu_app")
        if table in _REMIT:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY remit ON {table} {_REMIT[table]}")


def _keys_of_attempts() -> None:
    op.create_unique_constraint(
        "uq_webhook_attempts_delivery_id_number", "webhook_attempts", ["delivery_id", "number"]
    )
    for column, other in (("delivery_id", "webhook_deliveries"), ("agency_id", "agencies")):
        op.execute(
            f"ALTER TABLE webhook_attempts ADD CONSTRAINT fk_webhook_attempts_{column}_{other}"
            f" FOREIGN KEY ({column}) REFERENCES {other} (id) NOT VALID"
        )
