"""Steps are refused to who has no part in them, and with an id that is taken; for no clock."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.access.factories import Caller, a_caller
from tests.police_reports.factories import (
    TOWNSHIP,
    Offices,
    a_report,
    filed,
    police_at,
    the_offices,
)
from tests.police_reports.test_chain import (
    ACCEPT,
    ASSESS,
    AT,
    CLOSE,
    DISPATCH,
    DISPOSE,
    NOTICE,
    RECEIPT,
    SERVICES,
    URL,
    step,
)
from tests.regions.factories import some_regions

ELSEWHERE = 120118101000
NEXT_TOWNSHIP = TOWNSHIP + 1000
LATER = "2026-11-20T11:00:00+08:00"
"""An hour after the clock of the tests."""

POLICE: dict[str, dict[str, Any]] = {
    "acknowledgement": ACCEPT,
    "dispatch": DISPATCH,
    "dispositions": DISPOSE,
    "township-notice": NOTICE,
    "forwarding": {"forwarded_at": AT},
}
PROTECTION: dict[str, dict[str, Any]] = {
    "township-notice/receipt": RECEIPT,
    "assessment": ASSESS,
    "services": SERVICES,
    "closure": {**CLOSE, "explanation": "孩子已随父母迁走。"},
}
STEPS = {**POLICE, **PROTECTION}
WITH_ID = [path for path in STEPS if path != "acknowledgement"]
"""An acknowledgement is known by the police's own number."""


@dataclass(frozen=True, slots=True)
class Case:
    """A report filed by a township elsewhere, and everybody around it."""

    client: Any
    offices: Offices
    reporter: Caller
    second_police: str
    report_id: str

    async def take(self, path: str, caller: Caller | None = None, **fields: Any) -> Any:
        target = {"police_agency_id": self.second_police} if path == "forwarding" else {}
        right = self.offices.police if path in POLICE else self.offices.township
        body = {**STEPS[path], **target, **fields}
        return await step(self.client, caller or right, self.report_id, path, body)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


@pytest.fixture
async def case(client, database, settings) -> Case:
    offices = await the_offices(database, settings)
    reporter = await a_caller(database, settings, "township_supervisor", ELSEWHERE)
    second = str(await police_at(database, NEXT_TOWNSHIP))
    await some_regions(database, NEXT_TOWNSHIP + 1)
    return Case(client, offices, reporter, second, await filed(client, reporter))


@pytest.mark.parametrize("path", ["township-notice", "forwarding", *PROTECTION])
async def test_who_has_another_part_does_not_take_it(case: Case, path: str) -> None:
    stranger = case.reporter
    if path in POLICE:  # who has passed the report on looks on
        assert (await case.take("forwarding")).status_code == 201
        stranger = case.offices.police
    assert problem(await case.take(path, stranger)) == (403, "not-your-part")


async def kept_beside(case: Case, path: str, **body: Any) -> str:
    """Under the id of another step it is taken, and known when it comes again."""
    first, again = [await case.take(path, **body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.json()["id"] == again.json()["id"] != body["id"]
    return str(first.json()["id"])


@pytest.mark.parametrize("path", [path for path in WITH_ID if path != "forwarding"])
async def test_an_id_stands_for_one_step(case: Case, path: str) -> None:
    at = next(name for name, value in STEPS[path].items() if value == AT)
    taken = str(uuid4())
    assert (await case.take(path, id=taken)).status_code == 201
    await kept_beside(case, path, id=taken, **{at: "2026-11-20T09:56:00+08:00"})


@pytest.mark.parametrize("taken", [str(UUID(int=0)), "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"])
async def test_an_id_stands_for_a_step_on_one_report(case: Case, taken: str) -> None:
    """Systems write the id of zeros for none."""
    first = await case.take("dispatch", id=taken)
    assert first.status_code == 201
    other = replace(case, report_id=await filed(case.client, case.reporter))
    second = await kept_beside(other, "dispatch", id=taken)
    assert second != first.json()["id"]


async def test_an_id_taken_on_a_report_out_of_sight_is_taken(
    case: Case, database, settings
) -> None:
    away = await a_caller(
        database, settings, "police", NEXT_TOWNSHIP, agency_id=UUID(case.second_police)
    )
    unseen = await filed(case.client, case.reporter, region_code=str(NEXT_TOWNSHIP + 1))
    taken = str(uuid4())
    first = await replace(case, report_id=unseen).take("dispatch", away, id=taken)
    assert first.status_code == 201, first.text
    await kept_beside(case, "dispatch", id=taken)


async def test_a_township_that_reported_elsewhere_is_the_reporter(case: Case) -> None:
    for caller, party in ((case.reporter, "reporter"), (case.offices.township, "protection")):
        read = await case.client.get(f"{URL}/{case.report_id}", headers=caller.headers)
        assert read.json()["party"] == party


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize(("said", "ahead"), [(LATER, True), (AT, False)])
async def test_a_clock_that_runs_ahead_is_marked(case: Case, path: str, said, ahead) -> None:
    at = next(name for name, value in STEPS[path].items() if value == AT)
    answer = await case.take(path, **{at: said})
    assert (answer.status_code, answer.json()["at_ahead"]) == (201, ahead), answer.text
    read = await case.client.get(f"{URL}/{case.report_id}", headers=case.reporter.headers)
    assert read.json()["steps"][-1]["at_ahead"] is ahead
    chain = await case.client.get(f"{URL}/{case.report_id}/chain", headers=case.reporter.headers)
    assert chain.json()["steps"][-1]["at_ahead"] is ahead


class TestCorrection:
    """What is filed in place of a report meets what any report meets."""

    async def correct(self, case: Case, caller: Caller, **fields: Any) -> Any:
        url = f"{URL}/{case.report_id}/supersession"
        return await case.client.post(url, json=a_report(**fields), headers=caller.headers)

    async def test_by_who_filed_it_only(self, case: Case) -> None:
        assert problem(await self.correct(case, case.offices.township)) == (403, "not-your-part")

    async def test_of_somebody_somewhere(self, case: Case) -> None:
        answer = await self.correct(case, case.reporter, region_code=None)
        assert problem(answer) == (422, "report-invalid")

    async def test_once(self, case: Case) -> None:
        taken = str(uuid4())
        assert (await self.correct(case, case.reporter, id=taken)).status_code == 201
        again = await self.correct(case, case.reporter, id=taken, narrative="又一次。")
        assert problem(again) == (409, "superseded-already")
        third = await self.correct(case, case.reporter)
        assert problem(third) == (409, "superseded-already")
