"""What callers send about the steps on a report."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from app.core.http.wire import Code, Input, Line, Moment, Prose
from app.police_reports.schemas import (
    DispositionKind,
    Guardianship,
    Health,
    Participant,
    Safety,
    ServiceKind,
)

At = Annotated[Moment, Field(description="When it was done, by the sender's clock.")]


class Acknowledgement(Input):
    """The police accept a report (REP-07)."""

    police_reference: Line = Field(
        description="The police's own number.", examples=["津公(蓟)受〔2026〕0001"]
    )
    accepted_at: At


class _New(Input):
    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated request is known as the same step.",
        examples=["01995f3c-9d20-7e11-9a02-3b7c1d4e5f60"],
    )


class Dispatch(_New):
    """Officers go out (REP-07)."""

    dispatched_at: At
    unit: Line = Field(description="Which officers go.", examples=["派出所一组"])


class Disposition(_New):
    """What the police did, by kind of situation (REP-08…13)."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    at: At
    measures: list[Code] = Field(
        min_length=1,
        max_length=12,
        description="Codes of the measures of this kind.",
        examples=[["parents_ordered_to_return", "parents_admonished"]],
    )
    placed_with_agency_id: UUID | None = Field(
        default=None, description="The agency that took the child in (REP-10)."
    )
    unit: Line | None = Field(default=None, description="Which officers acted.")
    details: Prose | None = Field(default=None, description="More, in words.")


class TownshipNotice(_New):
    """The police tell the township of acceptance and handling (REP-14)."""

    sent_at: At
    content: Prose = Field(description="What the township must know.")


class NoticeReceipt(_New):
    """The township confirms the notice (REP-14)."""

    received_at: At


class Assessment(_New):
    """The township's assessment of the child (REP-15)."""

    assessed_at: At
    safety: Safety = Field(description="Safety.")
    guardianship: Guardianship = Field(description="Guardianship.")
    physical_health: Health = Field(description="Physical health.")
    mental_health: Health = Field(description="Mental health.")
    participants: list[Participant] = Field(
        max_length=7, description="Who took part, besides the township."
    )
    summary: Prose = Field(description="The findings, in words.")


class Service(Input):
    """One service for the child (REP-16; social assistance: REP-17)."""

    kind: ServiceKind = Field(description="What kind of service.")
    provider: Line = Field(description="Who provides it.")
    started: StrictBool = Field(description="Whether it has begun.")


class ServiceOrder(_New):
    """Services the township arranges (REP-16)."""

    arranged_at: At
    services: list[Service] = Field(min_length=1, max_length=20, description="The services.")


class Closure(_New, title="ReportClosure"):
    """The township ends the case."""

    closed_at: At
    reason: Literal["child_safe", "long_term_care", "unfounded", "moved_away"] = Field(
        description="Why nothing more is to be done."
    )


class Forwarding(_New):
    """The police pass a report to the police agency in charge (高检发〔2020〕9号 Art. 8)."""

    forwarded_at: At
    police_agency_id: UUID = Field(description="The police agency in charge.")
