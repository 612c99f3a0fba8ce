"""What happens to the case behind a report, and to what the police left out of it."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.police_reports.events import AboutReport


class SituationsAnswered(AboutReport):
    """All that was reported has its answer (REP-08…13). Told to nobody: what was done is read."""

    wire_name: ClassVar[str] = "police_reports.situations_answered"
    answered: bool = Field(default=True, description="True.")


class SituationsUnanswered(AboutReport):
    """Something that was reported has no answer, whatever was done so far. Told to nobody."""

    wire_name: ClassVar[str] = "police_reports.situations_unanswered"
    police_agency_id: UUID | None = Field(
        default=None, description="The police agency in charge, if one is."
    )
    answered: bool = Field(default=False, description="False.")


class OmissionsJudged(AboutReport):
    """A second person of the police judged the reasons for which measures were left out."""

    wire_name: ClassVar[str] = "police_reports.omissions_judged"


class OmissionsUnjudged(AboutReport):
    """What the law asks for was left out for a reason that a second person of the police has to
    judge (REP-20, REP-22).
    """

    wire_name: ClassVar[str] = "police_reports.omissions_unjudged"
    police_agency_id: UUID | None = Field(description="The police agency in charge.")
    judged: bool = Field(default=False, description="False.")


class OmissionsSettled(AboutReport):
    """Nothing is left out for a reason that nobody has judged. Told to nobody."""

    wire_name: ClassVar[str] = "police_reports.omissions_settled"
    judged: bool = Field(default=True, description="True.")


class CaseGoesOn(AboutReport):
    """The police investigate the case (REP-20)."""

    wire_name: ClassVar[str] = "police_reports.case_goes_on"
    police_agency_id: UUID | None = Field(
        default=None, description="The police agency in charge, if one is."
    )
    ended: bool = Field(default=False, description="False.")


class CaseEnded(AboutReport):
    """The police said what came of the case (REP-20); what, stays behind the API."""

    wire_name: ClassVar[str] = "police_reports.case_ended"
    ended: bool = Field(default=True, description="True.")
