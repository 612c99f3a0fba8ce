"""What is announced of consents."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.consents.grounds import ConsentTo
from app.core.jobs.events import CODE, Event


class _AboutConsent(Event):
    subject: ClassVar[str] = "consent"

    child_id: UUID = Field(description="The child.")
    collection: Annotated[ConsentTo, CODE] = Field(description="What it is a consent to: a code.")


class ConsentGiven(_AboutConsent):
    """Somebody consented to what takes consent. The subject is the consent."""

    wire_name: ClassVar[str] = "consents.consent_given"


class ConsentWithdrawn(_AboutConsent):
    """A consent was withdrawn: what rested on it stops, what was done before stands."""

    wire_name: ClassVar[str] = "consents.consent_withdrawn"
