"""What a batch is answered, event by event, and how that is kept: once, and small (I4).

Of an event that was taken with nothing more to say only its name is kept. Of what is kept both
forms of the answer are made, when it is given first as when it is given again: so they are equal.
"""

import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, get_args
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.attendance.models import Doubt
from app.attendance.reading import Incoming
from app.attendance.schemas import LONGEST_NAME, MOST_UNREAD, ResultStatus
from app.core.data.db import Tx
from app.core.problems import FieldError

_TAKEN: Final = {"applied": "accepted", "duplicate": "duplicate"}
"""Codes that ask nothing of the sender, and their status. What counts for less than the school said
before (`superseded`) is told: it may not know.
"""
_ORDINARY: Final = "applied"
_NO_MORE: Final[Mapping[str, Any]] = {
    "detail": None,
    "pointer": None,
    "doubt": None,
    "unread": [],
    "spoke_for": None,
}
APPLIED: Final = "preference-applied"
MINIMAL: Final = "return=minimal"


@dataclass(slots=True)
class Verdict:
    """What becomes of one event."""

    incoming: Incoming
    status: ResultStatus
    code: str
    refusal: FieldError | None = None
    doubt: Doubt | None = None
    spoke_for: int | None = None


def results(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Say what became of each event (`schemas.EventResult`)."""
    return [
        {
            "index": index,
            "source": verdict.incoming.source,
            "id": verdict.incoming.id,
            "status": verdict.status,
            "code": verdict.code,
            "detail": verdict.refusal.detail if verdict.refusal else None,
            "pointer": verdict.refusal.pointer if verdict.refusal else None,
            "doubt": verdict.doubt,
            "unread": _unread(getattr(verdict.incoming.event, "as_sent", None) or {}),
            "spoke_for": verdict.spoke_for,
        }
        for index, verdict in enumerate(verdicts)
    ]


def _unread(aside: Mapping[str, Any]) -> list[str]:
    return sorted({name[:LONGEST_NAME] for name in aside})[:MOST_UNREAD]


def to_keep(batch_id: UUID | str | None, every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is kept of a batch: the results that say more than that an event was taken; of
    the rest source and id, and the places of those whose code is not `applied`.
    """
    told, rest, codes = list[Any](), list[Any](), defaultdict[str, list[int]](list)
    for result in every:
        code = result["code"]
        more = result["detail"] or result["doubt"] or result["unread"]
        if more or code not in _TAKEN or result["spoke_for"] is not None:
            told.append(result)
            continue
        rest.append((result["source"], result["id"]))
        if code != _ORDINARY:
            codes[code].append(result["index"])
    return {"batch_id": batch_id, "results": told, "rest": rest, "codes": codes}


def receipt(kept: Mapping[str, Any], *, minimal: bool = False) -> bytes:
    """Write the answer to a batch (`schemas.BatchReceipt`, JSON). `minimal`: with those results
    only that say more than that an event was taken.
    """
    told, rest, codes = kept["results"], kept["rest"], kept["codes"]
    counts = Counter(result["status"] for result in told)
    counts[_TAKEN[_ORDINARY]] += len(rest)
    for code, places in codes.items():
        counts[_TAKEN[_ORDINARY]] -= len(places)
        counts[_TAKEN[code]] += len(places)
    return orjson.dumps(
        {
            "batch_id": kept["batch_id"],
            "results": told if minimal else _whole(told, rest, codes),
            "counts": {status: counts[status] for status in get_args(ResultStatus)},
            "rest_sha256": hashlib.sha256(orjson.dumps(rest)).hexdigest(),
        }
    )


def _whole(
    told: Sequence[Mapping[str, Any]],
    rest: Sequence[Sequence[str]],
    codes: Mapping[str, Sequence[int]],
) -> list[Mapping[str, Any]]:
    """Put the results that are kept and those of the rest in their order."""
    code_of = {index: code for code, places in codes.items() for index in places}
    known = {result["index"]: result for result in told}
    taken = iter(rest)
    whole = list[Mapping[str, Any]]()
    for index in range(len(told) + len(rest)):
        if index in known:
            whole.append(known[index])
            continue
        source, name = next(taken)
        code = code_of.get(index, _ORDINARY)
        said = {"index": index, "source": source, "id": name, "status": _TAKEN[code], "code": code}
        whole.append({**said, **_NO_MORE})
    return whole


_QUICKLY: Final = 1
_KEEP_BATCH: Final = """
WITH reported AS (
    INSERT INTO attendance_days (agency_id, school_day, first_reported_at)
    SELECT $2::uuid, day, $5::timestamptz FROM UNNEST($6::date[]) AS day ON CONFLICT DO NOTHING
)
INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)
VALUES ($1, $2, $3, $4, $5)
"""


async def keep(
    tx: Tx,
    principal: Principal,
    batch_id: UUID,
    kept: Mapping[str, Any],
    days: Iterable[date],
) -> None:
    """Keep what a batch is answered from, and on which days the school was heard."""
    heard = sorted(day for day in days if day <= tx.today)
    packed = zlib.compress(orjson.dumps(kept), _QUICKLY)
    await tx.connection.execute(
        _KEEP_BATCH, batch_id, principal.agency_id, principal.subject, packed, tx.now, heard
    )


def unpacked(packed: bytes) -> Mapping[str, Any]:
    """Return what was kept of a batch (`to_keep`)."""
    said: Mapping[str, Any] = orjson.loads(
        packed if packed.startswith(b"{") else zlib.decompress(packed)
    )
    if "rest" in said:
        return said
    # Releases before kept what they answered, packed or not, and the first ones answered less.
    return to_keep(said["batch_id"], [{**each, **_NO_MORE, **each} for each in said["results"]])


async def again(tx: Tx, batch_id: UUID, headers: Mapping[str, str]) -> bytes:
    """Write once more what was answered to a batch, in the form that its headers tell."""
    async with tx.as_system():  # who pushed it may be at another school by now
        packed = await tx.connection.fetchval(
            "SELECT answer FROM attendance_batches WHERE id = $1", batch_id
        )
    return receipt(unpacked(packed), minimal=MINIMAL in headers.get(APPLIED, ""))
