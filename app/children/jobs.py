"""What happens to files by itself."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.access.roles import roles
from app.children import (
    alike,
    below,
    counting,
    exact_trials,
    names,
    queries,
    rederiving,
    reindexing,
    sealing,
)
from app.children.events import ChildChanged, ChildRegistered
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import CodeUnderstood, RegionReplaced

_FIRST = UUID(int=0)
_REDERIVE: Final = "children.rederive_in_county"


@queue.every("children.rederive", "10 0 * * *")
async def rederive(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county derive anew what is due by today; what nights before missed, too."""
    counties = await rederiving.counties(tx)
    await queue.enqueue_for(tx.connection, _REDERIVE, "home_county", counties)


@queue.job(_REDERIVE, of="children.rederive")
async def rederive_in_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Derive a batch of a county's files anew, and queue the next in the same transaction; while
    another release does so, look again later.
    """
    county = payload["home_county"]
    if (delay := await rederiving.left_to_another(tx, county)) is not None:
        key = [str(county)]
        await queue.enqueue(tx.connection, _REDERIVE, [payload], dedupe_keys=key, delay=delay)
    elif await rederiving.rederive(tx, county):
        await queue.enqueue_for(tx.connection, _REDERIVE, "home_county", [county])


@queue.job("children.rederive_file", of="children.rederive")
async def rederive_file(tx: Tx, payload: dict[str, Any]) -> None:
    """Derive one file anew that could not be read; held until somebody has mended it."""
    await rederiving.rederive_file(tx, payload["home_county"], UUID(payload["child_id"]))


@queue.job(exact_trials.JOB)
async def try_next(tx: Tx, _: dict[str, Any]) -> None:
    """Look at the next files on which a policy value is tried."""
    await exact_trials.look_at_next(tx)


@queue.every("children.count", "20 * * * *")
async def count(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county's files counted, for whoever asks of a larger place."""
    counties = await counting.counties(tx)
    await queue.enqueue_for(tx.connection, "children.count_county", "county", counties)


@queue.job("children.count_county", of="children.count")
async def count_county(tx: Tx, payload: dict[str, Any]) -> None:
    await counting.count_county(tx, payload["county"])


_REINDEX: Final = "children.reindex_county"


@queue.every("children.reindex", "*/5 * * * *")
async def reindex(tx: Tx, _: dict[str, Any]) -> None:
    """Have each county's files written anew by a new index key, ten minutes after it is used."""
    if (kid := await reindexing.due(tx)) is not None:
        left = await reindexing.begin(tx, kid)
        await queue.enqueue_for(tx.connection, _REINDEX, "home_county", left)


@queue.job(_REINDEX, of="children.reindex")
async def reindex_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Write the next batch anew; queue the next in the same transaction."""
    county = payload["home_county"]
    _, more = await reindexing.write_next(tx, county)
    if more:
        await queue.enqueue_for(tx.connection, _REINDEX, "home_county", [county])


_SEAL_NAMES: Final = "children.seal_names_of_county"


@queue.every("children.seal_names", "*/10 * * * *")
async def seal_names(tx: Tx, _: dict[str, Any]) -> None:
    """Have the names sealed that the release before wrote in the clear, county by county."""
    if not await names.settled(tx):
        counties = await rederiving.counties(tx)
        await queue.enqueue_for(tx.connection, _SEAL_NAMES, "home_county", counties)


@queue.job(_SEAL_NAMES, of="children.seal_names")
async def seal_names_of_county(tx: Tx, payload: dict[str, Any]) -> None:
    """Seal those of the next batch; queue the next in the same transaction."""
    county, after = payload["home_county"], UUID(payload.get("after", str(_FIRST)))
    if (last := await names.seal(tx, county, after)) is not None:
        owed = {"home_county": county, "after": str(last)}
        await queue.enqueue(tx.connection, _SEAL_NAMES, [owed], dedupe_keys=[str(county)])


@events.read_by("children")
def read_by(data: Mapping[str, Any]) -> list[str] | None:
    """Say who is told in which categories a child is: who reads that in its file (AZ-5)."""
    if "categories" not in data:
        return None
    return [role.code for role in roles().values() if "derived" in role.reads]


@events.on(ChildRegistered)
async def look_for_namesakes(tx: Tx, event: ChildRegistered) -> None:
    """Refer a new file that another file of its county may already describe."""
    await alike.refer_namesakes(tx, event.subject_id)
    await alike.refer_numbers(tx, event.subject_id)


@events.on(ChildChanged, concerning=lambda event: "identity" in event.sections)
async def look_for_the_same_number(tx: Tx, event: ChildChanged) -> None:
    """Refer a file whose child is said to have a number that another's is said to have."""
    await alike.refer_numbers(tx, event.subject_id)


# Each file looked at, in order; without a code, one that another transaction has moved away.
_MOVE: Final = f"""
WITH next AS (
    SELECT home_county, id, region_code AS was FROM children
    WHERE region_code >= $1 AND region_code < $2 AND (region_code, id) > ($5, $6)
    ORDER BY region_code, id LIMIT $7),
moved AS (
    UPDATE children AS c SET region_code = c.region_code + $3, updated_at = $4,
        residence = c.residence || jsonb_build_object(
            'region_code', lpad((c.region_code + $3)::text, 12, '0')), next_change_on = $8
    FROM next WHERE c.home_county = next.home_county AND c.id = next.id
      AND (c.region_code >= $1 AND c.region_code < $2) IS TRUE
    RETURNING c.id, c.home_county, c.region_code, c.school_id, {sealing.NAMED})
SELECT next.was, next.id AS looked, moved.* FROM next LEFT JOIN moved USING (id)
ORDER BY next.was, next.id
"""


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Keep children, and all below them, where they live when the place gets another code; they are
    derived anew at night, for that may be another place's policy. The version stays: nobody changed
    the file.
    """
    last = (event.old_lo, _FIRST)
    while True:
        files = await tx.connection.fetch(
            _MOVE, event.old_lo, event.old_hi, event.shift, tx.now, *last, following.BATCH, tx.today
        )
        moved = [file for file in files if file["id"] is not None]
        await below.follow(tx, "c.id = ANY($1::uuid[])", [row["id"] for row in moved])
        named = [(queries.ref_of(row), sealing.named(tx.keyring, row)[0]) for row in moved]
        await names.keep(tx, named)
        if len(files) < following.BATCH:
            break
        last = files[-1]["was"], files[-1]["looked"]
    gone = "DELETE FROM children_counts WHERE county_code >= $1 AND county_code < $2"
    await tx.connection.execute(gone, event.old_lo, event.old_hi)  # or both codes are added up
    await exact_trials.end_in(tx, event.old_lo, event.old_hi)
    await following.shift(tx, event, "duplicate_referrals", "region_code")
    await following.shift(tx, event, "child_stays", "lived_in", keys=("id", "home_county"))


_HUKOU_JOB: Final = "children.rename_next_hukou"
_REGISTERED_THERE: Final = """
coalesce(t.hukou ->> 'region_code' COLLATE "C" >= $4
         AND t.hukou ->> 'region_code' COLLATE "C" < $5, false)
"""


@events.on(RegionReplaced)
async def rename_hukou(tx: Tx, event: RegionReplaced) -> None:
    """Have the place where children are registered told by the code it has now, wherever they
    live. It decides nobody's remit, so it may come after.
    """
    lo, hi = region_text(event.old_lo), region_text(event.old_hi)
    await following.look_twice(tx, _HUKOU_JOB, following.start(lo, hi, event.shift))


@queue.job(_HUKOU_JOB)
async def rename_next_hukou(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of files; queue the next in the same transaction."""
    await following.walk(
        tx,
        _HUKOU_JOB,
        payload,
        table="children",
        changes="hukou = t.hukou || jsonb_build_object('region_code',"
        " lpad(((t.hukou ->> 'region_code')::bigint + $6)::text, 12, '0')), updated_at = now()",
        which=_REGISTERED_THERE,
    )


_SUCCEEDED_HUKOU_JOB: Final = "children.succeed_next_hukou"


@events.on(CodeUnderstood)
async def succeed_hukou(tx: Tx, event: CodeUnderstood) -> None:
    """Have it told as the successor where children are registered whose file kept a code that had
    none. Of a new division nothing was kept.
    """
    if event.lo != event.region_code:
        lo, hi, stands = map(region_text, (event.lo, event.hi, event.region_code))
        await following.look_twice(tx, _SUCCEEDED_HUKOU_JOB, following.start(lo, hi, stands))


@queue.job(_SUCCEEDED_HUKOU_JOB)
async def succeed_next_hukou(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of files; queue the next in the same transaction."""
    await following.walk(
        tx,
        _SUCCEEDED_HUKOU_JOB,
        payload,
        table="children",
        changes="hukou = t.hukou || jsonb_build_object('region_code', $6::text),"
        " updated_at = now()",
        which=_REGISTERED_THERE,
    )
