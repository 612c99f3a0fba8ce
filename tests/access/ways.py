"""Every way in: each is prepared while everything stands, and tried when something has ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import typer

from app.access import accounts, devices
from app.agencies import operations as agencies
from app.agencies.models import Agency
from app.cli import acting
from app.core.data.db import SYSTEM, Database, Tx
from app.core.jobs.events import publish
from app.core.settings import Settings
from app.webhooks import claiming
from tests.access.apps import (
    PASSWORD,
    Browser,
    Holder,
    Machine,
    Person,
    a_person,
    an_authenticator,
    answer_of,
    authorization,
    exchange,
    pkce,
    refresh,
    sign_in,
)
from tests.access.test_pushed import follow, push
from tests.jobs import hand_out
from tests.webhooks.workshop import an_event

COUNTY: Final = 120119000000
ROLE: Final = ("civil_affairs", COUNTY)
PURPOSE: Final = {"purpose-of-use": "care"}
Way = Callable[[], Awaitable[bool]]
"""Try to get in; tell whether it was let."""
Prepare = Callable[["Stage"], Awaitable[Way]]


@dataclass
class Stage:
    """Who is tried, and what they have by now. `machine`: a system of the agency of `person`."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    now: datetime
    word: str
    person: Person
    machine: Machine
    app: UUID
    more: list[Person] = field(default_factory=list)

    async def another(self, of: str, **other: Any) -> Person:
        """Somebody for one way alone, to whom the same happens."""
        how: dict[str, Any] = {"role": ROLE[0], "region_code": COUNTY, "agency_kind": ROLE[0]}
        made = await a_person(self.database, f"{self.word}.{of}", **{**how, **other})
        self.more.append(made)
        return made

    async def code(self, who: Person | None = None) -> tuple[str, str]:
        """A code that waits to be exchanged, and its verifier."""
        verifier, challenge = pkce()
        page = await sign_in(self.client, self.app, challenge, (who or self.person).username)
        return answer_of(page)["code"], verifier

    async def tokens(self, holder: Holder | None = None) -> dict[str, Any]:
        code, verifier = await self.code()
        answer = await exchange(self.client, self.app, code, verifier, holder)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def asks(self, path: str, token: str, method: str = "GET", **more: Any) -> bool:
        headers = {"authorization": f"Bearer {token}", **PURPOSE, **more.pop("headers", {})}
        answer = await self.client.request(method, path, headers=headers, **more)
        assert answer.status_code in {200, 201, 401}, answer.text
        return answer.is_success


# Of a person.


async def a_token(stage: Stage) -> Way:
    token = (await stage.tokens())["access_token"]
    return lambda: stage.asks("/v1/me", token)


async def a_bound_token(stage: Stage) -> Way:
    holder = Holder()
    token = (await stage.tokens(holder))["access_token"]

    async def tried() -> bool:
        await holder.ask(stage.client, "GET", "/v1/me", token)
        return (await holder.ask(stage.client, "GET", "/v1/me", token)).is_success

    return tried


async def a_file_list(stage: Stage) -> Way:
    token = (await stage.tokens())["access_token"]
    return lambda: stage.asks("/v1/children", token)


async def the_feed(stage: Stage) -> Way:
    token = (await stage.tokens())["access_token"]
    said = {"authorization": f"Bearer {token}", **PURPOSE}
    cursor = (await stage.client.get("/v1/events", headers=said)).json()["next_cursor"]
    return lambda: stage.asks(f"/v1/events?cursor={cursor}", token)


async def a_refresh_token(stage: Stage) -> Way:
    token = (await stage.tokens())["refresh_token"]
    return lambda: _is_success(refresh(stage.client, stage.app, token))


async def a_bound_refresh_token(stage: Stage) -> Way:
    holder = Holder()
    token = (await stage.tokens(holder))["refresh_token"]
    return lambda: _is_success(refresh(stage.client, stage.app, token, holder))


async def a_reply_that_was_lost(stage: Stage) -> Way:
    holder = Holder()
    token = (await stage.tokens(holder))["refresh_token"]
    assert await _is_success(refresh(stage.client, stage.app, token, holder))
    return lambda: _is_success(refresh(stage.client, stage.app, token, holder))


async def a_code(stage: Stage) -> Way:
    code, verifier = await stage.code()
    return lambda: _is_success(exchange(stage.client, stage.app, code, verifier))


async def the_password(stage: Stage) -> Way:
    """From a browser they are known by."""
    await stage.code()

    async def tried() -> bool:
        asked = authorization(stage.app, pkce()[1])
        browser = await Browser(stage.client).open("/oauth/authorize", **asked)
        if browser.page.status_code != 200:
            return False
        return await _redirected(browser.send(username=stage.person.username, password=PASSWORD))

    return tried


async def a_pushed_request(stage: Stage) -> Way:
    told = (await push(stage.client, authorization(stage.app, pkce()[1]))).json()

    async def tried() -> bool:
        asked = {"client_id": str(stage.app), "request_uri": told["request_uri"]}
        if (await stage.client.get("/oauth/authorize", params=asked)).status_code != 200:
            return False
        return await _redirected(follow(stage.client, **asked, username=stage.person.username))

    return tried


async def between_two_factors(stage: Stage) -> Way:
    who = await stage.another("two")
    authenticator = await an_authenticator(stage.database, who.staff_id)
    browser = Browser(stage.client)
    browser.page = await sign_in(stage.client, stage.app, pkce()[1], who.username)
    return lambda: _redirected(browser.send(code=authenticator.code(stage.now, steps=1)))


async def before_a_post_is_chosen(stage: Stage) -> Way:
    """Of two: the one that ends is chosen."""
    who = await stage.another("choice")
    async with stage.database.begin(SYSTEM) as tx:
        agency = await the_agency(tx, who.agency_id)
        post = await agencies.add_post(tx, agency, ROLE[0], "其他岗位", COUNTY)
        await agencies.hold_post(tx, post, who.staff_id, tx.today)
    browser = Browser(stage.client)
    browser.page = await sign_in(stage.client, stage.app, pkce()[1], who.username)
    assert browser.page.status_code == 200
    return lambda: _redirected(browser.send(post=str(who.holding_id)))


async def a_phone(stage: Stage) -> Way:
    phone = await _enrolled(stage)
    token = (await stage.tokens(phone))["refresh_token"]
    return lambda: _is_success(refresh(stage.client, stage.app, token, phone))


async def a_code_on_a_phone(stage: Stage) -> Way:
    phone = await _enrolled(stage)
    code, verifier = await stage.code()
    return lambda: _is_success(exchange(stage.client, stage.app, code, verifier, phone))


async def _enrolled(stage: Stage) -> Holder:
    phone = Holder()
    assert await _enrols(stage, phone, await _device_code(stage))
    return phone


async def _device_code(stage: Stage) -> str:
    async with stage.database.begin(SYSTEM) as tx:
        return (await devices.give_code(tx, stage.person.staff_id)).code


async def _enrols(stage: Stage, phone: Holder, code: str) -> bool:
    said = {"code": code, "name": "红米"}
    return await _is_success(phone.post(stage.client, "/oauth/devices", said))


async def a_code_for_a_phone(stage: Stage) -> Way:
    code = await _device_code(stage)
    return lambda: _enrols(stage, Holder(), code)


async def an_invitation(stage: Stage) -> Way:
    who = await stage.another("new")
    async with stage.database.begin(SYSTEM) as tx:
        code = (await accounts.invite(tx, who.staff_id, "account")).code

    async def tried() -> bool:
        browser = await Browser(stage.client).open("/oauth/invitation")
        return await _is_success(browser.send(code=code))

    return tried


async def an_invitation_that_is_open(stage: Stage) -> Way:
    who, new = await stage.another("newer"), "湖边 seven lanterns"
    async with stage.database.begin(SYSTEM) as tx:
        code = (await accounts.invite(tx, who.staff_id, "account")).code
    browser = await Browser(stage.client).open("/oauth/invitation")
    await browser.send(code=code)
    return lambda: _is_success(browser.send(new_password=new, again=new))


async def the_page_of_their_account(stage: Stage) -> Way:
    browser = await Browser(stage.client).open("/oauth/account")
    await browser.send(username=stage.person.username, password=PASSWORD)
    return lambda: _is_success(browser.send(go="password"))


async def told_of_a_token(stage: Stage) -> Way:
    """By a system of their agency's that asks."""
    token = (await stage.tokens())["access_token"]
    return lambda: _introspects(stage, token)


async def the_command_line(stage: Stage) -> Way:
    who = await stage.another("op", role="operator", agency_kind="operator")

    async def tried() -> bool:
        try:
            await acting.operator((stage.settings, stage.database), who.username, PASSWORD)
        except typer.Exit:
            return False
        return True

    return tried


OF_A_PERSON: Final = (
    *(a_token, a_bound_token, a_file_list, the_feed, told_of_a_token),
    *(a_refresh_token, a_bound_refresh_token, a_reply_that_was_lost, a_code),
    *(the_password, a_pushed_request, between_two_factors, before_a_post_is_chosen),
    *(a_phone, a_code_on_a_phone, a_code_for_a_phone),
    *(an_invitation, an_invitation_that_is_open, the_page_of_their_account, the_command_line),
)
OWN_ACCOUNT: Final = frozenset(
    {
        *(a_code_for_a_phone, an_invitation, an_invitation_that_is_open),
        the_page_of_their_account,
    }
)
"""Where a person looks after their account, which opens nothing without a post."""
WITHOUT_APP: Final = OWN_ACCOUNT | {the_command_line}

# Of a system.


async def _system_token(stage: Stage, holder: Holder | None = None) -> str:
    fields = {"grant_type": "client_credentials", **stage.machine.proof(stage.now)}
    if holder is not None:
        answer = await holder.post(stage.client, "/oauth/token", fields)
    else:
        answer = await stage.client.post("/oauth/token", data=fields)
    return str(answer.json().get("access_token", ""))


async def a_systems_token(stage: Stage) -> Way:
    token = await _system_token(stage)
    return lambda: stage.asks("/v1/children", token)


async def a_systems_bound_token(stage: Stage) -> Way:
    holder = Holder()
    token = await _system_token(stage, holder)

    async def tried() -> bool:
        await holder.ask(stage.client, "GET", "/v1/me", token)
        return (await holder.ask(stage.client, "GET", "/v1/me", token)).is_success

    return tried


async def a_systems_key(stage: Stage) -> Way:
    async def tried() -> bool:
        return bool(await _system_token(stage))

    return tried


async def a_systems_feed(stage: Stage) -> Way:
    token = await _system_token(stage)
    return lambda: stage.asks("/v1/events", token)


async def a_peers_copy(stage: Stage) -> Way:
    token = await _system_token(stage)
    return lambda: stage.asks("/v1/children/partitions", token)


async def told_of_its_own_token(stage: Stage) -> Way:
    token = await _system_token(stage)
    return lambda: _introspects(stage, token)


async def an_answer_that_was_kept(stage: Stage) -> Way:
    """Here of a secret, shown once."""
    token = await _system_token(stage)
    body = {
        "url": "https://receiver.example.org/in",
        "event_types": ["webhooks.*"],
        "description": "演示",
    }
    how = {"method": "POST", "json": body, "headers": {"idempotency-key": '"one"'}}
    assert await stage.asks("/v1/webhook-endpoints", token, **how)
    return lambda: stage.asks("/v1/webhook-endpoints", token, **how)


async def a_notice_that_goes_out(stage: Stage) -> Way:
    """To the endpoint of `an_answer_that_was_kept`: of what happens then, and of what waited."""
    await _happens(stage)

    async def tried() -> bool:
        await _happens(stage)
        async with stage.database.begin(SYSTEM) as tx:
            room = claiming.Room(9, 9, 9)
            return bool(await claiming.claim(tx, timedelta(minutes=1), room, {}))

    return tried


async def _happens(stage: Stage) -> None:
    async with stage.database.begin(SYSTEM) as tx:
        await publish(tx, an_event(region_code=COUNTY + 101000))
    await hand_out(stage.database)


OF_A_SYSTEM: Final = (
    *(a_systems_token, a_systems_bound_token, a_systems_key, a_systems_feed, a_peers_copy),
    *(told_of_its_own_token, an_answer_that_was_kept, a_notice_that_goes_out),
)


async def _introspects(stage: Stage, token: str) -> bool:
    fields = {"token": token, **stage.machine.proof(stage.now)}
    said = (await stage.client.post("/oauth/introspect", data=fields)).json()
    return bool(said.get("active"))


async def _is_success(asked: Awaitable[httpx.Response]) -> bool:
    return (await asked).is_success


async def _redirected(asked: Awaitable[httpx.Response]) -> bool:
    page = await asked
    return page.status_code == 303 and "code" in answer_of(page)


async def the_agency(tx: Tx, agency_id: UUID) -> Agency:
    found = await tx.session.get(Agency, agency_id)
    assert found is not None
    return found
