"""Facts that another chain tells of a child: the dropout register, the police. Pure.

They stand beside the sections, which people write, and rules read both. Each names what told it, so
that it can be told otherwise, and which group of the file it belongs to (AZ-5).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.children.day import Day

Kind = Literal["out_of_school", "harmed"]
GROUPS: Final[Mapping[Kind, str]] = {"out_of_school": "education", "harmed": "guardianship"}


class Told(BaseModel):
    """A fact from `since` until the day before `until`, as somebody's act told it."""

    model_config = ConfigDict(frozen=True)

    kind: Kind = Field(description="What is so: `out_of_school` (EDU-02), `harmed` (DEF-13).")
    since: date = Field(description="From this day on.")
    until: date | None = Field(description="The first day on which it is so no more; null so far.")
    source_id: UUID = Field(description="The dropout alert or report that tells it.")
    stated_by: UUID | None = Field(description="The agency whose act it was.")

    def holds(self, on: Day) -> bool:
        return on.has_come(self.since) and not (self.until and on.has_come(self.until))

    @classmethod
    def all_of(cls, stored: Any) -> tuple[Self, ...]:
        """Read what a file's row keeps."""
        loaded = orjson.loads(stored) if isinstance(stored, str) else stored
        return tuple(cls.model_validate(each) for each in loaded or ())


def stored(facts: Iterable[Told]) -> str:
    """Write facts as a file's row keeps them."""
    return orjson.dumps([each.model_dump(mode="json") for each in facts]).decode()


def with_fact(facts: Iterable[Told], fact: Told) -> list[Told]:
    """Let a fact take the place of what its source told before of the same kind."""
    return [*without(facts, fact.kind, fact.source_id), fact]


def without(facts: Iterable[Told], kind: Kind, source_id: UUID) -> list[Told]:
    """Leave out what a source told."""
    return [each for each in facts if (each.kind, each.source_id) != (kind, source_id)]
