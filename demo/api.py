"""What a third-party client of the API does: get a token, call, and retry what is safe to retry."""

import base64
import hashlib
import html
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from jose import jwt

from demo.cast import CALLBACK, Cast

_TRIES = 8
_AGAIN = {408, 429, 502, 503, 504}


class CallFailed(Exception):
    """The API refused; the text is the problem document."""


@dataclass
class Api:
    """One caller's session. `purpose` goes with every call on personal data."""

    http: httpx.Client
    token: str
    purpose: str
    language: str = "en"
    calls: int = field(default=0)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        if_match: str | None = None,
        media_type: str = "application/json",
        prefer: str | None = None,
        expect: tuple[int, ...] = (200, 201, 202, 204),
    ) -> httpx.Response:
        """Call the API; a write whose answer was lost is asked again, and done once."""
        headers = {
            "authorization": f"Bearer {self.token}",
            "purpose-of-use": self.purpose,
            "accept-language": self.language,
        }
        if method != "GET" and not (isinstance(body, dict) and "id" in body):
            # Without an id of its own making, the key is what makes a repeated write safe.
            headers["idempotency-key"] = str(uuid4())
        if if_match:
            headers["if-match"] = if_match
        if prefer:
            headers["prefer"] = prefer
        if body is not None:
            headers["content-type"] = media_type
        for attempt in range(_TRIES):
            try:
                answer = self.http.request(method, path, headers=headers, json=body)
            except httpx.TransportError:
                time.sleep(0.2 * 2**attempt)
                continue
            self.calls += 1
            if answer.status_code not in _AGAIN:
                break
            time.sleep(float(answer.headers.get("retry-after", "0.2")))
        if answer.status_code not in expect:
            raise CallFailed(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()

    def items(self, path: str) -> Iterator[Any]:
        """Read a list to its end, page by page."""
        cursor = ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"


def machine(base: str, data_dir: Path, name: str, purpose: str) -> Api:
    """Sign in as a system, with its own key (client_credentials, private_key_jwt)."""
    me = Cast.read(data_dir).machines[name]
    http = httpx.Client(base_url=base, timeout=30)
    now = int(time.time())  # noqa: TID251  a client's own clock
    claims = {"iss": me.client_id, "sub": me.client_id, "aud": base, "iat": now, "exp": now + 60}
    assertion = jwt.encode(
        {**claims, "jti": str(uuid4())}, me.key, algorithm="ES256", headers={"kid": "demo"}
    )
    answer = http.post(
        "/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
    )
    return Api(http, _token(answer), purpose)


def person(base: str, data_dir: Path, name: str, purpose: str) -> Api:
    """Sign in as a member of staff, through the page a browser would show (code with PKCE)."""
    cast = Cast.read(data_dir)
    me = cast.people[name]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode()
    http = httpx.Client(base_url=base, timeout=30)
    page = http.get(
        "/oauth/authorize",
        params={
            "response_type": "code",
            "client_id": cast.app_client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": challenge.rstrip("="),
            "code_challenge_method": "S256",
            "state": "demo",
        },
    )
    form = {**_hidden_fields(page.text), "username": me.username, "password": me.password}
    answer = http.post(_form_action(page), data=form)
    code = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code")
    if not code:
        raise CallFailed(f"sign-in of {name}: {answer.status_code}")
    answer = http.post(
        "/oauth/token",
        data={
            "grant_type": "authorization_code",
            "code": code[0],
            "redirect_uri": CALLBACK,
            "client_id": cast.app_client_id,
            "code_verifier": verifier,
        },
    )
    return Api(http, _token(answer), purpose, language="zh")


def _hidden_fields(page: str) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if attributes.get("type") == "hidden":
            found[attributes["name"]] = html.unescape(attributes["value"])
    return found


def _form_action(page: httpx.Response) -> str:
    match = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    return html.unescape(match[1]) if match else str(page.url)


def _token(answer: httpx.Response) -> str:
    if answer.status_code != httpx.codes.OK:
        raise CallFailed(f"token: {answer.status_code} {answer.text}")
    token: str = answer.json()["access_token"]
    return token
