"""What a package says of itself to the outside, in its `area.py`: its chapter and its scopes.

Wiring, sign-in, the document, the page of the roles and the check of the roles read it from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class DeclaredTwice(Exception):
    """Two areas have one tag, or two scopes one code."""


@dataclass(frozen=True, slots=True)
class Area:
    """A chapter of the document, and the package behind it. `chapter`: where it stands there."""

    tag: str
    chapter: int
    zh: str
    en: str

    def scope(
        self, code: str, zh: str, en: str, *, personal: bool = True, never_waits: bool = False
    ) -> "Scope":
        """Declare a scope. It opens personal data unless that is denied. Raises DeclaredTwice."""
        if code in _scopes:
            raise DeclaredTwice(code)
        _scopes[code] = Scope(code, self, zh, en, personal, never_waits)
        return _scopes[code]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token may be used for: `resource:action`. Every operation needs exactly one (AZ-1).

    `write` never implies `read` by itself; roles grant both. `personal`: it opens personal data,
    so a caller must say for what purpose (AZ-6). `never_waits`: no share limits its operations.
    """

    code: str
    area: Area
    zh: str
    en: str
    personal: bool
    never_waits: bool


_areas: dict[str, Area] = {}
_scopes: dict[str, Scope] = {}


def area(tag: str, chapter: int, zh: str, en: str) -> Area:
    """Declare the area of a package. Raises DeclaredTwice."""
    if tag in _areas:
        raise DeclaredTwice(tag)
    _areas[tag] = Area(tag, chapter, zh, en)
    return _areas[tag]


def areas() -> list[Area]:
    """Return the areas of all loaded packages, in the order a newcomer reads them."""
    return sorted(_areas.values(), key=lambda each: each.chapter)


def scopes() -> Mapping[str, Scope]:
    """Return the scopes of all loaded packages by code, by area."""
    return {each.code: each for one in areas() for each in _scopes.values() if each.area == one}


def never_waits(code: str) -> bool:
    """Tell whether a scope's operations are exempt from the callers' shares."""
    return _scopes[code].never_waits
