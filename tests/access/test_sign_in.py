"""A person signs in through an app: the form as a browser sees it, then code and PKCE (TOK-6)."""

from datetime import timedelta

import pytest

from app.access import sign_in_pages
from app.core.data.db import SYSTEM
from tests.access.apps import (
    CALLBACK,
    ISSUER,
    PASSWORD,
    Form,
    a_person,
    an_app,
    answer_of,
    authorization,
    exchange,
    pkce,
    sign_in,
    signed_in,
)


async def test_signs_in_and_calls_the_api(client, database, unique) -> None:
    person = await a_person(database, unique)
    app, issued = await signed_in(client, database, unique)
    assert issued["token_type"] == "Bearer"
    assert issued["expires_in"] == 600
    assert "visits:write" in issued["scope"].split()
    me = await client.get("/v1/me", headers={"authorization": f"Bearer {issued['access_token']}"})
    assert me.json()["subject"] == f"staff:{person.staff_id}"
    async with database.begin(SYSTEM) as tx:
        audited = await tx.connection.fetch(
            "SELECT operation, decision, actor, client_id FROM audit_entries ORDER BY id"
        )
    assert [row["operation"] for row in audited] == ["signIn", "issueToken"]
    assert {(row["actor"], row["client_id"]) for row in audited} == {
        (f"staff:{person.staff_id}", app)
    }


async def test_redirect_carries_state_and_issuer(client, database, unique) -> None:
    await a_person(database, unique)
    _, challenge = pkce()
    redirect = await sign_in(client, await an_app(database), challenge, unique, state="a&b=ü")
    answer = answer_of(redirect)
    assert (answer["state"], answer["iss"]) == ("a&b=ü", ISSUER)
    assert redirect.headers["cache-control"] == "no-store"


async def test_page_is_guarded_and_usable(client, database) -> None:
    _, challenge = pkce()
    app = await an_app(database)
    page = await client.get(
        "/oauth/authorize",
        params=authorization(app, challenge, prompt="login"),
        headers={"accept-language": "zh-CN"},
    )
    form = Form(page)
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self' https://app.example;" in policy
    assert page.headers["cache-control"] == "no-store"
    assert "走访 &lt;手机&gt;" in page.text
    assert form.language == "zh-CN"
    assert form.ids <= form.labelled
    assert "<script" not in page.text
    assert " style=" not in page.text
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    style = await client.get("/oauth/sign-in.css")
    assert style.headers["content-type"].startswith("text/css")
    own = "cn.example.visits:/callback"  # of a phone's app (RFC 8252 §7.1)
    app = await an_app(database, own)
    asked = authorization(app, challenge, redirect_uri=own)
    page = await client.get("/oauth/authorize", params=asked)
    assert "form-action 'self' cn.example.visits:;" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("header", "lang", "expected"),
    [("en-GB,zh;q=0.1", None, "en"), ("", None, "zh-CN"), ("en", "zh", "zh-CN")],
)
async def test_language_follows_the_browser_or_the_switch(
    client, database, header, lang, expected
) -> None:
    _, challenge = pkce()
    page = await client.get(
        "/oauth/authorize",
        params=authorization(await an_app(database), challenge, lang=lang),
        headers={"accept-language": header},
    )
    assert Form(page).language == expected


async def test_wrong_and_unknown_look_alike(client, database, unique) -> None:
    await a_person(database, unique)
    app = await an_app(database)
    _, challenge = pkce()
    pages = []
    for username in (unique, "nobody.here"):
        form = Form(await client.get("/oauth/authorize", params=authorization(app, challenge)))
        page = await client.post(
            form.action, data={**form.fields, "username": username, "password": "wrong"}
        )
        assert page.status_code == 400
        assert Form(page).alerts == 1
        text = page.text.replace(username, "").replace(Form(page).fields["flow"], "")
        pages.append(text)
    assert pages[0] == pages[1]
    async with database.begin(SYSTEM) as tx:
        rules = await tx.connection.fetch("SELECT decision, rule, actor FROM audit_entries")
    assert [tuple(row)[:2] for row in rules] == [("denied", "password")] * 2


async def test_account_rests_after_five_wrong_passwords(client, database, now, unique) -> None:
    await a_person(database, unique)
    app = await an_app(database)
    _, challenge = pkce()
    form = Form(await client.get("/oauth/authorize", params=authorization(app, challenge)))
    wrong = {**form.fields, "username": unique, "password": "wrong"}
    right = {**wrong, "password": PASSWORD}
    for _ in range(5):
        await client.post(form.action, data=wrong)
    assert (await client.post(form.action, data=right)).status_code == 400
    database.clock = lambda: now + timedelta(seconds=31)
    assert (await client.post(form.action, data=right)).status_code == 303
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT failed_attempts FROM staff_accounts") == 0


async def test_username_forgives_case_and_width(client, database, unique) -> None:
    await a_person(database, f"li.{unique}")
    _, challenge = pkce()
    answer = await sign_in(client, await an_app(database), challenge, f" ＬＩ.{unique.upper()} ")
    assert answer.status_code == 303


async def test_form_of_another_browser_is_refused(client, database, unique) -> None:
    await a_person(database, unique)
    _, challenge = pkce()
    form = Form(
        await client.get(
            "/oauth/authorize", params=authorization(await an_app(database), challenge)
        )
    )
    fields = {**form.fields, "username": unique, "password": PASSWORD}
    client.cookies.clear()
    assert (await client.post(form.action, data=fields)).status_code == 400
    client.cookies.set("tonghu-sign-in", "another-browser")
    page = await client.post(form.action, data=fields)
    assert page.status_code == 400
    assert "过期" in page.text


async def test_form_expires(client, database, now, unique) -> None:
    await a_person(database, unique)
    _, challenge = pkce()
    app = await an_app(database)
    form = Form(await client.get("/oauth/authorize", params=authorization(app, challenge)))
    database.clock = lambda: now + timedelta(minutes=15)
    fields = {**form.fields, "username": unique, "password": PASSWORD}
    assert (await client.post(form.action, data=fields)).status_code == 400


async def test_what_holds_no_more_when_the_form_comes_back_is_not_done(
    client, database, unique
) -> None:
    """Nor is what is no form. Told to the app as long as it may sign people in, else to them."""
    await a_person(database, unique)
    _, challenge = pkce()
    app = await an_app(database)
    page = await client.get("/oauth/authorize", params=authorization(app, challenge))
    cookie = client.cookies["tonghu-sign-in"]
    asked = {**authorization(app, challenge), "scope": "of:another-release"}
    flow = sign_in_pages.Flow(asked, "zh", 2**40).sealed(database.keyring, cookie)
    fields = {"username": unique, "password": PASSWORD}
    refused = await client.post("/oauth/authorize", data={**fields, "flow": flow})
    assert answer_of(refused)["error"] == "invalid_scope"
    assert (await client.post("/oauth/authorize", json=fields)).status_code == 400
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE clients SET active = false WHERE id = $1", app)
    stopped = await client.post("/oauth/authorize", data={**Form(page).fields, **fields})
    assert (stopped.status_code, "location" in stopped.headers) == (400, False)


@pytest.mark.parametrize("flow", ["", "AAAA", "%00", "ÿ", "A" * 9000, "=="])
async def test_forged_form_state_is_refused(client, flow) -> None:
    client.cookies.set("tonghu-sign-in", "x")
    answer = await client.post("/oauth/authorize", data={"flow": flow})
    assert answer.status_code == 400


async def test_chooses_between_posts(client, database, unique) -> None:
    person = await a_person(database, unique)
    other = await a_person(
        database,
        f"{unique}2",
        "township_supervisor",
        120119101000,
        agency_kind="township_government",
    )
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE post_holdings SET staff_id = $1 WHERE id = $2",
            person.staff_id,
            other.holding_id,
        )
    app = await an_app(database)
    verifier, challenge = pkce()
    picker = await sign_in(client, app, challenge, unique)
    form = Form(picker)
    assert picker.status_code == 200
    assert set(form.radios) == {str(person.holding_id), str(other.holding_id)}
    assert form.ids <= form.labelled
    foreign = await client.post(form.action, data={**form.fields, "post": str(person.post_id)})
    assert foreign.status_code == 400
    chosen = await client.post(form.action, data={**form.fields, "post": str(other.holding_id)})
    answer = await exchange(client, app, answer_of(chosen)["code"], verifier)
    me = await client.get(
        "/v1/me", headers={"authorization": f"Bearer {answer.json()['access_token']}"}
    )
    assert me.json()["role"] == "township_supervisor"


async def test_without_a_post_nobody_signs_in(client, database, unique) -> None:
    person = await a_person(database, unique)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE post_holdings SET until = $2 WHERE id = $1", person.holding_id, tx.today
        )
    _, challenge = pkce()
    answer = await sign_in(client, await an_app(database), challenge, unique)
    assert answer.status_code == 400
    assert "在任岗位" in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
        {"client_id": "00000000-0000-0000-0000-000000000000"},
        {"client_id": "x'\x00"},
        {"state": "s" * 3000},
    ],
)
async def test_untrusted_request_redirects_nowhere(client, database, changed) -> None:
    _, challenge = pkce()
    app = await an_app(database)
    page = await client.get("/oauth/authorize", params=authorization(app, challenge, **changed))
    assert page.status_code == 400
    assert "location" not in page.headers
    assert "evil" not in page.text


async def test_repeated_parameter_redirects_nowhere(client, database) -> None:
    _, challenge = pkce()
    asked = [*authorization(await an_app(database), challenge).items(), ("state", "again")]
    assert (await client.get("/oauth/authorize", params=asked)).status_code == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
async def test_app_is_told_what_it_cannot_have(client, database, changed, error) -> None:
    _, challenge = pkce()
    app = await an_app(database)
    answer = answer_of(
        await client.get("/oauth/authorize", params=authorization(app, challenge, **changed))
    )
    assert (answer["error"], answer["state"]) == (error, "xyz")


class TestExchange:
    @pytest.fixture
    async def begun(self, client, database, unique):
        await a_person(database, unique)
        app = await an_app(database)
        verifier, challenge = pkce()
        code = answer_of(await sign_in(client, app, challenge, unique))["code"]
        return app, code, verifier

    async def test_second_use_ends_the_sign_in(self, client, begun, database) -> None:
        first = (await exchange(client, *begun)).json()
        again = await exchange(client, *begun)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        me = await client.get(
            "/v1/me", headers={"authorization": f"Bearer {first['access_token']}"}
        )
        assert me.status_code == 401
        async with database.begin(SYSTEM) as tx:
            rules = await tx.connection.fetch("SELECT rule, subject_id FROM audit_entries")
        assert "code_reused" in [row["rule"] for row in rules]

    @pytest.mark.parametrize("after", [60, 61])
    async def test_expires_after_a_minute(self, client, begun, database, now, after) -> None:
        database.clock = lambda: now + timedelta(seconds=after)
        assert (await exchange(client, *begun)).json()["error"] == "invalid_grant"

    @pytest.mark.parametrize(
        "changed",
        [
            {"code_verifier": "A" * 43},
            {"code_verifier": ""},
            {"redirect_uri": "https://evil.example/"},
            {"code": "guess"},
            {"client_id": "00000000-0000-0000-0000-000000000000"},
        ],
    )
    async def test_refuses_what_does_not_match(self, client, begun, changed) -> None:
        app, code, verifier = begun
        answer = await client.post(
            "/oauth/token",
            data={
                "grant_type": "authorization_code",
                "client_id": str(app),
                "code": code,
                "redirect_uri": CALLBACK,
                "code_verifier": verifier,
                **changed,
            },
        )
        assert answer.status_code in {400, 401}
        assert answer.headers["cache-control"] == "no-store"

    async def test_another_app_cannot_use_the_code(self, client, begun, database) -> None:
        _, code, verifier = begun
        answer = await exchange(client, await an_app(database), code, verifier)
        assert answer.json()["error"] == "invalid_grant"

    async def test_asked_scopes_are_a_ceiling(self, client, database, unique) -> None:
        await a_person(database, unique)
        app = await an_app(database)
        verifier, challenge = pkce()
        scope = "visits:read clients:write"
        redirect = await sign_in(client, app, challenge, unique, scope=scope)
        answer = await exchange(client, app, answer_of(redirect)["code"], verifier)
        assert answer.json()["scope"] == "visits:read"
        none = await sign_in(client, app, challenge, unique, scope="clients:write")
        answer = await exchange(client, app, answer_of(none)["code"], verifier)
        assert answer.json()["error"] == "invalid_scope"
