"""Decisions of sign-in and token issue, pure."""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

CODE_LIVES = timedelta(seconds=60)
"""TOK-6."""

REPLY_LOST_WITHIN = timedelta(seconds=30)
"""How long a spent refresh token that is bound to no key still answers with its successor: nothing
proves that whoever shows it is who lost the reply (TOK-7).
"""

INVITATION_LIVES = timedelta(hours=48)
"""Long enough for who is out in the villages until tomorrow."""

LEASE = timedelta(days=7)
"""How long a phone that hears nothing from us opens its store: a village is offline for days."""

STEP_UP_WITHIN = timedelta(minutes=10)
"""How fresh a sign-in must be for an act of power."""

ONE_FACTOR, TWO_FACTORS = "urn:tonghu:one-factor", "urn:tonghu:two-factors"
_INDEPENDENT = frozenset({"pwd", "otp", "hwk"})

_STAFF_SIGN_IN = timedelta(hours=12)
_VILLAGE_SIGN_IN = timedelta(days=30)
_TRIES = 5
_STRANGERS_TRIES = 20
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=15)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Refresh(StrEnum):
    """What presenting a refresh token means."""

    rotate = "rotate"
    """Current: answer a new one."""
    repeat = "repeat"
    """The one before the current: the reply was lost, answer the same successor."""
    reuse = "reuse"
    """Spent: somebody else may hold it; end the sign-in."""


def refresh_outcome(
    *, used_at: datetime | None, successor_used_at: datetime | None, now: datetime, proven: bool
) -> Refresh:
    """Decide by when the token and its successor were used (TOK-7). `proven`: by the key both are
    bound to; then whoever asks is who was to have the reply, however long it was on its way.
    """
    if used_at is None:
        return Refresh.rotate
    if successor_used_at is None and (proven or now - used_at <= REPLY_LOST_WITHIN):
        return Refresh.repeat
    return Refresh.reuse


def sign_in_lasts(role: str) -> timedelta:
    """How long a sign-in can be refreshed: a village director's phone is offline for days."""
    return _VILLAGE_SIGN_IN if role == "village_director" else _STAFF_SIGN_IN


def pause_after(failures: int) -> timedelta | None:
    """How long an account rests after that many wrong passwords in a row (TOK-10)."""
    if failures < _TRIES:
        return None
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(failures - _TRIES, 10)
    return min(_LONGEST_PAUSE, doubled)


def pause_for_strangers(failures: int) -> timedelta | None:
    """How long an account rests for whoever comes from nowhere known, after that many wrong
    passwords from anywhere: the one who guesses through many addresses waits, its owner does not.
    """
    return pause_after(failures - _STRANGERS_TRIES + _TRIES)


def context_of(factors: Collection[str]) -> str:
    """Name how surely a person is who they say, from the factors they gave (`acr`)."""
    return TWO_FACTORS if len({*factors} & _INDEPENDENT) > 1 else ONE_FACTOR


def pkce_matches(challenge: str, verifier: str) -> bool:
    """Check a PKCE verifier against its S256 challenge (RFC 7636 §4.6)."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(made, challenge)


def redirect_uri_is_safe(uri: str) -> bool:
    """Tell whether an app may register this redirect URI: https, http on this machine, or a
    private scheme with a dot (RFC 8252 §7); no fragment, no user, no wildcard.
    """
    if len(uri) > 300 or not re.fullmatch(r"[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+", uri):  # noqa: PLR2004  bounded like the wire field
        return False
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    if not re.fullmatch(r"[A-Za-z0-9.:\[\]-]*", parts.netloc):
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return parts.netloc.rpartition(":")[0] in _LOOPBACK or parts.netloc in _LOOPBACK
    return "." in parts.scheme
