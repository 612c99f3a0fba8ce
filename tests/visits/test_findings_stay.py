"""An abnormal finding is taken away by two people, the visitor's office first, or not at all."""

import pytest

from tests.access.factories import a_caller
from tests.conftest import VILLAGE
from tests.visits.factories import a_visit, something_wrong

TOWNSHIP, COUNTY = 120119101000, 120119000000
PROPOSAL = {"findings": [], "words": "误点"}


@pytest.fixture
async def visit(client, director, child):
    body = a_visit(child.id, findings=[something_wrong()])
    return (await client.post("/v1/visits", json=body, headers=director.headers)).json()


@pytest.fixture
async def township(database, settings):
    return await a_caller(database, settings, "township_supervisor", TOWNSHIP)


@pytest.fixture
def act(client, visit):
    """Do something with the visit as it stands."""

    async def do(caller, path="", body=None, method="POST"):
        url = f"/v1/visits/{visit['id']}"
        read = await client.get(url, headers=caller.headers)
        headers = {**caller.headers, "if-match": read.headers["etag"]}
        return await client.request(method, f"{url}{path}", json=body, headers=headers)

    return do


async def _abnormal(client, caller) -> int:
    answer = await client.get("/v1/visits?abnormal=true", headers=caller.headers)
    return len(answer.json()["items"])


@pytest.mark.parametrize(
    "findings",
    [
        [],
        [something_wrong(type="domestic_violence")],
        [something_wrong(refer_to=[])],
        [{"domain": "guardianship", "abnormal": False}],
    ],
    ids=["none", "another type", "referred to nobody", "normal"],
)
async def test_no_correction_takes_it_away(client, director, act, findings) -> None:
    answer = await act(director, body={"findings": findings}, method="PATCH")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/finding-stays")
    assert await _abnormal(client, director) == 1
    more = [something_wrong(note="补充"), something_wrong(type="domestic_violence")]
    assert (await act(director, body={"findings": more}, method="PATCH")).status_code == 200


async def test_two_people_of_two_posts_do_with_a_reason(client, director, township, act) -> None:
    proposed = await act(director, "/withdrawal", PROPOSAL)
    assert (proposed.status_code, proposed.json()["abnormal"]) == (200, True)
    said = proposed.json()["withdrawal"]
    assert (said["words"], said["findings"], said["confirmed_by"]) == ("误点", [], None)
    assert await _abnormal(client, township) == 1, "until then it stays"
    confirmed = await act(township, "/withdrawal/confirmation")
    assert (confirmed.status_code, confirmed.json()["abnormal"]) == (200, False)
    assert confirmed.json()["withdrawal"]["confirmed_by"] == f"staff:{township.subject_id}"
    assert await _abnormal(client, township) == 0
    url = f"/v1/visits/{confirmed.json()['id']}/versions"
    [before] = (await client.get(url, headers=director.headers)).json()["items"]
    assert before["visit"]["abnormal"]
    again = await act(township, "/withdrawal/confirmation")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/nothing-proposed")
    nothing = await act(director, "/withdrawal", PROPOSAL)
    assert (nothing.status_code, nothing.json()["type"]) == (409, "/problems/nothing-abnormal")


async def test_only_the_visitors_own_office_proposes(
    database, settings, director, township, act
) -> None:
    mate = await a_caller(database, settings, "village_director", VILLAGE)
    for other in (township, mate):
        answer = await act(other, "/withdrawal", PROPOSAL)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-visit")
    unreasoned = await act(director, "/withdrawal", {"findings": []})
    assert unreasoned.status_code == 422


async def test_a_machine_does_neither(client, database, settings, director, child, act) -> None:
    machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    body = a_visit(child.id, findings=[something_wrong()], visitor_type="civil_affairs")
    own = (await client.post("/v1/visits", json=body, headers=machine.headers)).json()
    headers = {**machine.headers, "if-match": '"1"'}
    url = f"/v1/visits/{own['id']}/withdrawal"
    answer = await client.post(url, json=PROPOSAL, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")
    await act(director, "/withdrawal", PROPOSAL)
    answer = await act(machine, "/withdrawal/confirmation")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")


async def test_not_by_one_person_nor_by_a_colleague_of_the_same_post(
    client, database, settings, director, township, child, act
) -> None:
    await act(director, "/withdrawal", PROPOSAL)
    mate = await a_caller(
        database, settings, "village_director", VILLAGE, agency_id=director.agency_id
    )
    answer = await act(mate, "/withdrawal/confirmation")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-yours-to-confirm")
    body = a_visit(child.id, findings=[something_wrong()], visitor_type="township_supervisor")
    own = (await client.post("/v1/visits", json=body, headers=township.headers)).json()
    url = f"/v1/visits/{own['id']}/withdrawal"
    headers = {**township.headers, "if-match": '"1"'}
    assert (await client.post(url, json=PROPOSAL, headers=headers)).status_code == 200
    headers["if-match"] = '"2"'
    alone = await client.post(f"{url}/confirmation", headers=headers)
    assert (alone.status_code, alone.json()["type"]) == (409, "/problems/second-person-confirms")


async def test_a_correction_withdraws_what_was_proposed(director, township, act) -> None:
    await act(director, "/withdrawal", PROPOSAL)
    changed = await act(director, body={"note": "补充"}, method="PATCH")
    assert changed.json()["withdrawal"] is None
    answer = await act(township, "/withdrawal/confirmation")
    assert answer.json()["type"] == "/problems/nothing-proposed"
