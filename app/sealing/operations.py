"""Register witnesses, end them, and take what they sign."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.agencies.models import AgencyKind
from app.core.clock import within
from app.core.data.db import Tx
from app.core.data.sql import insert
from app.core.ids import new_id
from app.core.problems import Problem
from app.sealing import notes, queries, schemas
from app.sealing.notes import BadNote, VerifierKey

_KINDS: Final = (AgencyKind.police, AgencyKind.civil_affairs)
"""Agencies whose systems hold the scope to countersign: the police, and those they act upon."""


class WitnessUnfit(Problem, status=422):
    """Not every agency can be a witness, and not with any key."""

    title = "An active agency of the police or of civil affairs, with an Ed25519 key of a witness"
    title_zh = "见证方须为正在履职的公安机关或民政部门,并使用见证方 Ed25519 公钥"


class WitnessThere(Problem, status=409):
    """An agency is one witness, with one key."""

    title = "This agency is a witness already: end that first"
    title_zh = "该机构已是见证方,请先撤销原登记"


class WitnessOver(Problem, status=409):
    """It was ended."""

    title = "This agency is no witness any more"
    title_zh = "该见证方已撤销"


class NotAWitness(Problem, status=403, denies=True):
    """Only who is registered with a key countersigns."""

    title = "Your agency is not registered as a witness"
    title_zh = "您的机构未登记为见证方"


class CosignatureInvalid(Problem, status=422):
    """It is not the witness's signature over this checkpoint."""

    title = "This is not your signature over this checkpoint"
    title_zh = "签名无效:不是贵方对该检查点的签名"


async def register(tx: Tx, principal: Principal, new: schemas.WitnessCreate) -> asyncpg.Record:
    """Register an agency as a witness. Raises WitnessUnfit, WitnessThere."""
    agency = await agencies.find(tx, new.agency_id)
    if agency is None or not agency.active or agency.kind not in _KINDS:
        raise WitnessUnfit.at("#/agency_id", "no_such_witness", "Police or civil affairs, active.")
    try:
        key = VerifierKey.read(new.key, notes.WITNESS)
    except BadNote as error:
        raise WitnessUnfit.at("#/key", "no_witness_key", str(error)) from None
    if await _is_known(tx, key, agency.id):
        raise WitnessUnfit.at("#/key", "known_key", "Each witness has a new key of its own.")
    witness_id = new_id()
    row = {
        "id": witness_id,
        "agency_id": agency.id,
        "name": key.name,
        "key": str(key),
        "registered_by": principal.subject,
        "registered_at": tx.now,
    }
    if not await insert(tx.connection, "audit_witnesses", row, unless_taken=True):
        raise WitnessThere
    return await queries.find_witness(tx, principal, witness_id)


_ONE_BY_ONE: Final = "SELECT pg_advisory_xact_lock(hashtext('audit_witnesses'))"
_KEYS: Final = """
SELECT key FROM audit_witnesses WHERE agency_id <> $1 OR ended_at IS NOT NULL
UNION ALL (SELECT log_key FROM audit_checkpoints ORDER BY size DESC LIMIT 1)
"""


async def _is_known(tx: Tx, key: VerifierKey, agency_id: UUID) -> bool:
    """Tell whether somebody has or had this key otherwise: who holds one key is one witness, by
    whichever name, and one that was ended may be a thief's by now.
    """
    await tx.connection.execute(_ONE_BY_ONE)
    rows = await tx.connection.fetch(_KEYS, agency_id)
    return any(notes.raw_of(row["key"]) == key.raw for row in rows)


_END: Final = "UPDATE audit_witnesses SET ended_at = $2, ended_by = $3 WHERE id = $1"


async def end(tx: Tx, principal: Principal, row: asyncpg.Record) -> asyncpg.Record:
    """End a locked witness: what it signed stays. Raises WitnessOver."""
    if row["ended_at"] is not None:
        raise WitnessOver
    await tx.connection.execute(_END, row["id"], tx.now, principal.subject)
    return await queries.find_witness(tx, principal, row["id"])


_OF_AGENCY: Final = """
SELECT id, key FROM audit_witnesses WHERE agency_id = $1 AND ended_at IS NULL
"""
_COSIGN: Final = """
INSERT INTO audit_cosignatures (witness_id, size, line, said_at, received_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
RETURNING line, said_at
"""
_COSIGNED: Final = (
    "SELECT line, said_at FROM audit_cosignatures WHERE witness_id = $1 AND size = $2"
)


async def cosign(
    tx: Tx, principal: Principal, checkpoint: asyncpg.Record, new: schemas.CosignatureCreate
) -> tuple[dict[str, Any], bool]:
    """Keep a witness's signature; the first over a checkpoint stays. Return it, and whether it is
    new. Raises NotAWitness, CosignatureInvalid.
    """
    witness = await tx.connection.fetchrow(_OF_AGENCY, principal.agency_id)
    if witness is None:
        raise NotAWitness
    key = VerifierKey.read(witness["key"], notes.WITNESS)
    try:
        said_at = notes.check_cosignature(checkpoint["note"], new.line, key)
        at = within(datetime.fromtimestamp(said_at, UTC))
    except BadNote as error:
        raise CosignatureInvalid.at("#/line", "not_over_this", str(error)) from None
    except (OverflowError, ValueError):
        raise CosignatureInvalid.at("#/line", "no_such_time", "There is no such time.") from None
    of = (witness["id"], checkpoint["size"])
    made = await tx.connection.fetchrow(_COSIGN, *of, new.line, at, tx.now)
    row = made or await tx.connection.fetchrow(_COSIGNED, *of)
    return {**row, "checkpoint_id": checkpoint["id"], "witness_id": of[0]}, made is not None
