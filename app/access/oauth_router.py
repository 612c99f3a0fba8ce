"""OAuth 2.0 for applications: tokens, revocation, introspection, discovery (TOK-5…TOK-9)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog
from fastapi import Request, Response

from app.access import (
    assertions,
    bearers,
    credentials,
    dpop,
    grants,
    presenting,
    pushed,
    rules,
    sign_in,
    traces,
)
from app.access.area import AREA
from app.access.forms import origin_of, read_form
from app.access.grants import TokenRequest
from app.access.models import Client
from app.access.oauth import Refused
from app.audit import operations as audit
from app.core import areas
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.rate_limits import RateLimits, network_of
from app.core.http.routing import Transaction
from app.core.http.shown import Seen
from app.core.settings import Environment, Settings

router = routing.router(AREA.tag)
log = structlog.get_logger()

_GRANTS = {
    "client_credentials": grants.client_credentials,
    "authorization_code": grants.authorization_code,
    "refresh_token": grants.refresh_token,
}
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_CACHED = {"cache-control": "public, max-age=300"}


@router.post("/oauth/token")
async def issue_token(request: Request, tx: Transaction) -> Response:
    """Issue an access token: to a machine for its key, to a person for a code or refresh token."""

    async def answer(wanted: TokenRequest) -> Response:
        grant = _GRANTS.get(wanted.form.get("grant_type", ""))
        if grant is None:
            kind = "unsupported_grant_type" if wanted.form.get("grant_type") else "invalid_request"
            raise Refused(kind, f"grant_type is one of {', '.join(sorted(_GRANTS))}.")
        production = _in_production(request.state.settings)
        allowed = await bearers.within_bounds(tx, wanted, production=production)
        return _json(await grant(tx, allowed))

    return await _answered(request, tx, "issueToken", answer)


@router.post("/oauth/par", status_code=201)
async def push_authorization_request(request: Request, tx: Transaction) -> Response:
    """Keep what an app asks for; its browser then names it by `request_uri` (RFC 9126)."""

    async def answer(wanted: TokenRequest) -> Response:
        if not wanted.client.is_confidential:  # anybody may know its id
            limits: sign_in.Limits = request.state.sign_in_limits
            limits.address.spend(f"push {network_of(wanted.origin.ip or '')}", tx.now)
        return _json(await pushed.push(tx, wanted), status=201)

    return await _answered(request, tx, "pushAuthorizationRequest", answer)


@router.post("/oauth/revoke")
async def revoke_token(request: Request, tx: Transaction) -> Response:
    """Revoke a token of the calling client; a refresh token ends its whole sign-in (RFC 7009)."""

    async def answer(wanted: TokenRequest) -> Response:
        await grants.revoke(tx, wanted)
        return Response(headers=_NO_STORE)

    return await _answered(request, tx, "revokeToken", answer)


@router.post("/oauth/introspect")
async def introspect_token(request: Request, tx: Transaction) -> Response:
    """Describe an access token of the asking machine's own agency (RFC 7662)."""

    async def answer(wanted: TokenRequest) -> Response:
        if wanted.client.kind != "machine":
            raise Refused("invalid_client", "Client authentication failed.", reason="app client")
        return _json(await grants.introspect(tx, wanted))

    return await _answered(request, tx, "introspectToken", answer)


@router.get("/.well-known/oauth-authorization-server")
async def read_oauth_metadata(request: Request) -> Response:
    """Read where the endpoints are and what they support (RFC 8414). Shared secrets are named only
    where they are accepted (TOK-5).
    """
    settings: Settings = request.state.settings
    issuer = settings.tokens.issuer
    production = _in_production(settings)
    shared = [] if production else ["client_secret_basic", "client_secret_post"]
    algorithms = assertions.IN_PRODUCTION if production else assertions.ALGORITHMS
    described = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(areas.scopes()),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "none", *shared],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt", "none", *shared],
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt", *shared],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": [dpop.ALGORITHM],
        "acr_values_supported": [rules.ONE_FACTOR, rules.TWO_FACTORS],
        "prompt_values_supported": ["login"],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["zh-CN", "en"],
    }
    return _json(described, headers=_CACHED)


@router.get("/.well-known/jwks.json")
async def read_signing_keys(request: Request) -> Response:
    """Read the public keys that verify access tokens (RFC 7517)."""
    return _json(request.state.token_keys.jwks, headers=_CACHED)


async def _answered(
    request: Request,
    tx: Tx,
    operation: str,
    answer: Callable[[TokenRequest], Awaitable[Response]],
) -> Response:
    """Authenticate the client and answer; a refusal is an answer too, so it commits."""
    settings: Settings = request.state.settings
    authorization = request.headers.get("authorization")
    client: Client | None = None
    try:
        form = await read_form(request)
        shown = credentials.presented(form, authorization)
        _limit(request, shown, tx)
        # Before the client's own proof is spent: who is only given a nonce may send that again.
        proof = presenting.read_proof(request, tx)
        client = await credentials.client_of(
            tx, shown, issuer=settings.tokens.issuer, production=_in_production(settings)
        )
        await presenting.spend(request, tx, proof)
        keys, origin = request.state.token_keys, origin_of(request)
        return await answer(TokenRequest(client, proof, form, origin, keys, settings.tokens))
    except Refused as refused:
        # Of who proved to be nobody one trace is left, however often they try (`traces`).
        known = client or refused.subject or traces.is_due(request, refused.reason)
        if known and refused.error != "use_dpop_nonce":  # that denies nothing
            seen = Seen(subject=refused.subject, decision="denied", rule=refused.reason)
            await audit.record(tx, origin_of(request).actor(client), operation, seen)
        if refused.sign_in_id is not None:
            log.warning("sign_in_ended", reason=refused.reason, sign_in=str(refused.sign_in_id))
        return _refusal(refused, basic=authorization is not None)


def _limit(request: Request, shown: credentials.Presented, tx: Tx) -> None:
    # Per machine and address (TOK-10): nobody elsewhere uses up a machine's share. An app's id is
    # shared by everybody who uses it: codes and refresh tokens are 256 random bits, and passwords
    # are slowed down per account and per address.
    if shown.assertion is not None or shown.secret is not None:
        limits: RateLimits = request.state.rate_limits
        limits.spend(f"oauth {(shown.client_id or '')[:64]} {origin_of(request).ip}", tx.now)


def _refusal(refused: Refused, *, basic: bool) -> Response:
    unproven = refused.error == "invalid_client"
    challenge = {"www-authenticate": 'Basic realm="tonghu"'} if unproven and basic else {}
    return _json(
        {"error": refused.error, "error_description": refused.description},
        status=401 if unproven else 400,
        headers={**_NO_STORE, **challenge},
    )


def _in_production(settings: Settings) -> bool:
    return settings.environment is Environment.production


def _json(body: Any, *, status: int = 200, headers: Mapping[str, str] = _NO_STORE) -> Response:
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/json", headers=dict(headers)
    )
