"""What the shipped policy says, read once per process."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from app.policy import clauses
from app.policy.clauses import Clause, Obligation
from app.policy.parameters import Parameter, declared, shipped_parameters
from app.policy.rules import ParameterValue


@cache
def values() -> tuple[ParameterValue, ...]:
    """Return every shipped value of every parameter."""
    return shipped_parameters()


@cache
def parameters() -> Mapping[str, Parameter]:
    """Return the declarations by name, in the order of the file."""
    return {parameter.name: parameter for parameter in declared()}


class ClauseWithText(NamedTuple):
    """What carries an obligation, beside what it says."""

    clause: Clause
    text: Obligation


@cache
def clauses_with_text() -> tuple[ClauseWithText, ...]:
    """Return all clauses with the obligations they carry, by area."""
    texts = {obligation["id"]: obligation for obligation in clauses.obligations()}
    return tuple(ClauseWithText(clause, texts[clause.id]) for clause in clauses.load())
