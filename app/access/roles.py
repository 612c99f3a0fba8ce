"""Roles per agency kind and level, read from `roles.yaml`."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, RootModel

from app.agencies.models import AgencyKind
from app.core import data_files
from app.core.data_files import DataFile, Part, Words
from app.policy import clauses
from app.regions.rules import Level

Relation = Literal["region", "enrolled", "none"]
Section = Literal[
    "identity",
    "hukou",
    "residence",
    "family",
    "adoption",
    "guardianship",
    "education",
    "health",
    "welfare",
    "external",
]
FieldGroup = Literal[Section, "derived"]
FIELD_GROUPS: Final[tuple[str, ...]] = get_args(FieldGroup)
"""Sections of a child's file; a role reads and writes whole sections (AZ-5)."""

_SETS: Final = "scope_sets"


class Purpose(StrEnum):
    """Why personal data is read or written (AZ-6; PIPL §6, §28). A closed list."""

    care = "care"
    """Visiting, helping and following up a child."""
    education = "education"
    """Attendance, dropout and return to school."""
    protection = "protection"
    """Suspected harm: report, handling, assessment."""
    registration = "registration"
    """Keeping the file itself true."""
    supervision = "supervision"
    """Checking whether duties are done."""


class UnknownRole(ValueError):
    """`roles.yaml` has no such role."""


class Role(Part):
    """What one kind of caller may do. See the head of `roles.yaml` for the fields. `scopes`: its
    own, and those of the sets it includes.
    """

    code: str
    name: Words
    obligations: tuple[str, ...]
    holders: frozenset[Literal["staff", "machine"]] = Field(alias="for")
    agency_kinds: frozenset[AgencyKind]
    levels: frozenset[str]
    relation: Relation
    reads: frozenset[FieldGroup]
    writes: frozenset[FieldGroup]
    includes: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    purposes: frozenset[Purpose]
    second_factor: Literal["always", "when_asked"] = "when_asked"


class _ScopeSet(RootModel[Annotated[tuple[str, ...], Field(min_length=1)]]):
    """Scopes that several roles include."""


def file() -> DataFile:
    """Read `roles.yaml`. Raises BadDataFile."""
    return data_files.read("app.access", "roles.yaml")


@cache
def roles() -> Mapping[str, Role]:
    """All roles by code. Raises BadDataFile."""
    return roles_of(file())


def role(code: str) -> Role:
    """Return one role; raises UnknownRole."""
    try:
        return roles()[code]
    except KeyError:
        raise UnknownRole(code) from None


def levels_of(kind: str) -> frozenset[str]:
    """Return at which levels an agency of a kind has anything to do: those of the roles it gives;
    none if it gives no role. An administrator's says nothing of that: whatever there is has one.
    """
    return frozenset(
        level
        for one in roles().values()
        if kind in one.agency_kinds and one.code != "administrator"
        for level in one.levels
    )


def roles_of(read: DataFile) -> Mapping[str, Role]:
    """Read roles, each with all its scopes; which exist is for `check`. Raises BadDataFile."""
    for near in get_close_matches(_SETS, read.content, n=1):
        read.require((near,), "key", near, [_SETS])
    entries = dict(read.entries())
    sets = {
        name: read.parsed(_ScopeSet, (_SETS, name), scopes).root
        for name, scopes in entries.pop(_SETS, {}).items()
    }
    found = {}
    for code, entry in entries.items():
        if not re.fullmatch("[a-z]+(_[a-z]+)*", code):
            raise read.refusal((code,), f"{code} is no code of a role, like village_director")
        one = read.parsed(Role, (code,), {"code": code, **entry})
        for position, name in enumerate(one.includes):
            read.require((code, "includes", position), "set of scopes", name, sets)
        for position, level in enumerate(entry["levels"]):
            read.require((code, "levels", position), "level", level, {*Level, "nation"})
        scopes = one.scopes.union(*(sets[name] for name in one.includes))
        found[code] = one.model_copy(update={"scopes": scopes})
    return found


def check(read: DataFile, scopes: Collection[str]) -> None:
    """Raise BadDataFile unless all scopes and obligations that the roles name exist, and every
    scope is held by some role.

    To be asked once every package is imported: roles are granted scopes of packages above.
    """
    obligations = {row["id"] for row in clauses.obligations()}
    for code, one in roles_of(read).items():
        for position, cited in enumerate(one.obligations):
            read.require((code, "obligations", position), "obligation", cited, obligations)
        for position, scope in enumerate(read.content[code].get("scopes", ())):
            read.require((code, "scopes", position), "scope", scope, scopes)
    for name, named in read.content.get(_SETS, {}).items():
        for position, scope in enumerate(named):
            read.require((_SETS, name, position), "scope", scope, scopes)
    held = {scope for one in roles_of(read).values() for scope in one.scopes}
    for scope in scopes:
        if scope not in held:
            raise read.refusal((), f"no role holds the scope {scope}")
