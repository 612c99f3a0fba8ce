"""Whoever reports late, from another post by now, reports from where they were (ADR 19)."""

from datetime import date
from uuid import uuid4

import pytest

from tests.access.factories import a_caller, a_new_post
from tests.police_reports.factories import a_report, an_endpoint, filed, the_offices
from tests.police_reports.test_chain import AT, URL

NEXT_TOWNSHIP = 120119102000
MOVED_ON = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("found_at", "there"), [("2026-11-18T09:00:00+08:00", "before"), (AT, "now")]
)
@pytest.mark.parametrize("place", [None, "村东头"])
async def test_of_a_place_unsaid_the_post_of_that_day_is_asked(
    client, database, settings, found_at, there, place
) -> None:
    offices = await the_offices(database, settings)
    other = await a_caller(database, settings, "police", NEXT_TOWNSHIP)
    await an_endpoint(database, other.agency_id, NEXT_TOWNSHIP)
    moved = await a_new_post(
        database, settings, offices.village, "village_director", NEXT_TOWNSHIP + 200, MOVED_ON
    )
    said = {"child_id": str(uuid4()), "region_code": place, "found_at": found_at}
    report_id = await filed(client, moved, **said)
    for when, police in (("before", offices.police), ("now", other)):
        answer = await client.get(f"{URL}/{report_id}", headers=police.headers)
        assert answer.status_code == (200 if when == there else 404), (when, answer.text)


async def test_sent_again_from_the_post_of_now_it_is_the_same(client, database, settings) -> None:
    offices = await the_offices(database, settings)
    body = a_report(id=str(uuid4()))
    first = await client.post(URL, json=body, headers=offices.village.headers)
    moved = await a_new_post(
        database, settings, offices.village, "village_director", NEXT_TOWNSHIP + 200, MOVED_ON
    )
    again = await client.post(URL, json=body, headers=moved.headers)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert first.json() == again.json()
