"""A policy value tried on every file of a place, by a job: a batch a transaction, one batch at a
time wherever workers run, each trial in turn. Nothing is written of a child.

Where it stands and what it has counted are one row, written with the batch: whoever is killed
between two has lost nothing and counts nothing twice. Files are walked by where children live; who
moves within the place meanwhile may be met twice or never, and is told of as unsure.
"""

import asyncio
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.access.principal import Principal
from app.children import counting, derivation, trial_schemas, trials
from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant
from app.core.data.db import Tx
from app.core.data.envelopes import DecryptionRefused
from app.core.data.wrong_keys import KeysWrong
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.jobs import queue
from app.core.problems import Problem

BATCH: Final = 250
PAUSE: Final = timedelta(seconds=0.1)
"""About as long as a batch takes: others have half of the worker at least."""
HELD_UP: Final = timedelta(seconds=2)
"""After which it is looked again for a trial that somebody else held."""
JOB: Final = "children.try_next"
_FIGURES: Final = ("before", "after", "gained", "lost")
log = structlog.get_logger(__name__)


class TrialNotFound(Problem, status=404, denies=True):
    """No such trial, or not the caller's agency's, or of a place that is not all theirs by now."""

    title = "No such trial"
    title_zh = "没有该试算"


class TrialUnderWay(Problem, status=409):
    """The caller's agency has one under way; wait for it, or cancel it."""

    title = "Another trial of your agency is under way"
    title_zh = "本机构的另一项试算正在进行"


class PolicyTrialRow(SQLModel, table=True):
    """A value on trial in a place (`exact_trials`). `lo`/`hi`: the codes of whom it looks at, which
    whoever reads it must have all in their remit. `tally`: by kind and code, `_FIGURES` so far.
    `after_region`, `after_id`: the last file looked at. `made_by`: the rules it goes by.
    """

    __tablename__ = "policy_trials"
    __table_args__: Any = (
        CheckConstraint("state IN ('counting', 'done', 'cancelled', 'failed')", name="state"),
        Index(
            "uq_policy_trials_agency_id",
            "agency_id",
            unique=True,
            postgresql_where=text("state = 'counting'"),
        ),
        Index(
            "ix_policy_trials_advanced_at",
            "advanced_at",
            postgresql_where=text("state = 'counting'"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    agency_id: UUID
    parameter: str
    region_code: int = Field(sa_type=BigInteger)
    value: Any = Field(sa_column=Column(JSONB, nullable=False))
    tried_on: date
    made_by: str
    lo: int = Field(sa_type=BigInteger)
    hi: int = Field(sa_type=BigInteger)
    state: str = Field(default="counting")
    failure: str | None = None
    files: int
    looked_at: int = 0
    unsure: int = 0
    tally: Any = Field(sa_column=Column(JSONB, nullable=False))
    after_region: int = Field(sa_type=BigInteger)
    after_id: UUID
    started_at: datetime = Field(sa_type=Instant)
    advanced_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


distribution.in_one_place(
    "a trial looks at a place, whichever counties own its files", "policy_trials"
)
rls.protect(
    "policy_trials",
    using=rls.case(
        (rls.SYSTEM, "true"), (f"lo >= {rls.LO} AND hi <= {rls.HI}", rls.own("agency_id"))
    ),
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
retention.keep("policy_trials", by="started_at")

_START: Final = """
INSERT INTO policy_trials (id, agency_id, parameter, region_code, value, tried_on, made_by, lo, hi,
    state, files, looked_at, unsure, tally, after_region, after_id, started_at, advanced_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, 'counting', $10, 0, 0, '{}', $8, $11, $12, $12)
ON CONFLICT (agency_id) WHERE state = 'counting' DO NOTHING RETURNING *
"""


async def start(
    tx: Tx, principal: Principal, trial: trials.Trial, region: tuple[int, int]
) -> trial_schemas.ExactTrial:
    """Have a value tried on every child of a region whom the caller may know of. Raises
    TrialForbidden; TrialUnderWay.
    """
    if not trials.may_try(principal):
        raise trials.TrialForbidden
    lo, hi = principal.within(region)
    if lo >= hi:  # none of it: of nobody, then
        lo = hi = principal.region_lo
    row = await tx.connection.fetchrow(
        _START,
        new_id(),
        principal.agency_id,
        trial.parameter,
        trial.region_code,
        orjson.dumps(trial.value).decode(),
        trial.on,
        derivation.made_by(),
        lo,
        hi,
        (await counting.count(tx, principal, region)).files,
        UUID(int=0),
        tx.now,
    )
    if row is None:
        raise TrialUnderWay
    await _go_on(tx)
    return _shown(row)


async def read(tx: Tx, principal: Principal, trial_id: UUID) -> trial_schemas.ExactTrial:
    """Say how far a trial of the caller's agency is. Raises TrialNotFound, also if not all of the
    place is in the caller's remit by now.
    """
    return _shown(await _own(tx, principal, trial_id))


async def cancel(tx: Tx, principal: Principal, trial_id: UUID) -> trial_schemas.ExactTrial:
    """End a trial of the caller's agency; one that has ended stays as it is. Raises
    TrialNotFound.
    """
    row = await _own(tx, principal, trial_id, hold=True)
    if row["state"] == "counting":
        row = await tx.connection.fetchrow(_END, trial_id, "cancelled", None, tx.now)
    return _shown(row)


_OWN: Final = """
SELECT * FROM policy_trials WHERE id = $1 AND agency_id = $2 AND lo >= $3 AND hi <= $4
"""
_END: Final = """
UPDATE policy_trials SET state = $2, failure = $3, ended_at = $4 WHERE id = $1 RETURNING *
"""


async def _own(
    tx: Tx, principal: Principal, trial_id: UUID, *, hold: bool = False
) -> asyncpg.Record:
    row = await tx.connection.fetchrow(
        f"{_OWN} FOR UPDATE" if hold else _OWN,
        trial_id,
        principal.agency_id,
        principal.region_lo,
        principal.region_hi,
    )
    if row is None or not trials.may_try(principal):
        raise TrialNotFound
    return row


def _shown(row: asyncpg.Record) -> trial_schemas.ExactTrial:
    kept = ("parameter", "state", "failure", "files", "looked_at", "unsure")
    when = ("started_at", "advanced_at", "ended_at")
    return trial_schemas.ExactTrial(
        **{name: row[name] for name in (*kept, *when)},
        trial_id=row["id"],
        region_code=region_text(row["region_code"]),
        value=row["value"],
        effects=_effects(row) if row["state"] == "done" else None,
    )


def _effects(row: asyncpg.Record) -> list[trial_schemas.TriedEffect]:
    found = []
    for key, figures in sorted(row["tally"].items()):
        kind, code = key.split(" ")
        told = [trials.nearest(number, row["unsure"]) for number in figures]
        found.append(
            trial_schemas.TriedEffect(
                kind=kind, code=code, **dict(zip(_FIGURES, told, strict=True))
            )
        )
    return trials.told(found)


# --- what the job does ----------------------------------------------------------------------------

_TURN: Final = """
SELECT * FROM policy_trials WHERE state = 'counting'
ORDER BY advanced_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# On another day than it began, what is stored is of that day.
_STORED: Final = f"$4::date = $5::date AND {trials.AS_OF_TODAY.format('$5::date', '$6')}"
_WAITING: Final = "SELECT EXISTS (SELECT FROM policy_trials WHERE state = 'counting')"
_NEXT: Final = f"""{trials.FILES.format(derived=_STORED, page="0", drawn="")}
WHERE c.region_code >= $1 AND c.region_code < $2 AND (c.region_code, c.id) > ($1, $3)
ORDER BY c.region_code, c.id LIMIT $7"""
_ADVANCE: Final = """
UPDATE policy_trials SET looked_at = looked_at + $2, unsure = unsure + $3, tally = $4::jsonb,
    after_region = $5, after_id = $6, advanced_at = $7
WHERE id = $1
"""
# Who moved within the place while it was walked; a change of school alone is none.
_MOVED: Final = """
SELECT count(DISTINCT s.child_id) FROM child_stays s
WHERE s.until >= $1 AND s.lived_in <> s.region_code
  AND s.lived_in >= $2 AND s.lived_in < $3 AND s.region_code >= $2 AND s.region_code < $3
"""
_DONE: Final = """
UPDATE policy_trials SET state = 'done', unsure = unsure + $2, ended_at = $3 WHERE id = $1
"""


async def _go_on(tx: Tx, delay: timedelta | None = None) -> None:
    await queue.enqueue(tx.connection, JOB, [{}], dedupe_keys=[JOB], delay=delay)


async def look_at_next(tx: Tx) -> bool:
    """Look at the next batch of the trial whose turn it is, and queue the next in the same
    transaction. Returns whether there was one.
    """
    row = await tx.connection.fetchrow(_TURN)
    if row is None:
        # Somebody holds it, and may let it go as it was: a change of a place that is only tried.
        if await tx.connection.fetchval(_WAITING):
            await _go_on(tx, HELD_UP)
        return False
    if row["made_by"] != derivation.made_by():
        await tx.connection.execute(_END, row["id"], "failed", "rules_changed", tx.now)
    else:
        try:
            async with tx.connection.transaction():
                await _look_at(tx, row)
        # Its batch would fail again, and it would be its turn each time: nobody else's.
        except asyncpg.PostgresError as error:
            log.warning("children.value_not_derived", error=type(error).__qualname__)
            await tx.connection.execute(_END, row["id"], "failed", "value_not_derived", tx.now)
    await _go_on(tx, PAUSE)
    return True


async def _look_at(tx: Tx, row: asyncpg.Record) -> None:
    trial = trials.Trial(row["parameter"], row["region_code"], row["value"], row["tried_on"])
    files = await tx.connection.fetch(
        _NEXT,
        row["after_region"],
        row["hi"],
        row["after_id"],
        tx.today,
        trial.on,
        row["made_by"],
        BATCH,
    )
    tally = Counter[tuple[str, str]]()
    unread = 0
    for file in files:
        await asyncio.sleep(0)  # others are answered meanwhile
        try:
            tried = trial.of_file(tx, file)
        except DecryptionRefused:
            unread += 1
            continue
        except KeysWrong:
            raise
        except Exception as error:  # noqa: BLE001  the value's fault or the rules': not the queue's
            log.warning("children.value_not_derived", error=type(error).__qualname__)
            await tx.connection.execute(_END, row["id"], "failed", "value_not_derived", tx.now)
            return
        _count(tally, tried)
    if files:
        last = files[-1]["region_code"], files[-1]["id"]
        said = _added(row["tally"], tally)
        await tx.connection.execute(
            _ADVANCE, row["id"], len(files), unread, orjson.dumps(said).decode(), *last, tx.now
        )
    if len(files) < BATCH:
        moved = await tx.connection.fetchval(_MOVED, row["started_at"], row["lo"], row["hi"])
        await tx.connection.execute(_DONE, row["id"], moved, tx.now)


def _count(tally: Counter[tuple[str, str]], tried: trials.Tried) -> None:
    before, after = tried.before, tried.after
    figures = dict(zip(_FIGURES, (before, after, after - before, before - after), strict=True))
    for figure, keys in figures.items():
        tally.update((" ".join(key), figure) for key in keys)


def _added(tally: dict[str, list[int]], more: Counter[tuple[str, str]]) -> dict[str, list[int]]:
    none = [0] * len(_FIGURES)
    return {
        key: [
            number + more[key, figure]
            for number, figure in zip(tally.get(key, none), _FIGURES, strict=True)
        ]
        for key in {*tally, *(key for key, _ in more)}
    }


_REPLACED: Final = """
UPDATE policy_trials SET state = 'failed', failure = 'region_replaced', ended_at = $3
WHERE state = 'counting' AND lo < $2 AND hi > $1
"""


async def end_in(tx: Tx, lo: int, hi: int) -> None:
    """End the trials that look at places whose codes are others from now on."""
    await tx.connection.execute(_REPLACED, lo, hi, tx.now)
