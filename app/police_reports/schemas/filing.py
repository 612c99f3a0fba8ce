"""What callers send to report."""

from typing import Any, Final, Self
from uuid import UUID

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from app.core.http.wire import Day, Input, Line, Moment, Prose
from app.police_reports.schemas import AsSaid, Channel, Sex, Urgency


class Subject(Input):
    """The child a report is about, as far as the reporter knows."""

    name: Line | None = Field(default=None, description="Name, if known.")
    sex: Sex = "unknown"
    birth_date: Day | None = Field(default=None, description="Birth date, if known.")
    approximate_age: int | None = Field(
        default=None, strict=True, ge=0, le=150, description="Age in years, if estimated."
    )
    place: Line | None = Field(default=None, description="Where the child is now.")


class Reporter(Input):
    """Who reports. Kept apart; read by the police agency in charge alone (AZ-9)."""

    name: Line | None = Field(default=None, description="Name.")
    phone: AsSaid | None = Field(
        default=None,
        description="Telephone number, in any spelling.",
        examples=["(022) 0000 0000 转 8"],
    )
    position: Line | None = Field(default=None, description="Position in the agency.")


_NEEDED: Final = frozenset({"narrative", "situations"})
"""Without these there is no report; all else of it is set aside if it cannot be read."""


class ReportCreate(Input):
    """A mandatory report (REP-01, REP-02). Leave `reporter` out to stay unnamed.

    What cannot be read or followed is kept as sent and told in `doubts`; it never refuses the
    report. Only the narrative, a situation and a place are needed.
    """

    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated filing is known as the same.",
        examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"],
    )
    child_id: UUID | None = Field(
        default=None, description="The child's file, as you know it; the report needs none."
    )
    subject: Subject | None = Field(
        default=None, description="The child, as you know them; needed without `child_id`."
    )
    region_code: AsSaid | None = Field(
        default=None,
        description="Where it happened, the division's code, of today or before: decides which "
        "police are in charge. Of an unknown code the part that is known decides. Needed without "
        "`child_id`, else where the child lives.",
        examples=["120119101200"],
    )
    situations: list[AsSaid] = Field(
        min_length=1,
        max_length=14,
        description="Codes of the list `report.situations`.",
        examples=[["living_alone"]],
    )
    urgency: Urgency = "urgent"
    channel: Channel = "app"
    found_at: Moment | None = Field(
        default=None, description="When it was found, by your clock; now, if you do not say."
    )
    narrative: Prose = Field(description="What was seen, in words.")
    reporter: Reporter | None = Field(default=None, description="Who reports.")
    suspect_agency_id: AsSaid | None = Field(
        default=None,
        description="The agency it speaks against, by id or registered name, if any: it learns "
        "nothing of it. Of words that are not clear, neither does any office below the county.",
        examples=["01995f3c-2b40-7d66-8c55-1e0f3a7b8d02"],
    )
    visit_id: UUID | None = Field(default=None, description="The visit it came from.")
    incident_id: UUID | None = Field(
        default=None,
        description="Of several reports about one event, as of several children: made by the "
        "client and the same in all of them, or the id of the first.",
    )
    _unread: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def unread(self) -> dict[str, Any]:
        """What could not be read, by field, such as `subject.birth_date`."""
        return self._unread

    def setting_aside(self, unread: dict[str, Any]) -> Self:
        """Keep beside it what could not be read."""
        self._unread = unread
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _set_aside(cls, sent: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return read(sent)
        except ValidationError as error:
            if not isinstance(sent, dict):
                raise
            rest, unread = {**sent}, {}
            for field, *within in (each["loc"] for each in error.errors()):
                if field in _NEEDED:
                    raise
                part = rest.get(field)
                if within and isinstance(part, dict) and within[0] in part:
                    rest[field] = {name: said for name, said in part.items() if name != within[0]}
                    unread[f"{field}.{within[0]}"] = part[within[0]]
                elif field in rest:
                    unread[str(field)] = rest.pop(field)
            return read(rest).setting_aside(unread)
