"""What children are found by is written anew by another index key, a county after the other, once
every process makes it so (`children.reindex`).

Writes go on meanwhile and are made by that key already; whatever was made by the one before is
found by both until it is done (ADR 62).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlmodel import Field, SQLModel

from app.children import indexes, names, sealing
from app.children.queries import ref_of
from app.children.rederiving import counties
from app.core.data import distribution, gauges, key_checks, rls
from app.core.data.db import Tx

BATCH: Final = 200


class Reindexed(SQLModel, table=True):
    """How far the files that a county opened are found by the index key `kid`: `files` of them, up
    to the id reached; `whole`: all.
    """

    __tablename__ = "reindexed"

    home_county: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    kid: str
    reached_id: UUID = Field(sa_column_kwargs={"server_default": text(f"'{UUID(int=0)}'")})
    files: int = Field(sa_column_kwargs={"server_default": "0"})
    whole: bool = Field(sa_column_kwargs={"server_default": "false"})


distribution.in_one_place("how far a county is, for whoever changes keys", "reindexed")
rls.allow("reindexed", "SELECT, INSERT, UPDATE")

QUESTIONS: Final = 0
"""In the place of a county: the open questions, which lie in none."""

_BEGIN: Final = """
INSERT INTO reindexed (home_county, kid) SELECT unnest($1::bigint[]), $2
ON CONFLICT (home_county) DO UPDATE
SET kid = $2, reached_id = DEFAULT, files = 0, whole = false WHERE reindexed.kid <> $2
"""
_LEFT: Final = "SELECT home_county FROM reindexed WHERE NOT whole ORDER BY home_county"
_IS_LEFT: Final = "SELECT EXISTS (SELECT FROM reindexed WHERE home_county = $1 AND NOT whole)"
_HELD: Final = "SELECT reached_id FROM reindexed WHERE home_county = $1 AND NOT whole FOR UPDATE"
_COLUMNS: Final = ", ".join((*indexes.NUMBERED, sealing.IDENTITY))
_NEXT: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, {_COLUMNS} FROM children c
WHERE c.home_county = $1 AND c.id > $2 ORDER BY c.id LIMIT $3 FOR NO KEY UPDATE
"""
_NO_NUMBERS: Final = """
DELETE FROM resident_ids WHERE home_county = $1 AND child_id = ANY ($2::uuid[])
RETURNING child_id, region_code, pupil_of
"""
_NUMBERS: Final = """
INSERT INTO resident_ids (index, child_id, home_county, region_code, pupil_of)
SELECT u.index, u.child_id, $1, u.region_code, u.pupil_of
FROM unnest($2::bytea[], $3::uuid[], $4::bigint[], $5::uuid[])
    AS u (index, child_id, region_code, pupil_of)
"""
_NO_OTHERS: Final = """
DELETE FROM child_external_ids WHERE home_county = $1 AND child_id = ANY ($2::uuid[])
"""
_OTHERS: Final = """
INSERT INTO child_external_ids (index, section, child_id, home_county, region_code, pupil_of)
SELECT u.index, u.section, u.child_id, $1, u.region_code, u.pupil_of
FROM unnest($2::bytea[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[])
    AS u (index, section, child_id, region_code, pupil_of) ON CONFLICT DO NOTHING
"""
_REACHED: Final = """
UPDATE reindexed SET reached_id = $2, files = files + $3, whole = $4 WHERE home_county = $1
"""


async def due(tx: Tx) -> str | None:
    """Return the index key by which all is to be found, beside one of before, from when on every
    process has had time to make it so; None: there is nothing to do yet, or here.
    """
    rows = await key_checks.rows_of(tx)
    used = key_checks.used(rows, key_checks.INDEX)
    if len(used) < 2 or next(iter(tx.keyring.index)) != used[0]:  # noqa: PLR2004
        return None
    since = next(row["used_since"] for row in rows if row["kid"] == used[0])
    return used[0] if tx.now - since >= key_checks.KNOWN_FOR else None


async def begin(tx: Tx, kid: str) -> list[int]:
    """Have all that opened files written anew by the first index key, unless it was, and what is
    asked; return the counties that are not done.
    """
    if await is_whole(tx, kid):
        return []
    await tx.connection.execute(_BEGIN, [QUESTIONS, *await counties(tx)], kid)
    left = [row["home_county"] for row in await tx.connection.fetch(_LEFT)]
    return [county for county in left if county != QUESTIONS]


async def is_left(tx: Tx, county: int) -> bool:
    found: bool = await tx.connection.fetchval(_IS_LEFT, county)
    return found


async def reached(tx: Tx, county: int, last: UUID, many: int, *, whole: bool) -> None:
    """Note how far a county is: up to which id, and how many more are written anew."""
    await tx.connection.execute(_REACHED, county, last, many, whole)


async def write_next(tx: Tx, county: int) -> tuple[int, bool]:
    """Write the next files of a county anew; return how many, and whether there are more."""
    last = await tx.connection.fetchval(_HELD, county)
    if last is None:  # whoever ran this beside us did it
        return 0, False
    rows = await tx.connection.fetch(_NEXT, county, last, BATCH)
    more = len(rows) == BATCH
    if rows:
        ids = [row["id"] for row in rows]
        await _write_numbers(tx, county, ids, {row["id"]: row for row in rows})
        await _write_others(tx, county, ids, rows)
        await _write_names(tx, county, rows)
        last = ids[-1]
    await reached(tx, county, last, len(rows), whole=not more)
    return len(rows), more


_NAMES: Final = """
UPDATE children c SET name_index = u.name_index
FROM unnest($2::uuid[], $3::bytea[]) AS u (id, name_index)
WHERE c.home_county = $1 AND c.id = u.id
"""


async def _write_names(tx: Tx, county: int, rows: list[Mapping[str, Any]]) -> None:
    called = [sealing.show(tx.keyring, row, "identity") for row in rows]
    made = [sealing.name_index(tx.keyring, said["name"], said["birth_date"]) for said in called]
    await tx.connection.execute(_NAMES, county, [row["id"] for row in rows], made)
    named = [(ref_of(row), said["name"]) for row, said in zip(rows, called, strict=True)]
    await names.keep(tx, [(child, name) for child, name in named if name])


async def _write_numbers(
    tx: Tx, county: int, ids: list[UUID], by_id: Mapping[UUID, Mapping[str, Any]]
) -> None:
    made = []
    for kept in await tx.connection.fetch(_NO_NUMBERS, county, ids):
        number = sealing.show(tx.keyring, by_id[kept["child_id"]], "identity")["resident_id"]
        if number is not None:
            made.append((indexes.resident_index(tx.keyring, number), *kept))
    if made:
        await tx.connection.execute(_NUMBERS, county, *map(list, zip(*made, strict=True)))


async def _write_others(
    tx: Tx, county: int, ids: list[UUID], rows: list[Mapping[str, Any]]
) -> None:
    made = [
        (
            indexes.external_index(tx.keyring, *number),
            section,
            *(row[column] for column in ("id", "region_code", "school_id")),
        )
        for row in rows
        for section, numbers in indexes.numbers_of(tx.keyring, row).items()
        for number in numbers
    ]
    await tx.connection.execute(_NO_OTHERS, county, ids)
    if made:
        await tx.connection.execute(_OTHERS, county, *map(list, zip(*made, strict=True)))


_WHOLE: Final = "SELECT home_county FROM reindexed WHERE kid = $1 AND whole"


async def is_whole(tx: Tx, kid: str) -> bool:
    """Tell whether all files are found by an index key, and what is asked."""
    whole = await tx.connection.fetch(_WHOLE, kid)
    return {QUESTIONS, *await counties(tx)} <= {row["home_county"] for row in whole}


class Progress(NamedTuple):
    """How far all is: `files` written anew by the index key `kid`, `left` counties of `counties`,
    what is asked among them.
    """

    kid: str
    files: int
    left: int
    counties: int


_PROGRESS: Final = """
SELECT max(kid) AS kid, sum(files)::bigint AS files, count(*) FILTER (WHERE NOT whole) AS left,
    count(*) AS counties FROM reindexed
"""


async def progress(tx: Tx) -> Progress | None:
    """Return how far it is by the key of last; None if there never was another."""
    row = await tx.connection.fetchrow(_PROGRESS)
    return Progress(**row) if row["counties"] else None


@gauges.gauge(
    "tonghu_reindex_left", "Counties of which files are found by an index key of before only."
)
async def counties_left(tx: Tx) -> list[gauges.Sample]:
    found = await progress(tx)
    return [((), float(found.left if found else 0))]
