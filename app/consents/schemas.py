"""What travels on the wire about grounds, notices and consents."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.agencies.models import AgencyKind
from app.consents.grounds import Basis
from app.consents.models import Form, Party
from app.core.http.wire import Code, Day, Input, Line, Name, Permitted, Version

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b55"

CollectionCode = Annotated[
    Code,
    Field(description="What is collected: a code of `GET /v1/collections`.", examples=["visits"]),
]
_Words = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
By = Annotated[str, Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$")]
TextVersion = Annotated[
    int, Field(strict=True, ge=1, le=999, description="Version of the text that was told.")
]


class NoticeText(BaseModel):
    """What the child and the guardian are told, in one version."""

    version: TextVersion
    zh: _Words = Field(description="In Chinese.")
    en: _Words = Field(description="In English.")


class CitedLaw(BaseModel):
    """An article of law."""

    id: str = Field(max_length=10, pattern=r"^[A-Z]{3}-[0-9]{2}$", description="Its id here.")
    law_zh: _Words = Field(description="The law, in Chinese.")
    law_en: _Words = Field(description="The law, in English.")
    article: int = Field(ge=1, le=2000, description="The number of the article.")
    says_zh: _Words = Field(description="What of it bears on this, in Chinese, in our words.")
    says_en: _Words = Field(description="The same in English.")


class Collection(BaseModel):
    """What is collected of a child, on what ground, and what is told of it."""

    code: CollectionCode
    title_zh: _Words = Field(description="What it is called, in Chinese.")
    title_en: _Words = Field(description="What it is called, in English.")
    of: list[Code] = Field(
        max_length=30, description="Sections of the file and chapters of this document it is in."
    )
    basis: Basis = Field(
        description="The ground. Only where it is `consent` is anybody asked, and can withdraw."
    )
    laws: list[CitedLaw] = Field(max_length=20, description="The articles it rests on.")
    why_zh: _Words = Field(description="What for, in Chinese.")
    why_en: _Words = Field(description="What for, in English.")
    notices: list[NoticeText] = Field(
        max_length=999, description="What is told, oldest text first; empty: it is not told."
    )
    rights_zh: _Words = Field(description="What is told of one's rights with it, in Chinese.")
    rights_en: _Words = Field(description="The same in English.")
    untold_zh: _Words | None = Field(description="Why it is not told, in Chinese; else null.")
    untold_en: _Words | None = Field(description="Why it is not told, in English; else null.")
    agency_kinds: list[AgencyKind] = Field(
        max_length=40, description="To which kinds of agency a child is referred on it alone."
    )


class NoticeCreate(Input):
    """That somebody was told what is collected of a child."""

    collections: list[CollectionCode] = Field(
        min_length=1, max_length=30, description="What was told of, each in the text of now."
    )
    told_to: Party = Field(description="Who was told.")
    form: Form = Field(description="In what form.")
    told_on: Day | None = Field(default=None, description="On which day; else today.")


class Notice(BaseModel):
    """That somebody was told of a collection."""

    id: UUID = Field(description="Its id.", examples=[_ID])
    child_id: UUID = Field(description="The child.")
    collection: CollectionCode
    text_version: TextVersion
    told_to: Party = Field(description="Who was told.")
    form: Form = Field(description="In what form.")
    told_on: date = Field(description="On which day.")
    agency_id: UUID = Field(description="For which agency.")
    recorded_by: By = Field(description="Who recorded it.")
    recorded_at: datetime = Field(description="When.")


class NoticesRecorded(BaseModel):
    """What was recorded of what somebody was told."""

    notices: list[Notice] = Field(max_length=30, description="One for each collection.")


class _Somebody(Input):
    name: Name = Field(description="Who: full name; stored encrypted.")
    relation: Line | None = Field(
        default=None, description="What the person is to the child; needed of a guardian."
    )


class ConsentCreate(_Somebody):
    """A consent as it was given: by somebody, in a form, on a day. Nobody consents by silence."""

    collection: CollectionCode
    text_version: TextVersion
    given_by: Party = Field(description="Under fourteen it is a guardian (PIP-31).")
    form: Form = Field(description="In what form.")
    given_on: Day | None = Field(default=None, description="On which day; else today.")


class ConsentWithdrawal(_Somebody):
    """Who withdraws a consent."""

    withdrawn_by: Party = Field(description="Who.")
    form: Form = Field(description="In what form.")
    withdrawn_on: Day | None = Field(default=None, description="On which day; else today.")


class Person(BaseModel):
    """Who gave or withdrew a consent."""

    name: Name = Field(description="Full name.")
    relation: Line | None = Field(description="What the person is to the child.")


class ConsentWithdrawn(BaseModel):
    """That a consent was withdrawn."""

    withdrawn_by: Party = Field(description="By whom.")
    person: Person = Field(description="By whom, by name.")
    form: Form = Field(description="In what form.")
    withdrawn_on: date = Field(description="On which day.")
    recorded_by: By = Field(description="Who recorded it.")
    withdrawn_at: datetime = Field(description="When that was recorded: since then it holds.")


class Consent(BaseModel):
    """A consent, and whether it stands."""

    id: UUID = Field(description="Its id.", examples=[_ID])
    child_id: UUID = Field(description="The child.")
    collection: CollectionCode
    text_version: TextVersion
    given_by: Party = Field(description="By whom.")
    person: Person = Field(description="By whom, by name.")
    form: Form = Field(description="In what form.")
    given_on: date = Field(description="On which day.")
    agency_id: UUID = Field(description="For which agency.")
    recorded_by: By = Field(description="Who recorded it.")
    recorded_at: datetime = Field(description="When.")
    withdrawal: ConsentWithdrawn | None = Field(description="Its withdrawal; null: it stands.")
    version: Version
    permitted: Permitted
