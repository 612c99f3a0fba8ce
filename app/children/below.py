"""What lies below a child: which columns such a table has, who sees its rows, how they move along.

Every row carries a copy of where its child lives and is enrolled now, so that its policy looks at
no other table (ADR 14). Two things keep the copies true:

* a row takes its place from the row above it while holding that row: from the child `FOR SHARE`,
  or from an alert or visit that it has locked for its change. The foreign key's own lock, FOR KEY
  SHARE, is not enough: a move changes no key, so the two would not wait for each other, and a row
  written meanwhile would stay behind at the old place;
* whoever moves a child locks it FOR NO KEY UPDATE and then calls `follow`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, PrimaryKeyConstraint
from sqlmodel import Field, SQLModel

from app.core.data import distribution, retention, rls, sealed
from app.core.data.columns import Instant
from app.core.data.db import Tx

PLACE: Final = "region_code, pupil_of"
VISIBLE: Final = rls.case(*rls.in_remit("pupil_of"))
"""The policy of a row that is visible exactly when its child is."""

OF_FILES: Final = {
    # First: a role without children's files has a school that no child is at.
    "using": rls.case((rls.OPENED, "true"), *rls.in_remit("school_id")),
    "check": rls.case(*rls.in_remit("school_id")),
}
"""The policy of the files themselves: what is open to the caller in an emergency is read alone."""

FOLLOWING: Final[tuple[list[str], list[str]]] = ([], [])
"""Tables that move with the child: those that hang on it directly, and those one step further."""

VERSIONS: Final[dict[str, tuple[str, str]]] = {}
"""Of a table whose rows are corrected: the table of their versions, and its column for the row."""


class BelowChild(SQLModel):
    """The columns of a table below the child.

    `home_county` is the county that opened the child's file and never changes. `region_code` is
    where the child lives now, `pupil_of` the school it is enrolled at now: they follow the child.
    Where something happened, or at which school, is another column.
    """

    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    region_code: int = Field(sa_type=BigInteger)
    pupil_of: UUID | None = None


class Correctable(BelowChild):
    """The columns of a row that its author made, under an id of their own, and may correct.

    `rows.put` and `rows.correct` write them. `content_mac` recognises the same row sent again.

    The same id may have been made for children of two counties: whoever sees both finds the row
    received first under it.
    """

    id: UUID
    agency_id: UUID = Field(foreign_key="agencies.id")
    as_role: str | None = None
    """In what role its author made it; null of rows from before that was kept."""
    content_mac: bytes
    version: int
    received_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class VersionBelow(BelowChild):
    """The columns of a table that keeps what `Correctable` rows said before they were corrected.
    `snapshot_sealed`: the whole of it, as JSON. `replaced_by`: the subject of the caller.
    """

    version: int
    snapshot_sealed: bytes
    replaced_at: datetime = Field(sa_type=Instant)
    replaced_by: str


def versions_of(
    above: str, column: str, table: str, *, privileges: str = "SELECT, INSERT"
) -> tuple[Any, ...]:
    """Return the `__table_args__` of a table of versions; `column` names the row of `above`."""
    VERSIONS[above] = (table, column)
    retention.for_ever(table, "what was said before stays beside what put it right")
    row = f"t.{column}::text || '/' || t.version"
    sealed.below_child(table, sealed.named(table, "snapshot_sealed"), row=row)
    return below_child(
        table,
        Index(f"ix_{table}_child_id", "child_id"),
        key=(column, "version"),
        under=(above, column),
        privileges=privileges,
    )


def below_child(
    table: str,
    *more: Any,
    key: Sequence[str] = ("id",),
    by: str = distribution.COUNTY,
    under: tuple[str, str] | None = None,
    privileges: str,
    also: Sequence[str] = (),
    hidden: str | None = None,
    check: str | None = None,
) -> tuple[Any, ...]:
    """Return the `__table_args__` of a table below the child; protect it and let it follow moves.

    `more`: further constraints and indexes; one index begins with `child_id`. `key`: the primary
    key, which `home_county` completes. `by`: by what else its rows are spread, if one of them is to
    be found in the whole nation: they lie apart from the child, and no foreign key holds them to it
    (whoever writes one holds the child, and no file is ever deleted). `under`: table and column
    of the row between the child and this one, as ("visits", "visit_id"). `also`: conditions under
    which a row is visible although its child is not; `hidden`: under which it is not, whosever the
    child is. `check`: which rows may be written, if not
    those that are visible.
    """
    constraints: list[Any] = []
    if by == distribution.COUNTY:
        constraints.append(_points_at("children", "child_id"))
        key = (*key, by)  # the county last, so that the same index serves a look-up by id alone
    constraints.append(PrimaryKeyConstraint(*key))
    distribution.by(table, by)
    if under is not None:
        constraints.append(_points_at(*under))
    if "UPDATE" not in privileges.split(", "):
        privileges = f"{privileges}, UPDATE ({PLACE})"  # nothing else of the row is ever changed
    first = [(rls.SYSTEM, "true"), (hidden, "false")] if hidden else []
    own = [(condition, "true") for condition in also]
    using = rls.case(*first, *own, *rls.in_remit("pupil_of"))
    rls.protect(table, using=using, check=check, privileges=privileges)
    FOLLOWING[under is not None].append(table)
    return (*constraints, *more)


def _points_at(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["home_county", column],
        [f"{table}.home_county", f"{table}.id"],
        name=column.removesuffix("_id"),
    )


_MOVED: Final = """{table}_moved AS (
    UPDATE {table} AS t SET region_code = place.region_code, pupil_of = place.school_id FROM place
    WHERE t.home_county = place.home_county AND t.child_id = place.id
      AND (t.region_code, t.pupil_of) IS DISTINCT FROM (place.region_code, place.school_id))"""


async def follow(tx: Tx, which: str, *arguments: Any) -> None:
    """Bring everything below some children to where they live and are enrolled now.

    `which`: a condition on `children c`. The transaction has locked these children by an earlier
    statement: only then does this one see every row that was written before.
    """
    # Alerts and visits first: whoever holds one may just be writing a row below it, which only a
    # statement begun after they finished sees.
    for tables in FOLLOWING:
        moved = ",\n".join(_MOVED.format(table=table) for table in tables)
        await tx.connection.execute(
            "WITH place AS MATERIALIZED (SELECT c.home_county, c.id, c.region_code, c.school_id"
            f" FROM children c WHERE {which}),\n{moved} SELECT",
            *arguments,
        )
