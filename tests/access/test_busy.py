"""Whoever signs in with a browser is told on a page that there is no room now, or all is away."""

import pytest
from starlette.requests import Request

from app.access import passwords
from app.core.data.db import TemporarilyUnavailable
from app.core.http.admission import TooManyAtOnce
from app.core.http.hardening import BodyTooLarge
from app.core.problems import response_to
from tests.access.apps import PASSWORD, Browser, a_person

PAGES = ("/oauth/authorize", "/oauth/account", "/oauth/invitation")


def _asked(path: str, language: str) -> Request:
    headers = [(b"accept-language", language.encode())]
    return Request({"type": "http", "path": path, "query_string": b"", "headers": headers})


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("language", "said"), [("zh-CN", "请稍候"), ("en", "One moment")])
def test_no_room_is_told_on_a_page(path, language, said) -> None:
    full = TooManyAtOnce(headers={"retry-after": "7"})
    page = response_to(_asked(path, language), full)
    assert (page.status_code, page.headers["retry-after"]) == (503, "7")
    assert page.headers["content-type"].startswith("text/html")
    assert said in page.body.decode()


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/children"])
def test_programs_are_told_as_ever(path) -> None:
    assert b'"/problems/too-many-at-once"' in response_to(_asked(path, "en"), TooManyAtOnce()).body


def test_what_waiting_does_not_mend_is_told_as_ever() -> None:
    answer = response_to(_asked(PAGES[0], "en"), BodyTooLarge())
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_fails_under_way_too(client, database, unique, monkeypatch) -> None:
    await a_person(database, unique)
    browser = await Browser(client).open("/oauth/account", lang="en")

    async def away(*_: object) -> bool:
        raise TemporarilyUnavailable(headers={"retry-after": "2"})

    monkeypatch.setattr(passwords, "matches", away)
    page = await browser.send(username=unique, password=PASSWORD)
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert "此刻登录的人较多" in page.text
