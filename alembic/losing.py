"""A revision that is taken back gives up no row and no value: it is refused, by what it would drop.

Nothing takes a revision back in operation (ADR 15). Who does so by hand all the same, on the wrong
database, must not lose a table by it.
"""

import re
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError

_TABLES = re.compile(
    r"^DROP TABLE (?:IF EXISTS )?([^;]+?)(?: CASCADE| RESTRICT)?;?$", re.IGNORECASE | re.DOTALL
)
_ALTERED = re.compile(
    r"^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\S+) (.*)$", re.IGNORECASE | re.DOTALL
)
_COLUMN = re.compile(r"\bDROP COLUMN (?:IF EXISTS )?(\w+|\"[^\"]+\")", re.IGNORECASE)
_STANDING = """
SELECT c.oid::regclass::text AS name, c.relforcerowsecurity AS forced,
    a.attname IS NOT NULL AS has_it, a.attgenerated <> '' AS follows,
    pg_get_expr(d.adbin, d.adrelid) AS given
FROM pg_class c LEFT JOIN pg_attribute a
    ON a.attrelid = c.oid AND a.attname = :column AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.oid = to_regclass(:table) AND c.relkind IN ('r', 'p')
"""


def refuse_to_lose(connection: sa.Connection) -> None:
    """Look at each statement before it runs, and raise CommandError if it drops a table with rows,
    or a column with values that are not what every new row gets.
    """

    @sa.event.listens_for(connection, "before_cursor_execute")
    def look(_: Any, __: Any, statement: str, *___: Any) -> None:
        words = " ".join(statement.split())
        if found := _TABLES.match(words):
            for name in found[1].split(","):
                _look(connection, name.strip(), None)
        elif found := _ALTERED.match(words):
            for column in _COLUMN.findall(found[2]):
                _look(connection, found[1], column.strip('"'))


def _look(connection: sa.Connection, table: str, column: str | None) -> None:
    asked = {"table": table, "column": column}
    standing = connection.execute(sa.text(_STANDING), asked).mappings().one_or_none()
    if standing is None or (column and (not standing["has_it"] or standing["follows"])):
        return
    name = standing["name"]
    where = "true"
    if column:
        where = f'"{column}" IS NOT NULL'
        if standing["given"]:
            where = f'"{column}" IS DISTINCT FROM {standing["given"]}'
    # It binds the owner, too, and would hide what is lost.
    if standing["forced"]:
        connection.exec_driver_sql(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
    lost = connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {name} WHERE {where})").scalar()
    if standing["forced"]:
        connection.exec_driver_sql(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    if lost:
        what = f"the values of {name}.{column}" if column else f"the rows of {name}"
        raise CommandError(
            f"Taking this revision back would lose {what}: write the next revision, or restore a"
            " backup (docs/backup.md)."
        )
