"""How OAuth's endpoints are described: the shapes of their forms and answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.access import assertions
from app.core import areas

PUBLIC: dict[str, Any] = {"security": []}
"""Marks an operation that needs no access token."""

Url = Annotated[str, Field(max_length=300, pattern=r"^https?://[!-~]+$")]
Word = Annotated[str, Field(max_length=60, pattern=r"^[!-~]+$")]
Words = Annotated[list[Word], Field(max_length=100)]


class TokenAnswer(BaseModel):
    """A token was issued (RFC 6749 §5.1)."""

    access_token: str = Field(
        max_length=4096,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="ES256 JWT (RFC 9068). Send as `Authorization: Bearer`.",
        examples=["eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln"],
    )
    token_type: Literal["Bearer"] = Field(description="Always Bearer.")
    expires_in: int = Field(ge=1, le=600, description="Seconds until the token expires.")
    scope: str = Field(
        max_length=1000, pattern=r"^[a-z_: ]*$", description="Scopes granted, space-separated."
    )
    refresh_token: str | None = Field(
        default=None,
        max_length=100,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="For people only. Each use answers a new one; keep that, forget the old one.",
    )


class OAuthRefusal(BaseModel):
    """OAuth's own error form (RFC 6749 §5.2); everything under /v1 answers problem documents."""

    error: str = Field(
        max_length=60,
        pattern=r"^[a-z_]+$",
        description="`invalid_client`, `invalid_grant`, `invalid_scope`, …",
        examples=["invalid_grant"],
    )
    error_description: str = Field(
        max_length=300, pattern=r"^[ -~]*$", description="What to do about it."
    )


class Introspection(BaseModel):
    """What an access token says; only `active: false` for one the caller may not ask about."""

    active: bool = Field(description="Whether the token counts at this moment.")
    iss: Url | None = Field(default=None, description="Issuer.")
    aud: Word | None = Field(default=None, description="Audience.")
    sub: Word | None = Field(default=None, description="`staff:…` or `client:…`.")
    client_id: Word | None = Field(default=None, description="The client it was issued to.")
    scope: str | None = Field(
        default=None, max_length=1000, pattern=r"^[a-z_: ]*$", description="Scopes it grants now."
    )
    token_type: Literal["Bearer"] | None = Field(default=None, description="Always Bearer.")
    iat: int | None = Field(default=None, ge=0, le=2**53, description="Issued, Unix seconds.")
    exp: int | None = Field(default=None, ge=0, le=2**53, description="Expires, Unix seconds.")
    jti: Word | None = Field(default=None, description="The token's id.")
    agency: Word | None = Field(default=None, description="The agency it acts for.")
    role: Word | None = Field(default=None, description="The role held.")
    region: Word | None = Field(default=None, description="Division code of the remit, 12 digits.")


class Metadata(BaseModel):
    """Authorization server metadata (RFC 8414)."""

    issuer: Url = Field(description="Also the audience of client assertions.")
    authorization_endpoint: Url = Field(description="Where people sign in.")
    token_endpoint: Url = Field(description="Where tokens are issued.")
    revocation_endpoint: Url = Field(description="Where tokens are revoked.")
    introspection_endpoint: Url = Field(description="Where tokens are described.")
    jwks_uri: Url = Field(description="Public keys of access tokens.")
    scopes_supported: Words = Field(description="All scopes.")
    response_types_supported: Words = Field(description="Code only.")
    response_modes_supported: Words = Field(description="Query only.")
    grant_types_supported: Words = Field(description="No password, no implicit grant.")
    token_endpoint_auth_methods_supported: Words = Field(
        description="How clients prove themselves."
    )
    token_endpoint_auth_signing_alg_values_supported: Words = Field(description="Of assertions.")
    revocation_endpoint_auth_methods_supported: Words = Field(
        description="As at the token endpoint."
    )
    introspection_endpoint_auth_methods_supported: Words = Field(description="Machines only.")
    code_challenge_methods_supported: Words = Field(description="PKCE: S256 only.")
    authorization_response_iss_parameter_supported: bool = Field(description="RFC 9207.")
    ui_locales_supported: Words = Field(description="Languages of the sign-in page.")


class SigningKey(BaseModel):
    """One public key (RFC 7517)."""

    model_config = ConfigDict(extra="forbid")

    kty: Word = Field(description="EC.")
    crv: Word = Field(description="P-256.")
    x: Word = Field(description="Coordinate, base64url.")
    y: Word = Field(description="Coordinate, base64url.")
    kid: Word = Field(description="Key id, as in the token's header.")
    use: Word = Field(description="sig.")
    alg: Word = Field(description="The one algorithm this key is for.")


class KeySet(BaseModel):
    """The keys that verify access tokens, the signing one first."""

    keys: Annotated[list[SigningKey], Field(max_length=20)] = Field(description="Public keys.")


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthRefusal, "description": "Refused (RFC 6749 §5.2)."},
    401: {"model": OAuthRefusal, "description": "The client did not prove who it is."},
}


def _text(description: str, longest: int = 4096) -> dict[str, Any]:
    return {
        "type": "string",
        "maxLength": longest,
        "pattern": r"^[^\x00]*$",
        "description": description,
    }


_PROOF = {
    "client_id": _text("The client; enough by itself only for apps, which use PKCE.", 60),
    "client_assertion_type": {
        "type": "string",
        "enum": [assertions.TYPE],
        "description": "With `client_assertion`.",
    },
    "client_assertion": _text(
        "JWT signed with the client's key: iss and sub are the client id, aud the issuer,"
        " exp at most 300 s away, jti used once (RFC 7523)."
    ),
    "client_secret": _text("Sandboxes only; production knows keys alone.", 200),
}
TOKEN_FORM: dict[str, Any] = {
    "grant_type": {
        "type": "string",
        "enum": ["client_credentials", "authorization_code", "refresh_token"],
        "description": "How the token is asked for.",
    },
    "scope": _text("Scopes asked for, space-separated; all of the role's without.", 1000),
    "code": _text("From the redirect; once, within 60 s.", 100),
    "redirect_uri": _text("The same as in the authorization request.", 300),
    "code_verifier": _text("PKCE verifier (RFC 7636).", 128),
    "refresh_token": _text("The newest refresh token.", 100),
    **_PROOF,
}
TOKEN_ONLY_FORM: dict[str, Any] = {
    "token": _text("The token."),
    "token_type_hint": _text("Ignored.", 60),
    **_PROOF,
}


def form(
    properties: dict[str, Any], *, required: list[str], example: str | None = None
) -> dict[str, Any]:
    """Describe a public operation that reads a form."""
    schema = {"type": "object", "required": required, "properties": properties}
    if example is not None:
        schema = {**schema, "example": {required[0]: example}}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {**PUBLIC, "requestBody": {"required": True, "content": content}}


def metadata(issuer: str, *, secrets_allowed: bool) -> Metadata:
    """Describe this server. Shared secrets appear only where they are accepted (TOK-5)."""
    secrets = ["client_secret_basic", "client_secret_post"] if secrets_allowed else []
    return Metadata(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/oauth/authorize",
        token_endpoint=f"{issuer}/oauth/token",
        revocation_endpoint=f"{issuer}/oauth/revoke",
        introspection_endpoint=f"{issuer}/oauth/introspect",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        scopes_supported=list(areas.scopes()),
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "client_credentials", "refresh_token"],
        token_endpoint_auth_methods_supported=["private_key_jwt", "none", *secrets],
        token_endpoint_auth_signing_alg_values_supported=list(assertions.ALGORITHMS),
        revocation_endpoint_auth_methods_supported=["private_key_jwt", "none", *secrets],
        introspection_endpoint_auth_methods_supported=["private_key_jwt", *secrets],
        code_challenge_methods_supported=["S256"],
        authorization_response_iss_parameter_supported=True,
        ui_locales_supported=["zh-CN", "en"],
    )
