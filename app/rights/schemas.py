"""What travels on the wire about requests about a child's data."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.core.http.wire import Day, Input, Line, Name, Permitted, Prose, Version
from app.rights.models import (
    AskedBy,
    IdentityCheck,
    RefusalReason,
    RightsKind,
    RightsOutcome,
    RightsState,
)

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b66"
By = Annotated[str, Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$")]
Sha256 = Annotated[str, Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Code = Annotated[str, Field(max_length=60, pattern=r"^[a-z_]+$")]


class RightsRequestCreate(Input):
    """What somebody asks about a child's data."""

    kind: RightsKind = Field(description="What is asked.")
    asked_by: AskedBy = Field(description="Who asks.")
    name: Name = Field(description="Who: full name; stored encrypted.")
    relation: Line | None = Field(
        default=None, description="What they are to the child; needed of a guardian."
    )
    contact: Line | None = Field(default=None, description="Where the answer reaches them.")
    words: Prose | None = Field(
        default=None, description="What they ask, in their words; stored encrypted."
    )
    identity_check: IdentityCheck = Field(description="How it was seen who asks.")
    received_on: Day | None = Field(default=None, description="On which day; else today.")

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if self.asked_by is AskedBy.guardian and self.relation is None:
            raise PydanticCustomError("relation", "Say what they are to the child.")
        return self


class RightsAnswerCreate(Input):
    """What is answered: in writing, with a reason for whatever is refused."""

    outcome: RightsOutcome = Field(description="What is answered.")
    reason: RefusalReason | None = Field(
        default=None, description="Why not, or not all; needed unless `granted`."
    )
    words: Prose = Field(
        description="The answer in words, as it is given to who asks; stored encrypted. Whether"
        " there is a case is no part of it."
    )

    @model_validator(mode="after")
    def _has_a_reason(self) -> Self:
        if (self.outcome is RightsOutcome.granted) != (self.reason is None):
            raise PydanticCustomError("refusal_reason", "What is refused, and only that, has one.")
        return self


class RightsAsked(BaseModel):
    """Who asks, and in what words."""

    name: Name = Field(description="Full name.")
    relation: Line | None = Field(description="What they are to the child.")
    contact: Line | None = Field(description="Where the answer reaches them.")
    words: Prose | None = Field(description="What they ask, in their words.")


class RightsAnswer(BaseModel):
    """What was answered."""

    outcome: RightsOutcome = Field(description="What.")
    reason: RefusalReason | None = Field(description="Why not, or not all; null: all of it.")
    words: Prose = Field(description="In words.")
    complain_to_zh: _Text = Field(description="Where who asked may complain, in Chinese.")
    complain_to_en: _Text = Field(description="The same in English.")
    answered_at: datetime = Field(description="When.")
    answered_by: By = Field(description="By whom.")


class RightsRequest(BaseModel):
    """A request about a child's data, and what became of it."""

    id: UUID = Field(description="Its id.", examples=[_ID])
    child_id: UUID = Field(description="The child.")
    kind: RightsKind = Field(description="What is asked.")
    asked_by: AskedBy = Field(description="Who asks.")
    asked: RightsAsked
    identity_check: IdentityCheck = Field(description="How it was seen who asks.")
    received_on: date = Field(description="On which day it was asked.")
    agency_id: UUID = Field(description="The agency that took it down.")
    opened_at: datetime = Field(description="When it was taken down.")
    due_at: datetime = Field(description="By when it is to be answered.")
    overdue: bool = Field(description="Whether that has passed and it has no answer.")
    state: RightsState = Field(description="Where it stands.")
    copy_sha256: Sha256 | None = Field(
        description="SHA-256 of the copy that was made, which is not kept; null: none was."
    )
    copied_at: datetime | None = Field(description="When it was made.")
    answer: RightsAnswer | None = Field(description="The answer; null: none yet.")
    restricted_at: datetime | None = Field(
        description="Since when the file is stored and nothing else (PIP-47); else null."
    )
    restriction_ended_at: datetime | None = Field(description="When that ended; else null.")
    erased_at: datetime | None = Field(
        description="When the file was erased: nobody reads it again; null: it was not."
    )
    version: Version
    permitted: Permitted


class CopiedField(BaseModel):
    """One thing a file says."""

    field: _Code = Field(description="Its name in the file.")
    label: _Text = Field(description="What it is called, in Chinese.")
    value: Any = Field(description="What it says.")


class CopiedSection(BaseModel):
    """A part of what is known."""

    code: _Code = Field(description="The section, or the chapter.")
    title: _Text = Field(description="What it is called, in Chinese.")
    fields: list[CopiedField] = Field(max_length=40, description="What it says; of a section.")
    rows: list[Annotated[list[CopiedField], Field(max_length=40)]] = Field(
        max_length=20_000, description="What happened, latest first; of a chapter."
    )


class ChildCopy(BaseModel):
    """What is known of a child, as a copy is given to who asked. What it leaves out is the same for
    every child: it tells nothing of this one.
    """

    format: _Text = Field(description="`tonghu.child-copy/1`.")
    request_id: UUID = Field(description="The request it answers.")
    child_id: UUID = Field(description="The child.")
    made_for: AskedBy = Field(description="Who asked.")
    made_at: datetime = Field(description="When.")
    sections: list[CopiedSection] = Field(max_length=40, description="What is known.")
    not_read: list[_Code] = Field(
        max_length=40,
        description="Parts that the office which made it does not read: ask the county.",
    )
    left_out_zh: _Text = Field(description="What no copy holds, in Chinese.")
    left_out_en: _Text = Field(description="The same in English.")


class ReadersDocument(BaseModel):
    """Who looked at a child's data, as a page to print for who asked. What it leaves out is the
    same for every child: it tells nothing of this one.
    """

    request_id: UUID = Field(description="The request it answers.")
    child_id: UUID = Field(description="The child.")
    made_at: datetime = Field(description="When.")
    since: date | None = Field(description="The earliest day in it; null: none.")
    html: Annotated[str, Field(max_length=4_000_000, pattern=r"^[^\x00]*$")] = Field(
        description="The page, in Chinese and English: HTML that needs nothing beside it."
    )
