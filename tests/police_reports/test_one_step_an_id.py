"""An id stands for one step, of those that name somebody too."""

from uuid import uuid4

import pytest

from tests.children.factories import a_child
from tests.police_reports.factories import VILLAGE, filed, the_offices

URL = "/v1/police-reports"
AT, LATER = "2026-11-20T09:55:00+08:00", "2026-11-20T09:56:00+08:00"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.mark.parametrize("path", ["child", "incident", "suspect"])
async def test_an_id_stands_for_one_step(client, database, offices, path) -> None:
    unclear = {"suspect_agency_id": "某村委会"} if path == "suspect" else {}
    report, other = [await filed(client, offices.school, **unclear) for _ in range(2)]
    child = await a_child(database, VILLAGE)
    step_id = str(uuid4())
    accused = str(offices.village.agency_id)
    named = {
        "child": ("identified_at", {"child_id": str(child.id), "basis": "村里辨认。"}),
        "incident": ("joined_at", {"report_id": other}),
        "suspect": ("named_at", {"suspect_agency_id": accused, "basis": "查证。"}),
    }
    moment, body = named[path]
    url = f"{URL}/{report}/{path}"
    first = await client.post(
        url, json={"id": step_id, moment: AT, **body}, headers=offices.police.headers
    )
    assert first.status_code == 201, first.text
    same = await client.post(
        url, json={"id": step_id, moment: AT, **body}, headers=offices.police.headers
    )
    assert (same.status_code, same.json()["id"]) == (200, step_id), same.text
    again = await client.post(
        url, json={"id": step_id, moment: LATER, **body}, headers=offices.police.headers
    )
    if path == "incident":  # what may be said twice is another step
        assert (again.status_code, again.json()["id"] != step_id) == (201, True)
    else:
        assert again.status_code == 409, again.text
