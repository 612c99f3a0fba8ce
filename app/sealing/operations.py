"""Register witnesses, end them, take what they sign and hold; begin another log."""

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
from app.sealing import notes, queries, reading, schemas
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


class CheckpointForeign(Problem, status=422):
    """It is no checkpoint of this audit's log, nor of one before it."""

    title = "This is no checkpoint of the audit's log, signed by its key"
    title_zh = "该内容不是本审计日志由其密钥签发的检查点"


class LogKeyUnfit(Problem, status=422):
    """Another log has an Ed25519 key of a log, and a name of its own."""

    title = "An Ed25519 key of a log, with a name that no log before it had"
    title_zh = "须为日志用 Ed25519 公钥,且名称未曾用于以前的日志"


class NoLogBefore(Problem, status=409):
    """Nothing was signed yet: the first log begins by itself."""

    title = "Nothing was signed yet: the first log begins by itself"
    title_zh = "尚无已签发的检查点:首个日志自行开始"


_LOG_KEYS: Final = """
(SELECT log_key AS key FROM audit_checkpoints ORDER BY size DESC LIMIT 1)
UNION SELECT key FROM audit_logs UNION SELECT old_key FROM audit_logs
"""
_PRESENT: Final = """
INSERT INTO audit_presented (witness_id, place, size, root, log_key, note, kept, presented_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING *
"""
_PRESENTED: Final = """
SELECT * FROM audit_presented WHERE witness_id = $1 AND place = $2 AND size = $3 AND root = $4
"""


async def present(tx: Tx, principal: Principal, new: schemas.PresentationCreate) -> dict[str, Any]:
    """Note that a witness holds a checkpoint, and whether it is in the log; of one that it
    presented before, as it was then. Raises NotAWitness, CheckpointForeign.
    """
    witness = await tx.connection.fetchrow(_OF_AGENCY, principal.agency_id)
    if witness is None:
        raise NotAWitness
    keys = [row["key"] for row in await tx.connection.fetch(_LOG_KEYS)]
    key, said = _signed_by(keys, new.note)
    of = (witness["id"], await reading.place(tx.connection), said.size, said.root)
    kept = await reading.holds(tx.connection, said.size, said.root)
    made = await tx.connection.fetchrow(_PRESENT, *of, key, new.note, kept, tx.now)
    row = made or await tx.connection.fetchrow(_PRESENTED, *of)
    return {**row, "root": queries.text_of(row["root"])}


def _signed_by(keys: list[str], note: str) -> tuple[str, notes.Said]:
    for key in keys:
        try:
            return key, notes.signed(note, VerifierKey.read(key, notes.LOG))
        except BadNote:
            continue
    raise CheckpointForeign.at("#/note", "not_signed", "A signed note, as you keep it.")


# Of the log that goes on: what was signed last, or what a witness holds of it beyond that.
_LAST: Final = """
WITH newest AS (
    SELECT log_key, size, root, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1
)
SELECT * FROM newest UNION ALL
SELECT p.log_key, p.size, p.root, p.note FROM audit_presented p JOIN newest n USING (log_key)
WHERE NOT p.kept ORDER BY size DESC LIMIT 1
"""


async def start_log(tx: Tx, principal: Principal, new: schemas.LogCreate) -> dict[str, Any]:
    """Begin another log by another key, which names the last checkpoint of the one before. Raises
    LogKeyUnfit, NoLogBefore.
    """
    last = await tx.connection.fetchrow(_LAST)
    if last is None:
        raise NoLogBefore
    try:
        key = VerifierKey.read(new.key, notes.LOG)
    except BadNote as error:
        raise LogKeyUnfit.at("#/key", "no_log_key", str(error)) from None
    names = [row["key"].partition("+")[0] for row in await tx.connection.fetch(_LOG_KEYS)]
    if key.name in names:
        raise LogKeyUnfit.at("#/key", "name_taken", "Another name than those of the logs before.")
    row = {
        "id": new_id(),
        "key": str(key),
        **{f"old_{name}": last[name] for name in ("size", "root", "note")},
        "old_key": last["log_key"],
        "started_by": principal.subject,
        "started_at": tx.now,
    }
    await insert(tx.connection, "audit_logs", row)
    return {**row, "old_root": queries.text_of(row["old_root"])}


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
