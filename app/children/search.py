"""What a list or a search may ask for, and the SQL conditions it becomes."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.children import naming, queries, schemas
from app.children.models import LISTED_BY
from app.children.sections import GROUP_OF_FILTER
from app.children.sections.marks import BadField
from app.core.data.db import Tx
from app.core.data_files import unknown
from app.core.problems import FieldError, Problem
from app.core.text import canonical_name, letters

_COUNTY: Final = 10**6
_SHORTEST: Final = 2
_ANYWHERE: Final = 3
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
    """Turn the filters of a list into SQL conditions for `queries.list_page`. Raises
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
    lo, hi = region_code or (None, None)
    return {
        "c.region_code >= {}": lo,
        "c.region_code < {}": hi,
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


def searched(
    tx: Tx, principal: Principal, wanted: schemas.ChildSearch, region: tuple[int, int] | None
) -> dict[str, object]:
    """Turn a search into SQL conditions for `queries.list_page`. Raises FilterForbidden,
    SearchTooBroad.
    """
    refuse_unreadable(principal, region_code=wanted.region_code)
    lo, hi = region or (None, None)
    found: dict[str, object] = {
        "c.region_code >= {}": lo,
        "c.region_code < {}": hi,
        "c.birth_date = {}": wanted.birth_date,
    }
    if wanted.pinyin is not None:
        found |= _spelling(wanted.pinyin)
    if wanted.resident_id is not None:
        found["r.index = {}"] = queries.resident_index(tx.keyring, wanted.resident_id)
    if wanted.name is not None:
        narrow = min(hi or principal.region_hi, principal.region_hi) - max(
            lo or principal.region_lo, principal.region_lo
        )
        found |= _name(canonical_name(wanted.name), wanted.match, in_one_county=narrow <= _COUNTY)
    return found


def refuse_unreadable(principal: Principal, **given: object) -> None:
    errors = [
        FieldError(name, "section_not_readable", "Your role does not read the section this is in.")
        for name, value in given.items()
        if value is not None and GROUP_OF_FILTER[name] not in principal.role.reads
    ]
    if errors:
        raise FilterForbidden(errors=errors)


def _name(name: str, match: str, *, in_one_county: bool) -> dict[str, object]:
    # Prefixes are ranges: unlike LIKE, comparison may use an index under row-level security.
    if match == "exact":
        return {"c.name_canonical = {}": name}
    if match == "prefix":
        return {"c.name_canonical >= {}": name, "c.name_canonical < {}": name + _LAST}
    if match == "suffix":
        back = name[::-1]
        return {"c.name_reversed >= {}": back, "c.name_reversed < {}": back + _LAST}
    if len(name) < (_SHORTEST if in_one_county else _ANYWHERE):
        raise SearchTooBroad.at(
            "#/name", "name_too_short", "Two characters inside one county, three anywhere."
        )
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
