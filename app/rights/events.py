"""What is announced of requests about a child's data. Codes and times only."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import CODE, Event
from app.rights.models import RightsKind, RightsOutcome


class _AboutRequest(Event):
    subject: ClassVar[str] = "rights_request"

    child_id: UUID = Field(description="The child.")
    kind: Annotated[RightsKind, CODE] = Field(description="What is asked: a code.")


class RightsRequestFiled(_AboutRequest):
    """Somebody asks about a child's data, and is owed an answer."""

    wire_name: ClassVar[str] = "rights.request_filed"
    due_at: datetime = Field(description="By when it is to be answered.")


class RightsRequestAnswered(_AboutRequest):
    """A request was answered."""

    wire_name: ClassVar[str] = "rights.request_answered"
    outcome: Annotated[RightsOutcome, CODE] = Field(description="What was answered: a code.")


class RightsRequestTakenBack(_AboutRequest):
    """Who asked does not any more."""

    wire_name: ClassVar[str] = "rights.request_taken_back"
