"""A correction stands where the report before it stands: what is said of the one is said of both."""

from typing import Any

import pytest

from tests.jobs import run_jobs
from tests.police_reports.factories import filed
from tests.police_reports.test_chain import URL, step
from tests.police_reports.test_chain_of_corrections import corrected
from tests.police_reports.test_parties import (  # noqa: F401
    IDENTIFY,
    child,
    home,
    offices,
    told,
)
from tests.police_reports.test_taken_back import WRONG, read
from tests.unresolved.conftest import listed
# ruff: noqa: F811


async def asked(client, caller) -> dict[str, list[str]]:
    """States of the questions whose a report is, by report."""
    found: dict[str, list[str]] = {}
    for item in await listed(client, caller, "?kind=report"):
        found.setdefault(item["report_id"], []).append(item["state"])
    return {report_id: sorted(states) for report_id, states in found.items()}


async def owed(client, caller) -> list[str]:
    answer = await client.get("/v1/duties?rule=REP-01.child", headers=caller.headers)
    return sorted(duty["state"] for duty in answer.json()["items"])


def steps(read_: dict[str, Any]) -> list[str]:
    return [taken["step"] for taken in read_["steps"]]


class TestAWrongChildOfTheFirst:
    @pytest.mark.parametrize("named", ["by_reporter", "by_police"])
    @pytest.mark.parametrize("through", ["first", "second", "last"])
    async def test_the_last_is_asked_about_anew(
        self, client, database, offices, home, child, named, through
    ) -> None:
        known = {"child_id": str(child.id)} if named == "by_reporter" else {}
        first = await filed(client, offices.school, **known)
        if not known:
            body = {**IDENTIFY, "child_id": str(child.id)}
            await step(client, offices.police, first, "child", body)
        second = await corrected(client, offices.school, first, **known)
        last = await corrected(client, offices.school, second, **known)
        await run_jobs(database)
        reports = {"first": first, "second": second, "last": last}
        body = {**WRONG, "id": "01995f3c-7a10-7c55-8a41-5d0e2f6b9c77"}
        for expected in (201, 200):
            answer = await step(client, offices.police, reports[through], "child/withdrawal", body)
            assert answer.status_code == expected, answer.text
        await run_jobs(database)
        for report_id in reports.values():
            seen = await read(client, offices.county, report_id)
            assert seen["child_id"] is None
            assert "identification_withdrawn" in steps(seen)
            gone = await client.get(f"{URL}/{report_id}", headers=home.headers)
            assert gone.status_code == 404
        questions = await asked(client, offices.township)
        assert [report_id for report_id, states in questions.items() if "open" in states] == [last]
        assert "open" in await owed(client, offices.township)
        assert {home.agency_id, offices.township.agency_id} <= await told(
            database, "identification_withdrawn"
        )
