"""What was referred and is sent again is one referral, whatever became of it."""

from tests.children.factories import RESIDENT_ID, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import listed


async def test_sent_again_it_is_one_referral(client, database, director, county, refused) -> None:
    body = {name: refused[name] for name in refused if name != "referral_id"}
    again = await client.post("/v1/children", json=body, headers=director.headers)
    assert (again.status_code, again.json()["referral_id"]) == (202, refused["referral_id"])
    assert again.headers["location"] == f"/v1/unresolved/{refused['referral_id']}"
    read = await client.get(again.headers["location"], headers=director.headers)
    assert read.json()["id"] == refused["referral_id"]
    await run_jobs(database)
    assert len(await listed(client, county)) == 1


async def test_sent_again_without_an_id_it_is_one_referral(
    client, database, director, county, elsewhere
) -> None:
    answers = []
    for _ in range(2):
        answer = await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
        assert answer.status_code == 202, answer.text
        answers.append((answer.json(), answer.headers["location"]))
        await run_jobs(database)
    assert answers[0] == answers[1]
    assert len(await listed(client, county)) == 1
    assert elsewhere


async def test_a_change_sent_again_is_one_referral(
    client, database, director, county, elsewhere
) -> None:
    unnumbered = {**a_file(VILLAGE)["identity"], "resident_id": None}
    file = await client.post(
        "/v1/children", json=a_file(VILLAGE, identity=unnumbered), headers=director.headers
    )
    answers = []
    for _ in range(2):
        answer = await client.patch(
            f"/v1/children/{file.json()['id']}",
            json={"identity": {"resident_id": RESIDENT_ID}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert answer.status_code == 202, answer.text
        answers.append((answer.json(), answer.headers["location"]))
        await run_jobs(database)
    assert answers[0] == answers[1]
    assert len(await listed(client, county)) == 1
    assert elsewhere


async def test_what_was_sent_last_is_what_is_opened(
    client, database, director, county, other_county, refused, act
) -> None:
    body = {name: refused[name] for name in refused if name != "referral_id"}
    body["identity"] = {**body["identity"], "name": "样小壹"}
    again = await client.post("/v1/children", json=body, headers=director.headers)
    assert again.json()["referral_id"] == refused["referral_id"]
    for office in (county, other_county):
        (item,) = await listed(client, office)
        await act(office, item["id"], "answer", answer="another_child", words="不是一人")
    read = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
    assert read.json()["identity"]["name"] == "样小壹"
    await run_jobs(database)
    assert len(await listed(client, county)) == 1


async def test_after_its_file_was_opened_and_its_name_set_right_it_is_that_file(
    client, database, director, county, elsewhere, act
) -> None:
    body = a_file(VILLAGE)
    sent = await client.post("/v1/children", json=body, headers=director.headers)
    assert sent.status_code == 202, sent.text
    await run_jobs(database)
    (item,) = await listed(client, county, "?kind=referral")
    await act(county, item["id"], "answer", answer="number_wrong", words="录入有误")
    await run_jobs(database)
    (item,) = await listed(client, county, "?kind=referral")
    url = f"/v1/children/{item['child_id']}"
    read = await client.get(url, headers=director.headers)
    identity = {"name": "样小二"}
    headers = {**director.headers, "if-match": read.headers["etag"]}
    changed = await client.patch(url, json={"identity": identity}, headers=headers)
    assert changed.status_code == 200, changed.text
    again = await client.post("/v1/children", json=body, headers=director.headers)
    assert again.status_code == 200, again.text
    assert again.json()["id"] == item["child_id"]
