"""Clients are registered, listed, re-keyed and suspended over the API (AZ-11 in its first form)."""

import httpx
import pytest

from app import main
from app.core.data.db import SYSTEM
from app.core.settings import Environment
from tests.access.approving import problem, send_by_two
from tests.access.apps import Machine, a_key, a_machine
from tests.access.factories import a_caller
from tests.regions.factories import some_regions

COUNTY = 120119000000


@pytest.fixture
async def operator(client, database, settings):
    await some_regions(database, 120119101200)
    return await a_caller(database, settings, "operator", COUNTY)


@pytest.fixture
async def colleague(client, database, settings, operator):
    """The second operator."""
    return await a_caller(database, settings, "operator", COUNTY, agency_id=operator.agency_id)


@pytest.fixture
async def bureau(client, database, settings):
    await some_regions(database, COUNTY, 120118000000)
    return await a_caller(database, settings, "civil_affairs", COUNTY)


def machine(**changed):
    return {
        "name": "Case system",
        "role": "civil_affairs",
        "region_code": str(COUNTY),
        "jwks": {"keys": [a_key()[1]]},
        **changed,
    }


@pytest.fixture
async def clerk(client, database, settings, bureau):
    """The second person of the bureau."""
    return await a_caller(database, settings, "civil_affairs", COUNTY, agency_id=bureau.agency_id)


async def test_two_of_a_bureau_register_its_own_machine(
    client, database, bureau, clerk, now
) -> None:
    """A token stolen for five minutes is no key for ever."""
    pem, public = a_key()
    body = machine(jwks={"keys": [public]})
    alone = await client.post("/v1/clients", json=body, headers=bureau.headers)
    assert alone.json()["type"] == "/problems/approval-required"
    how = ("registerClient", "POST", "/v1/clients", body)
    answer = await send_by_two(client, bureau, clerk, *how)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["key_ids"], made["client_secret"]) == (["one"], None)
    assert made["agency_id"] == str(bureau.agency_id)
    proof = Machine(made["id"], bureau.agency_id, pem).proof(now)
    token = await client.post("/oauth/token", data={"grant_type": "client_credentials", **proof})
    assert token.status_code == 200
    async with database.begin(SYSTEM) as tx:
        said = await tx.connection.fetch("SELECT operation, subject_id FROM audit_entries")
    assert ("registerClient", made["id"]) in [(row[0], str(row[1])) for row in said]


async def test_a_sandbox_makes_a_secret_once(client, operator, colleague, bureau) -> None:
    wanted = machine(agency_id=str(bureau.agency_id), jwks=None)
    how = ("registerClient", "POST", "/v1/clients", wanted)
    answer = await send_by_two(client, operator, colleague, *how)
    secret = answer.json()["client_secret"]
    assert len(secret) >= 40
    listed = await client.get("/v1/clients", headers=bureau.headers)
    assert secret not in listed.text
    assert [item["id"] for item in listed.json()["items"]] == [answer.json()["id"]]


@pytest.mark.parametrize(
    ("changed", "status", "problem"),
    [
        ({"region_code": "120118000000"}, 403, "not-yours-to-register"),
        ({"role": "police"}, 403, "not-yours-to-register"),
        ({"role": "village_director"}, 422, "role-does-not-fit"),
        ({"role": "nobody"}, 422, "role-does-not-fit"),
        ({"region_code": "120119101000"}, 422, "role-does-not-fit"),
        ({"jwks": {"keys": []}}, 422, "validation-failed"),
        ({"jwks": {"keys": [{**a_key()[1], "d": "AA"}]}}, 422, "validation-failed"),
        ({"jwks": {"keys": [{**a_key()[1], "x": "AA"}]}}, 422, "keys-unusable"),
        ({"jwks": {"keys": [{**a_key()[1], "alg": "RS256"}]}}, 422, "keys-unusable"),
        ({"jwks": {"keys": [a_key()[1], a_key()[1]]}}, 422, "keys-unusable"),
        (
            {"jwks": {"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}]}},
            422,
            "keys-unusable",
        ),
        ({"name": "\n"}, 422, "validation-failed"),
        ({"kind": "machine"}, 422, "validation-failed"),
    ],
)
async def test_nobody_gives_more_than_they_have(client, bureau, changed, status, problem) -> None:
    answer = await client.post("/v1/clients", json=machine(**changed), headers=bureau.headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


async def test_another_agencys_machine_is_not_the_bureaus(client, operator, bureau) -> None:
    foreign = machine(agency_id=str(operator.agency_id))
    answer = await client.post("/v1/clients", json=foreign, headers=bureau.headers)
    assert answer.status_code == 403
    unknown = machine(agency_id="00000000-0000-0000-0000-000000000000")
    for caller in (bureau, operator):
        again = await client.post("/v1/clients", json=unknown, headers=caller.headers)
        assert again.json()["type"] == answer.json()["type"]


@pytest.mark.parametrize(
    ("region", "problem"),
    [("120118000000", "post-outside-agency"), ("120117000000", "region-unknown")],
)
async def test_the_operator_keeps_a_machine_inside_its_agency(
    client, operator, bureau, region: str, problem: str
) -> None:
    wanted = machine(agency_id=str(bureau.agency_id), region_code=region)
    answer = await client.post("/v1/clients", json=wanted, headers=operator.headers)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")


async def test_production_makes_no_secret(client, app, settings, database, bureau) -> None:
    real = settings.model_copy(update={"environment": Environment.production})
    async with main.state(real, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            answer = await http.post("/v1/clients", json=machine(jwks=None), headers=bureau.headers)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/secrets-not-accepted")


async def test_no_key_is_replaced_by_one_that_cannot_be_used(client, bureau, clerk) -> None:
    how = ("registerClient", "POST", "/v1/clients", machine())
    made = await send_by_two(client, bureau, clerk, *how)
    keys = {"keys": [{**a_key()[1], "x": "AA"}]}
    path = f"/v1/clients/{made.json()['id']}/jwks"
    answer = await client.put(path, json=keys, headers=bureau.headers)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/keys-unusable")


class TestApps:
    async def test_two_operators_register_them(self, client, operator, colleague) -> None:
        uris = ["https://app.example/cb", "cn.example.visits:/cb", "http://127.0.0.1:7777/cb"]
        body = {"name": "走访", "redirect_uris": uris}
        how = ("registerApp", "POST", "/v1/clients/apps", body)
        answer = await send_by_two(client, operator, colleague, *how)
        assert (answer.status_code, answer.json()["redirect_uris"]) == (201, uris)

    async def test_nobody_else_does(self, client, bureau) -> None:
        app = {"name": "a", "redirect_uris": ["https://a.example/"]}
        answer = await client.post("/v1/clients/apps", json=app, headers=bureau.headers)
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "key",
        [{**a_key()[1], "x": "AA"}, {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}],
    )
    async def test_keys_that_prove_nothing_are_refused(self, client, operator, key) -> None:
        app = {"name": "a", "redirect_uris": ["https://a.example/"], "jwks": {"keys": [key]}}
        answer = await client.post("/v1/clients/apps", json=app, headers=operator.headers)
        assert problem(answer) == (422, "keys-unusable")
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("#/jwks", "keys_unusable")

    @pytest.mark.parametrize(
        "uri",
        [
            "http://app.example/cb",
            "https://",
            "https://a.example/#x",
            "https://user@a.example/",
            "https://*.example/",
            "https://a.example:x/",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/cb",
            "http://127.0.0.1.evil.example/",
            "/callback",
        ],
    )
    async def test_unsafe_addresses_are_refused(self, client, operator, uri) -> None:
        app = {"name": "a", "redirect_uris": [uri]}
        answer = await client.post("/v1/clients/apps", json=app, headers=operator.headers)
        assert answer.json()["type"] == "/problems/redirect-uri-unsafe", answer.text


async def test_resumes_none_of_a_place_that_its_agency_left(
    client, database, operator, colleague
) -> None:
    """Its remit is what it was registered with: it would read where the office serves no more."""
    machine = await a_machine(database, "civil_affairs", COUNTY, agency_kind="civil_affairs")
    async with database.begin(SYSTEM) as tx:
        for said, what in (
            ("clients SET active = false", machine.client_id),
            ("agencies SET region_code = 120118000000", machine.agency_id),
        ):
            await tx.connection.execute(f"UPDATE {said} WHERE id = $1", what)
    place = f"/v1/clients/{machine.client_id}/suspension"
    refused = await client.delete(place, headers=operator.headers)
    assert refused.json()["type"] == "/problems/post-outside-agency"


async def test_suspends_and_resumes(client, database, operator, colleague, now) -> None:
    school = await a_machine(database)
    place = f"/v1/clients/{school.client_id}/suspension"

    async def token() -> int:
        data = {"grant_type": "client_credentials", **school.proof(now)}
        return (await client.post("/oauth/token", data=data)).status_code

    suspended = await client.post(place, headers=operator.headers)
    assert (suspended.status_code, suspended.json()["active"]) == (200, False)
    assert await token() == 401
    how = ("resumeClient", "DELETE", place)
    resumed = await send_by_two(client, operator, colleague, *how)
    assert resumed.json()["active"] is True
    assert await token() == 200


async def test_keys_are_replaced(client, database, operator, colleague, now) -> None:
    """Or a secret by a key: what proved the system before proves nothing any more."""
    keyed, secret = await a_machine(database), await a_machine(database, key=None)
    shared = {"client_id": str(secret.client_id), "client_secret": secret.secret}
    for school, old in ((keyed, keyed.proof(now)), (secret, shared)):
        pem, public = a_key()
        place = f"/v1/clients/{school.client_id}/jwks"
        header = {"typ": "client-keys+jwt"}
        said = school.assertion(now, header=header, jwks={"keys": [public]})
        if school is keyed:  # by the word of the old key
            body = {"keys": [public], "statement": said}
            answer = await client.put(place, json=body, headers=operator.headers)
        else:  # a secret signs nothing
            how = ("replaceClientKeys", "PUT", place, {"keys": [public]})
            answer = await send_by_two(client, operator, colleague, *how)
        assert answer.status_code == 200, answer.text
        new = Machine(school.client_id, school.agency_id, pem).proof(now)
        for proof, status in ((old, 401), (new, 200)):
            data = {"grant_type": "client_credentials", **proof}
            assert (await client.post("/oauth/token", data=data)).status_code == status


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "suspension"), ("DELETE", "suspension"), ("PUT", "jwks")]
)
async def test_foreign_and_absent_look_alike(client, database, bureau, method, path) -> None:
    foreign = (await a_machine(database)).client_id
    body = {"json": {"keys": [a_key()[1]]}} if method == "PUT" else {}
    answers = [
        await client.request(method, f"/v1/clients/{one}/{path}", headers=bureau.headers, **body)
        for one in (foreign, "00000000-0000-0000-0000-000000000000")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["type"] for answer in answers} == {"/problems/client-not-found"}


async def test_lists_by_cursor(client, database, operator) -> None:
    made = [str((await a_machine(database)).client_id) for _ in range(3)]
    seen, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await client.get(
            "/v1/clients", params={"limit": 2, **more}, headers=operator.headers
        )
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert set(made) <= set(seen)
