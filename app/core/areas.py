"""What a package says of itself to the outside, in its `area.py`: its chapter and its scopes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """Who waits behind whom when more is asked than can be answered: each lane has places of its
    own (`app.core.http.admission`), and no lane takes those of another.
    """

    reports = "reports"
    """Filing a report to the police, and what police, township and reporters do with it."""
    people = "people"
    machines = "machines"
    """Batches."""
    tokens = "tokens"
    """Tokens of systems and people, and what is read to get or check them."""
    sign_in = "sign_in"
    """Passwords."""


class DeclaredTwice(Exception):
    """Two areas have one tag or one chapter, or two scopes one code."""


class NothingSaid(Exception):
    """An area or a scope has no words in one of the two languages."""


@dataclass(frozen=True, slots=True)
class Area:
    """A chapter of the document, and the package behind it. `chapter`: where it stands there;
    `lane`: in which its operations wait.
    """

    tag: str
    chapter: int
    zh: str
    en: str
    lane: Lane

    def scope(
        self,
        code: str,
        zh: str,
        en: str,
        *,
        personal: bool = True,
        never_waits: bool = False,
        bound_only: bool = False,
        lane: Lane | None = None,
    ) -> "Scope":
        """Declare a scope, personal unless that is denied, in the lane of its area unless it says
        another. Raises DeclaredTwice, NothingSaid.
        """
        if code in _scopes:
            raise DeclaredTwice(code)
        _require_words(code, zh, en)
        own = lane or self.lane
        _scopes[code] = Scope(code, self, zh, en, personal, never_waits, bound_only, own)
        return _scopes[code]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token may be used for: `resource:action`. Every operation needs exactly one (AZ-1).

    `write` never implies `read` by itself; roles grant both. `personal`: it opens personal data,
    so a caller must say for what purpose (AZ-6). `never_waits`: no share limits its operations.
    `bound_only`: in production a token that is bound to no key never carries it. `lane`: where they
    wait for a place.
    """

    code: str
    area: Area
    zh: str
    en: str
    personal: bool
    never_waits: bool
    bound_only: bool
    lane: Lane


_areas: dict[str, Area] = {}
_scopes: dict[str, Scope] = {}


def area(tag: str, chapter: int, zh: str, en: str, *, lane: Lane) -> Area:
    """Declare the area of a package. Raises DeclaredTwice, NothingSaid."""
    if tag in _areas:
        raise DeclaredTwice(tag)
    for other in _areas.values():
        if other.chapter == chapter:
            raise DeclaredTwice(f"{tag}: chapter {chapter} is {other.tag}")
    _require_words(tag, zh, en)
    _areas[tag] = Area(tag, chapter, zh, en, lane)
    return _areas[tag]


def _require_words(name: str, *words: str) -> None:
    if not all(each.strip() for each in words):
        raise NothingSaid(f"{name} needs words in zh and en")


def areas() -> list[Area]:
    """Return the areas of all loaded packages, in the order a newcomer reads them."""
    return sorted(_areas.values(), key=lambda each: each.chapter)


def scopes() -> Mapping[str, Scope]:
    """Return the scopes of all loaded packages by code, by area."""
    return {each.code: each for one in areas() for each in _scopes.values() if each.area == one}


def never_waits(code: str) -> bool:
    """Tell whether a scope's operations are exempt from the callers' shares."""
    return _scopes[code].never_waits
