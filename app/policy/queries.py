"""What the shipped policy says, read once per process."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from app.policy import clauses
from app.policy import parameters as declarations
from app.policy.clauses import Clause, Obligation
from app.policy.parameters import Parameter
from app.policy.rules import ParameterValue, effective


def values() -> tuple[ParameterValue, ...]:
    """Return every shipped value of every parameter."""
    return declarations.values_in(declarations.file())


def parameters() -> Mapping[str, Parameter]:
    """Return the declarations by name, in the order of the file."""
    return declarations.declared_in(declarations.file())


def require(*names: str) -> None:
    """Stop the import of a module that reads an undeclared parameter. Raises BadDataFile."""
    for name in names:
        declarations.file().require(("parameters",), "policy parameter", name, parameters())
    _read.update(names)


def read_by_code() -> frozenset[str]:
    """Return the parameters that what is imported by now reads."""
    return frozenset(_read)


_read: Final[set[str]] = set()


def lookup(name: str) -> Callable[[int, date], Any]:
    """Return how to read a parameter (or ParameterMissing), at import. Raises BadDataFile."""
    require(name)
    own = [value for value in values() if value.name == name]
    return lambda region_code, on: effective(own, name, region_code, on).value


def effective_value(name: str, region_code: int, on: date) -> ParameterValue:
    """Return what holds of a parameter in a region on a day, and who says so. Raises
    ParameterMissing.
    """
    return effective(values(), name, region_code, on)


@cache
def clauses_with_text() -> tuple[tuple[Clause, Obligation], ...]:
    """Return all clauses, each beside the obligation it carries, by area."""
    texts = {obligation["id"]: obligation for obligation in clauses.obligations()}
    return tuple((clause, texts[clause.id]) for clause in clauses.load())
