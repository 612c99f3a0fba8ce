"""For revisions that read or change rows: `from reach import every_row, in_batches`.

Row-level security binds the owner too, so a revision sees no protected row until it opens its
reach; env.py turns `row_security` off, so that PostgreSQL refuses what would silently see nothing.
"""

import contextlib
import sys
from collections.abc import Iterator

import sqlalchemy as sa
from alembic.util import CommandError

from alembic import op

ROWS_A_BATCH = 2_000
PASSES = 10
"""After so many, a table to which the release before still adds faster is left to a later fill."""


@contextlib.contextmanager
def every_row(*tables: str) -> Iterator[None]:
    """See and change every row of these tables while the block runs.

    The app stays bound; only the owner is let through. Name each table the statements touch. One
    that is not protected stays so.
    """
    tables = tuple(table for table in tables if _is_forced(table))
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    try:
        yield
    except BaseException:
        # In a transaction this fails too, and the rollback does it.
        with contextlib.suppress(sa.exc.DBAPIError):
            _force(tables)
        raise
    _force(tables)


def _is_forced(table: str) -> bool:
    if op.get_context().as_sql:
        return True
    asked = sa.text("SELECT relforcerowsecurity FROM pg_class WHERE oid = CAST(:t AS regclass)")
    return bool(op.get_bind().execute(asked, {"t": table}).scalar())


def _force(tables: tuple[str, ...]) -> None:
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def in_batches(table: str, change: str, *, where: str, reads: tuple[str, ...] = ()) -> int:
    """Run `UPDATE table SET change WHERE where` over a large table; each batch commits by itself.

    Goes through the table by primary key, and again for rows the release before added behind it,
    until nothing is left. Say in `where` which rows still need it, so that this ends, and a run
    that was stopped can start again. `reads` names the other protected tables the two mention.
    Returns how many rows changed and prints it as it goes.
    """
    if "…" in change + where:
        raise CommandError(f"Say which rows of {table} change, and how: in_batches has a … still.")
    with op.get_context().autocommit_block(), every_row(table, *reads):
        if op.get_context().as_sql:
            op.execute(f"UPDATE {table} SET {change} WHERE {where}")
            return 0
        connection = op.get_bind()
        # PostgreSQL checks the words even where no row is.
        connection.execute(sa.text(f"UPDATE {table} SET {change} WHERE false AND ({where})"))
        done = 0
        for _ in range(PASSES):
            before, done = done, _walk(connection, table, change, where, done)
            if done == before:
                return done
        sys.stderr.write(f"{table}: rows are still added that need it: fill them again later\n")
        return done


def _walk(connection: sa.Connection, table: str, change: str, where: str, done: int) -> int:
    """Go through the table once; return `done` and the rows changed."""
    keys = sa.inspect(connection).get_pk_constraint(table)["constrained_columns"]
    key = ", ".join(f'"{name}"' for name in keys)
    after = ", ".join(f":k{number}" for number in range(len(keys)))
    batch = f"SELECT {key} FROM {table} {{}} ORDER BY {key} LIMIT {ROWS_A_BATCH}"
    last: dict[str, object] = {}
    while True:
        # The last key is read as the batch is chosen: rows that are right already count as passed.
        chosen = batch.format(f"WHERE ({key}) > ({after})" if last else "")
        rows = connection.execute(sa.text(chosen), last).all()
        if not rows:
            return done
        upto = dict(zip((f"u{number}" for number in range(len(keys))), rows[-1], strict=True))
        span = f"({key}) <= ({', '.join(f':{name}' for name in upto)})"
        if last:
            span += f" AND ({key}) > ({after})"
        statement = f"UPDATE {table} SET {change} WHERE {span} AND ({where}) RETURNING ({where})"
        needing = connection.execute(sa.text(statement), {**last, **upto}).scalars().all()
        if any(needing):
            raise CommandError(
                f"Rows of {table} that were changed still fit `where`: say there which need it."
            )
        last = dict(zip((f"k{number}" for number in range(len(keys))), rows[-1], strict=True))
        if needing:
            done += len(needing)
            sys.stderr.write(f"{table}: {done:,} rows changed\n")
