"""PATCH /v1/visits/{id} and the versions it leaves."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, a_new_post
from tests.children.factories import moved
from tests.conftest import VILLAGE
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong


@pytest.fixture
async def visit(client, director, child):
    body = a_visit(child.id, note="第一版", findings=[something_wrong()], guardian_present=True)
    return (await client.post("/v1/visits", json=body, headers=director.headers)).json()


async def _correct(client, caller, visit, change, if_match='"1"'):
    headers = {**caller.headers, **({"if-match": if_match} if if_match else {})}
    return await client.patch(f"/v1/visits/{visit['id']}", json=change, headers=headers)


async def test_keeps_the_earlier_version(client, database, director, visit) -> None:
    answer = await _correct(client, director, visit, {"note": None, "visited_on": "2026-11-17"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    corrected = answer.json()
    assert corrected == {**visit, "note": None, "visited_on": "2026-11-17", "version": 2}
    beside = {
        name: visit[name]
        for name in ("permitted", "doubts", "possibly_same_as", "same_as", "withdrawal")
    }
    versions = await client.get(f"/v1/visits/{visit['id']}/versions", headers=director.headers)
    (earlier,) = versions.json()["items"]
    assert {**earlier["visit"], **beside} == visit
    assert earlier["replaced_by"] == f"staff:{director.subject_id}"
    async with database.begin(SYSTEM) as tx:
        sealed = await tx.connection.fetchval("SELECT snapshot_sealed FROM visit_versions")
    assert "第一版".encode() not in sealed


async def test_what_is_left_out_stays_and_null_removes_only_what_may_be_empty(
    client, director, visit
) -> None:
    change = {"guardian_present": None, "place": None, "policies_explained": []}
    answer = await _correct(client, director, visit, change)
    corrected = answer.json()
    assert corrected["guardian_present"] is None
    assert corrected["place"] == "home"
    assert corrected["policies_explained"] == []
    assert corrected["findings"] == visit["findings"]


async def test_versions_are_paged(client, director, visit) -> None:
    for version, place in enumerate(("school", "other", "home"), 1):
        await _correct(client, director, visit, {"place": place}, f'"{version}"')
    url = f"/v1/visits/{visit['id']}/versions?limit=2"
    page = (await client.get(url, headers=director.headers)).json()
    rest = (
        await client.get(f"{url}&cursor={page['next_cursor']}", headers=director.headers)
    ).json()
    assert [item["version"] for item in (*page["items"], *rest["items"])] == [3, 2, 1]
    assert rest["next_cursor"] is None


async def test_announces_an_abnormality_only_when_it_is_new(
    client, database, director, child
) -> None:
    body = a_visit(child.id)
    visit = (await client.post("/v1/visits", json=body, headers=director.headers)).json()
    await _correct(client, director, visit, {"findings": [something_wrong()]})
    await _correct(client, director, visit, {"place": "school"}, '"2"')
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT wire_name, data FROM events ORDER BY id")
    names = [row["wire_name"].removeprefix("visits.") for row in rows]
    assert names == [
        "visit_recorded",
        "visit_corrected",
        "abnormal_finding",
        "visit_corrected",
    ]
    assert rows[0]["data"]["abnormal"] is False


@pytest.mark.parametrize(
    ("if_match", "status", "problem"),
    [('"2"', 412, "precondition-failed"), (None, 428, "precondition-required")],
)
async def test_needs_the_version_read(client, director, visit, if_match, status, problem) -> None:
    answer = await _correct(client, director, visit, {"place": "school"}, if_match)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


@pytest.mark.parametrize(
    ("change", "doubts"),
    [
        ({"visited_on": "2026-11-21"}, ["date_ahead"]),
        ({"visited_on": "2010-01-01"}, ["before_birth"]),
        ({"started_at": "2026-11-01T09:00:00+08:00"}, ["start_on_another_day"]),
        ({"visited_on": "2026-11-17"}, []),
    ],
)
async def test_takes_and_marks_impossible_days(client, director, visit, change, doubts) -> None:
    answer = await _correct(client, director, visit, change)
    assert (answer.status_code, answer.json()["doubts"]) == (200, doubts)
    (listed,) = (await client.get("/v1/visits", headers=director.headers)).json()["items"]
    assert listed == answer.json()


async def test_neighbours_see_no_visit(client, neighbour, visit) -> None:
    url = f"/v1/visits/{visit['id']}"
    answers = [
        await _correct(client, neighbour, visit, {"place": "school"}),
        await client.get(url, headers=neighbour.headers),
        await client.get(f"{url}/versions", headers=neighbour.headers),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/visit-not-found")


class TestMovedMeanwhile:
    """Whoever made the visit says what they saw, wherever the child lives by now; and is shown
    nothing of that."""

    @pytest.fixture
    async def visit(self, client, database, director, child):
        body = a_visit(child.id, note="第一版")
        made = (await client.post("/v1/visits", json=body, headers=director.headers)).json()
        await moved(database, child.id, region_code=VILLAGE + 1000)
        return made

    @pytest.fixture
    async def successor(self, database, settings):
        """Who looks after the child now."""
        return await a_caller(database, settings, "village_director", VILLAGE + 1000)

    async def test_the_finding_is_kept_and_reaches_whom_it_concerns_now(
        self, client, database, director, visit, successor
    ) -> None:
        unseen = await client.get(f"/v1/visits/{visit['id']}", headers=director.headers)
        assert unseen.status_code == 404
        wrong = something_wrong()
        answer = await _correct(client, director, visit, {"findings": [wrong]})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"'), answer.text
        said = answer.json()
        assert (said["findings"], said["note"], said["permitted"]) == ([wrong], "第一版", [])
        assert said["region_code"] == visit["region_code"]
        again = await _correct(client, director, visit, {"note": "第三版"}, '"2"')
        assert (again.json()["note"], again.json()["findings"]) == ("第三版", [wrong])
        read = await client.get(f"/v1/visits/{visit['id']}", headers=successor.headers)
        assert (read.json()["abnormal"], read.json()["version"]) == (True, 3)
        async with database.begin(SYSTEM) as tx:
            told = await tx.connection.fetch(
                "SELECT region_code FROM events WHERE wire_name = 'visits.abnormal_finding'"
            )
        assert [row["region_code"] for row in told] == [VILLAGE + 1000]

    async def test_what_others_said_since_is_not_shown(
        self, client, director, visit, successor
    ) -> None:
        other = await _correct(client, successor, visit, {"note": "现址所见", "place": "school"})
        assert other.status_code == 200, other.text
        stale = await _correct(client, director, visit, {"findings": [something_wrong()]})
        assert stale.status_code == 412
        answer = await _correct(client, director, visit, {"findings": [something_wrong()]}, '"2"')
        assert answer.status_code == 200, answer.text
        assert "现址所见" not in answer.text
        assert (answer.json()["place"], answer.json()["note"]) == (visit["place"], "第一版")
        read = await client.get(f"/v1/visits/{visit['id']}", headers=successor.headers)
        assert (read.json()["note"], read.json()["abnormal"]) == ("现址所见", True)

    async def test_in_a_former_post_too_and_nobody_else(
        self, client, database, settings, director, visit
    ) -> None:
        elsewhere = VILLAGE + 2000
        await some_regions(database, elsewhere)
        transferred = await a_new_post(
            database, settings, director, "village_director", elsewhere, date(2026, 11, 19)
        )
        answer = await _correct(client, transferred, visit, {"note": "补记"})
        assert (answer.status_code, answer.json()["note"]) == (200, "补记")
        stranger = await a_caller(database, settings, "village_director", elsewhere)
        answer = await _correct(client, stranger, visit, {"note": "补记"}, '"2"')
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/visit-not-found")

    async def test_of_a_finding_it_still_takes_two(self, client, director, visit) -> None:
        await _correct(client, director, visit, {"findings": [something_wrong()]})
        answer = await _correct(client, director, visit, {"findings": []}, '"2"')
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/finding-stays")
