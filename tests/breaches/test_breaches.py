"""The register of breaches over HTTP. Who sees which, the matrix proves."""

import pytest

from tests.access.factories import a_caller
from tests.police_reports.factories import COUNTY, TOWNSHIP, rows, the_offices
from tests.regions.factories import some_regions
from tests.rights.factories import by_two, post, problem, shown


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


def a_breach(**fields):
    return {"kind": "leaked", "what": "一名册被发到群里", "measures": "已撤回", **fields}


async def _recorded(client, caller, **fields):
    answer = await post(client, caller, "/breaches", a_breach(**fields))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _told(client, caller, breach, **said):
    path = f"/breaches/{breach['id']}/told"
    return await post(client, caller, path, said, f'"{breach["version"]}"')


async def _closed(client, caller, breach, **said):
    path = f"/breaches/{breach['id']}/closure"
    return await post(client, caller, path, {"words": "已办结", **said}, f'"{breach["version"]}"')


async def test_it_is_owed_to_the_authority_in_hours_and_to_families_in_days(
    client, database, offices
) -> None:
    breach = await _recorded(client, offices.county, found_at="2026-11-20T01:00:00Z", children=3)
    assert breach["report_due_at"] == "2026-11-20T05:00:00Z"
    assert breach["tell_due_at"] == "2026-11-23T16:00:00Z"
    assert (breach["late"], breach["told"], breach["state"]) == ([], [], "open")
    stored = str(await rows(database, "breaches")).encode()
    assert "一名册被发到群里".encode() not in stored


async def test_what_was_found_before_there_was_a_law_is_owed_by_that_of_today(
    client, offices
) -> None:
    breach = await _recorded(client, offices.county, found_at="2000-01-01T00:00:00Z")
    assert breach["report_due_at"] == "2000-01-01T04:00:00Z"
    assert breach["tell_due_at"] == "2000-01-04T16:00:00Z"
    assert breach["late"] == ["cyberspace_authority", "families"]


async def test_what_is_late_is_named_until_it_is_told_and_only_then_it_closes(
    client, offices
) -> None:
    breach = await _recorded(client, offices.county, found_at="2026-11-10T01:00:00Z")
    assert breach["late"] == ["cyberspace_authority", "families"]
    assert problem(await _closed(client, offices.county, breach)) == (409, "breach-not-told")
    breach = (await _told(client, offices.county, breach, whom="cyberspace_authority")).json()
    assert breach["late"] == ["families"]
    assert breach["told"][0]["told_at"] == "2026-11-20T02:00:00Z"
    assert problem(await _closed(client, offices.county, breach)) == (409, "breach-not-told")
    told = {"whom": "families", "number": 3, "told_at": "2026-11-19T01:00:00Z"}
    breach = (await _told(client, offices.county, breach, **told)).json()
    assert (breach["late"], breach["told"][1]["number"]) == ([], 3)
    breach = (await _closed(client, offices.county, breach)).json()
    assert (breach["state"], breach["closure"]["words"]) == ("closed", "已办结")
    assert breach["permitted"] == []
    for again in (
        await _told(client, offices.county, breach, whom="police"),
        await _closed(client, offices.county, breach, words="再次办结"),
    ):
        assert problem(again) == (409, "breach-closed")
    now = await shown(client, offices.county, f"/breaches/{breach['id']}")
    assert (now["closure"], now["told"]) == (breach["closure"], breach["told"])


async def test_that_no_harm_is_left_and_no_family_hears_of_it_two_people_say(
    client, database, settings, offices
) -> None:
    breach = await _recorded(client, offices.county)
    refused = await _closed(client, offices.county, breach, harmless=True)
    assert problem(refused) == (409, "breach-not-told")
    breach = (await _told(client, offices.county, breach, whom="cyberspace_authority")).json()
    assert "closeBreach" not in breach["permitted"]
    assert breach["permitted_by_two"] == ["closeBreach"]
    alone = await _closed(client, offices.county, breach, harmless=True)
    assert problem(alone) == (403, "approval-required")
    closed = await _closed_by_two(client, database, settings, offices.county, breach)
    assert (closed.status_code, closed.json()["late"]) == (200, [])
    assert closed.json()["permitted_by_two"] == []


async def _closed_by_two(client, database, settings, caller, breach):
    path, body = f"/breaches/{breach['id']}/closure", {"words": "已办结", "harmless": True}
    two = (client, database, settings, caller)
    return await by_two(*two, "closeBreach", path, body, breach["version"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"found_at": "2026-11-20T03:00:00Z"}, (422, "breach-invalid")),
        (
            {"began_at": "2026-11-20T01:00:00Z", "ended_at": "2026-11-19T01:00:00Z"},
            (422, "validation-failed"),
        ),
        ({"children": -1}, (422, "validation-failed")),
    ],
)
async def test_refuses(client, offices, fields, expected) -> None:
    assert problem(await post(client, offices.county, "/breaches", a_breach(**fields))) == expected


async def test_it_is_told_of_by_whose_it_is_and_closed_by_a_person(
    client, database, settings, offices
) -> None:
    other = await a_caller(database, settings, "civil_affairs", COUNTY)
    machine = await a_caller(
        database,
        settings,
        "civil_affairs",
        COUNTY,
        machine=True,
        agency_id=offices.county.agency_id,
    )
    breach = await _recorded(client, offices.county)
    refused = await _told(client, other, breach, whom="police")
    assert problem(refused) == (403, "not-your-breach")
    assert problem(await _closed(client, machine, breach)) == (403, "person-required")
    ahead = await _told(client, machine, breach, whom="police", told_at="2026-11-20T03:00:00Z")
    assert problem(ahead) == (422, "breach-invalid")


async def test_lists_narrow(client, database, settings, offices) -> None:
    first = await _recorded(client, offices.county, found_at="2026-11-18T01:00:00Z")
    second = await _recorded(client, offices.county)
    told = (await _told(client, offices.county, first, whom="cyberspace_authority")).json()
    can = "?permitted=closeBreach"
    assert (await shown(client, offices.county, f"/breaches{can}"))["items"] == []
    await _closed_by_two(client, database, settings, offices.county, told)

    async def found(query):
        items = (await shown(client, offices.county, f"/breaches{query}"))["items"]
        return [each["id"] for each in items]

    assert await found("") == [second["id"], first["id"]]
    assert await found("?state=closed") == [first["id"]]
    assert await found("?permitted=recordBreachTold") == [second["id"]]
    assert await found("?permitted=closeBreach") == []
    told = (await _told(client, offices.county, second, whom="cyberspace_authority")).json()
    assert await found("?permitted=closeBreach") == []
    await _told(client, offices.county, told, whom="families")
    assert await found("?permitted=closeBreach") == [second["id"]]
    refused = await client.get("/v1/breaches", headers=offices.township.headers)
    assert problem(refused) == (403, "scope-missing")
    assert TOWNSHIP


async def test_the_next_county_reads_none_of_it(client, database, settings, offices) -> None:
    """A county ends where the next begins, whose code is the first that is not its own."""
    await some_regions(database, COUNTY + 1_000_000)
    beside = await a_caller(database, settings, "civil_affairs", COUNTY + 1_000_000)
    await _recorded(client, beside)
    assert (await shown(client, offices.county, "/breaches"))["items"] == []
