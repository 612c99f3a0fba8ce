"""What a file announces. Ids and codes only."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code, Place
from app.core.jobs.case_codes import PLAIN
from app.core.jobs.events import ROLE, Event

Part = Literal["base", "school"]
"""What an information base holds at least (REG-08), and what a school knows and writes (REG-10)."""


class ChildRegistered(Event):
    """A file was opened."""

    wire_name: ClassVar[str] = "children.child_registered"
    subject: ClassVar[str] = "child"
    categories: list[Code] = Field(description="Categories the child is in.")
    priority_flags: list[Code] = Field(description="Why it must be visited without exception.")
    undecided: list[Code] = Field(default=[], description="What of both the file does not decide.")


class ChildChanged(Event):
    """A file was changed; `region_code` is where the child lives now."""

    wire_name: ClassVar[str] = "children.child_changed"
    subject: ClassVar[str] = "child"
    version: int = Field(le=1_000_000, description="The version it became.")
    sections: Annotated[list[Code], PLAIN] = Field(description="Sections changed.")
    previous_region_code: Place | None = Field(description="Where it lived before, if it moved.")


class ChildLeft(Event):
    """A child lives elsewhere now; `region_code` is where it lived. Who keeps copies of the files
    of that place learns of nothing further in this one, unless it lives in their region still.
    """

    wire_name: ClassVar[str] = "children.child_left"
    subject: ClassVar[str] = "child"


class CategoriesChanged(Event):
    """What follows from the facts is different now: a fact, an age or the policy changed."""

    wire_name: ClassVar[str] = "children.categories_changed"
    subject: ClassVar[str] = "child"
    categories: list[Code] = Field(description="Categories the child is in now.")
    priority_flags: list[Code] = Field(description="Priority flags now.")
    undecided: list[Code] = Field(default=[], description="What of both the file does not decide.")
    added: list[Code] = Field(description="Categories and flags that came.")
    held_since: dict[Code, date] = Field(
        default={},
        description="Of `added`, what the calendar had brought days before it was found, and on"
        " which day: the nights in between were missed.",
    )
    removed: list[Code] = Field(description="Categories and flags that went.")


class FactsDecided(Event):
    """Somebody wrote into a file what it did not say: every category and flag is decided now."""

    wire_name: ClassVar[str] = "children.facts_decided"
    subject: ClassVar[str] = "child"


class _AboutEvaluation(Event):
    subject: ClassVar[str] = "evaluation"

    child_id: UUID = Field(description="The child.")
    evaluated_on: date = Field(description="Day of the evaluation.")
    as_role: Annotated[Code | None, ROLE] = Field(
        description="In what role whoever wrote this into the file did so."
    )


class GuardianEvaluated(_AboutEvaluation):
    """Somebody wrote into a file how well the child is looked after, who evaluated that, on which
    day and on what grounds (RSK-03). The subject is the evaluation.
    """

    wire_name: ClassVar[str] = "children.guardian_evaluated"


class EvaluationVoid(_AboutEvaluation):
    """An evaluation of this year says nothing any more: another guardian looks after the child, or
    it was taken out of the file. The subject is the evaluation.
    """

    wire_name: ClassVar[str] = "children.evaluation_void"


class _AboutCompletion(Event):
    subject: ClassVar[str] = "child"
    completion_id: UUID = Field(description="Of this child in this quarter: always the same.")


class FileCompleted(_AboutCompletion):
    """Somebody wrote into a file the last of what each file is to say (REG-12)."""

    wire_name: ClassVar[str] = "children.file_completed"


class FileLacking(_AboutCompletion):
    """A file that was complete is not any more: something was taken out, or more is to be said."""

    wire_name: ClassVar[str] = "children.file_lacking"


class _AboutPart(Event):
    subject: ClassVar[str] = "child"
    part: Part = Field(
        description="`base`: what an information base holds at least (REG-08); `school`: what a"
        " school knows (REG-10)."
    )
    part_id: UUID = Field(description="Of this part of this child's file: always the same.")


class PartCompleted(_AboutPart):
    """Somebody wrote into a part of a file the last of what each file is to say. Told to nobody:
    not all who serve the place read all of it.
    """

    wire_name: ClassVar[str] = "children.part_completed"
    as_role: Annotated[Code | None, ROLE] = Field(
        description="In what role whoever wrote it did so."
    )


class PartLacking(_AboutPart):
    """A part of a file that was complete is not any more. Told to nobody."""

    wire_name: ClassVar[str] = "children.part_lacking"


class SituationFound(Event):
    """Somebody wrote into a file what must be reported to the police (REP-01). Told to nobody: who
    wrote it owes the report.
    """

    wire_name: ClassVar[str] = "children.situation_found"
    subject: ClassVar[str] = "child"
    change_id: UUID = Field(description="That change of the file.")
    agency_id: UUID = Field(description="Whose staff wrote it.")
    found: list[Code] = Field(max_length=10, description="Situations: codes.")


class ChildNamed(Event):
    """An id that an agency's app made is another name of a file from now on. Nobody is told: its
    agency may not know where the child lives. `subject_id` is that id.
    """

    wire_name: ClassVar[str] = "children.child_named"
    subject: ClassVar[str] = "id"
    agency_id: UUID = Field(description="For which agency.")
    child_id: UUID = Field(description="The file.")


class ChildUnnamed(Event):
    """An id that an agency's app made is no other name of a file any more: it was the wrong
    child's, or is a file's own. Nobody is told. `subject_id` is that id.
    """

    wire_name: ClassVar[str] = "children.child_unnamed"
    subject: ClassVar[str] = "id"
    agency_id: UUID = Field(description="For which agency.")
    child_id: UUID = Field(description="The file.")


class DuplicateSuspected(Event):
    """Two files may be one child. `subject_id` is the referral."""

    wire_name: ClassVar[str] = "children.duplicate_suspected"
    subject: ClassVar[str] = "referral"
