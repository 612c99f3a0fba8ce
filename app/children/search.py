"""What a list or a search may ask for, and the SQL conditions it becomes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.children import (
    indexes,
    listing,
    names,
    naming,
    queries,
    residents,
    schemas,
    sealing,
    tokens,
)
from app.children.models import LISTED_BY
from app.children.sections import GROUP_OF_FILTER
from app.children.sections.marks import BadField
from app.core.data import former
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.data_files import unknown
from app.core.http import paging
from app.core.http.cursors import Cursors
from app.core.problems import FieldError, Problem
from app.core.text import canonical_name, letters
from app.regions.rules import SPANS

_TOWNSHIP, _COUNTY = SPANS[1:3]
MOST_TOKENS: Final = 12_000
"""Asked for at once: forty in a province, four in each county of the nation."""
_LAST: Final = "\U0010ffff"
_READINGS: Final = ("", *(f"_{place}" for place in range(2, naming.MOST_READINGS + 1)))


class FilterForbidden(Problem, status=403, denies=True):
    """The role does not read what the list would be filtered by (AZ-5)."""

    title = "Your role may not filter by this"
    title_zh = "您的角色不得按此条件筛选"


class SearchTooBroad(Problem, status=422):
    """Too short a part of a name for so large an area."""

    title = "Give more of the name, or a region"
    title_zh = "请输入更完整的姓名或指定区域"


def refuse_unknown_filters(known: Collection[str]) -> None:
    """Raise BadField if a field names a filter that lists do not have."""
    for name in GROUP_OF_FILTER.keys() - known:
        raise BadField(f"a field is FilteredBy: {unknown('filter of lists', name, known)}")


def listed(
    principal: Principal,
    updated_since: datetime | None,
    *,
    region_code: tuple[int, int] | None,
    category: str | None,
    priority_flag: str | None,
    undecided: str | None,
    school_id: UUID | None,
) -> dict[str, object]:
    """Turn the filters of a list into SQL conditions for `listing.list_page`. Raises
    FilterForbidden.
    """
    refuse_unreadable(
        principal,
        region_code=region_code,
        category=category,
        priority_flag=priority_flag,
        undecided=undecided,
        school_id=school_id,
    )
    return {
        **_held("categories", category),
        **_held("priority_flags", priority_flag),
        **_held("undecided", undecided),
        "c.school_id = {}": school_id,
        "c.updated_at >= {}": updated_since,
    }


def _held(column: str, code: str | None) -> dict[str, object]:
    """Say that a file holds a code of `LISTED_BY`: spelt out, or no plan that is kept for anybody
    uses its index.
    """
    if code is None:
        return {}
    if code not in LISTED_BY[column]:
        raise ValueError(f"no list is narrowed by {column}: {code}")
    return {f"{{}} AND '{code}' = ANY (c.{column})": True}


async def found(
    tx: Tx,
    principal: Principal,
    wanted: schemas.ChildSearch,
    region: tuple[int, int] | None,
    cursors: Cursors,
) -> paging.Rows:
    """Return a page of what a search finds. Raises FilterForbidden, SearchTooBroad, CursorInvalid.
    One statement; one more for the counties of whoever searches several.

    Few are compared one by one: whoever is born on a day, bears a number, or is at a school; for
    less than a token's worth of a name, those of a township, too. Whoever has just this name and
    birth date is found by the index of both. All else is found by the tokens of each county.
    """
    refuse_unreadable(principal, region_code=wanted.region_code)
    window = paging.Window(cursors, wanted.limit, wanted.cursor)
    lo, hi = region or (principal.region_lo, principal.region_hi)
    lo, hi = max(lo, principal.region_lo), min(hi, principal.region_hi)
    few = wanted.resident_id or wanted.birth_date or principal.school_id
    pieces = _pieces(wanted)
    fits = _fits(wanted)
    if few or (hi - lo <= _TOWNSHIP and not pieces):
        these = narrowed(tx, wanted, region)
        if wanted.name is None and wanted.pinyin is None:
            return await listing.list_page(tx, principal, these, window)
        return await listing.sift(tx, principal, these, window, fits)
    if not pieces:
        raise _too_short(wanted)
    counties = [lo - lo % _COUNTY]
    if hi - lo > _COUNTY:
        counties = await queries.counties(tx, lo, hi)
    if len(counties) * len(pieces) > MOST_TOKENS:
        raise SearchTooBroad.at(
            "#/region_code", "region_needed", "Give a region, or whole syllables."
        )
    asked = [token for each in counties for token in names.sought(tx.keyring, each, pieces)]

    def arms(where: Where) -> list[str]:
        return [
            _by_tokens(where, asked, lo, hi, window),
            _by_plain_names(where, {**narrowed(tx, wanted, (lo, hi)), **_plain(wanted)}),
        ]

    page = await listing.list_page(tx, principal, {}, window, arms=arms)
    return page._replace(rows=[row for row in page.rows if fits(sealing.named(tx.keyring, row)[0])])


def _fits(wanted: schemas.ChildSearch) -> Callable[[str], bool]:
    name = None if wanted.name is None else canonical_name(wanted.name)
    return partial(tokens.fits, sought=name, match=wanted.match, typed=wanted.pinyin)


def marks(keyring: Keyring, wanted: schemas.ChildSearch) -> list[str]:
    """Mark what was sought, each part in the form that is compared, for the audit."""
    said = {
        "resident_id": wanted.resident_id and residents.canonical(wanted.resident_id),
        "name": wanted.name and canonical_name(wanted.name),
        "pinyin": wanted.pinyin and letters(wanted.pinyin),
        "birth_date": wanted.birth_date and wanted.birth_date.isoformat(),
    }
    return [keyring.mark(kind, text) for kind, text in said.items() if text]


def _pieces(wanted: schemas.ChildSearch) -> list[str]:
    by_name = tokens.of_name(canonical_name(wanted.name), wanted.match) if wanted.name else []
    return by_name or (tokens.of_letters(wanted.pinyin) if wanted.pinyin else [])


def _too_short(wanted: schemas.ChildSearch) -> SearchTooBroad:
    field = "pinyin" if wanted.pinyin else "name"
    return SearchTooBroad.at(
        f"#/{field}",
        f"{field}_too_short",
        "Two characters or syllables; one with a birth date, or inside a township.",
    )


# In each county, and of each of its tokens, a page from the cursor on: these are merged.
_TOKENS: Final = """
(c.home_county, c.id) IN (SELECT f.home_county, f.child_id FROM (
    SELECT DISTINCT n.region_code, n.child_id, n.home_county
    FROM unnest({}::bigint[]) AS t (token) CROSS JOIN LATERAL (
        SELECT n.region_code, n.child_id, n.home_county FROM child_names n
        WHERE n.token = t.token AND n.region_code >= {} AND n.region_code < {}
          AND (n.region_code, n.child_id) > ({}, {})
        ORDER BY n.region_code, n.child_id LIMIT {}
    ) AS n ORDER BY n.region_code, n.child_id LIMIT {}
) AS f)
"""


def _by_tokens(where: Where, asked: Sequence[int], lo: int, hi: int, window: paging.Window) -> str:
    after = window.after(int, UUID) or (-1, UUID(int=0))
    most = window.limit + 1
    return _TOKENS.format(*map(where.bind, (asked, lo, hi, *after, most, most)))


# While the release before may have written names in the clear: as it looks. Goes with the table.
def _by_plain_names(where: Where, compared: Mapping[str, object]) -> str:
    said = [f"({sql.format(where.bind(value))})" for sql, value in compared.items()]
    return " AND ".join([former.MAY_HAVE_NAMED, *said])


def narrowed(
    tx: Tx, wanted: schemas.ChildSearch, region: tuple[int, int] | None
) -> dict[str, object]:
    """Say in SQL which children may be sought, by all but parts of their names."""
    lo, hi = region or (None, None)
    said: dict[str, object] = {"c.region_code >= {}": lo, "c.region_code < {}": hi}
    if wanted.birth_date is not None:
        said["c.birth_date = {}"] = wanted.birth_date
        if wanted.name is not None and wanted.match == "exact":
            made, _, name = sealing.same_child(tx.keyring, wanted.name, wanted.birth_date)
            said[_NAMED] = [name.encode(), *made]
    if wanted.resident_id is not None:
        spelt = indexes.resident_indexes(tx.keyring, wanted.resident_id)
        said["r.index = ANY({}::bytea[])"] = spelt
    return said


def refuse_unreadable(principal: Principal, **given: object) -> None:
    errors = [
        FieldError(name, "section_not_readable", "Your role does not read the section this is in.")
        for name, value in given.items()
        if value is not None and GROUP_OF_FILTER[name] not in principal.role.reads
    ]
    if errors:
        raise FilterForbidden(errors=errors)


_NAMED: Final = """
c.name_index = ANY (({0}::bytea[])[2:])
OR c.name_canonical = convert_from(({0}::bytea[])[1], 'UTF8')
"""


def _plain(wanted: schemas.ChildSearch) -> dict[str, object]:
    by_name = {} if wanted.name is None else _name(canonical_name(wanted.name), wanted.match)
    return by_name if wanted.pinyin is None else by_name | _spelling(wanted.pinyin)


def _name(name: str, match: str) -> dict[str, object]:
    # Prefixes are ranges: unlike LIKE, comparison may use an index under row-level security.
    if match == "exact":
        return {"c.name_canonical = {}": name}
    if match == "prefix":
        return {"c.name_canonical >= {}": name, "c.name_canonical < {}": name + _LAST}
    if match == "suffix":
        back = name[::-1]
        return {"c.name_reversed >= {}": back, "c.name_reversed < {}": back + _LAST}
    return {"position({} in c.name_canonical) > 0": name}


def _spelling(typed: str) -> dict[str, object]:
    # Every arm is a range or an equality that an index of its own serves.
    bounds = [(begun, begun + _LAST) for begun in naming.meant(typed)]
    values = [letters(typed), *(bound for both in bounds for bound in both)]
    arms = [f"c.name_initials{reading} = ({{0}}::text[])[1]" for reading in _READINGS]
    arms += [
        f"c.name_pinyin{reading} >= ({{0}}::text[])[{place}]"
        f" AND c.name_pinyin{reading} < ({{0}}::text[])[{place + 1}]"
        for reading in _READINGS
        for place in range(2, len(values), 2)
    ]
    return {" OR ".join(arms): values}
