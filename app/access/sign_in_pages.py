"""The sign-in pages: Chinese and English, no script, sealed state, a strict policy (TOK-6)."""

import base64
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import orjson
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import TypeAdapter

from app.access.sign_in import KNOWN_FOR
from app.core.data.crypto import Keyring
from app.core.data.envelopes import DecryptionRefused
from app.core.data_files import plain
from app.core.problems import Problem, language_of, on_page

LIVES_SECONDS = 900
_PLACE = "oauth.sign_in"


@dataclass(frozen=True, slots=True)
class Flow:
    """What a page must know when its form comes back. Sealed, and tied to the browser's cookie:
    a form made for another browser is worth nothing here (login CSRF).
    """

    asked: dict[str, str]
    language: str
    expires_at: int
    page: Literal["authorize", "invitation", "account"] = "authorize"
    staff_id: UUID | None = None
    username: str = ""
    generation: int = 0
    """Of the account; what was reset since, it counts no more."""
    known: bool = False
    factors: tuple[str, ...] = ()
    proved_at: int = 0
    secret: str = ""
    """Of an authenticator that is to be taken on."""

    @property
    def person(self) -> UUID:
        """Whose it is, once that was proved."""
        if self.staff_id is None:  # pragma: no cover  each page asks before
            raise RuntimeError("nobody has proved who they are yet")
        return self.staff_id

    def sealed(self, keyring: Keyring, cookie: str) -> str:
        sealed = keyring.seal(_PLACE, cookie, orjson.dumps(self, default=str))
        return base64.urlsafe_b64encode(sealed).decode()


_FLOW = TypeAdapter(Flow)


def read_flow(keyring: Keyring, cookie: str | None, sealed: str, *, instant: int) -> Flow | None:
    """Open what `sealed` closed for the same cookie; None if it is not ours or too old."""
    try:
        opened = keyring.unseal_bytes(_PLACE, cookie or "", base64.urlsafe_b64decode(sealed))
    except (DecryptionRefused, ValueError):
        return None
    flow = _FLOW.validate_json(opened)
    return None if cookie is None or flow.expires_at <= instant else flow


@cache
def texts() -> dict[str, dict[str, str]]:
    """All texts by language."""
    raw = files("app.access").joinpath("pages/texts.yaml").read_text("utf-8")
    found: dict[str, dict[str, str]] = plain(raw)
    return found


@cache
def stylesheet() -> bytes:
    return files("app.access").joinpath("pages/sign_in.css").read_bytes()


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("app.access", "pages"), autoescape=True, undefined=StrictUndefined
    )


def chosen_language(request: Request) -> str:
    """Choose by `lang`, else by the browser; Chinese unless English is preferred."""
    asked = request.query_params.get("lang", "")
    if asked in texts():
        return asked
    accepted = request.headers.get("accept-language", "zh")
    return language_of(accepted) if accepted.strip() not in {"", "*"} else "zh"


def render(
    page: str,
    language: str,
    *,
    status: int = 200,
    asked: dict[str, str] | None = None,
    begins: str | None = None,
    error: str | None = None,
    **values: Any,
) -> Response:
    """Render one page. `error` is the name of a text. With `asked` the language can be switched and
    the form's answer may lead to the app's redirect URI, which the policy must allow; with `begins`
    too, where no app asks: it is the page on which one begins anew.
    """
    t = texts()[language]
    switch = None
    if begins is not None or asked is not None:
        other = "en" if language == "zh" else "zh"
        again = dict(asked or {})
        if "request_uri" in again:
            again = {name: again[name] for name in ("client_id", "request_uri")}
        switch = f"{begins or '/oauth/authorize'}?{urlencode({**again, 'lang': other})}"
    body = (
        _templates()
        .get_template(page)
        .render(t=t, error=t[error] if error else None, switch_url=switch, **values)
    )
    targets = f" {_source(asked['redirect_uri'])}" if asked else ""
    return HTMLResponse(
        body,
        status_code=status,
        headers={
            "content-language": t["lang"],
            "content-security-policy": (
                f"default-src 'none'; style-src 'self'; form-action 'self'{targets};"
                " base-uri 'none'; frame-ancestors 'none'"
            ),
            "vary": "accept-language",
            "x-frame-options": "DENY",
        },
    )


def stopped(language: str, what: str, *, way_on: str | None = None) -> Response:
    """Render a page that ends the sign-in and says why; `way_on`: what can be done instead."""
    heading = texts()[language][f"{what}_title"]
    return render("stopped.html", language, status=400, error=what, heading=heading, way_on=way_on)


def told_to_wait(language: str, limited: Problem) -> Response:
    """Render the page for an address from which too many passwords were tried."""
    page = stopped(language, "too_many")
    page.status_code = limited.status
    page.headers.update(limited.headers)
    return page


def told_to_come_back(request: Request, problem: Problem) -> Response | None:
    """Render the page for whom there is no room now, or nothing works: what they sent is sent again
    by loading it anew.
    """
    if problem.status not in _PASSING:
        return None
    page = stopped(chosen_language(request), "busy")
    page.status_code = problem.status
    page.headers.update(problem.headers)
    return page


_PASSING: Final = frozenset({429, 503})
for _path in ("/oauth/authorize", "/oauth/account", "/oauth/invitation"):
    on_page(_path, told_to_come_back)


def cookie_name(issuer: str) -> str:
    secure = issuer.startswith("https://")
    return "__Host-tonghu-sign-in" if secure else "tonghu-sign-in"


def browser_cookie(request: Request, issuer: str) -> str | None:
    """Read the value that ties forms to this browser."""
    value = request.cookies.get(cookie_name(issuer))
    return value if value and value.isascii() and len(value) <= 64 else None  # noqa: PLR2004


def kept_by_browser(request: Request, issuer: str) -> str:
    """Read what the browser may be known by."""
    return request.cookies.get(f"{cookie_name(issuer)}-known", "")[:500]


def set_cookie(response: Response, issuer: str, value: str) -> None:
    """Give the browser the value that ties forms to it."""
    _set(response, issuer, cookie_name(issuer), value, LIVES_SECONDS)


def set_kept(response: Response, issuer: str, value: str) -> None:
    """Have the browser keep what it is known by next time."""
    _set(response, issuer, f"{cookie_name(issuer)}-known", value, int(KNOWN_FOR.total_seconds()))


def _set(response: Response, issuer: str, name: str, value: str, seconds: int) -> None:
    # Only for this host, for no script, not across sites.
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=issuer.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def _source(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"
