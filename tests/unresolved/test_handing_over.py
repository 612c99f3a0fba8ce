"""Two offices say that two files are one child: who keeps its file owes that it is handed over."""

import pytest

from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import OTHER_COUNTY_VILLAGE, listed
from tests.unresolved.test_whose_office import move, province  # noqa: F401


async def owed(client, office) -> list[tuple[str, str]]:
    answer = await client.get("/v1/duties?rule=REG-12.handover", headers=office.headers)
    return [(duty["subject_id"], duty["state"]) for duty in answer.json()["items"]]


@pytest.fixture
async def handover(client, county, other_county, refused, act) -> dict:
    """What the office that keeps the file is asked then."""
    for office in (county, other_county):
        (item,) = await listed(client, office, "?kind=referral")
        await act(office, item["id"], "answer", answer="same_child", words="同一人。")
    (item,) = await listed(client, other_county, "?kind=handover")
    assert refused
    return item


async def test_the_office_whose_place_the_file_lies_in_owes_it(
    client, county, other_county, elsewhere, handover, database
) -> None:
    assert (handover["reason"], handover["child_id"]) == ("same_child", elsewhere)
    assert (handover["state"], handover["owner"]["role"]) == ("open", "civil_affairs")
    assert handover["permitted"] == ["dismissUnresolved"]
    await run_jobs(database)
    assert await owed(client, other_county) == [(handover["id"], "open")]
    assert await listed(client, county, "?kind=handover") == await owed(client, county) == []


async def test_it_ends_when_the_file_lies_in_another_county(
    client,
    other_county,
    elsewhere,
    handover,
    database,
    move,  # noqa: F811
) -> None:
    await run_jobs(database)
    await move(elsewhere, OTHER_COUNTY_VILLAGE // 1000 * 1000)
    assert await owed(client, other_county) == [(handover["id"], "open")]
    await move(elsewhere, VILLAGE)
    (item,) = await listed(client, other_county, "?kind=handover")
    assert (item["state"], item["settled_by"]) == ("answered", "system")
    assert await owed(client, other_county) == [(handover["id"], "discharged")]


async def test_or_when_the_office_says_why_it_stays(
    client, other_county, handover, database, act
) -> None:
    answer = await act(other_county, handover["id"], "dismissal", words="孩子住在本县,仅来探亲。")
    assert (answer.status_code, answer.json()["state"]) == (200, "dismissed"), answer.text
    await run_jobs(database)
    assert await owed(client, other_county) == [(handover["id"], "discharged")]


async def test_by_nothing_else(other_county, county, handover, act) -> None:
    answer = await act(other_county, handover["id"], "answer", answer="same_child", words="是")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-for-this-kind")
    unseen = await act(county, handover["id"], "dismissal", words="否")
    assert unseen.status_code == 404
