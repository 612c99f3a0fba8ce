"""Applications as they look from outside: a machine with its key, an app with its browser."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jwt

from app.access import accounts, operations
from app.agencies import queries as agencies
from app.core.data.db import SYSTEM, Database
from tests.access.factories import an_agency
from tests.regions.factories import some_regions

PASSWORD = "correct horse 电池"
CALLBACK = "https://app.example/callback"
ISSUER = "http://127.0.0.1:8000"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def a_key(kind: str = "EC", kid: str = "one") -> tuple[str, dict[str, Any]]:
    """Make a private key (PEM) and its public JWK."""
    made = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "EC"
        else rsa.generate_private_key(65537, 2048)
    )
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    algorithm = "ES256" if kind == "EC" else "RS256"
    described = jwk.construct(pem, algorithm).public_key().to_dict()
    text = {k: v.decode() if isinstance(v, bytes) else v for k, v in described.items()}
    return pem, {**text, "kid": kid, "alg": algorithm}


class Holder:
    """Who holds a key that tokens are bound to, as a DPoP library acts for them."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        x, y = (_b64(each.to_bytes(32)) for each in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        said = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        self.thumbprint = _b64(hashlib.sha256(said.encode()).digest())
        self.nonce: str | None = None

    def proof(
        self,
        method: str,
        url: str,
        token: str | None = None,
        *,
        header: dict[str, Any] | None = None,
        key: Any = None,
        **changed: Any,
    ) -> str:
        """Sign a proof; `changed` claims replace the right ones, ... removes; so do `header`'s."""
        claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": 1_795_140_000}
        if token is not None:
            claims["ath"] = _b64(hashlib.sha256(token.encode()).digest())
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        parts = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk, **(header or {})}
        said = [
            {name: value for name, value in part.items() if value is not ...}
            for part in (parts, {**claims, **changed})
        ]
        signing = ".".join(_b64(json.dumps(part).encode()) for part in said)
        r, s = decode_dss_signature((key or self.key).sign(signing.encode(), ec.ECDSA(SHA256())))
        return f"{signing}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"

    def headers(self, method: str, path: str, token: str, **changed: Any) -> dict[str, str]:
        proof = self.proof(method, f"{ISSUER}{path}", token, **changed)
        return {"authorization": f"DPoP {token}", "dpop": proof}

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, token: str, **changed: Any
    ) -> httpx.Response:
        """Make one request, and keep the nonce that comes with the answer."""
        headers = self.headers(method, path, token, **changed)
        answer = await client.request(method, path, headers=headers)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer

    async def post(
        self, client: httpx.AsyncClient, path: str, fields: dict[str, str], **changed: Any
    ) -> httpx.Response:
        """Send a form with a proof, a second time with the nonce if the first had none."""
        for _ in range(2):
            proof = self.proof("POST", f"{ISSUER}{path}", **changed)
            answer = await client.post(path, data=fields, headers={"dpop": proof})
            told = answer.headers.get("dpop-nonce", self.nonce)
            fresh, self.nonce = told != self.nonce, told
            if not fresh or "use_dpop_nonce" not in answer.text:
                break
        return answer


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Machine:
    """A registered machine client."""

    client_id: UUID
    agency_id: UUID
    pem: str = field(repr=False)
    algorithm: str = "ES256"
    secret: str | None = None

    def assertion(
        self, now: datetime, *, header: dict[str, Any] | None = None, **changed: Any
    ) -> str:
        """Sign a client assertion; `changed` claims replace the right ones, None removes."""
        issued = int(now.timestamp())
        claims = {
            "iss": str(self.client_id),
            "sub": str(self.client_id),
            "aud": ISSUER,
            "iat": issued,
            "exp": issued + 60,
            "jti": secrets.token_urlsafe(12),
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not ...}
        return jwt.encode(
            claims, self.pem, algorithm=self.algorithm, headers={"kid": "one", **(header or {})}
        )

    def proof(self, now: datetime, **changed: Any) -> dict[str, str]:
        return {
            "client_assertion_type": JWT_BEARER,
            "client_assertion": self.assertion(now, **changed),
        }


async def a_machine(
    database: Database,
    role: str = "school_system",
    region_code: int = 120119101200,
    *,
    agency_kind: str = "school",
    key: str | None = "EC",
    agency_id: UUID | None = None,
) -> Machine:
    """Register a machine of a new agency with its key, or with a secret if `key` is None."""
    await some_regions(database, region_code)
    agency_id = agency_id or await an_agency(database, agency_kind, region_code)
    pem, public = a_key(key or "EC")
    async with database.begin(SYSTEM) as tx:
        made = await operations.create_machine(
            tx,
            await agencies.find(tx, agency_id),
            name="考勤系统",
            role=role,
            region_code=region_code,
            jwks={"keys": [public]} if key else None,
            secrets_allowed=True,
        )
    algorithm = "RS256" if key == "RSA" else "ES256"
    return Machine(made.client.id, agency_id, pem, algorithm, made.secret)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in with PASSWORD."""

    staff_id: UUID
    agency_id: UUID
    username: str
    holding_id: UUID
    post_id: UUID


async def a_person(
    database: Database,
    username: str,
    role: str = "village_director",
    region_code: int = 120119101200,
    *,
    agency_kind: str = "village_committee",
) -> Person:
    await some_regions(database, region_code)
    agency_id = await an_agency(database, agency_kind, region_code)
    async with database.begin(SYSTEM) as tx:
        made = await operations.create_staff(
            tx,
            await agencies.find(tx, agency_id),
            name="测试员",
            username=username,
            password=PASSWORD,
            role=role,
            region_code=region_code,
        )
    return Person(made.staff_id, agency_id, username, made.id, made.post_id)


async def an_app(database: Database, callback: str = CALLBACK, **more: Any) -> UUID:
    async with database.begin(SYSTEM) as tx:
        made = await operations.create_app(tx, name="走访 <手机>", redirect_uris=[callback], **more)
    return made.id


def pkce() -> tuple[str, str]:
    """Return a verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(40)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).decode().rstrip("=")


def authorization(app: UUID, challenge: str, **changed: Any) -> dict[str, str]:
    """The parameters an app sends the browser with; None removes one."""
    asked = {
        "response_type": "code",
        "client_id": str(app),
        "redirect_uri": CALLBACK,
        "state": "xyz",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **changed,
    }
    return {name: value for name, value in asked.items() if value is not None}


class Form(HTMLParser):
    """What a browser sees of a page: its form's fields, labels, alert and language."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.radios: list[str] = []
        self.labelled: set[str] = set()
        self.ids: set[str] = set()
        self.action = self.language = ""
        self.alerts = 0
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "html":
            self.language = found["lang"] or ""
        if tag == "form":
            self.action = found["action"] or ""
        if tag == "label":
            self.labelled.add(found["for"] or "")
        if found.get("role") == "alert":
            self.alerts += 1
        if tag == "input" and found.get("type") == "radio":
            self.radios.append(found["value"] or "")
        elif tag == "input":
            self.fields[found["name"] or ""] = found.get("value") or ""
        if tag == "input" and found.get("type") != "hidden":
            self.ids.add(found["id"] or "")


async def sign_in(
    client: httpx.AsyncClient,
    app: UUID,
    challenge: str,
    username: str,
    password: str = PASSWORD,
    **changed: Any,
) -> httpx.Response:
    """Follow the sign-in form as a browser would; return the answer to the password."""
    page = await client.get("/oauth/authorize", params=authorization(app, challenge, **changed))
    assert page.status_code == 200, page.text
    form = Form(page)
    fields = {**form.fields, "username": username, "password": password}
    return await client.post(form.action, data=fields)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a person has on their phone, and their codes on paper."""

    secret: str
    paper: tuple[str, ...] = ()

    def code(self, now: datetime, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(now, counter_offset=steps)


async def an_authenticator(database: Database, staff_id: UUID) -> Authenticator:
    """Set up a second factor. The codes of this half minute and the one before are used up."""
    secret = pyotp.random_base32()
    async with database.begin(SYSTEM) as tx:
        step = int(tx.now.timestamp()) // 30
        return Authenticator(secret, tuple(await accounts.enrol(tx, staff_id, secret, step - 1)))


class Browser:
    """Somebody in front of our pages: the page they see, and what they send with its form."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = httpx.Response(204)

    async def open(self, path: str, **query: str) -> "Browser":
        self.page = await self.client.get(path, params=query)
        return self

    async def send(self, **fields: str) -> httpx.Response:
        form = Form(self.page)
        hidden = {"flow": form.fields["flow"]}
        self.page = await self.client.post(form.action, data={**hidden, **fields})
        return self.page


def answer_of(redirect: httpx.Response) -> dict[str, str]:
    """Read what the redirect tells the app."""
    assert redirect.status_code == 303, redirect.text
    location = urlsplit(redirect.headers["location"])
    assert redirect.headers["location"].startswith(CALLBACK)
    return {name: value for name, (value,) in parse_qs(location.query).items()}


async def signed_in(
    client: httpx.AsyncClient, database: Database, username: str, holder: Holder | None = None
) -> tuple[UUID, dict[str, Any]]:
    """Sign a known person in through a new app; return the app and the token answer."""
    app = await an_app(database)
    verifier, challenge = pkce()
    code = answer_of(await sign_in(client, app, challenge, username))["code"]
    answer = await exchange(client, app, code, verifier, holder)
    assert answer.status_code == 200, answer.text
    return app, answer.json()


async def exchange(
    client: httpx.AsyncClient,
    app: UUID,
    code: str,
    verifier: str,
    holder: Holder | None = None,
    **changed: str,
) -> httpx.Response:
    fields = {
        "grant_type": "authorization_code",
        "client_id": str(app),
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
        **changed,
    }
    return await _asked(client, fields, holder)


async def refresh(
    client: httpx.AsyncClient, app: UUID, token: str, holder: Holder | None = None, **more: str
) -> httpx.Response:
    fields = {"grant_type": "refresh_token", "client_id": str(app), "refresh_token": token, **more}
    return await _asked(client, fields, holder)


async def _asked(
    client: httpx.AsyncClient, fields: dict[str, str], holder: Holder | None
) -> httpx.Response:
    if holder is None:
        return await client.post("/oauth/token", data=fields)
    return await holder.post(client, "/oauth/token", fields)
