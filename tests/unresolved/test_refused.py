"""What is settled, or asks for another operation, says so."""

from uuid import uuid4

import pytest

from tests.jobs import run_jobs
from tests.unresolved.conftest import listed
from tests.visits.factories import a_visit


@pytest.fixture
async def settled(client, director, township, child, act) -> str:
    """A question that was answered: its visit lies with the child."""
    sent = await client.post("/v1/visits", json=a_visit(uuid4()), headers=director.headers)
    item = sent.json()["unresolved_id"]
    assert sent.headers["location"] == f"/v1/unresolved/{item}"
    done = await act(township, item, "attachment", child_id=str(child.id))
    assert done.status_code == 200, done.text
    return item


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("attachment", {"child_id": str(uuid4())}),
        ("correction", {"child_id": str(uuid4())}),
        ("dismissal", {"words": "重复"}),
        ("answer", {"answer": "one_visit", "words": "同一次"}),
    ],
    ids=lambda said: said if isinstance(said, str) else "",
)
async def test_what_is_settled_stays_so(act, township, settled, name, body) -> None:
    answer = await act(township, settled, name, **body)
    assert (answer.status_code, answer.json()["type"]) == (409, SETTLED.get(name, ALREADY))


ALREADY = "/problems/settled-already"
SETTLED = {"answer": "/problems/not-for-this-kind"}


@pytest.mark.parametrize(
    ("name", "body"),
    [("correction", {"child_id": str(uuid4())}), ("dismissal", {"words": "重复"})],
    ids=["correction", "dismissal"],
)
async def test_a_referral_is_answered(client, act, county, refused, name, body) -> None:
    answer = await act(county, refused["referral_id"], name, **body)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-for-this-kind")


async def test_a_referral_answered_is_settled(
    client,
    database,
    act,
    county,
    other_county,
    refused,
) -> None:
    (theirs,) = await listed(client, other_county)
    for caller, item in ((county, refused["referral_id"]), (other_county, theirs["id"])):
        said = await act(caller, item, "answer", answer="another_child", words="不同村,不同人")
        assert said.status_code == 200, said.text
    await run_jobs(database)
    again = await act(county, refused["referral_id"], "answer", answer="same_child", words="一人")
    assert (again.status_code, again.json()["type"]) == (409, ALREADY)
