"""A token counts only together with the key it was issued to (TOK-8, RFC 9449)."""

import asyncio
import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.access import dpop
from app.core.data.db import SYSTEM
from app.core.http.once import Once
from tests.access.apps import ISSUER, Holder, a_machine, an_app
from tests.conftest import calling

GRANT = {"grant_type": "client_credentials"}
SECOND = 1_795_140_000
"""The tests' now, in Unix seconds."""


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
async def token(client, database, now, holder) -> str:
    machine = await a_machine(database)
    answer = await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(now)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    token: str = answer.json()["access_token"]
    return token


async def test_first_is_given_a_nonce_and_keeps_its_assertion(client, database, now) -> None:
    """Neither the client's proof nor a code is spent on a request that only lacked the nonce."""
    machine, holder = await a_machine(database), Holder()
    fields = {**GRANT, **machine.proof(now)}
    url = f"{ISSUER}/oauth/token"
    first = await client.post(
        "/oauth/token", data=fields, headers={"dpop": holder.proof("POST", url)}
    )
    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    holder.nonce = first.headers["dpop-nonce"]
    second = await client.post(
        "/oauth/token", data=fields, headers={"dpop": holder.proof("POST", url)}
    )
    assert second.status_code == 200, second.text
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM audit_entries") == 1


async def test_token_names_the_key_and_opens_with_it(client, holder, token) -> None:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["cnf"] == {"jkt": holder.thumbprint}
    answer = await holder.ask(client, "GET", "/v1/me", token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["dpop-nonce"]
    assert (await holder.ask(client, "HEAD", "/v1/me", token)).status_code == 200
    asked = await holder.ask(client, "GET", "/v1/me?x=1", token, htu=f"{ISSUER}/v1/me")
    assert asked.status_code == 400  # known, and told of the parameter


async def test_stolen_token_is_worth_nothing(client, holder, token) -> None:
    await holder.ask(client, "GET", "/v1/me", token)
    thief = Holder()
    thief.nonce = holder.nonce
    other = await thief.ask(client, "GET", "/v1/me", token)
    assert other.status_code == 401
    assert "another key" in other.json()["detail"]
    bearer = await client.get("/v1/me", headers={"authorization": f"Bearer {token}"})
    assert bearer.status_code == 401
    said = bearer.headers["www-authenticate"]
    assert said.startswith('DPoP realm="tonghu", error="invalid_token", error_description=')
    assert "send it as DPoP" in bearer.json()["detail"]
    none = await client.get("/v1/me", headers={"authorization": f"DPoP {token}"})
    assert (none.status_code, "one DPoP header" in none.json()["detail"]) == (401, True)


async def test_bearer_token_is_not_sent_as_bound(client, director) -> None:
    holder = Holder()
    answer = await holder.ask(client, "GET", "/v1/me", director.token)
    assert (answer.status_code, "send it as Bearer" in answer.json()["detail"]) == (401, True)
    wrong = await client.get("/v1/me", headers={"authorization": "DPoP a.b.c"})
    assert wrong.headers["www-authenticate"] == (
        'DPoP realm="tonghu", error="invalid_token", algs="ES256"'
    )


WRONG = {
    "method": ({"htm": "POST"}, "htm must be"),
    "method in small letters": ({"htm": "get"}, "htm must be"),
    "another path": ({"htu": f"{ISSUER}/v1/clients"}, "htu must be"),
    "another host": ({"htu": "http://evil.example:8000/v1/me"}, "htu must be"),
    "another port": ({"htu": "http://127.0.0.1/v1/me"}, "htu must be"),
    "another scheme": ({"htu": "https://127.0.0.1:8000/v1/me"}, "htu must be"),
    "no address": ({"htu": 7}, "htu must be"),
    "a port that is none": ({"htu": "http://127.0.0.1:eight/v1/me"}, "cannot be read"),
    "no token's hash": ({"ath": ...}, "ath must be"),
    "another token's hash": ({"ath": "x" * 43}, "ath must be"),
    "no jti": ({"jti": ...}, "jti must be"),
    "a long jti": ({"jti": "j" * 201}, "jti must be"),
    "a jti with a control character": ({"jti": "a\x00"}, "jti must be"),
    "no iat": ({"iat": ...}, "iat must be"),
    "an iat of words": ({"iat": "now"}, "iat must be"),
    "iat true": ({"iat": True}, "iat must be"),
    "typ": ({"header": {"typ": "JWT"}}, "typ must be dpop+jwt"),
    "no algorithm": ({"header": {"alg": "none"}}, "alg must be ES256"),
    "a symmetric algorithm": ({"header": {"alg": "HS256"}}, "alg must be ES256"),
    "a critical header": ({"header": {"crit": ["x"]}}, "typ, alg and jwk"),
    "no key": ({"header": {"jwk": ...}}, "needs jwk"),
    "a key elsewhere": ({"header": {"jku": "https://evil.example"}}, "typ, alg and jwk"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_proof_is_told_what_to_mend(client, holder, token, case) -> None:
    await holder.ask(client, "GET", "/v1/me", token)
    changed, told = WRONG[case]
    answer = await holder.ask(client, "GET", "/v1/me", token, **changed)
    assert answer.status_code == 401, case
    assert told in answer.json()["detail"], answer.json()
    said = answer.headers["www-authenticate"]
    assert said.startswith('DPoP realm="tonghu", error="invalid_dpop_proof"')
    assert answer.headers["dpop-nonce"]


BAD_KEYS = {
    "private": ({"d": "A" * 43}, "burnt"),
    "symmetric": ({"kty": "oct"}, "EC key on P-256"),
    "another curve": ({"crv": "P-384"}, "EC key on P-256"),
    "short": ({"x": "AAAA"}, "32 bytes"),
    "padded": ({"x": "A" * 43 + "="}, "32 bytes"),
    "written in another way": ({"x": "A" * 42 + "B"}, "32 bytes"),
    "no point": ({"x": "A" * 43}, "no point"),
    "a number": ({"x": 7}, "cannot be read"),
}


@pytest.mark.parametrize("case", BAD_KEYS)
async def test_key_must_be_one_public_point(client, holder, token, case) -> None:
    changed, told = BAD_KEYS[case]
    header = {"jwk": {**holder.jwk, **changed}}
    answer = await holder.ask(client, "GET", "/v1/me", token, header=header)
    assert (answer.status_code, told in answer.json()["detail"]) == (401, True), answer.json()


async def test_signature_must_be_the_keys(client, holder, token) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    answer = await holder.ask(client, "GET", "/v1/me", token, key=stranger)
    assert "not by the key in jwk" in answer.json()["detail"]
    cut = holder.headers("GET", "/v1/me", token)
    cut["dpop"] = cut["dpop"][:-8]
    answer = await client.get("/v1/me", headers=cut)
    assert "not one of ES256" in answer.json()["detail"]


@pytest.mark.parametrize("shown", ["", "a.b.c", "é", "x" * 5000, "[" * 2000])
async def test_anything_else_is_no_proof(client, token, shown) -> None:
    headers = {"authorization": f"DPoP {token}".encode(), "dpop": shown.encode()}
    answer = await client.get("/v1/me", headers=headers)
    assert answer.status_code == 401
    assert "cannot be read" in answer.json()["detail"]


async def test_two_proofs_are_none(client, holder, token) -> None:
    await holder.ask(client, "GET", "/v1/me", token)
    both = [holder.headers("GET", "/v1/me", token) for _ in range(2)]
    sent = [("authorization", f"DPoP {token}"), *(("dpop", each["dpop"]) for each in both)]
    answer = await client.get("/v1/me", headers=sent)
    assert (answer.status_code, "one DPoP header" in answer.json()["detail"]) == (401, True)


@pytest.mark.parametrize("off", [-10 * 365 * 86_400, -61, 61, 10 * 365 * 86_400])
async def test_a_wrong_clock_locks_nobody_out(client, holder, token, off) -> None:
    await holder.ask(client, "GET", "/v1/me", token)
    assert (await holder.ask(client, "GET", "/v1/me", token, iat=SECOND + off)).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 401), (-30, 200), (-31, 401)])
async def test_the_nonces_time_decides(client, database, holder, token, now, seconds, status):
    await holder.ask(client, "GET", "/v1/me", token)
    kept = holder.nonce
    database.clock = lambda: now + timedelta(seconds=seconds)
    if seconds > 0:  # the token itself lives as long
        claims = {"iat": SECOND + seconds}
        answer = await holder.ask(client, "GET", "/v1/me", token, **claims)
        assert answer.status_code == (status if seconds < 300 else 401)
        return
    answer = await holder.ask(client, "GET", "/v1/me", token, nonce=kept)
    assert answer.status_code == status


async def test_an_old_nonce_is_answered_with_a_new_one(client, database, settings, now) -> None:
    machine, holder = await a_machine(database), Holder()
    await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(now)})
    old = holder.nonce
    late = now + timedelta(seconds=dpop.NONCE_LIVES)
    database.clock = lambda: late
    again = await client.post(
        "/oauth/token",
        data={**GRANT, **machine.proof(late)},
        headers={"dpop": holder.proof("POST", f"{ISSUER}/oauth/token")},
    )
    assert again.json()["error"] == "use_dpop_nonce"
    assert "too old" in again.json()["error_description"]
    assert again.headers["dpop-nonce"] != old
    answer = await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(late)})
    assert answer.status_code == 200


@pytest.mark.parametrize("nonce", [7, "", "x" * 28, "é" * 28, "A" * 28, "A" * 27 + "!"])
async def test_only_our_nonces_count(client, holder, token, nonce) -> None:
    """Else a proof could be made ahead, to be used when its maker is gone."""
    answer = await holder.ask(client, "GET", "/v1/me", token, nonce=nonce)
    assert 'error="use_dpop_nonce"' in answer.headers["www-authenticate"]


def test_a_nonce_counts_to_its_last_bit(keyring) -> None:
    nonces = dpop.Nonces(keyring)
    said = nonces.current(SECOND)
    assert nonces.made_at(said) == SECOND
    raw = base64.urlsafe_b64decode(said)
    for place in range(len(raw)):
        other = bytes(each ^ (place == at) for at, each in enumerate(raw))
        assert nonces.made_at(base64.urlsafe_b64encode(other).decode()) is None, place


class TestOnce:
    async def test_reading(self, client, holder, token, queries) -> None:
        await holder.ask(client, "GET", "/v1/me", token)
        headers = holder.headers("GET", "/v1/me", token)
        queries.clear()
        assert (await client.get("/v1/me", headers=headers)).status_code == 200
        assert len(queries) == 1, queries.statements  # as many as with a bearer's
        again = await client.get("/v1/me", headers=headers)
        assert (again.status_code, "sent before" in again.json()["detail"]) == (401, True)

    async def test_asking_for_tokens(self, client, database, now) -> None:
        machine, holder = await a_machine(database), Holder()
        await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(now)})
        headers = {"dpop": holder.proof("POST", f"{ISSUER}/oauth/token")}
        sent = [
            await client.post("/oauth/token", data={**GRANT, **machine.proof(now)}, headers=headers)
            for _ in range(2)
        ]
        assert [each.status_code for each in sent] == [200, 400]
        assert sent[1].json()["error"] == "invalid_dpop_proof"

    async def test_of_two_keys_neither_spends_what_the_other_calls_its_proof(
        self, client, database, now
    ) -> None:
        """Else whoever guesses the `jti` of others shuts them out."""
        machine = await a_machine(database)
        for holder in (Holder(), Holder()):
            fields = {**GRANT, **machine.proof(now)}
            await holder.post(client, "/oauth/token", fields)
            answer = await holder.post(
                client, "/oauth/token", {**GRANT, **machine.proof(now)}, jti="the-same"
            )
            assert answer.status_code == 200, answer.text

    async def test_writing_side_by_side_on_several_machines(
        self, app, settings, live_database, now
    ) -> None:
        """Each machine has a memory of its own; what changes something is kept for all."""
        machine = await a_machine(
            live_database, "civil_affairs", 120119000000, agency_kind="civil_affairs"
        )
        holder = Holder()
        async with (
            calling(app, settings, live_database) as one,
            calling(app, settings, live_database) as other,
        ):
            issued = await holder.post(one, "/oauth/token", {**GRANT, **machine.proof(now)})
            token = issued.json()["access_token"]
            assert (await holder.ask(one, "GET", "/v1/me", token)).status_code == 200
            path = f"/v1/clients/{machine.client_id}/suspension"
            headers = holder.headers("DELETE", path, token)
            sent = await asyncio.gather(
                *(each.delete(path, headers=headers) for each in (one, other) * 4)
            )
        assert sorted(each.status_code for each in sent) == [200, *[401] * 7]

    async def test_refused_counts_once_too(self, client, holder, token) -> None:
        """A proof spent on what was refused is not spent: nothing was done."""
        await holder.ask(client, "GET", "/v1/me", token)
        headers = holder.headers("POST", "/v1/clients", token)
        first = await client.post("/v1/clients", json={}, headers=headers)
        assert first.status_code == 403  # the role may not

    def test_memory_is_kept_as_long_as_it_counts(self) -> None:
        once = Once()
        assert once.is_first(b"a", now=SECOND, until=SECOND + 300)
        assert not once.is_first(b"a", now=SECOND + 299, until=SECOND + 300)
        assert once.is_first(b"a", now=SECOND + 300, until=SECOND + 600)
        assert once.is_first(b"b", now=SECOND + 300, until=SECOND + 600)

    def test_memory_that_is_full_lets_nothing_in_and_forgets(self) -> None:
        once = Once(cells=16)
        shown = [once.is_first(bytes([n]), now=SECOND, until=SECOND + 300) for n in range(20)]
        assert shown == [True] * 16 + [False] * 4
        assert once.is_first(b"new", now=SECOND + 300, until=SECOND + 600)


class TestBoundClients:
    """`dpop_bound_access_tokens` (RFC 9449 §5.2)."""

    async def test_get_no_bearer_token(self, client, database, now) -> None:
        machine, holder = await a_machine(database), Holder()
        await _bind(database, machine.client_id)
        refused = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
        assert refused.json()["error"] == "invalid_dpop_proof"
        assert "send a DPoP header" in refused.json()["error_description"]
        answer = await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(now)})
        assert answer.json()["token_type"] == "DPoP"

    async def test_introspection_tells_the_key(self, client, database, now, holder) -> None:
        machine = await a_machine(database)
        fields = {**GRANT, **machine.proof(now)}
        token = (await holder.post(client, "/oauth/token", fields)).json()["access_token"]
        await _bind(database, machine.client_id)
        told = await client.post("/oauth/introspect", data={"token": token, **machine.proof(now)})
        assert told.json()["cnf"] == {"jkt": holder.thumbprint}
        assert told.json()["token_type"] == "DPoP"

    async def test_suspension_counts_at_once(self, client, database, holder, token) -> None:
        await holder.ask(client, "GET", "/v1/me", token)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE clients SET active = false")
        answer = await holder.ask(client, "GET", "/v1/me", token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('DPoP realm="tonghu", error="inva')


async def _bind(database, client_id) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE clients SET dpop_bound_access_tokens = true WHERE id = $1", client_id
        )


async def test_metadata_names_the_algorithm(client) -> None:
    told = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert told["dpop_signing_alg_values_supported"] == ["ES256"]


async def test_jobs_forget_what_counts_no_more(database, now, client) -> None:
    from app.access import jobs  # noqa: PLC0415

    machine, holder = await a_machine(database), Holder()
    await holder.post(client, "/oauth/token", {**GRANT, **machine.proof(now)})
    left = []
    for seconds in (0, 299, 599, 601):
        database.clock = lambda after=seconds: now + timedelta(seconds=after)
        async with database.begin(SYSTEM) as tx:
            await jobs.forget_proofs(tx, {})
            left.append(await tx.connection.fetchval("SELECT count(*) FROM used_proofs"))
    assert left == [1, 1, 1, 0], "not while its nonce may count on a machine whose clock is behind"
    assert await an_app(database)
