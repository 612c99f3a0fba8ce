"""What the police send about the case behind a report, and what is left out of it."""

from typing import Final, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.core.http.wire import Day, Line, Prose
from app.police_reports.schemas import CaseStage, StepTaken, Undone
from app.police_reports.schemas.steps import At, New

_PAPER_SAYS_IT: Final = ("filed", "punished")


class OmissionJudgement(New):
    """A second person of the police confirms or rejects why measures were left out."""

    judged_at: At
    disposition_id: UUID = Field(
        description="The last disposition read for it: `omission_step_id` of the report. All that "
        "was left out up to then is judged."
    )
    confirmed: StrictBool = Field(
        description="Whether the reasons stand. If not, the measures are owed again."
    )
    explanation: Prose = Field(description="Why.")


class DispositionTaken(StepTaken):
    """What the police did was recorded."""

    undone: Undone


class Investigation(New):
    """How far the case is (REP-20). Said again at each stage; owed until it is over."""

    at: At
    stage: CaseStage = Field(
        description="`not_filed`, `punished`, `not_punished`, `passed_on` and `ended` end it."
    )
    paper_number: Line | None = Field(
        default=None,
        description="The number of the paper: the filing, the decision.",
        examples=["津公(蓟)立字〔2026〕0001"],
    )
    day: Day | None = Field(default=None, description="Its day.")
    explanation: Prose | None = Field(
        default=None,
        description="Why, or to whom it was passed on. Needed unless a case was filed or somebody "
        "punished, and the paper and its day say so.",
    )

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        on_paper = self.paper_number is not None and self.day is not None
        if self.explanation is None and not (on_paper and self.stage in _PAPER_SAYS_IT):
            raise PydanticCustomError(
                "investigation_unclear", "Give the paper and its day, or say why in explanation."
            )
        return self
