"""Checkpoints of the audit, proofs, and the witnesses who countersign."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Query

from app.access.deps import named_in_path, needs
from app.access.guards import ALWAYS
from app.access.principal import Principal
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import Problem, documented
from app.sealing import operations, queries, schemas
from app.sealing.area import AREA, COSIGN, KEEP_WITNESSES, READ

router = routing.v1(AREA.tag)


class CheckpointNotFound(Problem, status=404, denies=True):
    """There is no such checkpoint."""

    title = "No such checkpoint"
    title_zh = "没有这个检查点"


class WitnessNotFound(Problem, status=404, denies=True):
    """There is no such witness."""

    title = "No such witness"
    title_zh = "没有这个见证方"


class EntryNotSealed(Problem, status=404, denies=True):
    """No such entry is sealed in this checkpoint: there is none, or it came later."""

    title = "No such entry is sealed in this checkpoint"
    title_zh = "该检查点中没有这条审计记录"


class SizeBeyond(Problem, status=422):
    """A log does not begin with a larger one."""

    title = "`since` is larger than this checkpoint"
    title_zh = "since 大于该检查点的规模"


Reads = Annotated[Principal, needs(READ)]
Cosigns = Annotated[Principal, needs(COSIGN)]
KeepsWitnesses = Annotated[Principal, needs(KEEP_WITNESSES, approval=ALWAYS)]
InPath = Annotated[
    asyncpg.Record,
    named_in_path(
        "checkpoint_id", "The checkpoint's id.", queries.find_checkpoint, CheckpointNotFound
    ),
]
WitnessInPath = Annotated[
    asyncpg.Record,
    named_in_path("witness_id", "The witness's id.", queries.find_witness, WitnessNotFound),
]
WitnessToChange = Annotated[
    asyncpg.Record,
    named_in_path(
        "witness_id", "The witness's id.", queries.find_witness, WitnessNotFound, for_update=True
    ),
]


@router.get("/audit/checkpoints")
async def list_checkpoints(
    principal: Reads, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Checkpoint]]:
    """List the checkpoints of the audit's log, the largest first."""
    page = await queries.list_checkpoints(tx, window)
    return Shown(page.shown(lambda row: schemas.Checkpoint(**queries.shown(row))))


@router.get("/audit/checkpoints/{checkpoint_id}", responses=documented(SizeBeyond))
async def read_checkpoint(
    principal: Reads,
    found: InPath,
    tx: Transaction,
    since: Annotated[
        int | None,
        Query(ge=0, le=10**15, description="Prove that the log begins with what it was so large."),
    ] = None,
) -> Shown[schemas.CheckpointInFull]:
    """Read a checkpoint: the signed note, and the proof that it goes on from an older one."""
    if since is not None and since > found["size"]:
        raise SizeBeyond
    lines = await queries.lines(tx, found["size"])
    proof = None if since is None else await queries.consistency(tx, since, found["size"])
    said = {**queries.shown(found), "note": found["note"] + "".join(f"{each}\n" for each in lines)}
    return Shown(schemas.CheckpointInFull(**said, since=since, consistency=proof))


@router.get("/audit/checkpoints/{checkpoint_id}/inclusion", responses=documented(EntryNotSealed))
async def read_inclusion(
    principal: Reads,
    found: InPath,
    tx: Transaction,
    entry_id: Annotated[UUID, Query(description="The id of an entry of the audit.")],
) -> Shown[schemas.Inclusion]:
    """Prove that an entry of the audit is sealed in a checkpoint."""
    proof = await queries.inclusion(tx, entry_id, found["size"])
    if proof is None:
        raise EntryNotSealed
    return Shown(proof)


@router.post(
    "/audit/checkpoints/{checkpoint_id}/cosignatures",
    status_code=201,
    responses=REPEATED | documented(operations.NotAWitness, operations.CosignatureInvalid),
)
async def cosign_checkpoint(
    principal: Cosigns, found: InPath, new: schemas.CosignatureCreate, tx: Transaction
) -> Shown[schemas.Cosignature]:
    """Countersign a checkpoint, as a witness: once you have checked that it goes on from the one
    you hold, and keep it.
    """
    row, is_new = await operations.cosign(tx, principal, found, new)
    return Shown(schemas.Cosignature(**row), is_new=is_new)


@router.post(
    "/audit/presentations",
    responses=documented(operations.NotAWitness, operations.CheckpointForeign),
)
async def present_checkpoint(
    principal: Cosigns, new: schemas.PresentationCreate, tx: Transaction
) -> Shown[schemas.Presentation]:
    """Present a checkpoint that you hold, as a witness: when you are told of one that is no larger,
    or does not go on from it.
    """
    return Shown(schemas.Presentation(**await operations.present(tx, principal, new)))


@router.post(
    "/audit/logs",
    responses=documented(operations.LogKeyUnfit, operations.NoLogBefore),
)
async def start_log(
    principal: KeepsWitnesses, new: schemas.LogCreate, tx: Transaction
) -> Shown[schemas.Log]:
    """Begin another log over the same entries, by another key: the one before forked, or its key is
    lost. Each of its checkpoints names the last one of the log before.
    """
    row = await operations.start_log(tx, principal, new)
    whose = {"agency_id": principal.agency_id, "agency_region": principal.region_code}
    return Shown(schemas.Log(**row), subject=row["id"], about={"id": row["id"], **whose})


@router.get("/audit/witnesses")
async def list_witnesses(
    principal: Reads, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Witness]]:
    """List who countersigns the checkpoints, and how far each is, the newest first."""
    page = await queries.list_witnesses(tx, window)
    return Shown(page.shown(lambda row: schemas.Witness(**row)))


@router.post(
    "/audit/witnesses",
    status_code=201,
    responses=documented(operations.WitnessUnfit, operations.WitnessThere),
)
async def register_witness(
    principal: KeepsWitnesses, new: schemas.WitnessCreate, tx: Transaction
) -> Shown[schemas.Witness]:
    """Register an agency with the key by which it countersigns."""
    row = await operations.register(tx, principal, new)
    return _one(row, subject=row["id"])


@router.get("/audit/witnesses/{witness_id}")
async def read_witness(principal: Reads, found: WitnessInPath) -> Shown[schemas.Witness]:
    """Read a witness, and how far it is."""
    return Shown(schemas.Witness(**found))


@router.post("/audit/witnesses/{witness_id}/end", responses=documented(operations.WitnessOver))
async def end_witness(
    principal: KeepsWitnesses, found: WitnessToChange, tx: Transaction
) -> Shown[schemas.Witness]:
    """End a witness: its key was lost, or another takes its place. What it signed stays."""
    return _one(await operations.end(tx, principal, found))


def _one(row: asyncpg.Record, **more: Any) -> Shown[schemas.Witness]:
    about = {name: row[name] for name in ("id", "agency_id", "agency_region")}
    return Shown(schemas.Witness(**row), about=about, **more)
