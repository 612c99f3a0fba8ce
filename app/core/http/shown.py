"""What an endpoint answers, and about whom: of it the route makes the answer and the record of it.

An endpoint of /v1 returns `Shown(value, children=…, groups=…)`. The route writes status, JSON, ETag
and Location, and has one audit row written, all in the transaction of the request (AUD-1).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, Literal, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.responses import Response

Value = TypeVar("Value")
REPEATED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "It was stored before, with the same content; nothing changed."}
}
"""For the `responses` of an operation that may be repeated under a client-made id."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whom an answer was about, as the audit keeps it.

    `children`: all whose data was shown or changed. `subject`: the resource it was about; `beside`:
    others that it told of, which may be hidden from who audits it. `since`: the earliest day the
    look reached back to, for what is dated. `decision`: `partly` if some of what was asked for was
    refused by `rule`. `sought`: marks of what was searched for (`Keyring.mark`).
    """

    children: tuple[UUID, ...] = ()
    groups: tuple[str, ...] = ()
    subject: UUID | None = None
    since: date | None = None
    decision: Literal["allowed", "partly", "denied"] = "allowed"
    rule: str | None = None
    beside: tuple[UUID, ...] = ()
    sought: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown(Generic[Value]):
    """The answer of an endpoint.

    `value`: a model, plain data or finished JSON; its `version`, if it has one, becomes the ETag.
    `groups`: sections shown. `subject`: the resource, unless the path names it. `beside`: what else
    it tells of that may be hidden from somebody (`hidden_subjects`). `is_new`: False if
    the request was done before, which is answered 200. `status`: one that is not the route's own.
    `refused_by`: the rule that refused some of what was asked for. `receipt`: it tells only what
    its asker said and what became of that, so it is given again whoever may see the child by then.
    `sought`: marks of what was searched for, which is itself nowhere written down.
    `about`: what is asked of it before it is committed (`routing.settle_with`).
    """

    value: Value | Mapping[str, Any] | bytes
    children: Iterable[UUID | None] = ()
    groups: Collection[str] = ()
    subject: UUID | None = None
    beside: Iterable[UUID] = ()
    since: date | None = None
    is_new: bool = True
    status: int | None = None
    refused_by: str | None = None
    receipt: bool = False
    sought: Collection[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> int | None:
        if isinstance(self.value, Mapping):
            return self.value.get("version")
        return getattr(self.value, "version", None)

    def seen(self, subject: UUID | None) -> Seen:
        """Return what the audit keeps of the answer, which was about `subject`."""
        children = tuple(sorted({child for child in self.children if child is not None}))
        partly: Literal["partly", "denied"] = "partly" if children else "denied"
        return Seen(
            children,
            tuple(self.groups),
            subject,
            self.since,
            "allowed" if self.refused_by is None else partly,
            self.refused_by,
            tuple(sorted({*self.beside})),
            tuple(self.sought),
        )


class Answered(Response):
    """A `Shown` on its way through the framework, which leaves responses alone."""

    def __init__(self, shown: Shown[Any]) -> None:
        # What the framework touches of it; rendering headers that nobody sends would be waste.
        self.shown = shown
        self.status_code = 200
        self.background = None
        self.raw_headers = []


def json_of(value: Any) -> bytes:
    """Write a value as JSON: instants in UTC with a Z."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
