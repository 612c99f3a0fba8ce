"""What of a report could not be read, by what it may say: of who reports, or of an agency. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from unicodedata import normalize
from uuid import UUID

from app.core.text import canonical_number

_AN_ID: Final = re.compile("(?=([0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}))")
"""Wherever one may begin: a digit that stands before it hides none."""
_OF_WHO_REPORTS: Final = ("report", "phone", "电话", "举报")
_OF_WHO_IS_ACCUSED: Final = (
    *("suspect", "accus", "abus", "offend", "perpetrat"),
    *("嫌疑", "被举报", "被控", "被告", "施暴", "加害", "侵害", "涉案", "涉事"),
)


MOST_IDS: Final = 1_000
"""A body of digits alone would hold a million."""


def ids_in(said: Any) -> list[UUID]:
    """Return the ids that stand anywhere in what was sent, in any spelling, also within text: the
    first MOST_IDS, in their order.
    """
    found: dict[UUID, None] = {}
    for text in _texts(said):
        for each in _AN_ID.finditer(_plain(text)):
            found[UUID(each[1])] = None
            if len(found) == MOST_IDS:
                return [*found]
    return [*found]


def accused_in(unread: Mapping[str, Any]) -> set[str]:
    """Return all texts in what was sent that stand, at any depth, in a field whose name says that
    somebody is accused.
    """
    return {
        text.strip()
        for each in _parts(unread)
        if isinstance(each, dict)
        for name, said in each.items()
        if _bears(name, _OF_WHO_IS_ACCUSED)
        for text in _texts(said)
        if text.strip()
    }


def of_who_reports(unread: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what may say who reports, which is kept apart (AZ-9): what stands in a field nobody
    knows, and what bears such a name at any depth. `known`: the fields of ours.
    """
    return {
        field: said
        for field, said in unread.items()
        if field.partition(".")[0] not in known or names_who_reports({field: said})
    }


def names_who_reports(said: Any) -> bool:
    """Tell whether a field in what was sent bears the name of one that says who reports."""
    return any(
        _bears(name, _OF_WHO_REPORTS)
        for each in _parts(said)
        if isinstance(each, dict)
        for name in each
    )


def without_who_reports(said: Any, field: str) -> tuple[Any, dict[str, Any]]:
    """Part what was sent in a field from what in it bears the name of one that says who reports.
    Returns the rest, and that by its place, such as `narrative.reporter`.
    """
    aside: dict[str, Any] = {}
    if isinstance(said, list):
        parts = [without_who_reports(each, f"{field}.{n}") for n, each in enumerate(said)]
        return [rest for rest, _ in parts], {k: v for _, each in parts for k, v in each.items()}
    if not isinstance(said, dict):
        return said, aside
    rest = {}
    for name, each in said.items():
        if _bears(name, _OF_WHO_REPORTS):
            aside[f"{field}.{name}"] = each
        else:
            rest[name], more = without_who_reports(each, f"{field}.{name}")
            aside |= more
    return rest, aside


def _bears(name: str, marks: Collection[str]) -> bool:
    plain = normalize("NFKC", name).casefold()
    return any(mark in plain for mark in marks)


def _plain(text: str) -> str:
    return canonical_number(text).casefold()


def _texts(said: Any) -> Iterator[str]:
    for each in _parts(said):
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each


def _parts(said: Any) -> Iterator[Any]:
    """Walk all that was sent, in its order: each value, and what it holds."""
    waiting = [said]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, dict):
            waiting.extend(reversed(each.values()))
        elif isinstance(each, list):
            waiting.extend(reversed(each))
