"""Machine clients, staff accounts, invitations, sign-ins and what was revoked."""

from datetime import date, datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from app.core.data import backups, distribution, retention, rls, sealed
from app.core.data.columns import Instant, code_list, one_of
from app.core.ids import new_id

_NO: Any = {"server_default": text("false")}
_ALARMED: Final = text("alarmed_at IS NOT NULL")
Opens = Literal["account", "password", "second_factor"]
"""What an invitation is for: a first password, a new one, or a (new) second factor."""


class Client(SQLModel, table=True):
    """An application known to the service.

    `kind`: `machine` acts for its agency with its own key (client_credentials); `app` is what staff
    sign in through with PKCE and has no authority itself: a public client, on phones or in
    browsers, unless it has keys to prove itself with.
    """

    __tablename__ = "clients"
    __table_args__: Any = (
        CheckConstraint("kind IN ('machine', 'app')", name="kind"),
        CheckConstraint(
            "(kind = 'machine') = (agency_id IS NOT NULL AND role IS NOT NULL)", name="machine"
        ),
        Index(
            "ix_clients_machine_at",
            "region_code",
            "role",
            postgresql_where=text("active AND kind = 'machine'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    name: str
    agency_id: UUID | None = Field(default=None, foreign_key="agencies.id", index=True)
    role: str | None = None
    region_code: int | None = Field(default=None, sa_type=BigInteger)
    remit_lo: int | None = Field(default=None, sa_type=BigInteger)
    remit_hi: int | None = Field(default=None, sa_type=BigInteger)
    jwks: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    keys_until: datetime | None = Field(default=None, sa_type=Instant)
    """When its keys end; None for those registered before keys had an end."""
    jwks_uri: str | None = None
    """Where it publishes its keys; `jwks` has what was read there."""
    keys_read_at: datetime | None = Field(default=None, sa_type=Instant)
    keys_noticed: datetime | None = Field(default=None, sa_type=Instant)
    """When its agency was told last that they end."""
    secret_hash: str | None = None
    """Only outside production; production knows private_key_jwt alone (TOK-5)."""
    redirect_uris: list[str] = Field(sa_column=code_list(), default_factory=list)
    dpop_bound_access_tokens: bool = Field(default=False, sa_column_kwargs=_NO)
    """It gets tokens bound to a key only (RFC 9449 §5.2)."""
    require_pushed_authorization_requests: bool = Field(default=False, sa_column_kwargs=_NO)
    """Apps: people are sent to sign in with a request that was pushed only (RFC 9126 §6)."""
    active: bool = True
    created_at: datetime = Field(sa_type=Instant)

    @property
    def is_confidential(self) -> bool:
        """Whether it has something to prove itself with. An app on a phone has not."""
        proofs = (self.jwks, self.jwks_uri, self.secret_hash)
        return any(each is not None for each in proofs)

    @property
    def must_push(self) -> bool:
        """Whether people are sent to sign in with a pushed request only; a confidential app's are,
        as FAPI 2.0 has it.
        """
        return self.is_confidential or self.require_pushed_authorization_requests


class StaffAccount(SQLModel, table=True):
    """How a person signs in. The name and phone live in `agencies.Staff`.

    `password_hash`: empty until the person has chosen one. `generation`: what is half done, and
    what browsers remember, counts only while this is the same. `totp_step`: the last step of thirty
    seconds of which a code was used. `recovery`: keyed hashes of the codes that are left.
    """

    __tablename__ = "staff_accounts"
    staff_id: UUID = Field(foreign_key="staff.id", primary_key=True)
    username: str = Field(unique=True)
    password_hash: str
    failed_attempts: int = 0
    locked_until: datetime | None = Field(default=None, sa_type=Instant)
    generation: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    totp_sealed: bytes | None = None
    totp_step: int | None = Field(default=None, sa_type=BigInteger)
    recovery: list[bytes] = Field(
        sa_column=Column(ARRAY(LargeBinary), nullable=False, server_default="{}"),
        default_factory=list,
    )
    factor_failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    factor_rests_until: datetime | None = Field(default=None, sa_type=Instant)
    active: bool = True
    created_at: datetime = Field(sa_type=Instant)


class Invitation(SQLModel, table=True):
    """A code that lets a person set up what `opens` names, once and for hours. One a person: a new
    one takes the place of the one before.
    """

    __tablename__ = "invitations"
    __table_args__: Any = (one_of("opens", get_args(Opens)),)
    staff_id: UUID = Field(foreign_key="staff.id", primary_key=True)
    code_hash: bytes = Field(unique=True)
    opens: str
    expires_at: datetime = Field(index=True, sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class Device(SQLModel, table=True):
    """A phone's key for one person: that they have it is a factor. `thumbprint`: of the key
    (RFC 7638), which its tokens are bound to. `lease_until`: until when the phone opens its store
    offline.
    """

    __tablename__ = "devices"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    staff_id: UUID = Field(foreign_key="staff.id", index=True)
    thumbprint: str = Field(unique=True)
    name: str
    enrolled_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    lease_until: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class DeviceCode(SQLModel, table=True):
    """A code that lets a person's phone be enrolled, once and for hours. One a person."""

    __tablename__ = "device_codes"
    staff_id: UUID = Field(foreign_key="staff.id", primary_key=True)
    code_hash: bytes = Field(unique=True)
    expires_at: datetime = Field(index=True, sa_type=Instant)


class SignInPlace(SQLModel, table=True):
    """How a name fared from one network, both as keyed hashes: it need not be anybody's name.

    `failures`: wrong passwords in a row; it rests until `rests_until`. `known_until`: somebody
    signed in from there, so what others do elsewhere does not keep them out.
    """

    __tablename__ = "sign_in_places"
    __table_args__: Any = (
        Index("ix_sign_in_places_network_failed", "network_index", "failed_at"),
        Index("ix_sign_in_places_name_failed", "name_index", "failed_at"),
    )
    name_index: bytes = Field(primary_key=True)
    network_index: bytes = Field(primary_key=True)
    failures: int = 0
    failed_at: datetime | None = Field(default=None, sa_type=Instant)
    rests_until: datetime | None = Field(default=None, sa_type=Instant)
    known_until: datetime | None = Field(default=None, sa_type=Instant)
    seen_at: datetime = Field(index=True, sa_type=Instant)


class SignIn(SQLModel, table=True):
    """One staff sign-in: the family its refresh tokens belong to (TOK-7)."""

    __tablename__ = "sign_ins"
    __table_args__: Any = (Index("ix_sign_ins_staff_id_ends_at", "staff_id", "ends_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    staff_id: UUID = Field(foreign_key="staff.id")
    client_id: UUID = Field(foreign_key="clients.id")
    holding_id: UUID = Field(foreign_key="post_holdings.id")
    scope: str
    factors: list[str] = Field(
        sa_column=Column(ARRAY(Text), nullable=False, server_default="{pwd}"),
        default_factory=lambda: ["pwd"],
    )
    """How they proved who they are, at `started_at` (RFC 8176)."""
    device_id: UUID | None = Field(default=None, foreign_key="devices.id")
    """Whose key it is bound to."""
    asks_device: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    """Its code is worth nothing without the key of an enrolled device."""
    started_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(index=True, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class AuthorizationCode(SQLModel, table=True):
    """A code of the authorization code grant: hashed, single use, one minute (TOK-6)."""

    __tablename__ = "authorization_codes"
    code_hash: bytes = Field(primary_key=True)
    sign_in_id: UUID = Field(foreign_key="sign_ins.id", index=True)
    redirect_uri: str
    code_challenge: str
    key_thumbprint: str | None = None
    """Exchanged with a proof by this key only (RFC 9449 §10)."""
    expires_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class RefreshToken(SQLModel, table=True):
    """A refresh token: hashed, rotated; `successor_sealed` answers a lost reply (TOK-7). With a
    `key_thumbprint` it counts together with a proof by that key only.
    """

    __tablename__ = "refresh_tokens"
    token_hash: bytes = Field(primary_key=True)
    sign_in_id: UUID = Field(foreign_key="sign_ins.id", index=True)
    issued_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)
    successor_sealed: bytes | None = None
    key_thumbprint: str | None = None


class Revocation(SQLModel, table=True):
    """A token id or sign-in id that no longer counts (TOK-3)."""

    __tablename__ = "revocations"
    id: UUID = Field(primary_key=True)
    revoked_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(index=True, sa_type=Instant)


class UsedAssertion(SQLModel, table=True):
    """A client assertion's jti, kept until it expires: single use (TOK-5)."""

    __tablename__ = "used_assertions"
    client_id: UUID = Field(primary_key=True)
    token_id: str = Field(primary_key=True)
    expires_at: datetime = Field(index=True, sa_type=Instant)


class UsedProof(SQLModel, table=True):
    """A DPoP proof that asked for a token or changed something, kept until its nonce counts no
    more: single use (TOK-8). `mark`: a hash of its key and jti.
    """

    __tablename__ = "used_proofs"
    mark: bytes = Field(primary_key=True)
    expires_at: datetime = Field(index=True, sa_type=Instant)


class PushedRequest(SQLModel, table=True):
    """What an app asks for when it sends a person to sign in, told beforehand by itself and not by
    the person's browser: hashed reference, single use (RFC 9126).
    """

    __tablename__ = "pushed_requests"
    reference_hash: bytes = Field(primary_key=True)
    client_id: UUID = Field(foreign_key="clients.id")
    asked: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    expires_at: datetime = Field(index=True, sa_type=Instant)


class BearerException(SQLModel, table=True):
    """That a client may have tokens bound to no key in production: who gave it (`staff:…`), why and
    until when. One at a time; `ended_at`: that it was taken back or replaced before.
    """

    __tablename__ = "bearer_exceptions"
    __table_args__: Any = (
        Index(
            "ix_bearer_exceptions_open",
            "client_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    client_id: UUID = Field(foreign_key="clients.id")
    reason: str
    given_by: str
    given_at: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_by: str | None = None


class ReadingTally(SQLModel, table=True):
    """How much a caller was shown for one purpose on one day, as far as it was written down
    (`budgets`). `kind`: what is counted. It is an alarm from `alarmed_at` on; from `refused_at` on
    no more is shown that day.
    """

    __tablename__ = "reading_tallies"
    __table_args__: Any = (
        Index("uq_reading_tallies_id", "id", unique=True),
        Index(
            "ix_reading_tallies_agency_id_alarmed_at",
            "agency_id",
            "alarmed_at",
            "id",
            postgresql_where=_ALARMED,
        ),
        Index(
            "ix_reading_tallies_region_code_alarmed_at",
            "region_code",
            "alarmed_at",
            "id",
            postgresql_where=_ALARMED,
        ),
        Index("ix_reading_tallies_alarmed_at_id", "alarmed_at", "id", postgresql_where=_ALARMED),
        Index("ix_reading_tallies_since_id", "since", "id"),
    )
    subject: str = Field(primary_key=True)
    agency_id: UUID = Field(primary_key=True)
    day: date = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: UUID
    role: str
    region_code: int = Field(sa_type=BigInteger)
    counted: int = Field(sa_type=BigInteger)
    since: datetime = Field(sa_type=Instant)
    alarmed_at: datetime | None = Field(default=None, sa_type=Instant)
    refused_at: datetime | None = Field(default=None, sa_type=Instant)


distribution.in_one_place(
    "read where a request arrives, before it is known what it asks for",
    *("clients", "staff_accounts", "sign_ins", "authorization_codes", "refresh_tokens"),
    *("revocations", "used_assertions", "used_proofs", "pushed_requests"),
    *("bearer_exceptions", "invitations", "sign_in_places", "devices", "device_codes"),
    "reading_tallies",
)
rls.allow("clients", "SELECT, INSERT, UPDATE")
rls.protect(
    "staff_accounts",
    using=f"{rls.CALLER} IN ('system', 'sign-in')",
    privileges="SELECT, INSERT, UPDATE",
)
rls.protect(
    "invitations",
    using=f"{rls.CALLER} IN ('system', 'sign-in')",
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
rls.allow("devices", "SELECT, INSERT, UPDATE")
rls.allow("device_codes", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("sign_in_places", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("sign_ins", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("authorization_codes", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("refresh_tokens", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("revocations", "SELECT, INSERT, DELETE")
rls.allow("used_assertions", "SELECT, INSERT, DELETE")
rls.allow("used_proofs", "SELECT, INSERT, DELETE")
rls.allow("pushed_requests", "SELECT, INSERT, DELETE")
rls.allow("bearer_exceptions", "SELECT, INSERT, UPDATE")
rls.protect(
    "reading_tallies",
    using=rls.case((rls.SYSTEM, "true"), (rls.own("agency_id"), "true"), (rls.IN_RANGE, "true")),
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
backups.leave_out(
    "lives for minutes or days, and counts no more once everybody signs in anew",
    *("authorization_codes", "refresh_tokens", "revocations", "used_assertions", "used_proofs"),
    *("pushed_requests", "invitations", "device_codes", "sign_in_places"),
)
backups.once_restored(
    "who was signed out since would be signed in again: everybody signs in anew",
    "UPDATE sign_ins SET revoked_at = now() WHERE revoked_at IS NULL AND ends_at > now()",
)
for _table in ("invitations", "device_codes", "authorization_codes", "pushed_requests"):
    backups.once_restored(
        f"a code that was used since would count again: no {_table} stay",
        f"DELETE FROM {_table}",
    )
retention.keep("reading_tallies", by="since")
retention.keep("sign_ins", by="started_at")
retention.unless(
    "sign_ins",
    "a code or a token of it is left",
    "EXISTS (SELECT FROM refresh_tokens r WHERE r.sign_in_id = k.id)"
    " OR EXISTS (SELECT FROM authorization_codes c WHERE c.sign_in_id = k.id)",
)
sealed.under_service(
    "staff_accounts", {"totp_sealed": "staff_accounts.totp"}, row="t.staff_id::text"
)
sealed.under_service(
    "refresh_tokens",
    {"successor_sealed": "refresh_tokens.successor_sealed"},
    row="encode(t.token_hash, 'hex')",
)
