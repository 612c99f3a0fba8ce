"""DPoP (RFC 9449): a token counts only together with the key it was issued to (TOK-8).

Each request brings a proof: a JWT signed by that key, over the method, the address and the token,
with a nonce of ours. The nonce says by our clock when the proof was made, so the client's clock may
say what it likes, and a proof made ahead has none. Whoever has no nonce yet is given one.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from app.access import tokens
from app.core.data.crypto import Keyring

ALGORITHM: Final = "ES256"
NONCE_LIVES: Final = 300
"""Seconds. As long as a slow line may take with a large batch."""
_AHEAD: Final = 30
"""So many seconds the clock of another of our machines may be before ours."""
_MAC_BYTES: Final = 16
_TIME_BYTES: Final = 5
_NUMBER_BYTES: Final = 32
_LONGEST_TEXT: Final = 200
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_FORBIDDEN: Final = tokens.FORBIDDEN - {"jwk"}
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class ProofRefused(Exception):
    """The proof proves nothing. `error`: `invalid_dpop_proof` or `use_dpop_nonce`; the text says
    what to mend, and repeats nothing.
    """

    def __init__(self, description: str, *, error: str = "invalid_dpop_proof") -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was verified. `thumbprint`: of its key (RFC 7638). `mark`: by what it is known
    if it is shown again, which it must not be until `until`, in Unix seconds.
    """

    thumbprint: str
    mark: bytes
    until: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The request a proof is for. `base` and `path`: where it goes, as clients know it, the path
    decoded. `token`: what it brings, None where it asks for one.
    """

    method: str
    base: str
    path: str
    token: str | None = None


class Nonces:
    """Nonces are the time, and our word for it: nothing is kept, all machines with the same keys
    know each other's. So do those whose keys are wrong among themselves; right ones know no nonce
    of theirs, which whoever reads the database can make.
    """

    def __init__(self, keyring: Keyring) -> None:
        rings = keyring.each_at_intake() if keyring.is_for_intake else keyring.each()
        self._keys = [ring.blind_index("oauth", "dpop nonce") for ring in rings]

    def current(self, now: int) -> str:
        """Return the nonce of this second."""
        said = now.to_bytes(_TIME_BYTES)
        return base64.urlsafe_b64encode(said + _word(self._keys[0], said)).decode()

    def made_at(self, nonce: object) -> int | None:
        """Return when a nonce was made; None if it is none of ours."""
        if not isinstance(nonce, str) or len(nonce) != 28 or not nonce.isascii():  # noqa: PLR2004
            return None
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except ValueError:
            return None
        said, word = raw[:_TIME_BYTES], raw[_TIME_BYTES:]
        known = any(hmac.compare_digest(word, _word(key, said)) for key in self._keys)
        return int.from_bytes(said) if known else None


def _word(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_MAC_BYTES]


def verify(
    proofs: Sequence[str], asked: Asked, nonces: Nonces, *, now: int, key: str | None = None
) -> Proof:
    """Verify the proof in the `DPoP` headers of a request, or raise ProofRefused; never anything
    else. `key`: the thumbprint of the only key that will do. That it is shown once is for the
    caller to see to.
    """
    if len(proofs) != 1:
        raise ProofRefused("Send one DPoP header, with one proof.")
    try:
        claims, thumbprint = _signed(proofs[0])
        return _checked(claims, thumbprint, key, asked, nonces, now)
    except ProofRefused:
        raise
    except Exception:  # noqa: BLE001  anything may be in there (F2)
        raise ProofRefused("The proof cannot be read: send a JWT (RFC 9449 §4.2).") from None


def _signed(proof: str) -> tuple[dict[str, Any], str]:
    header = tokens.header_of(proof)
    if str(header.get("typ", "")).lower() not in {"dpop+jwt", "application/dpop+jwt"}:
        raise ProofRefused("The header's typ must be dpop+jwt.")
    if header.get("alg") != ALGORITHM:
        raise ProofRefused(f"The header's alg must be {ALGORITHM}, with a key on P-256.")
    if header.keys() & _FORBIDDEN:
        raise ProofRefused("The header has typ, alg and jwk, and nothing that changes them.")
    given = header.get("jwk")
    if not isinstance(given, dict):
        raise ProofRefused("The header needs jwk: the public key the token is for.")
    if given.keys() & _PRIVATE:
        raise ProofRefused("Send the public key only; a private key that was sent is burnt.")
    if given.get("kty") != "EC" or given.get("crv") != "P-256":
        raise ProofRefused("The key in jwk must be an EC key on P-256.")
    key, thumbprint = _imported(given["x"], given["y"])
    signing, _, encoded = proof.rpartition(".")
    signature = _bytes(encoded)
    if len(signature) != 2 * _NUMBER_BYTES:
        raise ProofRefused("The signature is not one of ES256.")
    r, s = (int.from_bytes(signature[half]) for half in (slice(0, 32), slice(32, 64)))
    try:
        key.verify(encode_dss_signature(r, s), signing.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise ProofRefused("The signature is not by the key in jwk.") from None
    return tokens.part(signing.partition(".")[2]), thumbprint


@lru_cache(maxsize=10_000)
def _imported(x: str, y: str) -> tuple[ec.EllipticCurvePublicKey, str]:
    """Return the key of two coordinates, and its thumbprint. Each is written in one way only, or
    one key would have several thumbprints.
    """
    numbers = [_bytes(text) for text in (x, y)]
    if [(len(each), _text(each)) for each in numbers] != [(_NUMBER_BYTES, x), (_NUMBER_BYTES, y)]:
        raise ProofRefused("x and y in jwk are 32 bytes each, base64url without padding.")
    point = [int.from_bytes(each) for each in numbers]
    try:
        key = ec.EllipticCurvePublicNumbers(point[0], point[1], ec.SECP256R1()).public_key()
    except ValueError:
        raise ProofRefused("The key in jwk is no point on P-256.") from None
    described = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    return key, _text(hashlib.sha256(described.encode()).digest())


def _checked(
    claims: dict[str, Any],
    thumbprint: str,
    key: str | None,
    asked: Asked,
    nonces: Nonces,
    now: int,
) -> Proof:
    if key not in {None, thumbprint}:
        raise ProofRefused("The proof is by another key than the token is bound to.")
    if claims.get("htm") != asked.method:
        raise ProofRefused("htm must be the method of this request.")
    if not isinstance(claims.get("htu"), str) or _place(claims["htu"]) != _asked(asked):
        raise ProofRefused("htu must be the address of this request, without query and fragment.")
    token_id = claims.get("jti")
    if (
        not isinstance(token_id, str)
        or not 1 <= len(token_id) <= _LONGEST_TEXT
        or not token_id.isprintable()
    ):
        raise ProofRefused(f"jti must be a text of 1 to {_LONGEST_TEXT} characters.")
    if type(claims.get("iat")) is not int:
        raise ProofRefused("iat must be a whole number of seconds.")
    if asked.token is not None and claims.get("ath") != _text(_hash(asked.token)):
        raise ProofRefused("ath must be the base64url SHA-256 of the access token sent with it.")
    made_at = nonces.made_at(claims.get("nonce"))
    if made_at is None:
        raise _nonce_wanted("Sign the proof again, with the nonce in the DPoP-Nonce header.")
    if not now - NONCE_LIVES < made_at <= now + _AHEAD:
        raise _nonce_wanted("The nonce is too old: sign the proof again, with that in DPoP-Nonce.")
    return Proof(thumbprint, _hash(f"{thumbprint} {token_id}"), made_at + NONCE_LIVES)


def _nonce_wanted(description: str) -> ProofRefused:
    return ProofRefused(description, error="use_dpop_nonce")


_Place = tuple[str, str, int | None, str]
"""What is compared of two addresses (RFC 3986 §6.2): neither query nor fragment."""


def _place(address: str) -> _Place:
    parts = urlsplit(address)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port, unquote(parts.path) or "/"


def _asked(asked: Asked) -> _Place:
    scheme, host, port, above = _place(asked.base)
    return scheme, host, port, above.rstrip("/") + asked.path


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(encoded: str) -> bytes:
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
