"""Reads of children's files. Every one starts from `visible`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.access.acts import permitted
from app.access.principal import Posting, Principal
from app.access.roles import FIELD_GROUPS
from app.children import indexes, sealing
from app.children.acts import ACTS
from app.children.child_keys import KEY_OF_FILE
from app.children.told import GROUPS, Told
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http.wire import region_text
from app.regions.rules import SPANS, counties_in_sql, county_of

_COUNTY: Final = SPANS[2]
"""Codes that a county holds."""


def visible(principal: Principal) -> Where:
    """Limit `children c` to those this caller may know exist: those who live in the range, for a
    school those enrolled at it. Every read starts here. Row-level security repeats it; that it is
    said here is what lets an index serve it.
    """
    return _in_remit(principal, "c", "school_id")


def visible_below(principal: Principal, alias: str) -> Where:
    """Limit a table below the child (`below.BelowChild`) likewise: visible when the child is."""
    return _in_remit(principal, alias, "pupil_of")


def _in_remit(principal: Principal, alias: str, school: str) -> Where:
    if principal.role.relation == "none":
        return Where("false")
    if principal.school_id is not None:  # a boarder may live in any county
        return Where(f"{alias}.{school} = {{}}", principal.school_id)
    return Where(
        f"{alias}.region_code >= {{}} AND {alias}.region_code < {{}}",
        principal.region_lo,
        principal.region_hi,
    )


@dataclass(frozen=True, slots=True)
class ChildRef:
    """What other resources need of a child they hang on."""

    id: UUID
    home_county: int
    region_code: int
    school_id: UUID | None

    def place(self) -> dict[str, Any]:
        """Return what every row below the child says of it (`below.BelowChild`)."""
        return {
            "child_id": self.id,
            "home_county": self.home_county,
            "region_code": self.region_code,
            "pupil_of": self.school_id,
        }


def ref_of(row: Mapping[str, Any]) -> ChildRef:
    return ChildRef(row["id"], row["home_county"], row["region_code"], row["school_id"])


async def find(tx: Tx, principal: Principal, child_id: UUID) -> ChildRef | None:
    """Find one visible child by id, or by an id that turned out to be another name of its file."""
    found = await find_itself(tx, principal, child_id)
    if found is None and (named := await named_by(tx, principal.agency_id, child_id)):
        found = await find_itself(tx, principal, named.child_id)
    return found


async def find_itself(tx: Tx, principal: Principal, child_id: UUID) -> ChildRef | None:
    """Find one visible child by its own id."""
    where = visible(principal).checked().add("c.id = {}", child_id)
    row = await tx.connection.fetchrow(
        f"SELECT c.id, c.home_county, c.region_code, c.school_id FROM children c WHERE {where}",
        *where.arguments,
    )
    return None if row is None else ChildRef(*row)


class Named(NamedTuple):
    """The child an agency means by an id of its own (`models.ChildAlias`)."""

    child_id: UUID
    agreed: bool


async def named_by(tx: Tx, agency_id: UUID, alias: UUID) -> Named | None:
    """Return whom an agency means by an id that is no file's. One row by its key."""
    row = await tx.connection.fetchrow(
        "SELECT child_id, agreed FROM child_aliases WHERE alias = $1 AND agency_id = $2",
        alias,
        agency_id,
    )
    return None if row is None else Named(*row)


class LookedAfter(NamedTuple):
    """A child, where it lived on a day, and who it was that looked after it then."""

    child: ChildRef
    lived_in: int
    who: Principal


# Where a child was is its former stays and, since the last of them ended, where it is now.
_LOOKED_AFTER: Final = """
SELECT c.id, c.home_county, c.region_code, c.school_id, s.lived_in, p.position
FROM children c
JOIN LATERAL (
    SELECT s.lived_in, s.enrolled_at, s.since, s.until FROM child_stays s
    WHERE s.home_county = c.home_county AND s.child_id = c.id
    UNION ALL
    SELECT c.region_code, c.school_id, coalesce(max(s.until), '-infinity'), 'infinity'
    FROM child_stays s WHERE s.home_county = c.home_county AND s.child_id = c.id
) s ON true
JOIN UNNEST($2::uuid[], $3::bigint[], $4::bigint[], $5::date[], $6::date[])
    WITH ORDINALITY AS p (school, lo, hi, since, until, position)
  ON CASE WHEN p.school IS NULL THEN s.lived_in >= p.lo AND s.lived_in < p.hi
          ELSE s.enrolled_at = p.school END
WHERE c.home_county = $11 AND c.id = $1 AND ($7::date NOT BETWEEN c.birth_date AND $8::date
    OR (p.since <= $7 AND (p.until IS NULL OR p.until > $7) AND s.since < $9 AND s.until >= $10))
ORDER BY p.position, s.until DESC LIMIT 1 FOR SHARE OF c
"""


async def looked_after(
    tx: Tx, postings: Sequence[Posting], child_id: UUID, on: date, *, told_on: date
) -> LookedAfter | None:
    """Find a child that somebody looked after on a day, in a post they held on it, and hold it. A
    day that cannot be, before the child was born or after it was told, says nothing: of that
    whoever ever looked after it may tell. In SYSTEM's reach; two statements, few rows by their
    keys.
    """
    county = await opened_in(tx, child_id)
    if county is None:
        return None
    posts = [posting for posting in postings if posting.who.role.relation != "none"]
    midnight = datetime.combine(on, time.min, CHINA)
    row = await tx.connection.fetchrow(
        _LOOKED_AFTER,
        child_id,
        [posting.who.school_id for posting in posts],
        [posting.who.region_lo for posting in posts],
        [posting.who.region_hi for posting in posts],
        [posting.since for posting in posts],
        [posting.until for posting in posts],
        on,
        told_on,
        midnight + timedelta(days=1),
        midnight,
        county,
    )
    if row is None:
        return None
    *child, lived_in, position = tuple(row)
    return LookedAfter(ChildRef(*child), lived_in, posts[position - 1].who)


async def find_anywhere(tx: Tx, child_id: UUID) -> ChildRef | None:
    """Find a file by its id, whoever may see it: to hang something on it, not to show it. By an id
    that is another name of a file to the caller's agency, too.
    """
    another = await tx.connection.fetchval(_ANOTHER_NAME, child_id)
    async with tx.as_system():
        row = await tx.connection.fetchrow(
            "SELECT id, home_county, region_code, school_id FROM children WHERE id = ANY ($1)"
            " ORDER BY id = $2 DESC LIMIT 1",
            [child_id, another],
            child_id,
        )
    return None if row is None else ChildRef(**row)


_ANOTHER_NAME: Final = (
    "SELECT child_id FROM child_aliases WHERE alias = $1"
    " AND agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid"
)


async def find_many(tx: Tx, principal: Principal, ids: Iterable[UUID]) -> dict[UUID, ChildRef]:
    """Find visible children and hold them, to write rows `below` them. One statement if all are of
    the caller's own county; else one that tells of which the others are, and one for each.
    """
    own = own_county(principal)
    found = {} if own is None else await _hold(tx, own, ids, visible(principal))
    if left := {*ids} - found.keys():
        where = visible(principal).checked().add("c.id = ANY({}::uuid[])", [*left])
        of = f"SELECT c.home_county, c.id FROM children c WHERE {where}"
        rows = await tx.connection.fetch(of, *where.arguments)
        found |= await _hold_those(tx, rows, lambda: visible(principal))
    return found


def own_county(principal: Principal) -> int | None:
    """Return the county in which all that a caller looks after lies, None for more than one. Most
    of their children's files were opened there: what needs the county of one asks there first.
    """
    county = principal.region_lo // _COUNTY * _COUNTY
    return county if principal.region_hi <= county + _COUNTY else None


async def opened_in(tx: Tx, child_id: UUID) -> int | None:
    """Return the county that opened a child's file, which never changes: rows are locked with it,
    since they lie by it (ADR 36). In the caller's reach.
    """
    county: int | None = await tx.connection.fetchval(_OPENED_IN, child_id)
    return county


_OPENED_IN: Final = "SELECT home_county FROM children WHERE id = $1"


async def hold(tx: Tx, ids: Collection[UUID]) -> dict[UUID, ChildRef]:
    """Hold files where they are, to write rows `below` them, in SYSTEM's reach. One statement, and
    one a county.
    """
    rows = await tx.connection.fetch(_OPENED_IN_EACH, [*ids]) if ids else []
    return await hold_those(tx, rows)


_OPENED_IN_EACH: Final = "SELECT home_county, id FROM children WHERE id = ANY ($1::uuid[])"


async def hold_those(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> dict[UUID, ChildRef]:
    """Hold files of which it is known what county opened each (`home_county`, `id`), in SYSTEM's
    reach. One statement a county, always in the same order.
    """
    return await _hold_those(tx, rows, lambda: Where("true"))


async def _hold_those(
    tx: Tx, rows: Iterable[Mapping[str, Any]], of: Callable[[], Where]
) -> dict[UUID, ChildRef]:
    counties: dict[int, set[UUID]] = {}
    for row in rows:
        counties.setdefault(row["home_county"], set()).add(row["id"])
    found: dict[UUID, ChildRef] = {}
    for county in sorted(counties):
        found |= await _hold(tx, county, counties[county], of())
    return found


async def _hold(tx: Tx, county: int, ids: Iterable[UUID], where: Where) -> dict[UUID, ChildRef]:
    """Hold those of a county's files that meet what is asked when they are held."""
    where.checked().add("c.home_county = {} AND c.id = ANY ({}::uuid[])", county, [*{*ids}])
    rows = await tx.connection.fetch(
        "SELECT c.id, c.home_county, c.region_code, c.school_id FROM children c"
        f" WHERE {where} ORDER BY c.id FOR SHARE OF c",
        *where.arguments,
    )
    return {row["id"]: ChildRef(*row) for row in rows}


async def resolve_external(
    tx: Tx, principal: Principal, numbers: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], ChildRef]:
    """Find visible children by (system, number), as schools know them, and hold them like
    `find_many`. One statement, and one a county.

    Left out: numbers nobody visible bears, and numbers that two visible children bear.
    """
    sought = {number: indexes.external_spellings(tx.keyring, *number) for number in set(numbers)}
    asked = {index for spelt in sought.values() for index in spelt}
    where = visible(principal).checked().add("x.index = ANY({}::bytea[])", list(asked))
    rows = await tx.connection.fetch(
        "SELECT c.id, c.home_county, x.index FROM child_external_ids x"
        " JOIN children c ON c.home_county = x.home_county AND c.id = x.child_id"
        f" WHERE {where}",
        *where.arguments,
    )
    held = await _hold_those(tx, rows, lambda: visible(principal))
    bearers: dict[bytes, set[ChildRef]] = {}
    for row in rows:
        if row["id"] in held:
            bearers.setdefault(row["index"], set()).add(held[row["id"]])
    found = {
        number: set[ChildRef]().union(*(bearers.get(index, ()) for index in spelt))
        for number, spelt in sought.items()
    }
    return {number: next(iter(they)) for number, they in found.items() if len(they) == 1}


_ALWAYS: Final = "c.id, c.version, c.created_at, c.updated_at, c.as_sent_sealed"
DERIVED: Final = (
    "c.region_code, c.categories, c.priority_flags, c.undecided, c.counted, c.lacking,"
    " c.derived_on, nullif(c.told, '[]') AS told"
)
STORED: Final = (
    ", ".join(
        f"c.{column}"
        for group in FIELD_GROUPS
        if group != "derived"
        for column in sealing.columns_of(group)
    )
    + f", {KEY_OF_FILE}"
)
"""Every column that holds a section, and the child's key."""


async def read(tx: Tx, principal: Principal, child_id: UUID) -> dict[str, Any] | None:
    """Read a visible child's file, limited to the sections the role reads. One statement."""
    where = visible(principal).checked().add("c.id = {}", child_id)
    groups = readable(principal)
    columns = [f"c.{column}" for group in groups for column in sealing.columns_of(group)]
    read = ", ".join((_ALWAYS, DERIVED, KEY_OF_FILE, *columns))
    statement = f"SELECT {read} FROM children c WHERE {where}"
    row = await tx.connection.fetchrow(statement, *where.arguments)
    if row is None:
        return None
    return {**shown(tx, principal, row), "permitted": permitted(ACTS, principal, row, tx.today)}


def shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a row with `_ALWAYS`, `DERIVED` and the columns of the sections the role reads as the
    file on the wire, `permitted` aside.
    """
    said = {name: row[name] for name in ("id", "version", "created_at", "updated_at")}
    said["as_sent"] = sealing.show_aside(tx.keyring, row, principal.role)
    for group in readable(principal):
        if group == "derived":
            said[group] = derived_of(row, principal)
        else:
            said[group] = sealing.show(tx.keyring, row, group)
    return said


def readable(principal: Principal) -> list[str]:
    """Return the sections the role reads, in the order of the file."""
    return [group for group in FIELD_GROUPS if group in principal.role.reads]


def derived_of(row: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    reads, lacking, told = principal.role.reads, row["lacking"], row["told"]
    if not reads.issuperset(FIELD_GROUPS):
        lacking = [each for each in lacking if each.partition(".")[0] in reads]
    return {
        "as_of": row["derived_on"],
        # The county: whose policy it is must not tell a school which village the child lives in.
        "policy_region": region_text(county_of(row["region_code"])),
        "categories": row["categories"],
        "priority_flags": row["priority_flags"],
        "undecided": row["undecided"],
        "counted": row["counted"],
        "lacking": lacking,
        "told": [fact for fact in Told.all_of(told) if GROUPS[fact.kind] in reads] if told else [],
    }


async def counties(tx: Tx, lo: int, hi: int) -> list[int]:
    """Return the counties between two codes in which children live."""
    return [row["county"] for row in await tx.connection.fetch(_COUNTIES, lo, hi)]


_COUNTIES: Final = counties_in_sql("children", "$1", "$2")
