"""The tokens of children's names: written whenever a name is, or a child's county changes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Index, func, text
from sqlmodel import Field, SQLModel

from app.children import naming, sealing, tokens
from app.children.below import BelowChild, below_child
from app.children.queries import ChildRef, ref_of
from app.children.sections.identity import Identity
from app.core.data import distribution, former, rls
from app.core.data.columns import Instant
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import DecryptionRefused
from app.regions.rules import county_of

log = structlog.get_logger(__name__)


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


_KEEP: Final = f"""
WITH kept AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::uuid[])
        AS k (token, region_code, child_id, home_county, pupil_of)
), gone AS (
    DELETE FROM child_names n WHERE n.child_id = ANY ($1::uuid[]) AND NOT EXISTS (
        SELECT FROM kept k WHERE k.home_county = n.home_county AND k.child_id = n.child_id
        AND k.token = n.token AND k.region_code = n.region_code)
), made AS (
    INSERT INTO child_names (token, region_code, child_id, home_county, pupil_of)
    SELECT * FROM kept ON CONFLICT DO NOTHING
)
SELECT {former.MAY_RUN.format("$7")}
"""


async def keep(tx: Tx, named: Iterable[tuple[ChildRef, str]]) -> None:
    """Keep the tokens of children's names, and no others of theirs. The transaction holds these
    children (`below`), and what lies below them has followed them. One statement; one more while
    the release before may run.
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
    ids = [child.id for child, _ in children]
    if await tx.connection.fetchval(_KEEP, ids, *columns, former.gone_since(tx)):
        await _keep_plain(tx, children)


def made(keyring: Keyring, region_code: int, pieces: Iterable[str]) -> list[int]:
    """Make the tokens of pieces of a name, as a place's county has them."""
    return keyring.tokens("child_names", county_of(region_code), pieces)


def sought(keyring: Keyring, region_code: int, pieces: Iterable[str]) -> list[int]:
    """Make the tokens by which pieces of a name may be found, as a place's county has them."""
    return keyring.all_tokens("child_names", county_of(region_code), pieces)


async def lacking(tx: Tx, named: Iterable[tuple[ChildRef, str]]) -> list[tuple[ChildRef, str]]:
    """Return those of some children whose tokens are others than this release makes."""
    children = [*named]
    rows = await tx.connection.fetch(_KEPT, [child.id for child, _ in children])
    there = {row["child_id"]: {*row["tokens"]} for row in rows}
    return [
        (child, name)
        for child, name in children
        if there.get(child.id, ()) != {*made(tx.keyring, child.region_code, tokens.kept(name))}
    ]


_KEPT: Final = """
SELECT child_id, array_agg(token) AS tokens FROM child_names
WHERE child_id = ANY ($1::uuid[]) GROUP BY child_id
"""


# --- names from before they were sealed -----------------------------------------------------------


class NamesUnfilled(SQLModel, table=True):
    """How far the release before was with making tokens. Goes with the columns."""

    __tablename__ = "names_unfilled"

    county_code: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    since: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})
    reached_code: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    reached_id: UUID = Field(sa_column_kwargs={"server_default": text(f"'{UUID(int=0)}'")})
    files: int = Field(sa_column_kwargs={"server_default": "0"})


distribution.in_one_place("how far a county was, for a night", "names_unfilled")
rls.allow("names_unfilled", "SELECT, UPDATE, DELETE")


BATCH: Final = 1000

_PLAIN: Final = (*naming.BLANK,)


def _blank(column: str) -> str:
    return "NULL" if naming.BLANK[column] is None else "''"


_KEEP_PLAIN: Final = f"""
UPDATE children c SET {", ".join(f"{column} = u.{column}" for column in _PLAIN)}
FROM UNNEST($1::bigint[], $2::uuid[]{"".join(f", ${n}::text[]" for n, _ in enumerate(_PLAIN, 3))})
    AS u (home_county, id, {", ".join(_PLAIN)})
WHERE c.home_county = u.home_county AND c.id = u.id
"""


async def _keep_plain(tx: Tx, children: Sequence[tuple[ChildRef, str]]) -> None:
    rows = [
        (child.home_county, child.id, name, *naming.spell(name).values())
        for child, name in children
    ]
    await tx.connection.execute(_KEEP_PLAIN, *map(list, zip(*rows, strict=True)))


# In the order of the index of names: one step to its end, however many rows there were.
_ANY: Final = "SELECT name > '' FROM children ORDER BY name DESC LIMIT 1"
_NEXT: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, {sealing.IDENTITY} FROM children c
WHERE c.home_county = $1 AND c.id > $2 AND c.name > '' ORDER BY c.id LIMIT $3 FOR NO KEY UPDATE
"""
_SEAL: Final = f"""
UPDATE children c SET identity_sealed = u.identity_sealed, name_index = u.name_index,
    {", ".join(f"{column} = {_blank(column)}" for column in _PLAIN)}
FROM UNNEST($2::uuid[], $3::bytea[], $4::bytea[]) AS u (id, identity_sealed, name_index)
WHERE c.home_county = $1 AND c.id = u.id
"""


async def settled(tx: Tx) -> bool:
    """Tell whether no name is left to be sealed, or none may be so far; if none is left, searches
    look for none any more.
    """
    if not await former.left(tx, former.NAMES):
        return True
    if await tx.connection.fetchval(_ANY):
        return False
    await former.done(tx, former.NAMES)
    return True


async def seal(tx: Tx, county: int, after: UUID) -> UUID | None:
    """Seal the names that lie in the clear in the next BATCH of the files that a county opened, and
    make their tokens; return the last of them, None if there are no more. A file whose identity
    cannot be unsealed stays as it is.
    """
    rows = await tx.connection.fetch(_NEXT, county, after, BATCH)
    named: list[tuple[ChildRef, str]] = []
    sealed: list[tuple[UUID, object, object]] = []
    for row in rows:
        try:
            said = sealing.show(tx.keyring, row, "identity")
        except DecryptionRefused:
            log.warning("name_left_in_plain", failure="DecryptionRefused")
            continue
        identity = Identity.model_validate(said, extra="ignore")
        kept = sealing.keep(tx.keyring, row["id"], "identity", identity)
        sealed.append((row["id"], kept["identity_sealed"], kept["name_index"]))
        named.append((ref_of(row), said["name"]))
    if sealed:
        await tx.connection.execute(_SEAL, county, *map(list, zip(*sealed, strict=True)))
        await keep(tx, named)
    return rows[-1]["id"] if len(rows) == BATCH else None
