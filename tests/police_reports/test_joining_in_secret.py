"""The reports of one event: what of it a party learns that has a part in some of them only."""

import pytest

from tests.at_once import at_once
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, an_endpoint, filed, rows, the_offices
from tests.police_reports.test_chain import AT, URL, step


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def read(client, caller, report_id: str):
    return (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()


async def test_joining_with_a_hidden_report_is_not_told(client, database, offices) -> None:
    await an_endpoint(database, offices.township.agency_id, TOWNSHIP, relation="region")
    accused = str(offices.township.agency_id)
    open_ = await filed(client, offices.school)
    hidden = await filed(client, offices.village, suspect_agency_id=accused)
    before = await read(client, offices.township, open_)
    body = {"joined_at": AT, "report_id": hidden}
    answer = await step(client, offices.police, open_, "incident", body)
    assert answer.status_code == 201, answer.text
    after = await read(client, offices.township, open_)
    assert (after["joined"], after["steps"]) == (before["joined"], before["steps"])
    assert after["incident_id"] not in {open_, hidden}
    chain = await client.get(f"{URL}/{open_}/chain", headers=offices.township.headers)
    assert chain.json()["steps"] == []
    seen = await read(client, offices.police, open_)
    assert (seen["joined"], [each["step"] for each in seen["steps"]]) == ([hidden], ["joined"])
    await run_jobs(database)
    joined = [row for row in await rows(database, "events") if "joined" in row["wire_name"]]
    assert len(joined) == 2
    assert not any(accused in row["told_to"] for row in joined)


@pytest.mark.parametrize("first_comes", ["first", "last"])
async def test_an_event_is_not_called_by_the_id_of_a_hidden_report(
    client, offices, first_comes
) -> None:
    hidden = "01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"
    accused = {"id": hidden, "suspect_agency_id": str(offices.township.agency_id)}
    if first_comes == "first":
        await filed(client, offices.village, **accused)
    other = await filed(client, offices.school, incident_id=hidden)
    if first_comes == "last":
        await filed(client, offices.village, **accused)
    seen = await read(client, offices.township, other)
    assert (seen["incident_id"] == hidden, seen["joined"]) == (False, [])
    assert (await read(client, offices.police, other))["joined"] == [hidden]
    assert (await read(client, offices.police, hidden))["joined"] == [other]


async def test_two_joins_at_once_make_one_event(
    app, settings, live_database, database_urls
) -> None:
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b, c = [await filed(client, offices.school, narrative=word) for word in "abc"]

        def joining(one: str, other: str):
            body = {"joined_at": AT, "report_id": other}
            return lambda: step(client, offices.police, one, "incident", body)

        answers = await at_once(live_database, database_urls.owner, joining(a, b), joining(b, c))
        assert [answer.status_code for answer in answers] == [201, 201]
        three = [await read(client, offices.police, each) for each in (a, b, c)]
        assert len({each["incident_id"] for each in three}) == 1
        assert [{*each["joined"], each["id"]} for each in three] == [{a, b, c}] * 3


async def test_separating_and_joining_at_once_wait_for_each_other(
    app, settings, live_database, database_urls
) -> None:
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        a, b, c = [await filed(client, offices.school, narrative=word) for word in "abc"]
        await step(client, offices.police, a, "incident", {"joined_at": AT, "report_id": b})
        joining = {"joined_at": AT, "report_id": a}
        apart = {"separated_at": AT, "basis": "是两件事。"}
        answers = await at_once(
            live_database,
            database_urls.owner,
            lambda: step(client, offices.police, b, "incident", joining),
            lambda: step(client, offices.county, c, "incident", joining),
            lambda: step(client, offices.police, a, "incident/separation", apart),
        )
        assert [answer.status_code for answer in answers] == [201, 201, 201]
