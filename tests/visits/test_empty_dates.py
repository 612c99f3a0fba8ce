"""A phone that does not know the hour writes the first or the last there is."""

import pytest

from tests.visits.factories import a_visit


@pytest.mark.parametrize(
    "started_at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
)
async def test_the_visit_is_taken_and_its_clock_is_told(client, director, child, started_at):
    visit = a_visit(child.id, started_at=started_at)
    answer = await client.post("/v1/visits", json=visit, headers=director.headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["doubts"] == ["start_on_another_day"]
    again = await client.post("/v1/visits", json=visit, headers=director.headers)
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    read = await client.get(answer.headers["location"], headers=director.headers)
    assert read.status_code == 200
