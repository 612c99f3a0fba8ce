"""A report that hangs on a file by the id that a phone made of the child leaves it with that name:
who takes the name back takes all that followed from it.
"""

from uuid import uuid4

import pytest

from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, filed, the_offices
from tests.police_reports.test_chain import step
from tests.police_reports.test_chain_of_corrections import corrected
from tests.police_reports.test_parties import IDENTIFY
from tests.police_reports.test_taken_back import read
from tests.police_reports.test_what_corrections_keep import asked, steps
from tests.unresolved.conftest import act, listed  # noqa: F401
from tests.visits.factories import a_visit

# ruff: noqa: F811


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
def names(client, database, offices, act, child):
    """The township says whom the phone of the village means by an id."""

    async def names(unknown: str) -> str:
        sent = await client.post(
            "/v1/visits", json=a_visit(unknown), headers=offices.village.headers
        )
        item = sent.json()["unresolved_id"]
        answer = await act(offices.township, item, "attachment", child_id=str(child.id))
        assert answer.json()["state"] == "attached", answer.text
        await run_jobs(database)
        return str(item)

    return names


@pytest.mark.parametrize("filed_first", [True, False])
@pytest.mark.parametrize("then", ["asked", "another"])
async def test_the_report_leaves_the_wrong_child(
    client, database, offices, child, names, act, filed_first, then
) -> None:
    unknown = str(uuid4())
    report = {"child_id": unknown, "subject": None}
    if filed_first:
        first = await filed(client, offices.village, **report)
        await run_jobs(database)
    item = await names(unknown)
    if not filed_first:
        first = await filed(client, offices.village, **report)
    last = await corrected(client, offices.village, first)
    for report_id in (first, last):
        assert (await read(client, offices.county, report_id))["child_id"] == str(child.id)
    right = (await a_child(database, VILLAGE)).id if then == "another" else None
    said = {"words": "认错了人", **({"child_id": str(right)} if right else {})}
    answer = await act(offices.township, item, "withdrawal", **said)
    assert answer.status_code in {200, 201}, answer.text
    await run_jobs(database)
    for report_id in (first, last):
        seen = await read(client, offices.county, report_id)
        assert seen["child_id"] == (str(right) if right else None)
        assert "identification_withdrawn" in steps(seen)
    questions = await asked(client, offices.township)
    waits = {report_id for report_id, states in questions.items() if "open" in states}
    assert waits == (set() if right else {last})
    await run_jobs(database)
    assert steps(await read(client, offices.county, last)).count("identification_withdrawn") == 1
    if right is None:  # what nobody but the name took away comes back with the name
        [open_one] = await listed(client, offices.township, "?kind=visit&state=open")
        again = await act(offices.township, open_one["id"], "attachment", child_id=str(child.id))
        assert again.json()["state"] == "attached", again.text
        await run_jobs(database)
        assert (await read(client, offices.county, last))["child_id"] == str(child.id)


async def test_whom_somebody_else_identified_it_keeps(
    client, database, offices, child, names, act
) -> None:
    unknown = str(uuid4())
    report_id = await filed(client, offices.village, child_id=unknown, subject=None)
    await run_jobs(database)
    body = {**IDENTIFY, "child_id": str(child.id)}
    await step(client, offices.police, report_id, "child", body)
    item = await names(unknown)
    await act(offices.township, item, "withdrawal", words="认错了人")
    await run_jobs(database)
    seen = await read(client, offices.county, report_id)
    assert (seen["child_id"], steps(seen)) == (str(child.id), ["identified"])


async def test_it_stays_where_the_same_is_said_again(
    client, database, offices, child, names, act
) -> None:
    unknown = str(uuid4())
    report_id = await filed(client, offices.village, child_id=unknown, subject=None)
    item = await names(unknown)
    await act(offices.township, item, "withdrawal", words="认错了人")
    [anew] = await listed(client, offices.township, "?kind=visit&state=open")
    again = await act(offices.township, anew["id"], "attachment", child_id=str(child.id))
    assert again.json()["state"] == "attached", again.text
    await run_jobs(database)
    seen = await read(client, offices.county, report_id)
    assert (seen["child_id"], steps(seen)) == (str(child.id), ["identified"])


async def test_it_follows_the_id_to_the_file_that_is_opened_under_it(
    client, database, offices, child, names
) -> None:
    unknown = str(uuid4())
    report_id = await filed(client, offices.village, child_id=unknown, subject=None)
    await names(unknown)
    file = a_file(VILLAGE, id=unknown)
    answer = await client.post("/v1/children", json=file, headers=offices.village.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    assert (await read(client, offices.county, report_id))["child_id"] == unknown
