"""A value is tried on every file of a place, however many, behind all else."""

from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.children import derivation, exact_trials, trials
from app.core.data.db import SYSTEM, Database, Reach
from app.core.jobs import queue
from app.regions.operations import replace_region
from tests.access.factories import Caller, a_caller
from tests.children.conftest import OTHER_COUNTY_VILLAGE, SIBLING
from tests.children.factories import a_child
from tests.children.test_trials import (
    COUNTY,
    YOUNGER,
    another_policy,
    civil,
    counted,
    in_categories,
    six,
    to_the_child,
    tried,
)
from tests.jobs import run_jobs

__all__ = ["another_policy", "civil", "six", "to_the_child"]
URL = "/v1/children/policy-trials"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files a batch, and no pause after one."""
    monkeypatch.setattr(exact_trials, "BATCH", 2)
    monkeypatch.setattr(exact_trials, "PAUSE", timedelta())


async def start(client, who: Caller, key: str | None = None, **asked: Any) -> Any:
    headers = {**who.headers, **({} if key is None else {"idempotency-key": key})}
    return await client.post(f"{URL}/exact", json={**YOUNGER, **asked}, headers=headers)


async def started(client, who: Caller, **asked: Any) -> str:
    answer = await start(client, who, **asked)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{URL}/{answer.json()['trial_id']}"
    return answer.headers["location"]


async def read(client, who: Caller, location: str) -> Any:
    return await client.get(location, headers=who.headers)


async def step(database: Database, times: int = 1) -> None:
    for _ in range(times):
        async with database.begin(SYSTEM) as tx:
            await exact_trials.look_at_next(tx)


async def test_every_file_is_counted_as_the_rules_would_have_it(
    client, database: Database, civil, six, another_policy
) -> None:
    sample = (await tried(client, civil)).json()
    location = await started(client, civil)
    begun = (await read(client, civil, location)).json()
    assert (begun["state"], begun["files"], begun["looked_at"]) == ("counting", 6, 0)
    assert (begun["effects"], begun["ended_at"], begun["value"]) == (None, None, 10)
    ran = await run_jobs(database)
    assert ran.count("children.try_next") == 5  # the fourth met nobody, the fifth had none to try
    done = await read(client, civil, location)
    said = done.json()
    assert (said["state"], said["looked_at"], said["unsure"]) == ("done", 6, 0)
    assert said["effects"] == sample["effects"]
    assert said["ended_at"] is not None
    assert counted(done, "before") == await in_categories(database)
    another_policy("lbc.age_limit", COUNTY, 10)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    await run_jobs(database)
    assert counted(done, "after") == await in_categories(database) != counted(done, "before")


async def _killed(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await exact_trials.look_at_next(tx)
        raise RuntimeError


async def test_who_is_killed_between_two_batches_has_lost_nothing(
    client, database: Database, civil, six
) -> None:
    whole = (await tried(client, civil)).json()["effects"]
    location = await started(client, civil)
    await step(database)
    with pytest.raises(RuntimeError):
        await _killed(database)
    assert (await read(client, civil, location)).json()["looked_at"] == 2
    await run_jobs(database)
    said = (await read(client, civil, location)).json()
    assert (said["state"], said["looked_at"], said["effects"]) == ("done", 6, whole)


async def test_who_moves_meanwhile_is_told_of_as_unsure(
    client, database: Database, civil, six, open_file, director, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = await started(client, civil)
    await step(database)
    for child_id, change in (
        (six[0], {"residence": {"region_code": f"{SIBLING:012d}"}}),  # is met again
        (six[1], {"guardianship": {"kind": "grandparents"}}),
    ):
        headers = {**civil.headers, "if-match": '"1"'}
        answer = await client.patch(f"/v1/children/{child_id}", json=change, headers=headers)
        assert answer.status_code == 200, answer.text
    await run_jobs(database)
    said = (await read(client, civil, location)).json()
    assert (said["looked_at"], said["unsure"]) == (7, 1)
    left, *_ = [each for each in said["effects"] if each["code"] == "left_behind"]
    assert left["after"] == {"count": 4, "low": 3, "high": 5}


async def test_a_file_is_counted_as_it_is_when_it_is_looked_at(
    client, database: Database, civil, six
) -> None:
    location = await started(client, civil)
    await step(database)
    async with database.begin(SYSTEM) as tx:  # one that was looked at, one that was not
        await tx.connection.execute(
            "UPDATE children SET birth_date = '2000-01-01' WHERE id = ANY ($1::uuid[])",
            [six[0], six[2]],
        )
    await run_jobs(database)
    left = ("category", "left_behind")
    assert counted(await read(client, civil, location), "after")[left] == 2


async def test_what_cannot_be_read_is_told_of_as_unsure(
    client, database: Database, civil, six
) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET family_sealed = '-' WHERE id = $1::uuid", six[0]
        )
    location = await started(client, civil)
    await run_jobs(database)
    said = (await read(client, civil, location)).json()
    assert (said["state"], said["looked_at"], said["unsure"]) == ("done", 6, 1)


async def test_on_another_day_what_is_stored_is_not_taken_for_what_is(
    client, database: Database, civil, six, now, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial is of the day on which it was begun."""
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    await run_jobs(database)
    left = ("category", "left_behind")
    for later, before in ((timedelta(), 0), (timedelta(days=1), 5)):
        location = await started(client, civil)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET categories = '{}'")
        database.clock = lambda later=later: now + later
        await run_jobs(database)
        database.clock = lambda: now
        assert counted(await read(client, civil, location), "before")[left] == before


async def test_each_agency_has_one_and_they_take_turns(
    client, database: Database, settings, civil, six, now
) -> None:
    other = await a_caller(database, settings, "civil_affairs", COUNTY)
    first, second = await started(client, civil), await started(client, other)
    again = await start(client, civil)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/trial-under-way")
    for turn in range(4):
        moment = now + timedelta(seconds=turn + 1)
        database.clock = lambda moment=moment: moment
        await step(database)
    for who, location in ((civil, first), (other, second)):
        said = (await read(client, who, location)).json()
        assert said["looked_at"] == 4
        assert said["advanced_at"] > said["started_at"]
    await run_jobs(database)
    for who, location in ((civil, first), (other, second)):
        assert (await read(client, who, location)).json()["state"] == "done"
    await started(client, civil)


async def test_one_key_starts_one(client, civil, six) -> None:
    answers = [await start(client, civil, key="once") for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"] == answers[1].headers["location"]


async def test_a_cancelled_one_looks_no_further(client, database: Database, civil, six) -> None:
    location = await started(client, civil)
    await step(database)
    for _ in range(2):
        ended = await client.post(f"{location}/cancellation", headers=civil.headers)
        assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    await run_jobs(database)
    said = (await read(client, civil, location)).json()
    assert (said["looked_at"], said["effects"]) == (2, None)
    done = await started(client, civil)
    await run_jobs(database)
    ended = await client.post(f"{done}/cancellation", headers=civil.headers)
    assert ended.json()["state"] == "done"


async def test_only_who_may_know_of_all_the_place_reads_it(
    client, database: Database, settings, civil, six
) -> None:
    location = await started(client, civil)
    await run_jobs(database)
    colleague = await a_caller(
        database, settings, "civil_affairs", COUNTY, agency_id=civil.agency_id
    )
    assert (await read(client, colleague, location)).status_code == 200
    stranger = await a_caller(database, settings, "civil_affairs", COUNTY)
    assert (await read(client, stranger, location)).status_code == 404
    async with database.begin(Reach(COUNTY, COUNTY + 10**6, agency=stranger.agency_id)) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM policy_trials") == 0
    async with database.begin(SYSTEM) as tx:  # the office answers for less of it now
        await tx.connection.execute(
            "UPDATE posts SET remit_hi = remit_lo + 1000 WHERE agency_id = $1", civil.agency_id
        )
    for answer in (
        await read(client, civil, location),
        await client.post(f"{location}/cancellation", headers=civil.headers),
    ):
        said = (answer.status_code, answer.json()["type"])
        assert said == (404, "/problems/trial-not-found")
    async with database.begin(Reach(COUNTY, COUNTY + 1000, agency=civil.agency_id)) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM policy_trials") == 0


async def test_of_a_larger_place_only_the_callers_own_is_looked_at(
    client, database: Database, settings, civil, six
) -> None:
    await a_child(database, OTHER_COUNTY_VILLAGE, categories=["left_behind"])
    location = await started(client, civil, region_code="120100000000")
    await run_jobs(database)
    assert (await read(client, civil, location)).json()["looked_at"] == 6
    nowhere = await a_caller(database, settings, "civil_affairs", 120118000000)
    location = await started(client, nowhere)
    await run_jobs(database)
    said = (await read(client, nowhere, location)).json()
    assert (said["state"], said["looked_at"], said["effects"]) == ("done", 0, [])


async def test_nothing_is_told_of_one_child(
    client, database: Database, civil, six, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_NEAREST", 5)
    location = await started(client, civil)
    await run_jobs(database)
    (left,) = (await read(client, civil, location)).json()["effects"]
    assert (left["code"], left["before"]) == ("left_behind", {"count": 5, "low": 3, "high": 7})


async def test_who_reads_no_categories_starts_none(client, database, settings, civil) -> None:
    location = await started(client, civil)
    teacher = await a_caller(database, settings, "school", COUNTY)
    answer = await start(client, teacher)
    said = (answer.status_code, answer.json()["type"])
    assert said == (403, "/problems/trial-forbidden")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE policy_trials SET agency_id = $1", teacher.agency_id)
    assert (await read(client, teacher, location)).status_code == 404


async def failure(client, database: Database, who: Caller, location: str) -> Any:
    await run_jobs(database)
    said = (await read(client, who, location)).json()
    assert (said["state"], said["effects"]) == ("failed", None)
    return said["failure"]


async def test_why_it_failed_is_told(
    client, database: Database, civil, six, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = await started(client, civil)
    with monkeypatch.context() as by_others:
        by_others.setattr(derivation, "made_by", lambda: "others")
        assert await failure(client, database, civil, location) == "rules_changed"
    location = await started(client, civil)
    with monkeypatch.context() as broken:
        broken.setattr(trials.Trial, "policy", None)
        assert await failure(client, database, civil, location) == "value_not_derived"


@pytest.mark.parametrize("place", ["120000000000", "120119000000", "120119101000"])
async def test_a_place_that_gets_another_code_ends_it(
    client, database: Database, settings, civil, six, place: str
) -> None:
    """It, a part of it, or what it is a part of."""
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    elsewhere = await a_caller(database, settings, "civil_affairs", 120118000000)
    other = await started(client, elsewhere, region_code="120118000000")
    location = await started(client, province, region_code=place)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    assert await failure(client, database, province, location) == "region_replaced"
    assert (await read(client, elsewhere, other)).json()["state"] == "done"


async def test_one_that_the_database_ends_keeps_no_other_waiting(
    client, database: Database, settings, civil, six, now, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await a_caller(database, settings, "civil_affairs", COUNTY)
    first = await started(client, civil)
    database.clock = lambda: now + timedelta(seconds=1)
    second = await started(client, other)
    look_at = exact_trials._look_at

    async def endless(tx: Any, row: Any) -> None:
        if str(row["id"]) in first:
            await tx.connection.execute("SET LOCAL statement_timeout = 20")
            await tx.connection.execute("SELECT pg_sleep(60)")
        await look_at(tx, row)

    monkeypatch.setattr(exact_trials, "_look_at", endless)
    assert await failure(client, database, civil, first) == "value_not_derived"
    assert (await read(client, other, second)).json()["state"] == "done"


def test_figures_are_added_up_by_what_children_are_in() -> None:
    more = Counter({("category a", "before"): 2, ("flag b", "gained"): 1})
    found = exact_trials._added({"category a": [1, 1, 0, 0]}, more)
    assert found == {"category a": [3, 1, 0, 0], "flag b": [0, 0, 1, 0]}


async def test_a_trial_is_let_go_after_its_time(client, database: Database, civil, six) -> None:
    location = await started(client, civil)
    await run_jobs(database)
    trial_id = UUID(location.rpartition("/")[2])
    async with database.begin(SYSTEM) as tx:
        old = "UPDATE policy_trials SET started_at = started_at - interval '32 days', id = $2"
        came = UUID(int=0x01900000 << 96)
        await tx.connection.execute(f"{old} WHERE id = $1", trial_id, came)
        await queue.enqueue(tx.connection, "policy.begin_forgetting", [{}])
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM policy_trials") == 0


async def test_what_cannot_be_tried_is_refused_as_it_is_begun(client, civil) -> None:
    place = await start(client, civil, region_code="999999999999")
    assert (place.status_code, place.json()["type"]) == (400, "/problems/region-code-invalid")
    value = await start(client, civil, value="of no such kind")
    assert (value.status_code, value.json()["type"]) == (422, "/problems/value-not-tried")
