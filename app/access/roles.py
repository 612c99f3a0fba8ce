"""Roles per agency kind and level, read from `roles.yaml` (obligations.md §5)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import yaml

from app.access.scopes import Scope

Relation = Literal["region", "enrolled", "none"]

FIELD_GROUPS = (
    "identity",
    "hukou",
    "residence",
    "family",
    "guardianship",
    "education",
    "health",
    "welfare",
    "external",
    "derived",
)
"""Sections of a child's file; a role reads and writes whole sections (AZ-5)."""


class UnknownRole(ValueError):
    """`roles.yaml` has no such role, or a role in it is not usable."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one kind of caller may do. See the head of `roles.yaml` for the fields."""

    code: str
    name_zh: str
    name_en: str
    obligations: tuple[str, ...]
    holders: frozenset[str]
    agency_kinds: frozenset[str]
    levels: frozenset[str]
    relation: Relation
    reads: frozenset[str]
    writes: frozenset[str]
    scopes: frozenset[Scope]
    purposes: frozenset[str]


@cache
def roles() -> dict[str, Role]:
    """All roles by code. Raises UnknownRole if the file contradicts itself."""
    raw = yaml.safe_load(files("app.access").joinpath("roles.yaml").read_text("utf-8"))
    found = {}
    for code, entry in raw.items():
        groups = {*entry["reads"], *entry["writes"]}
        if entry["relation"] not in get_args(Relation) or not groups <= {*FIELD_GROUPS}:
            raise UnknownRole(f"{code}: unknown relation or field group")
        found[code] = Role(
            code=code,
            name_zh=entry["name"]["zh"],
            name_en=entry["name"]["en"],
            obligations=tuple(entry["obligations"]),
            holders=frozenset(entry["for"]),
            agency_kinds=frozenset(entry["agency_kinds"]),
            levels=frozenset(entry["levels"]),
            relation=entry["relation"],
            reads=frozenset(entry["reads"]),
            writes=frozenset(entry["writes"]),
            scopes=frozenset(Scope(scope) for scope in entry["scopes"]),
            purposes=frozenset(entry["purposes"]),
        )
    return found


def role(code: str) -> Role:
    """Return one role; raises UnknownRole."""
    try:
        return roles()[code]
    except KeyError:
        raise UnknownRole(code) from None
