"""What travels on the wire about the sealed audit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.http.wire import Input

_MOST = 10**15
_BASE64 = r"^[A-Za-z0-9+/]{43}=$"
Size = Annotated[int, Field(ge=0, le=_MOST)]
Hash = Annotated[str, Field(max_length=44, pattern=_BASE64)]
VerifierKeyText = Annotated[
    str,
    Field(
        min_length=50,
        max_length=200,
        pattern=r"^[^\s+\x00-\x1f]{1,100}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$",
        description="A verifier key as C2SP writes it: name+id+base64.",
    ),
]
Note = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
Line = Annotated[str, Field(max_length=300, pattern=r"^— [^\s+]{1,100} [A-Za-z0-9+/=]{1,200}$")]
By = Annotated[str, Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$")]


class Checkpoint(BaseModel):
    """What the audit's log was at a size, signed."""

    id: UUID = Field(description="The checkpoint's id.")
    size: Size = Field(description="How many entries are sealed in it.")
    root: Hash = Field(description="The root of the tree over them (RFC 6962), base64.")
    made_at: datetime = Field(description="When it was signed.")
    log_key: VerifierKeyText = Field(
        description="The verifier key it is signed by. Trust the one that you were given, not this."
    )
    cosigned: int = Field(ge=0, le=1_000_000, description="How many witnesses countersigned it.")


class CheckpointInFull(Checkpoint):
    """A checkpoint with all that proves it."""

    note: Note = Field(
        description="The signed note (C2SP tlog-checkpoint), with the lines of the witnesses."
    )
    since: Size | None = Field(description="The older size that `consistency` begins with.")
    consistency: list[Hash] | None = Field(
        max_length=100,
        description="The proof that this log begins with all of the older one (RFC 6962 2.1.2), if"
        " `since` was asked for.",
    )


class Inclusion(BaseModel):
    """The proof that an entry is sealed in a checkpoint (RFC 6962 2.1.1)."""

    leaf: Size = Field(description="The entry's place in the log, from 0.")
    hash: Hash = Field(description="The hash of its leaf, base64.")
    path: list[Hash] = Field(max_length=100, description="The hashes beside it, from below.")


class CosignatureCreate(Input):
    """That a witness holds a checkpoint, and that it goes on from the one it held before."""

    line: Line = Field(
        description="The line of its signature, cosignature/v1 (C2SP tlog-cosignature), as a note"
        " has it: — NAME BASE64."
    )


class Cosignature(BaseModel):
    """That a witness countersigned a checkpoint."""

    checkpoint_id: UUID = Field(description="The checkpoint.")
    witness_id: UUID = Field(description="The witness.")
    line: Line = Field(description="The line of its signature.")
    said_at: datetime = Field(description="When it was signed, as the witness says.")


class PresentationCreate(Input):
    """A checkpoint that a witness holds."""

    note: Note = Field(description="The signed note, as the witness keeps it.")


class Presentation(BaseModel):
    """Whether what a witness holds is in the log."""

    witness_id: UUID = Field(description="The witness.")
    log_key: VerifierKeyText = Field(description="The verifier key that it is signed by.")
    size: Size = Field(description="Its size.")
    root: Hash = Field(description="The root of the tree, base64.")
    kept: bool = Field(
        description="Whether it is in the log. If not, this log is another than yours: nothing more"
        " of it is signed, and its operators are told."
    )
    presented_at: datetime = Field(description="When it was presented first.")


class LogCreate(Input):
    """Another log over the same entries."""

    key: VerifierKeyText = Field(
        description="Its verifier key, which `tonghu audit keygen` printed: of a name that no log"
        " before it had."
    )


class Log(BaseModel):
    """Another log, and the last checkpoint of the one before it that anybody holds."""

    id: UUID = Field(description="The id of its beginning.")
    key: VerifierKeyText = Field(description="Its verifier key.")
    old_key: VerifierKeyText = Field(description="The verifier key of the log before it.")
    old_size: Size = Field(description="The size of the last checkpoint of that.")
    old_root: Hash = Field(description="The root of that, base64.")
    started_by: By = Field(description="Who began it.")
    started_at: datetime = Field(description="When.")


class WitnessCreate(Input):
    """An agency that is to countersign checkpoints."""

    agency_id: UUID = Field(description="The agency: police or civil affairs.")
    key: VerifierKeyText = Field(
        description="Its verifier key for cosignatures (C2SP, kind 4), got from it on another way"
        " than through this system."
    )


class Witness(BaseModel):
    """An agency that countersigns checkpoints, and how far it is."""

    id: UUID = Field(description="The witness's id.")
    agency_id: UUID = Field(description="The agency.")
    key: VerifierKeyText = Field(description="The key that its signatures are checked by.")
    registered_by: By = Field(description="Who registered it.")
    registered_at: datetime = Field(description="When.")
    ended_at: datetime | None = Field(description="When it ceased to be one; null: it is.")
    cosigned_size: Size | None = Field(
        description="The largest checkpoint that it countersigned; null: none yet."
    )
    cosigned_at: datetime | None = Field(description="When we got that.")
