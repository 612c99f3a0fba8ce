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


@contextlib.contextmanager
def every_row(*tables: str) -> Iterator[None]:
    """See and change every row of these protected tables while the block runs.

    The app stays bound; only the owner is let through. Name each table the statements touch.
    """
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


def _force(tables: tuple[str, ...]) -> None:
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def in_batches(table: str, change: str, *, where: str, reads: tuple[str, ...] = ()) -> int:
    """Run `UPDATE table SET change WHERE where` over a large table; each batch commits by itself.

    Goes through the table once, by primary key. Say in `where` which rows still need it, so that a
    run that was stopped can start again. `reads` names the other protected tables the two mention.
    Returns how many rows changed and prints it as it goes.
    """
    if "…" in change + where:
        raise CommandError(f"Say which rows of {table} change, and how: in_batches has a … still.")
    with op.get_context().autocommit_block(), every_row(table, *reads):
        if op.get_context().as_sql:
            op.execute(f"UPDATE {table} SET {change} WHERE {where}")
            return 0
        return _walk(op.get_bind(), table, change, where)


def _walk(connection: sa.Connection, table: str, change: str, where: str) -> int:
    keys = sa.inspect(connection).get_pk_constraint(table)["constrained_columns"]
    key = ", ".join(f'"{name}"' for name in keys)
    after = ", ".join(f":k{number}" for number in range(len(keys)))
    batch = f"SELECT {key} FROM {table} {{}} ORDER BY {key} LIMIT {ROWS_A_BATCH}"
    last: dict[str, object] = {}
    done = 0
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
        statement = f"UPDATE {table} SET {change} WHERE {span} AND ({where})"
        done += connection.execute(sa.text(statement), {**last, **upto}).rowcount
        last = dict(zip((f"k{number}" for number in range(len(keys))), rows[-1], strict=True))
        sys.stderr.write(f"{table}: {done:,} rows changed\n")
