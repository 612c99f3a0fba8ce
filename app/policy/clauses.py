"""The 238 obligations read out of the source documents, and what carries each.

`data/obligations.json` holds what each says in the original; `clauses.yaml` says which rule,
parameter, resource or field carries it, which tests would fail without it, and which part of the
sentence nothing carries.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple, Self, TypedDict, get_args

from pydantic import model_validator

from app.core import data_files
from app.core.data_files import DataFile, Part, Text

_KINDS: Final = ("rule", "parameter", "resource", "field")

State = Literal["carried", "partly", "not_yet"]
"""How much of an obligation is in the product: all of its sentence, some of it, nothing."""


class Obligation(TypedDict):
    """One row of the table of obligations; "—" where the source says nothing. `zh` quotes the
    source. The other texts are English readings of it.
    """

    id: str
    area: str
    src: str
    who: str
    trigger: str
    what: str
    when: str
    evidence: str
    notify: str
    fields: str
    zh: str


class Clause(Part):
    """What carries an obligation, if anything: `kind:reference` each, and pytest node ids.

    `partly`: which parts of its sentence nothing carries.
    """

    id: str
    area: Text
    title_zh: Text
    title_en: Text
    carried_by: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    partly: Text = ""
    status: Literal["not_yet"] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if not bool(self.carried_by) == bool(self.tests) == (self.status is None):
            raise ValueError("say either `carried_by` and `tests`, or `status: not_yet`")
        if self.partly and self.status:
            raise ValueError("`partly` says what is missing of something that is carried")
        return self

    @property
    def state(self) -> State:
        return self.status or ("partly" if self.partly else "carried")


class AreaCoverage(NamedTuple):
    """How many of an area's obligations are carried whole, how many partly, how many not yet."""

    area: str
    carried: int
    partly: int
    not_yet: int


def file() -> DataFile:
    """Read `clauses.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "clauses.yaml")


@cache
def load() -> tuple[Clause, ...]:
    """Return all clauses, by area. Raises BadDataFile."""
    return tuple(file().parts(Clause, "id").values())


def check(read: DataFile, parameters: Mapping[str, Any]) -> None:
    """Raise BadDataFile unless the obligations, kinds of carrier and parameters that the clauses
    name exist.
    """
    known = {row["id"] for row in obligations()}
    for one in read.parts(Clause, "id").values():
        read.require((one.id,), "obligation", one.id, known)
        for position, carrier in enumerate(one.carried_by):
            place = (one.id, "carried_by", position)
            kind, _, reference = carrier.partition(":")
            read.require(place, "kind of carrier", kind, _KINDS)
            if not reference:
                raise read.refusal(place, f"{carrier} names nothing")
            if kind == "parameter":
                read.require(place, "policy parameter", reference, parameters)


def obligations() -> tuple[Obligation, ...]:
    """Return what the sources say, in the order of the table."""
    text = files("app.policy").joinpath("data/obligations.json").read_bytes()
    return tuple(json.loads(text))


def coverage(clauses: Iterable[Clause]) -> list[AreaCoverage]:
    """Count clauses by area and state, in the order the areas appear."""
    by_area: dict[str, list[State]] = {}
    for each in clauses:
        by_area.setdefault(each.area, []).append(each.state)
    return [
        AreaCoverage(area, *(states.count(each) for each in get_args(State)))
        for area, states in by_area.items()
    ]
