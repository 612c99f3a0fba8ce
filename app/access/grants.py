"""What the token endpoint does: three grants, revocation, introspection (TOK-5…TOK-7, TOK-9).

Every function here may write before it raises Refused; the edge commits all the same.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.access import devices, dpop, queries, roles, rules, tokens
from app.access.models import Client
from app.access.oauth import Origin, Refused
from app.audit import operations as audit
from app.core import areas
from app.core.data.db import Reach, Tx
from app.core.data.sql import insert
from app.core.http.shown import Seen
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.settings import Tokens as Lifetimes

_SEALED = "refresh_tokens.successor_sealed"
AT_THE_DOOR = Reach(0, 0, caller="sign-in")
"""What sign-in may see: accounts and nothing of any region."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client that proved itself asks about tokens, and what they are made with."""

    client: Client
    proof: dpop.Proof | None
    form: Mapping[str, str]
    origin: Origin
    keys: tokens.TokenKeys
    lifetimes: Lifetimes
    withheld: frozenset[str] = frozenset()
    """Scopes that it does not get, whoever it is."""

    @property
    def key(self) -> str | None:
        """The thumbprint of the key that proved this request, which its tokens are bound to."""
        return self.proof.thumbprint if self.proof else None


Issued = dict[str, Any]
"""The successful answer of the token endpoint (RFC 6749 §5.1)."""


def hashed(opaque: str) -> bytes:
    """Hash a code or refresh token for storage: 256 random bits need no slow hash."""
    return hashlib.sha256(opaque.encode()).digest()


def opaque() -> str:
    """Make a code or refresh token of 256 random bits."""
    return secrets.token_urlsafe(32)


def asked_scopes(text: str) -> frozenset[str]:
    """Read a scope parameter; empty means all there is. Raises Refused `invalid_scope`."""
    asked = frozenset(text.split())
    if not asked <= areas.scopes().keys():
        raise Refused("invalid_scope", "A scope asked for does not exist.")
    return asked


async def client_credentials(tx: Tx, wanted: TokenRequest) -> Issued:
    """Issue a token to a machine, for its agency and role."""
    client = wanted.client
    if client.kind != "machine" or client.agency_id is None or client.region_code is None:
        raise Refused("unauthorized_client", "This client signs people in; it has no authority.")
    granted = roles.role(client.role or "").scopes - wanted.withheld
    asked = asked_scopes(wanted.form.get("scope", ""))
    if not asked <= granted:
        raise Refused("invalid_scope", "The client's role does not grant a scope asked for.")
    scopes = asked or granted
    seconds = wanted.lifetimes.machine_seconds
    token = tokens.issue(
        wanted.keys,
        subject=f"client:{client.id}",
        grant_id=client.id,
        client_id=str(client.id),
        agency_id=client.agency_id,
        role=client.role or "",
        region_code=client.region_code,
        scopes=scopes,
        session_id=new_id(),
        now=tx.now,
        seconds=seconds,
        key=wanted.key,
    )
    actor = wanted.origin.actor(client)
    await audit.record(tx, actor, "issueToken", Seen(rule="client_credentials"))
    return _issued(token, seconds, scopes, wanted.key)


async def authorization_code(tx: Tx, wanted: TokenRequest) -> Issued:
    """Exchange a code, once. A second use ends the sign-in it belongs to (TOK-6)."""
    code_hash = hashed(required(wanted.form, "code"))
    row = await tx.connection.fetchrow(
        """SELECT c.redirect_uri, c.code_challenge, c.key_thumbprint, c.expires_at, c.used_at,
                  c.sign_in_id, s.client_id
           FROM authorization_codes c JOIN sign_ins s ON s.id = c.sign_in_id
           WHERE c.code_hash = $1 FOR UPDATE OF c""",
        code_hash,
    )
    if row is None or row["client_id"] != wanted.client.id:
        raise _invalid("code")
    if row["used_at"] is not None:
        await end_sign_in(tx, row["sign_in_id"])
        raise _invalid("code", "code_reused", row["sign_in_id"])
    await tx.connection.execute(
        "UPDATE authorization_codes SET used_at = $2 WHERE code_hash = $1", code_hash, tx.now
    )
    if row["expires_at"] <= tx.now:
        raise _invalid("code", "code_expired")
    if row["redirect_uri"] != wanted.form.get("redirect_uri"):
        raise _invalid("code", "redirect_uri_differs")
    if not rules.pkce_matches(row["code_challenge"], required(wanted.form, "code_verifier")):
        raise _invalid("code", "pkce")
    if row["key_thumbprint"] not in {None, wanted.key}:
        raise _other_key("code", None)
    lease = await devices.bind(tx, wanted.key, row["sign_in_id"])
    issued = await _for_sign_in(tx, wanted, row["sign_in_id"], "authorization_code")
    first = opaque()
    # Who proves itself at each refresh may change the key its tokens are bound to (RFC 9449 §5).
    bound = None if wanted.client.is_confidential else wanted.key
    await _keep_refresh_token(tx, first, row["sign_in_id"], bound)
    return {**issued, "refresh_token": first, **lease}


async def refresh_token(tx: Tx, wanted: TokenRequest) -> Issued:
    """Rotate a refresh token. A lost reply is repeated; other reuse ends the sign-in (TOK-7)."""
    shown = required(wanted.form, "refresh_token")
    row = await tx.connection.fetchrow(
        """SELECT r.sign_in_id, r.used_at, r.successor_sealed, r.key_thumbprint, s.client_id
           FROM refresh_tokens r JOIN sign_ins s ON s.id = r.sign_in_id
           WHERE r.token_hash = $1 FOR UPDATE OF r""",
        hashed(shown),
    )
    if row is None or row["client_id"] != wanted.client.id:
        raise _invalid("refresh token")
    bound = row["key_thumbprint"]
    if row["used_at"] is None and bound not in {None, wanted.key}:
        raise _other_key("refresh token", row["sign_in_id"])  # who has the key goes on undisturbed
    successor = successor_used_at = None
    if row["successor_sealed"] is not None:
        successor = tx.keyring.unseal(_SEALED, hashed(shown).hex(), row["successor_sealed"])
        successor_used_at = await tx.connection.fetchval(
            "SELECT used_at FROM refresh_tokens WHERE token_hash = $1", hashed(successor)
        )
    outcome = rules.refresh_outcome(
        used_at=row["used_at"],
        successor_used_at=successor_used_at,
        now=tx.now,
        proven=bound is not None,
    )
    if outcome is rules.Refresh.reuse or bound not in {None, wanted.key}:
        await end_sign_in(tx, row["sign_in_id"])
        raise _invalid("refresh token", "refresh_reused", row["sign_in_id"])
    lease = await devices.renew(tx, wanted.key, row["sign_in_id"])
    issued = await _for_sign_in(tx, wanted, row["sign_in_id"], f"refresh_{outcome}")
    if wanted.client.is_confidential:
        successor = shown  # nobody else can use it (FAPI 2.0 §5.3.2.1)
    elif outcome is rules.Refresh.rotate or successor is None:
        successor = await _rotate(tx, shown, row["sign_in_id"], bound)
    return {**issued, "refresh_token": successor, **lease}


async def _rotate(tx: Tx, spent: str, sign_in_id: UUID, key: str | None) -> str:
    successor = opaque()
    await tx.connection.execute(
        "UPDATE refresh_tokens SET used_at = $2, successor_sealed = $3 WHERE token_hash = $1",
        hashed(spent),
        tx.now,
        tx.keyring.seal(_SEALED, hashed(spent).hex(), successor),
    )
    await _keep_refresh_token(tx, successor, sign_in_id, key)
    return successor


async def _keep_refresh_token(tx: Tx, token: str, sign_in_id: UUID, key: str | None) -> None:
    values = {"token_hash": hashed(token), "sign_in_id": sign_in_id, "issued_at": tx.now}
    await insert(tx.connection, "refresh_tokens", {**values, "key_thumbprint": key})


async def _for_sign_in(tx: Tx, wanted: TokenRequest, sign_in_id: UUID, rule: str) -> Issued:
    await tx.reach(AT_THE_DOOR)
    sign_in = await tx.connection.fetchrow(
        """SELECT s.staff_id, s.holding_id, s.scope, s.ends_at, s.started_at AS authenticated_at,
                  s.factors
           FROM sign_ins s JOIN staff_accounts a ON a.staff_id = s.staff_id AND a.active
           WHERE s.id = $1 AND s.revoked_at IS NULL AND s.ends_at > $2""",
        sign_in_id,
        tx.now + timedelta(seconds=1),
    )
    held = await queries.holdings_today(tx, sign_in["staff_id"]) if sign_in else []
    holding = next((held for held in held if held.id == sign_in["holding_id"]), None)
    if holding is None:
        raise Refused("invalid_grant", "The sign-in has ended.", reason="sign_in_over")
    allowed = asked_scopes(sign_in["scope"])
    granted = roles.role(holding.role).scopes - wanted.withheld
    asked = asked_scopes(wanted.form.get("scope", ""))
    scopes = granted & (allowed or granted) & (asked or granted)
    if not scopes:
        raise Refused("invalid_scope", "The post grants none of the scopes asked for.")
    left = int((sign_in["ends_at"] - tx.now).total_seconds())
    seconds = min(wanted.lifetimes.staff_seconds, left)
    token = tokens.issue(
        wanted.keys,
        subject=f"staff:{holding.staff_id}",
        grant_id=holding.id,
        client_id=str(wanted.client.id),
        agency_id=holding.agency_id,
        role=holding.role,
        region_code=holding.region_code,
        scopes=scopes,
        session_id=sign_in_id,
        now=tx.now,
        seconds=seconds,
        key=wanted.key,
        authentication=authentication(sign_in),
    )
    actor = wanted.origin.actor(wanted.client, staff_id=holding.staff_id, holding=holding)
    await audit.record(tx, actor, "issueToken", Seen(subject=sign_in_id, rule=rule))
    return _issued(token, seconds, scopes, wanted.key)


def authentication(row: Any) -> dict[str, Any]:
    """Say how and when a person proved who they are (RFC 9470 §6); of a system nothing."""
    if row["authenticated_at"] is None:
        return {}
    return {
        "auth_time": int(row["authenticated_at"].timestamp()),
        "acr": rules.context_of(row["factors"]),
        "amr": list(row["factors"]),
    }


def _issued(token: str, seconds: int, scopes: frozenset[str], key: str | None) -> Issued:
    return {
        "access_token": token,
        "token_type": _type(key),
        "expires_in": seconds,
        "scope": _text(scopes),
    }


async def end_sign_in(tx: Tx, sign_in_id: UUID) -> None:
    """End a sign-in: its refresh tokens and access tokens count no more from this instant."""
    await tx.connection.execute(
        "UPDATE sign_ins SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        sign_in_id,
        tx.now,
    )


async def revoke(tx: Tx, wanted: TokenRequest) -> None:
    """Make a token of this client invalid (RFC 7009): a refresh token ends its whole sign-in. A
    token that is unknown, or another client's, changes nothing and is no error.
    """
    client, token = wanted.client, required(wanted.form, "token")
    row = await tx.connection.fetchrow(
        """SELECT s.id, s.staff_id FROM refresh_tokens r JOIN sign_ins s ON s.id = r.sign_in_id
           WHERE r.token_hash = $1 AND s.client_id = $2""",
        hashed(token),
        client.id,
    )
    if row is not None:
        await end_sign_in(tx, row["id"])
        actor = wanted.origin.actor(client, staff_id=row["staff_id"])
        seen = Seen(subject=row["id"], rule="refresh_token")
        await audit.record(tx, actor, "revokeToken", seen)
        return
    try:
        claims = tokens.verify(wanted.keys, token, now=tx.now)
    except tokens.TokenRefused:
        return
    if claims.client_id != str(client.id):
        return
    await tx.connection.execute(
        "INSERT INTO revocations (id, revoked_at, expires_at)"
        " VALUES ($1, $2, to_timestamp($3::bigint)) ON CONFLICT DO NOTHING",
        claims.token_id,
        tx.now,
        claims.expires_at,
    )
    seen = Seen(subject=claims.token_id, rule="access_token")
    await audit.record(tx, wanted.origin.actor(client), "revokeToken", seen)


async def introspect(tx: Tx, wanted: TokenRequest) -> dict[str, Any]:
    """Describe an access token of the asking machine's own agency; of any other, that it is not
    active, like one that does not exist (RFC 7662 §2.2, TOK-9).
    """
    try:
        claims = tokens.verify(wanted.keys, required(wanted.form, "token"), now=tx.now)
    except tokens.TokenRefused:
        return {"active": False}
    if claims.agency_id != wanted.client.agency_id:
        return {"active": False}
    row = await queries.open_reach(tx, claims, relation="none")
    if row is None:
        return {"active": False}
    granted = roles.role(claims.role).scopes
    return {
        "active": True,
        "iss": wanted.keys.issuer,
        "aud": wanted.keys.audience,
        "sub": claims.subject,
        "client_id": claims.client_id,
        "scope": _text(claims.scopes & granted),
        "token_type": _type(claims.key),
        **({} if claims.key is None else {"cnf": {"jkt": claims.key}}),
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "jti": str(claims.token_id),
        "agency": str(claims.agency_id),
        "role": claims.role,
        "region": region_text(row["region_code"]),
        **authentication(row),
    }


def _invalid(what: str, reason: str | None = None, sign_in_id: UUID | None = None) -> Refused:
    description = f"The {what} is not valid."
    return Refused("invalid_grant", description, reason=reason, sign_in_id=sign_in_id)


def _other_key(what: str, sign_in_id: UUID | None) -> Refused:
    return Refused(
        "invalid_grant",
        f"The {what} is bound to another key: send a proof by the key it was asked for with.",
        reason=f"{what.replace(' ', '_')}_other_key",
        subject=sign_in_id,
    )


def _type(key: str | None) -> str:
    return "Bearer" if key is None else "DPoP"


def required(form: Mapping[str, str], name: str) -> str:
    """Return a parameter of the form. Raises Refused `invalid_request` if it is missing."""
    value = form.get(name)
    if not value:
        raise Refused("invalid_request", f"The parameter {name} is missing.")
    return value


def _text(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))
