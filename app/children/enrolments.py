"""At which school, in which class, a child was on a day: the education section is the present, its
changes write these rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.children import queries
from app.children.indexes import external_spellings
from app.children.queries import ChildRef
from app.children.sections.education import Education
from app.core.clock import beginning
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.ids import new_id
from app.core.text import canonical_number


def class_key(class_name: str) -> str:
    """Return the form in which the names of classes are compared: width, spaces and case aside."""
    return canonical_number(class_name).casefold()


_FORGET: Final = """
DELETE FROM child_enrolments WHERE home_county = $1 AND child_id = $2 AND since >= $3
"""
_END: Final = """
UPDATE child_enrolments SET until = $3
WHERE home_county = $1 AND child_id = $2 AND since < $3 AND (until IS NULL OR until > $3)
"""
_GO_ON: Final = """
UPDATE child_enrolments SET until = NULL
WHERE home_county = $1 AND child_id = $2 AND until = $3 AND school_id = $4
  AND (class_name, boarding) IS NOT DISTINCT FROM ($5::text, $6::boolean)
"""
_FIRST: Final = """
SELECT min(e.since) FROM child_enrolments e
WHERE e.home_county = $1 AND e.child_id = $2 AND e.since < $3
  AND e.school_id = $4 AND e.class_name IS NOT DISTINCT FROM $5
  AND (e.since >= $6 OR ($6::date IS NULL AND e.until IS NULL))
  AND NOT EXISTS (
      SELECT FROM child_enrolments o
      WHERE o.home_county = e.home_county AND o.child_id = e.child_id AND o.since > e.since
        AND (o.school_id, o.class_name) IS DISTINCT FROM (e.school_id, e.class_name))
"""
_PROLONG: Final = """
UPDATE child_enrolments SET until = $3
WHERE home_county = $1 AND child_id = $2 AND until = $4
"""
_BEGIN: Final = """
INSERT INTO child_enrolments (id, home_county, child_id, region_code, pupil_of, since, school_id,
    class_name, boarding, class_key, stated_by, recorded_at)
SELECT $4, c.home_county, c.id, c.region_code, c.school_id, $3, $5, $6, $7, $8, $9, $10
FROM children c WHERE c.home_county = $1 AND c.id = $2
"""


async def keep(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    before: Education | None,
    after: Education,
    *,
    since: date | None,
) -> None:
    """Write what a locked child's education section has become into its enrolments.

    `since`: the day from which that is so, if it was said with the change: what the rows say of the
    days after it is corrected; and where they have the child there earlier already, of the days
    before it: those stay with where it was until then. Else it is so from today on.
    """
    if before is not None and since is None and _of(before) == _of(after):
        return
    start = since or tx.today
    at = (child.home_county, child.id, start)
    if since and before and (first := await _too_early(tx, child, before, after, since)):
        await tx.connection.execute(_FORGET, child.home_county, child.id, first)
        await tx.connection.execute(_PROLONG, *at, first)
    await tx.connection.execute(_FORGET, *at)
    await tx.connection.execute(_END, *at)
    if after.school_id is None:
        return
    if await tx.connection.execute(_GO_ON, *at, *_of(after)) == "UPDATE 0":
        key = None if after.class_name is None else class_key(after.class_name)
        who = (key, principal.subject, tx.now)
        await tx.connection.execute(_BEGIN, *at, new_id(), *_of(after), *who)


async def _too_early(
    tx: Tx, child: ChildRef, before: Education, after: Education, since: date
) -> date | None:
    """Return since when the rows have a child where it is, if nothing but the day since when it is
    there is said anew, and that is later. One statement, or none.
    """
    if after.school_id is None or before.model_copy(update={"since": since}) != after:
        return None
    at = (child.home_county, child.id, since)
    said = (after.school_id, after.class_name, before.since)
    first: date | None = await tx.connection.fetchval(_FIRST, *at, *said)
    return first


_ELSEWHERE: Final = """
SELECT EXISTS (SELECT FROM child_enrolments WHERE home_county = $1 AND child_id = $2
               AND school_id <> $3 AND (until IS NULL OR until > $4 OR until = $5))
"""


async def days_of_another(
    tx: Tx, child: ChildRef, before: Education, after: Education, since: date
) -> bool:
    """Tell whether a change (`keep`) would move days from or to another school than the child's. At
    most two statements.
    """
    first = await _too_early(tx, child, before, after, since)
    at = (child.home_county, child.id)
    found: bool = await tx.connection.fetchval(_ELSEWHERE, *at, after.school_id, since, first)
    return found


def _of(section: Education) -> tuple[UUID | None, str | None, bool | None]:
    return section.school_id, section.class_name, section.boarding


_SELECT: Final = (
    "SELECT e.id, e.school_id, e.class_name, e.boarding, e.since, e.until FROM child_enrolments e"
)
_LATEST: Final = paging.Order({"e.since": date, "e.id": UUID}, descending=True)


async def page(tx: Tx, child: ChildRef, window: paging.Window) -> paging.Rows:
    """List the enrolments of a child the caller may see, latest first. One statement."""
    where = Where("e.home_county = {} AND e.child_id = {}", child.home_county, child.id)
    return await paging.fetch(tx, _SELECT, where, _LATEST, window)


# By the rows, or by where the register had the child then: it may have been told since.
_WAS_PUPIL: Final = """(
    EXISTS (SELECT FROM child_enrolments e
            WHERE e.home_county = c.home_county AND e.child_id = c.id AND e.school_id = $1
              AND e.since <= u.day AND (e.until IS NULL OR e.until > u.day))
    OR EXISTS (SELECT FROM child_stays s
               WHERE s.home_county = c.home_county AND s.child_id = c.id AND s.enrolled_at = $1
                 AND s.since < u.ends AND s.until >= u.begins))"""
_BY_ID: Final = f"""
SELECT c.id, c.home_county, u.position
FROM UNNEST($2::uuid[], $3::date[], $4::timestamptz[], $5::timestamptz[])
    WITH ORDINALITY AS u (child_id, day, begins, ends, position)
JOIN children c ON c.id = u.child_id
WHERE {_WAS_PUPIL}
"""
_BY_NUMBER: Final = f"""
SELECT c.id, c.home_county, u.position
FROM UNNEST($2::bytea[], $3::date[], $4::timestamptz[], $5::timestamptz[], $6::int[])
    AS u (index, day, begins, ends, position)
JOIN child_external_ids x ON x.index = u.index
JOIN children c ON c.home_county = x.home_county AND c.id = x.child_id
WHERE {_WAS_PUPIL}
"""

Known = UUID | tuple[str, str]
"""A pupil by the id of the file, or by (system, number)."""


async def pupils_then(
    tx: Tx, school_id: UUID, sought: Collection[tuple[Known, date]]
) -> Mapping[tuple[Known, date], ChildRef]:
    """Find who was a pupil of a school on a day, and hold them, wherever they are now: to hang
    something on them, not to show it. Left out: whom nobody or two children answer to. At most two
    statements, and for each one a county; they see beyond the caller's reach.
    """
    pairs = [*sought]
    by_id = [n for n, (known, _) in enumerate(pairs) if isinstance(known, UUID)]
    by_number = [
        (index, n)
        for n, (known, _) in enumerate(pairs)
        if not isinstance(known, UUID)
        for index in external_spellings(tx.keyring, *known)
    ]
    found: dict[int, dict[UUID, ChildRef]] = {}

    async def look(statement: str, *columns: list[object], places: Iterable[int]) -> None:
        first, *rest = columns
        spans = [_span(pairs[n][1]) for n in places]
        days = [list(column) for column in zip(*spans, strict=True)]
        rows = await tx.connection.fetch(statement, school_id, first, *days, *rest)
        held = await queries.hold_those(tx, rows)
        for row in rows:
            found.setdefault(row["position"], {})[row["id"]] = held[row["id"]]

    async with tx.as_system():
        if by_id:
            await look(_BY_ID, [pairs[n][0] for n in by_id], places=by_id)
            found = {by_id[position - 1]: they for position, they in found.items()}
        if by_number:
            places = [n for _, n in by_number]
            await look(_BY_NUMBER, [index for index, _ in by_number], [*places], places=places)
    return {pairs[n]: next(iter(they.values())) for n, they in found.items() if len(they) == 1}


def _span(day: date) -> tuple[date, datetime, datetime]:
    begins = beginning(day)
    return day, begins, begins + timedelta(days=1)


async def was_pupil(tx: Tx, school_id: UUID, child_id: UUID) -> bool:
    """Tell whether a child was ever a pupil of a school: it may read again what it said then."""
    async with tx.as_system():
        found: bool = await tx.connection.fetchval(
            "SELECT EXISTS (SELECT FROM child_enrolments WHERE child_id = $1 AND school_id = $2)"
            " OR EXISTS (SELECT FROM child_stays WHERE child_id = $1 AND enrolled_at = $2)",
            child_id,
            school_id,
        )
    return found


Attended = Sequence[tuple[UUID, date | None, date | None]]
"""At which schools a child was: school, since and until. Without `since`: the register had it there
once, and says by now that it never was.
"""

_ATTENDED: Final = """
SELECT child_id, school_id, since, until FROM child_enrolments WHERE child_id = ANY ($1::uuid[])
UNION ALL
SELECT DISTINCT s.child_id, s.enrolled_at, NULL::date, NULL::date FROM child_stays s
WHERE s.child_id = ANY ($1::uuid[]) AND NOT EXISTS (
    SELECT FROM child_enrolments e WHERE e.home_county = s.home_county
        AND e.child_id = s.child_id AND e.school_id = s.enrolled_at)
"""


async def attended(tx: Tx, children: Collection[UUID]) -> Mapping[UUID, Attended]:
    """Find at which schools some children were, for the worker. One statement."""
    found: dict[UUID, list[tuple[UUID, date | None, date | None]]] = {}
    for row in await tx.connection.fetch(_ATTENDED, list(children)):
        child, *span = tuple(row)
        found.setdefault(child, []).append((span[0], span[1], span[2]))
    return found


def left(attended: Attended, school_id: UUID, day: date) -> bool:
    """Tell whether a child had left a school by a day, and was not back; or never was there, while
    it was at another.
    """
    if attended_on(attended, school_id, day):
        return False
    elsewhere = any(attended_on(attended, school, day) for school, *_ in attended)
    return any(
        (until is not None and until <= day) or (since is None and elsewhere)
        for school, since, until in attended
        if school == school_id
    )


def attended_on(attended: Attended, school_id: UUID, day: date) -> bool:
    """Tell whether a child was at a school on a day."""
    return any(
        school == school_id
        and since is not None
        and since <= day
        and (until is None or day < until)
        for school, since, until in attended
    )


async def has_pupils(tx: Tx, school_id: UUID) -> bool:
    """Tell whether a child is enrolled at a school, in whose reach ever. Needs the SYSTEM reach."""
    return await tx.connection.fetchval(_A_PUPIL, school_id) is not None


_A_PUPIL: Final = "SELECT true FROM children WHERE school_id = $1 LIMIT 1"
