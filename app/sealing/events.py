"""What witnesses and operators are told of the sealed audit."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import CODE, Event


class Trouble(StrEnum):
    """What is wrong with it."""

    sealing_late = "sealing_late"
    """Entries wait to be sealed longer than five minutes."""
    signing_late = "signing_late"
    """What is sealed waits to be signed longer than five minutes."""
    forked = "forked"
    """A witness holds a checkpoint that is not in the log: nothing more is signed."""
    witnesses_unasked = "witnesses_unasked"
    """The database was put back or elsewhere; nothing is signed until each witness presented what
    it holds.
    """
    too_few_witnesses = "too_few_witnesses"
    """Fewer than two agencies countersigned anything of the last day."""


class CheckpointMade(Event):
    """There is a new checkpoint of the audit: fetch it with the proof that it goes on from the one
    you hold (`readCheckpoint`, `since`), check it, keep it, and countersign it
    (`cosignCheckpoint`). If it is no larger than yours, or does not go on from it, present yours
    (`presentCheckpoint`). `subject_id`: the witness.
    """

    wire_name: ClassVar[str] = "checkpoints.made"
    subject: ClassVar[str] = "witness"
    checkpoint_id: UUID = Field(description="The checkpoint.")


class SealingInTrouble(Event):
    """The audit is not sealed as it must be: look at the sealer, or at the witnesses. Nothing else
    stands still. `subject_id`: the agency that is told.
    """

    wire_name: ClassVar[str] = "checkpoints.in_trouble"
    subject: ClassVar[str] = "operator"
    trouble: Annotated[Trouble, CODE] = Field(description="What is wrong: a code.")
