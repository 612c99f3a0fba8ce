"""Tables of which each month lies in a partition of its own: declared beside the model.

Our ids begin with the time they were made at (UUIDv7, D3), so a table is cut by its `id` itself:
the primary key stays what it is, whoever looks one up reads one partition, and no statement knows
of months. The functions here belong to the owner role and are called by the app's, which owns
nothing.
"""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from sqlmodel import SQLModel

from app.core.data import rls

PARTITIONED: Final[dict[str, str]] = {}
"""Tables that are cut by month, each with the column of ids they are cut by."""
AHEAD: Final = 3
"""Months made before they begin."""
_NAME: Final = re.compile(r"(\w+?)_(?:until_)?\d{4}_\d\d(?:_kept)?(?:_gone)?")


def partitioned(table: str, *, by: str) -> None:
    """Cut a table by the month in which the UUIDv7 in its primary key, `by`, was made.

    No default partition, no foreign key to or from it, no unique rule but its key.
    """
    SQLModel.metadata.tables[table].dialect_options["postgresql"]["partition_by"] = f"RANGE ({by})"
    PARTITIONED[table] = by


def is_part(name: str) -> bool:
    """Tell whether this is the name of a partition, which no model declares."""
    match = _NAME.fullmatch(name)
    return match is not None and match[1] in PARTITIONED


def first_id(at: datetime) -> UUID:
    """Return the least id that can be made at a moment."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


class Month(NamedTuple):
    """A partition that holds all rows of a month, with the ids between which they lie."""

    name: str
    begins: UUID
    ends: UUID


async def make(connection: asyncpg.Connection) -> int:
    """Make the months ahead that are not there; return how many were made."""
    made: int = await connection.fetchval("SELECT make_months()")
    return made


async def ahead(connection: asyncpg.Connection, now: datetime) -> int:
    """Return how many whole months there is room for, in the table that has least; -1: not even for
    what is written now.
    """
    rows = await connection.fetch(_LAST, [*PARTITIONED])
    return min(_whole_months(now, row["ends"]) for row in rows)


def _whole_months(now: datetime, ends: UUID | None) -> int:
    """Count the months that begin after a moment and end by where the last partition does."""
    if ends is None or ends <= first_id(now):
        return -1
    last = datetime.fromtimestamp((ends.int >> 80) / 1000, UTC)
    month = now.astimezone(UTC)
    return (last.year - month.year) * 12 + last.month - month.month - 1


async def oldest(connection: asyncpg.Connection, table: str) -> Month | None:
    """Return the oldest month of a table of which nothing has gone yet; None: it has no months."""
    if table not in PARTITIONED:
        return None
    row = await connection.fetchrow(_OLDEST, table)
    return None if row is None else Month(row["name"], row["begins"], row["ends"])


async def begin_replacing(connection: asyncpg.Connection, month: Month) -> None:
    """Make the table `<month>_kept` anew, for what stays of a month."""
    await connection.execute("SELECT begin_replacing_month($1)", month.name)


async def put_by_to(connection: asyncpg.Connection, month: Month) -> int | None:
    """Name the table `<month>_kept` that is there now: one that is made anew is another. None:
    there is none.
    """
    named = "SELECT to_regclass(format('public.%I', $1::text || '_kept'))::oid::bigint"
    found: int | None = await connection.fetchval(named, month.name)
    return found


async def replace(connection: asyncpg.Connection, month: Month) -> bool:
    """Let what stays of a month take its place, in a transaction that does little else: until it
    ends, who writes waits. False: the table was in use all the time.
    """
    replaced: bool = await connection.fetchval("SELECT replace_month($1)", month.name)
    return replaced


async def drop_gone(connection: asyncpg.Connection) -> int:
    """Drop the months that were replaced, which nobody reads any more; return how many."""
    dropped: int = await connection.fetchval("SELECT drop_gone_months()")
    return dropped


_PARTS: Final = r"""
SELECT name, begins, ends FROM (
    SELECT p.relname::text AS name,
        substring(b.says FROM 'FROM \(''([0-9a-f-]+)''')::uuid AS begins,
        substring(b.says FROM 'TO \(''([0-9a-f-]+)''')::uuid AS ends
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    CROSS JOIN LATERAL pg_get_expr(p.relpartbound, p.oid) AS b (says)
    WHERE i.inhparent = {}::regclass AND p.relispartition
) AS part
"""
_OLDEST: Final = rf"""
{_PARTS.format("$1::text")} WHERE name ~ '_[0-9]{{4}}_[0-9]{{2}}$' AND begins IS NOT NULL
ORDER BY begins LIMIT 1
"""
_LAST: Final = f"""
SELECT t.name, (SELECT max(part.ends::text)::uuid FROM ({_PARTS.format("t.name")}) AS part) AS ends
FROM unnest($1::text[]) AS t (name)
"""

_ID_OF: Final = """(lpad(to_hex((extract(epoch FROM {}) * 1000)::bigint), 12, '0')
                || repeat('0', 20))::uuid"""
# A month is made beside the table and attached: that stops nobody, where CREATE … PARTITION OF
# would wait for all who write. Of which months there are tells the greatest bound. After a sleep of
# months the one before is made, too: what was begun in its last minutes is written in the next.
_MAKE: Final = rf"""
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
        FOR ahead IN -1..{AHEAD} LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
            begins := {_ID_OF.format("month")};
            ends := {_ID_OF.format("month + interval '1 month'")};
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
_PARENT: Final = """
    SELECT i.inhparent INTO parent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
    WHERE p.relname = month AND p.relnamespace = 'public'::regnamespace AND p.relispartition;
    IF parent IS NULL OR NOT has_table_privilege(session_user, parent, 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = format('not yours to replace: %s', month);
    END IF;
"""
"""Who may delete all rows of a table may let a month of it go, and nobody else."""
_BEGIN: Final = f"""
CREATE OR REPLACE FUNCTION begin_replacing_month(month text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE parent regclass; kept text := month || '_kept';
BEGIN{_PARENT}    EXECUTE format('DROP TABLE IF EXISTS public.%I', kept);
    EXECUTE format('CREATE TABLE public.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY,'
        ' CONSTRAINT within CHECK (%s))', kept, parent,
        pg_get_partition_constraintdef(format('public.%I', month)::regclass));
    EXECUTE format('GRANT INSERT ON public.%I TO %I', kept, session_user);
END $$
"""
# Whoever waits for the lock makes all others wait behind it: so never for long, rather again. And
# while it is held nothing is dropped: that takes the longer the more there is.
_REPLACE: Final = f"""
CREATE OR REPLACE FUNCTION replace_month(month text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE parent regclass; kept text := month || '_kept'; bound text; any_stay boolean;
BEGIN{_PARENT}    SELECT pg_get_expr(p.relpartbound, p.oid) INTO bound FROM pg_class p
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
_DROP: Final = """
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
"""Only what was let go by `replace_month` has such a name."""
FUNCTIONS: Final = {
    "make_months()": _MAKE,
    "begin_replacing_month(text)": _BEGIN,
    "replace_month(text)": _REPLACE,
    "drop_gone_months()": _DROP,
}


def statements() -> list[str]:
    """Return what makes the functions, and lets the app role alone call them."""
    return [
        each
        for name, text in FUNCTIONS.items()
        for each in (
            text,
            f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {name} TO {rls.APP_ROLE}",
        )
    ]
