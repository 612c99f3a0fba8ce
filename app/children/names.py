"""The tokens of children's names: written whenever a name is, or a child's county changes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Index, func, text
from sqlmodel import Field, SQLModel

from app.children import tokens
from app.children.below import BelowChild, below_child
from app.children.queries import ChildRef, ref_of
from app.core.data import distribution, rls
from app.core.data.columns import Instant
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.regions.rules import county_of


class NameToken(BelowChild, table=True):
    """A piece of a child's name (`tokens.kept`), as a keyed hash of the county it lives in."""

    __tablename__ = "child_names"
    __table_args__: Any = below_child(
        "child_names",
        Index("ix_child_names_child_id", "child_id"),
        key=("token", "region_code", "child_id"),  # in the order of a list of those who have it
        privileges="SELECT, INSERT, DELETE",
    )

    token: int = Field(sa_type=BigInteger)


_KEEP: Final = """
WITH kept AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::uuid[])
        AS k (token, region_code, child_id, home_county, pupil_of)
), gone AS (
    DELETE FROM child_names n WHERE n.child_id = ANY ($1::uuid[]) AND NOT EXISTS (
        SELECT FROM kept k WHERE k.home_county = n.home_county AND k.child_id = n.child_id
        AND k.token = n.token AND k.region_code = n.region_code)
)
INSERT INTO child_names (token, region_code, child_id, home_county, pupil_of)
SELECT * FROM kept ON CONFLICT DO NOTHING
"""


async def keep(tx: Tx, named: Iterable[tuple[ChildRef, str]]) -> None:
    """Keep the tokens of children's names, and no others of theirs. The transaction holds these
    children (`below`), and what lies below them has followed them. One statement.
    """
    children = [*named]
    if not children:
        return
    rows = [
        (token, child.region_code, child.id, child.home_county, child.school_id)
        for child, name in children
        for token in made(tx.keyring, child.region_code, tokens.kept(name))
    ]
    columns = map(list, zip(*rows, strict=True))
    await tx.connection.execute(_KEEP, [child.id for child, _ in children], *columns)


def made(keyring: Keyring, region_code: int, pieces: Iterable[str]) -> list[int]:
    """Make the tokens of pieces of a name, as a place's county has them."""
    return keyring.tokens("child_names", county_of(region_code), pieces)


def sought(keyring: Keyring, region_code: int, pieces: Iterable[str]) -> list[int]:
    """Make the tokens by which pieces of a name may be found, as a place's county has them."""
    return keyring.all_tokens("child_names", county_of(region_code), pieces)


# --- names from before there were tokens ----------------------------------------------------------


class NamesUnfilled(SQLModel, table=True):
    """A county some of whose children may have no tokens yet: it is searched as before there were
    any, too. Its files are filled in the order of (region, id); `files` have been.
    """

    __tablename__ = "names_unfilled"

    county_code: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    since: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})
    reached_code: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    reached_id: UUID = Field(sa_column_kwargs={"server_default": text(f"'{UUID(int=0)}'")})
    files: int = Field(sa_column_kwargs={"server_default": "0"})


distribution.in_one_place("how far a county is, for a night", "names_unfilled")
rls.allow("names_unfilled", "SELECT, UPDATE, DELETE")


BATCH: Final = 1000
LATER: Final = timedelta(hours=1)
"""Until then processes of the release before may run, which write names without tokens."""

_COUNTIES: Final = "SELECT county_code FROM names_unfilled WHERE since <= $1 ORDER BY 1"
_HELD: Final = """
SELECT reached_code, reached_id FROM names_unfilled WHERE county_code = $1 FOR UPDATE
"""
_NEXT: Final = """
SELECT c.id, c.home_county, c.region_code FROM children c
WHERE c.region_code >= $1 AND c.region_code < $1::bigint + 1000000
  AND (c.region_code, c.id) > ($2, $3)
ORDER BY c.region_code, c.id LIMIT $4
"""
_THESE: Final = """
SELECT id, home_county, region_code, school_id, name FROM children
WHERE home_county = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_REACHED: Final = """
UPDATE names_unfilled SET reached_code = $2, reached_id = $3, files = files + $4
WHERE county_code = $1
"""


async def unfilled(tx: Tx) -> list[int]:
    """Return the counties in which tokens of children's names may be missing and can be made."""
    return [row[0] for row in await tx.connection.fetch(_COUNTIES, tx.now - LATER)]


async def fill(tx: Tx, county: int) -> bool:
    """Make the tokens of the next BATCH of children of a county; tell whether there are more."""
    reached = await tx.connection.fetchrow(_HELD, county)
    if reached is None:  # it was done by the run before
        return False
    rows = await tx.connection.fetch(_NEXT, county, *reached, BATCH)
    for opened_in in sorted({row["home_county"] for row in rows}):
        these = [row["id"] for row in rows if row["home_county"] == opened_in]
        held = await tx.connection.fetch(_THESE, opened_in, these)
        await keep(tx, [(ref_of(row), row["name"]) for row in held])
    if len(rows) < BATCH:
        await tx.connection.execute("DELETE FROM names_unfilled WHERE county_code = $1", county)
        return False
    last = rows[-1]
    await tx.connection.execute(_REACHED, county, last["region_code"], last["id"], len(rows))
    return True
