"""What travels on the wire about callers."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.http.wire import (
    GivenRegion,
    Input,
    Line,
    Moment,
    Permitted,
    PermittedByTwo,
    ShownRegion,
)

Word = Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]
Words = Annotated[list[Word], Field(max_length=20)]


class Me(BaseModel):
    """Who the token speaks for, as the database knows it now."""

    subject: str = Field(
        max_length=50, pattern=r"^(staff|client):[0-9a-f-]{36}$", description="The caller."
    )
    agency_id: UUID = Field(description="The agency the caller acts for.")
    agency_kind: Word = Field(description="Kind of agency.")
    role: Word = Field(description="Role held.")
    region_code: ShownRegion
    scopes: list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+:[a-z_]+$")]] = Field(
        max_length=60, description="Scopes the token carries and the role still grants."
    )
    purposes: Words = Field(description="Purposes the role may use personal data for.")
    reads: Words = Field(description="Sections of a child's file the role reads.")
    writes: Words = Field(description="Sections of a child's file the role writes.")


_Base64Url = Annotated[str, Field(min_length=1, max_length=1400, pattern=r"^[A-Za-z0-9_-]+$")]
_RedirectUri = Annotated[
    str,
    Field(
        min_length=4, max_length=300, pattern=r"^[!-~]+$", examples=["https://app.example/callback"]
    ),
]
_RoleCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        pattern=r"^[a-z_]+$",
        description="A role machines can hold.",
        examples=["school_system"],
    ),
]


class PublicKey(Input):
    """One public key (RFC 7517): P-256 for ES256, or RSA of 2048 bits and more for PS256. RS256
    outside production only.
    """

    kty: Literal["EC", "RSA"] = Field(description="Key type.")
    kid: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your name for the key; assertions carry it in their header.",
        examples=["2026-09"],
    )
    crv: Literal["P-256"] | None = Field(default=None, description="EC: the curve.")
    x: _Base64Url | None = Field(default=None, description="EC: coordinate.")
    y: _Base64Url | None = Field(default=None, description="EC: coordinate.")
    n: _Base64Url | None = Field(default=None, description="RSA: modulus.")
    e: _Base64Url | None = Field(default=None, description="RSA: exponent.")
    alg: Literal["ES256", "PS256", "RS256"] | None = Field(
        default=None, description="The one algorithm it signs with: ES256, or of RSA keys PS256."
    )
    use: Literal["sig"] | None = Field(default=None, description="Signatures only.")


class PublicKeys(Input):
    """The keys a machine proves itself with; two while one replaces the other."""

    keys: list[PublicKey] = Field(min_length=1, max_length=10, description="Public keys.")


class PublicKeysReplaced(PublicKeys):
    """New keys of a client, and the word of the old ones."""

    until: Moment | None = Field(
        default=None, description="When these keys end: within a year, and in a year unless given."
    )
    statement: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$",
        description="A JWT signed with one of the keys of now: `typ` `client-keys+jwt`, claims as"
        " of an assertion, and `jwks`: the new set. Without one it takes two people.",
    )


class BearerExceptionCreate(Input):
    """That a client may have tokens bound to no key for a while, in production."""

    reason: str = Field(
        min_length=20,
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="Why it cannot prove a key yet, and what is done about it.",
        examples=["The library of the case system signs no proofs; its update is due in March."],
    )
    until: Moment = Field(description="Its end, 90 days from now at most.")


class BearerException(BaseModel):
    """That a client may have tokens bound to no key: they live for two minutes, and tell of no
    case and no reporter.
    """

    reason: str = Field(max_length=500, pattern=r"^[^\x00]*$", description="Why.")
    given_by: str = Field(
        max_length=50, pattern=r"^(staff|client):[0-9a-f-]{36}$", description="Who gave it."
    )
    given_at: Moment = Field(description="When it was given.")
    until: Moment = Field(description="When it ends.")


class ClientCreate(Input):
    """A system that acts for an agency by itself."""

    name: Line = Field(description="What the system is.")
    agency_id: UUID | None = Field(
        default=None, description="The agency it acts for; yours unless given."
    )
    role: _RoleCode
    region_code: GivenRegion
    jwks: PublicKeys | None = Field(
        default=None,
        description="Its public keys. Without these and `jwks_uri`, a sandbox generates a secret.",
    )
    jwks_uri: str | None = Field(
        default=None,
        min_length=10,
        max_length=300,
        pattern=r"^https://[!-~]+$",
        description="Where it publishes its keys instead: they are read every five minutes, and"
        " count for a day.",
        examples=["https://cases.example/keys.json"],
    )
    until: Moment | None = Field(
        default=None, description="When the keys end: within a year, and in a year unless given."
    )
    dpop_bound_access_tokens: bool = Field(
        default=False,
        description="It gets no token but such as are bound to a key (RFC 9449 §5.2).",
    )


class AppCreate(Input):
    """An app through which people sign in. Only the operator registers apps."""

    name: Line = Field(description="Shown on the sign-in page.")
    redirect_uris: list[_RedirectUri] = Field(
        min_length=1, max_length=10, description="Where sign-in may lead back to, compared exactly."
    )
    jwks: PublicKeys | None = Field(
        default=None,
        description="Public keys of an app that runs on a server and can keep its own. It proves"
        " itself and pushes its requests.",
    )
    dpop_bound_access_tokens: bool = Field(
        default=False,
        description="It gets no token but such as are bound to a key (RFC 9449 §5.2).",
    )
    require_pushed_authorization_requests: bool = Field(
        default=False,
        description="Its people are sent to sign in with pushed requests only (RFC 9126 §6).",
    )


class Client(BaseModel, title="RegisteredClient"):
    """A registered client."""

    id: UUID = Field(description="Its client_id.")
    kind: Literal["machine", "app"] = Field(description="A system, or an app for people.")
    name: str = Field(max_length=200, pattern=r"^[^\x00]*$", description="What it is called.")
    agency_id: UUID | None = Field(description="Machines: the agency it acts for.")
    role: _RoleCode | None
    region_code: ShownRegion | None
    key_ids: list[Annotated[str, Field(max_length=200, pattern=r"^[!-~]+$")]] = Field(
        max_length=10, description="Machines: the `kid`s of its keys."
    )
    jwks_uri: str | None = Field(
        max_length=300, pattern=r"^https://[!-~]+$", description="Where it publishes its keys."
    )
    keys_until: Moment | None = Field(
        description="When its keys end; its agency is told a month and a week before."
    )
    redirect_uris: list[_RedirectUri] = Field(
        max_length=10, description="Apps: where sign-in may lead."
    )
    dpop_bound_access_tokens: bool = Field(description="It gets tokens bound to a key only.")
    require_pushed_authorization_requests: bool = Field(
        description="Apps: sign-in begins with a pushed request only."
    )
    bearer_exception: BearerException | None = Field(
        description="Why it may have tokens bound to no key in production, while it may."
    )
    active: bool = Field(description="False while it is suspended.")
    created_at: Moment = Field(description="When it was registered.")
    permitted: Permitted
    permitted_by_two: PermittedByTwo


class ClientRegistered(Client, title="ClientRegistered"):
    """A client that was just registered."""

    client_secret: Annotated[str, Field(max_length=60, pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        description="Sandboxes only, shown this once: keep it."
    )


_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
_Factor = Annotated[str, Field(max_length=10, pattern=r"^[a-z]+$")]


class OpenSignIn(BaseModel, title="OpenSignIn"):
    """Where a person is signed in."""

    id: UUID = Field(description="The sign-in.")
    client_id: UUID = Field(description="The app.")
    app: _Text = Field(description="What the app is called.")
    started_at: Moment = Field(description="When they proved who they are.")
    ends_at: Moment = Field(description="When it ends at the latest.")
    factors: list[_Factor] = Field(
        max_length=5, description="With what they proved it (RFC 8176): pwd, otp."
    )


class SignInsEnded(BaseModel):
    """What came of ending sign-ins."""

    ended: int = Field(ge=0, le=100_000, description="How many were open, and are no more.")
