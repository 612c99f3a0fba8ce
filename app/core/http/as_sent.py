"""Bodies that are taken though parts of them cannot be read: those are set aside as they were sent.

Whoever stands beside a child can mend nothing, and phones retry in pockets: evidence is refused
only where it does not say what it cannot be without.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from app.core.http.strict_json import storable
from app.core.http.wire import Input

Place = tuple[str | int, ...]
"""Where something stands in a body, as `("subject", "birth_date")`."""


class TakenAsSent(Input):
    """A body of which all that cannot be read, a field of ours or one nobody knows, is set aside.

    `needed`: without these, by their dotted names, it says nothing and is refused. A subclass may
    say in `prepared` how more of it is to be read.
    """

    evidence: ClassVar[bool] = True
    needed: ClassVar[frozenset[str]] = frozenset()
    _unread: dict[str, Any] = PrivateAttr(default_factory=dict)
    _strange: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def unread(self) -> dict[str, Any]:
        """What could not be read, by field, such as `subject.birth_date`."""
        return self._unread

    @property
    def strange(self) -> dict[str, Any]:
        """What of that stands in fields nobody knows."""
        within = [f"{each}{end}" for each in self._strange for end in (".", " (")]
        return {
            field: said
            for field, said in self._unread.items()
            if any(f"{field}.".startswith(each) for each in within)
        }

    def setting_aside(self, unread: dict[str, Any], strange: Collection[str] = ()) -> Self:
        """Keep beside it what could not be read. `strange`: fields nobody knows."""
        self._unread, self._strange = unread, frozenset(strange)
        return self

    @classmethod
    def takes(cls, sent: dict[str, Any]) -> bool:
        """Tell whether what cannot be read is set aside; else it is refused."""
        del sent
        return True

    @classmethod
    def takes_anything(cls, sent: Any) -> bool:
        return not isinstance(sent, dict) or cls.takes(sent)

    @classmethod
    def prepared(
        cls, said: dict[str, Any], replaced: dict[str, Any], unread: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what is read; put into `unread` what is not. `replaced`: what
        no database keeps, as it was or why, and where it stood.
        """
        unread |= replaced
        return said

    @model_validator(mode="wrap")
    @classmethod
    def _set_aside(cls, sent: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(sent, dict) or not cls.takes(sent):
            return read(sent)
        replaced: dict[str, Any] = {}
        unread: dict[str, Any] = {}
        said = _respelt(storable(sent, replaced), cls.model_fields, unread)
        strange = {*unread}
        rest = cls.prepared(said, replaced, unread)
        while True:
            try:
                return read(rest).setting_aside(unread, strange)
            except ValidationError as error:
                errors = error.errors()
                wrong = [_standing(rest, each["loc"]) for each in errors]
                if any(cls._needs(rest, place) for place in wrong):
                    raise
                unknown = (each["loc"] for each in errors if each["type"] == "extra_forbidden")
                strange |= {".".join(map(str, place)) for place in unknown}
                _take_out(rest, wrong, unread)

    @classmethod
    def _needs(cls, said: dict[str, Any], place: Place) -> bool:
        """Tell whether a body is refused for what stands there, or is missing."""
        del said
        dotted = ".".join(map(str, place))
        return not place or any(
            f"{dotted}.".startswith(f"{each}.") or f"{each}.".startswith(f"{dotted}.")
            for each in cls.needed
        )


_SHORTEST = 4
"""Letters of a word that is still known with one more or less."""
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _respelt(
    said: dict[str, Any], fields: Collection[str], unread: dict[str, Any]
) -> dict[str, Any]:
    """Read what stands in a field nobody knows, plainly one of ours misspelt, as ours, if that says
    nothing; under its own name it is unread.
    """
    for name in [name for name in said if name not in fields]:
        meant = [ours for ours in fields if said.get(ours) in _NOTHING and _misspells(name, ours)]
        if len(meant) == 1:
            unread[name] = said[meant[0]] = said.pop(name)
    return said


def _misspells(name: str, ours: str) -> bool:
    """Tell whether it is the name of ours in other dress (`visitedOn`), but for one word of it with
    a letter more or less (`finding`), or in another form (`visit_on`).
    """
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", name.strip()).casefold()
    pairs = [*zip(plain.split("_"), ours.split("_"), strict=False)]
    if plain.count("_") != ours.count("_"):
        return False
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    return not wrong or (len(wrong) == 1 and _alike(*sorted(wrong[0], key=len)))


def _alike(short: str, long: str) -> bool:
    if len(short) < _SHORTEST:
        return False
    if long in {f"{short}es", f"{short}ed"}:
        return True
    return any(short == long[:place] + long[place + 1 :] for place in range(len(long)))


def _standing(body: Any, place: Place) -> Place:
    """Return how far a place goes in a body: what is missing is missed by what should hold it."""
    for depth, step in enumerate(place):
        holds = isinstance(body, dict) if isinstance(step, str) else isinstance(body, list)
        if not holds or (isinstance(step, str) and step not in body):
            return place[:depth]
        body = body[step]
    return place


def _take_out(body: dict[str, Any], places: Sequence[Place], unread: dict[str, Any]) -> None:
    asked = set(places)
    gone = [
        place
        for place in dict.fromkeys(places)
        if not any(place[:depth] in asked for depth in range(1, len(place)))
    ]
    for place in gone:
        unread[".".join(map(str, place))] = _holder(body, place)[place[-1]]
    for place in reversed(gone):  # so that what stands before it in a list stays where it is
        del _holder(body, place)[place[-1]]


def _holder(body: Any, place: Place) -> Any:
    for step in place[:-1]:
        body = body[step]
    return body
