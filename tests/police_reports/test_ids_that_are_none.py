"""An id that is none names its report all the same: by what was sent under it."""

from uuid import UUID

import pytest

from app.police_reports.unread import MOST_IDS, ids_in
from tests.police_reports.factories import a_report, rows, the_offices
from tests.police_reports.test_chain import URL


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


def test_of_a_report_that_names_very_many_ids_the_first_are_read() -> None:
    said = [str(UUID(int=number)) for number in range(MOST_IDS + 1)]
    assert ids_in({"unread": said}) == [UUID(each) for each in said[:-1]]


@pytest.mark.parametrize("said", ["R-2026-001", 17, "", {"a": 1}])
async def test_sent_again_under_an_id_that_is_none_it_is_the_same(
    client, database, offices, said
) -> None:
    """A retry is known by id, sender and content; the id is kept as it was sent."""
    body = a_report(id=said)
    first, again = [
        await client.post(URL, json=body, headers=offices.school.headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    read = await client.get(first.headers["location"], headers=offices.police.headers)
    assert read.json()["as_sent"]["unread"] == {"id": said}
    other = await client.post(
        URL, json={**body, "narrative": "另一件事。"}, headers=offices.school.headers
    )
    colleague = await client.post(URL, json=body, headers=offices.village.headers)
    assert (other.status_code, colleague.status_code) == (201, 201)
    correction = {**body, "narrative": "更正。"}
    corrected = [
        await client.post(
            f"{first.headers['location']}/supersession",
            json=correction,
            headers=offices.school.headers,
        )
        for _ in range(2)
    ]
    assert [each.status_code for each in corrected] == [201, 200]
    assert len(await rows(database, "police_reports")) == 4
