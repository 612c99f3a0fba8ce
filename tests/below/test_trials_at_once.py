"""A trial that two are at: the job that looks at files, and who ends it or tries to."""

import pytest

from app.children import exact_trials
from app.core.data.db import SYSTEM, Database
from tests.access.factories import a_caller
from tests.at_once import behind
from tests.below.conftest import COUNTY
from tests.jobs import run_jobs

URL = "/v1/children/policy-trials/exact"
ASKED = {"parameter": "lbc.age_limit", "region_code": f"{COUNTY:012d}", "value": 10}


async def _tried(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await exact_trials.end_in(tx, COUNTY, COUNTY + 10**6)
        assert "children.try_next" in await run_jobs(database)
        raise RuntimeError


async def test_a_change_that_is_taken_back_leaves_the_trial_going(
    town, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    civil = await a_caller(town.database, settings, "civil_affairs", COUNTY)
    started = await town.client.post(URL, json=ASKED, headers=civil.headers)
    assert started.status_code == 202, started.text
    with pytest.raises(RuntimeError):
        await _tried(town.database)
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE jobs SET run_at = now()")
    monkeypatch.setattr(exact_trials, "PAUSE", exact_trials.PAUSE * 0)
    await run_jobs(town.database)
    found = await town.client.get(started.headers["location"], headers=civil.headers)
    assert (found.json()["state"], found.json()["looked_at"]) == ("done", 1)


async def test_who_cancels_one_that_is_done_at_that_moment_is_told_so(town, settings) -> None:
    civil = await a_caller(town.database, settings, "civil_affairs", COUNTY)
    started = await town.client.post(URL, json=ASKED, headers=civil.headers)
    cancelling = f"{started.headers['location']}/cancellation"
    (ended,) = await behind(
        town.database,
        "UPDATE policy_trials SET state = 'done', ended_at = now()",
        lambda: town.client.post(cancelling, headers=civil.headers),
    )
    assert (ended.status_code, ended.json()["state"]) == (200, "done")
