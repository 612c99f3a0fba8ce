"""What a package tells the matrix of a resource of its own, in `tests/<package>/matrix.py`: a PART.

`found.py` looks there. What is seen otherwise than the child it lies below is told in `asks.py`,
`rows.py` and `expectation.py` instead.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlmodel import SQLModel

from app.core.data.db import Tx
from tests.matrix.facts import Target

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `body` and `query` are made for a target; `names`: what they name besides the
    path; `claims`: what they name without asking whether the caller may see it. `gives`: the role
    it would give. `shows`: what a list's items are, by their id. `dated`:
    the field of the answer that says how far back it looks, where that is not the part's.
    """

    operation: str
    body: Callable[[Target], Any] | None = None
    query: Callable[[Target], dict[str, str]] | None = None
    names: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    gives: str | None = None
    shows: tuple[str, ...] = ()
    dated: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A resource below the child, seen by whoever sees the child.

    `id`: what paths call its id. `asks`: one request at least for each of its operations. `rows`:
    what to store behind a target's id; its last argument is what every row below a child carries.
    `dated`: the field that says how far back a look at it reaches.
    """

    id: str
    asks: tuple[Ask, ...]
    rows: Callable[[Tx, Target, Json], Iterable[SQLModel]]
    dated: str


def always(body: Json) -> Callable[[Target], Json]:
    return lambda _: body
