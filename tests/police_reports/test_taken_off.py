"""What a person took off a file comes back to it neither by itself nor by a correction (ADR 25)."""

from uuid import uuid4

import pytest

from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, a_report, filed, rows, the_offices
from tests.police_reports.test_chain import URL, step
from tests.police_reports.test_parties import IDENTIFY
from tests.police_reports.test_taken_back import WRONG, identified, read
from tests.unresolved.conftest import listed


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def own_name(client, database, offices) -> tuple[str, str]:
    """A report that hangs on the file opened under the id its reporter gave."""
    mine = str(uuid4())
    report_id = await filed(client, offices.village, child_id=mine)
    body = a_file(VILLAGE, id=mine)
    opened = await client.post("/v1/children", json=body, headers=offices.village.headers)
    assert opened.status_code == 201, opened.text
    return report_id, mine


async def in_sight(client, database, offices) -> tuple[str, str]:
    child = await a_child(database, VILLAGE)
    return await filed(client, offices.village, child_id=str(child.id)), str(child.id)


async def corrected(client, offices, report_id: str, **fields) -> str:
    body = a_report(narrative="补充:孩子穿红衣服。", **fields)
    answer = await step(client, offices.village, report_id, "supersession", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hung(database, report_id: str) -> str | None:
    [row] = [
        each for each in await rows(database, "police_reports") if str(each["id"]) == report_id
    ]
    return row["child_id"] and str(row["child_id"])


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("way", [own_name, in_sight])
async def test_what_a_person_took_off_a_file_no_correction_brings_back(
    client, database, offices, way, named
) -> None:
    report_id, child_id = await way(client, database, offices)
    await run_jobs(database)
    assert await hung(database, report_id) == child_id
    answer = await step(client, offices.police, report_id, "child/withdrawal", WRONG)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    newest = await corrected(
        client, offices, report_id, **({"child_id": child_id} if named else {})
    )
    await run_jobs(database)
    assert (await hung(database, report_id), await hung(database, newest)) == (None, None)
    for caller in (offices.police, offices.township):
        seen = await read(client, caller, newest)
        assert ("child_unconfirmed" in seen["doubts"]) is named
        assert ((seen["as_sent"] or {}).get("child_id") == child_id) is named
    assert len(await listed(client, offices.township, "?kind=report&state=open")) == 1


async def test_what_a_person_says_last_counts(client, database, offices) -> None:
    """Taken off a file and identified again, it comes back by a person's word."""
    report_id, child_id = await in_sight(client, database, offices)
    await run_jobs(database)
    assert (await step(client, offices.police, report_id, "child/withdrawal", WRONG)).is_success
    again = {**IDENTIFY, "child_id": child_id}
    assert (await step(client, offices.police, report_id, "child", again)).is_success
    newest = await corrected(client, offices, report_id, child_id=child_id)
    assert await hung(database, newest) == child_id
    seen = await read(client, offices.township, newest)
    assert "child_unconfirmed" not in seen["doubts"]


async def test_by_a_persons_word_it_comes_back_and_stays_with_the_next_correction(
    client, database, offices
) -> None:
    report_id, child_id = await in_sight(client, database, offices)
    await run_jobs(database)
    await step(client, offices.police, report_id, "child/withdrawal", WRONG)
    newest = await corrected(client, offices, report_id, child_id=child_id)
    body = {"identified_at": "2026-11-20T09:58:00+08:00", "basis": "家长辨认。"}
    answer = await client.post(
        f"{URL}/{newest}/child", json=body | {"child_id": child_id}, headers=offices.police.headers
    )
    assert (answer.status_code, answer.json()["step"]) == (201, "identified"), answer.text
    last = await corrected(client, offices, newest, child_id=child_id)
    await run_jobs(database)
    assert await hung(database, last) == child_id


async def test_another_child_named_by_the_correction_is_taken_at_its_word(
    client, database, offices
) -> None:
    wrong, right = [await a_child(database, VILLAGE) for _ in range(2)]
    report_id = await identified(client, offices, wrong, await filed(client, offices.village))
    await step(client, offices.police, report_id, "child/withdrawal", WRONG)
    newest = await corrected(client, offices, report_id, child_id=str(right.id))
    await run_jobs(database)
    assert await hung(database, newest) == str(right.id)


async def test_one_that_names_another_child_is_left_there_when_the_first_is_identified(
    client, database, offices
) -> None:
    """Of the chain those alone are told whose child it is that do not know it yet."""
    one, other = [await a_child(database, VILLAGE) for _ in range(2)]
    report_id = await filed(client, offices.village)
    newest = await corrected(client, offices, report_id, child_id=str(other.id))
    await identified(client, offices, one, report_id)
    assert await hung(database, report_id) == str(one.id)
    assert await hung(database, newest) == str(other.id)
