"""Encryption of fields and blind indexes (design D9, DB-4, DB-5)."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.core.data.envelopes import (
    ALIKE,
    KID_BYTES,
    OWNER_BYTES,
    TO_PUBLIC,
    UNDER_DATA_KEY,
    UNDER_OWN,
    DecryptionRefused,
    Erased,
    KeyNotLoaded,
    Owner,
)
from app.core.data.wrong_keys import WITHHELD

_NONCE_BYTES = 12
_POINT_BYTES = 32
_ONCE = bytes(_NONCE_BYTES)
"""The nonce of a key that seals one text only."""
OLD_INDEX: Final = "0000"
"""The id of an index key from before index keys had ids."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The service's secret keys.

    `signing`: kid → PEM private key (P-256) for access tokens: the first signs, the others did.
    `coming`: those that sign next, and verify already.
    `data`: kid (4 characters) → 32 byte AES key, newest first; `coming_data`: that which seals
    next, and opens already. `index`: kid → HMAC key of blind indexes: the first makes them, all
    are asked. Whoever has one can test guesses of identity numbers, so they live outside the
    database.
    `spool`: kid → X25519 public key, newest first, to which is sealed what waits to be worked off;
    `unspool`: kid → the private keys, which only who works it off needs.
    `lesser`: what follows from the index keys and stands in the database, in a process that has
    none of the rest (`for_intake`).
    """

    signing: Mapping[str, str] = field(repr=False)
    data: Mapping[str, bytes] = field(repr=False)
    index: Mapping[str, bytes] = field(repr=False)
    spool: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    unspool: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    coming: Mapping[str, str] = field(default_factory=dict, repr=False)
    lesser: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    coming_data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    opened: dict[bytes, AESGCM | bytes | None] = field(
        default_factory=dict, repr=False, compare=False
    )
    """The keys of children and reports that a transaction has looked for; empty: it was erased;
    None: there is none yet.
    """

    def anew(self) -> Self:
        """Return the same keys for another transaction, none of a child's among them."""
        return replace(self, opened={})

    @classmethod
    def generate(cls) -> Self:
        unspool, data = new_key(), new_key()
        return cls(
            signing=_signing_key(),
            coming=_signing_key(),
            data=data,
            coming_data=new_key(data),
            index=new_key(),
            spool=public_parts(unspool),
            unspool=unspool,
        )

    @classmethod
    def for_intake(cls, lesser: Mapping[str, bytes], spool: Mapping[str, bytes]) -> Self:
        """Make what a process works with whose own keys are wrong: it can seal away, and know again
        what was. Whatever else asks it for a key raises KeysWrong.
        """
        return cls(signing={}, data=WITHHELD, index=WITHHELD, spool=spool, lesser=lesser)

    @property
    def is_for_intake(self) -> bool:
        return self.data is WITHHELD

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `{"signing": {kid: pem}, "data": {kid: base64}, "index": {kid: base64}, "spool":
        {kid: base64}, "unspool": {kid: base64}}`. A file of before has one `index`, without an id,
        or no spool's keys: it has such as follow from its data keys. One for web processes leaves
        `unspool` out.
        """
        raw: dict[str, Any] = json.loads(text)
        data = _bytes_of(raw["data"])
        unspool = _bytes_of(raw.get("unspool", {})) if "spool" in raw else _derived(data)
        index = raw["index"]
        ring = cls(
            signing=raw["signing"],
            coming=raw.get("coming", {}),
            coming_data=_bytes_of(raw.get("coming_data", {})),
            data=data,
            index=_bytes_of({OLD_INDEX: index} if isinstance(index, str) else index),
            spool=_bytes_of(raw["spool"]) if "spool" in raw else public_parts(unspool),
            unspool=unspool,
        )
        if not (ring.signing and ring.data and ring.index):
            raise ValueError("the key file holds no signing, no data or no index key")
        if not ring.spool:
            raise ValueError("the key file holds no public key of the spool")
        named = (ring.data, ring.coming_data, ring.index, ring.spool, ring.unspool)
        if any(len(key) != 32 for each in named for key in each.values()):  # noqa: PLR2004
            raise ValueError("data, index and spool keys are 32 bytes, base64")
        if any(len(kid) != KID_BYTES for each in named for kid in each):
            raise ValueError("data, index and spool key ids are 4 characters")
        for pem in (*ring.signing.values(), *ring.coming.values()):
            _signer(pem)
        return ring

    def to_json(self) -> str:
        index = _text_of(self.index)
        return json.dumps(
            {
                "signing": dict(self.signing),
                "coming": dict(self.coming),
                "data": _text_of(self.data),
                "coming_data": _text_of(self.coming_data),
                # So that programs of before read it, until there is a second.
                "index": index[OLD_INDEX] if [*index] == [OLD_INDEX] else index,
                "spool": _text_of(self.spool),
                "unspool": _text_of(self.unspool),
            },
            indent=1,
        )

    def rotated(self) -> Self:
        """Let the key that was coming sign; the one that signed goes on to verify. Where none was
        coming, one is from now on.
        """
        signed = dict([next(iter(self.signing.items()))]) if self.coming else self.signing
        return replace(self, signing={**self.coming, **signed}, coming=_signing_key())

    def rotated_data(self, taken: Container[str] = ()) -> Self:
        """Let the data key that was coming seal, if there was one; those of before open."""
        return replace(self, data={**self.coming_data, **self.data}, coming_data=new_key(taken))

    def without_data(self, kid: str) -> Self:
        """Drop a data key of before."""
        return replace(self, data={name: key for name, key in self.data.items() if name != kid})

    def without(self, *kids: str) -> Self:
        """Drop keys of access tokens."""
        left = [
            {kid: pem for kid, pem in keys.items() if kid not in kids}
            for keys in (self.signing, self.coming)
        ]
        return replace(self, signing=left[0], coming=left[1])

    def open(self, owner: Owner, place: str, wrapped: bytes | None) -> None:
        """Keep a key for this transaction, as it is kept; None: there is none."""
        key = wrapped and AESGCM(self.unseal_bytes(place, owner.id, wrapped))
        self.opened[owner.named] = key

    def seal(
        self, place: str, row: UUID | str, plaintext: str | bytes, of: Owner | None = None
    ) -> bytes:
        """Encrypt for one column of one row. `place` is `table.column`; it is authenticated. `of`:
        under whose key, which was looked for; of whom there is none yet, or none any more, it lies
        under the service's: what comes in after an erasure is not lost. Raises KeyNotLoaded.
        """
        raw = plaintext.encode() if isinstance(plaintext, str) else plaintext
        said, nonce = f"{place}/{row}".encode(), os.urandom(_NONCE_BYTES)
        own = None if of is None else self._own(of.named)
        if of is not None and isinstance(own, AESGCM):
            return UNDER_OWN + of.named + nonce + own.encrypt(nonce, raw, said)
        kid, key = next(iter(self.data.items()))
        return UNDER_DATA_KEY + kid.encode() + nonce + _cipher(key).encrypt(nonce, raw, said)

    def _own(self, named: bytes) -> AESGCM | bytes | None:
        try:
            return self.opened[named]
        except KeyError:
            raise KeyNotLoaded(named.hex()) from None

    def unseal_bytes(self, place: str, row: UUID | str, envelope: bytes) -> bytes:
        """Decrypt what `seal` made for the same place and row; else DecryptionRefused. Raises
        Erased, KeyNotLoaded.
        """
        cipher: AESGCM | bytes | None
        if envelope[:1] == UNDER_OWN:
            start = 1 + OWNER_BYTES
            if not (cipher := self._own(bytes(envelope[1:start]))):
                raise Erased(place)
        else:
            start = 1 + KID_BYTES
            kid = envelope[1:start].decode(errors="replace")
            key = self.data.get(kid) or self.coming_data.get(kid)
            cipher = None if key is None or envelope[:1] != UNDER_DATA_KEY else _cipher(key)
        if not isinstance(cipher, AESGCM):
            raise DecryptionRefused(place)
        nonce, sealed = envelope[start : start + _NONCE_BYTES], envelope[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, f"{place}/{row}".encode())
        except (InvalidTag, ValueError):  # ValueError: cut short
            raise DecryptionRefused(place) from None

    def unseal(self, place: str, row: UUID | str, envelope: bytes) -> str:
        return self.unseal_bytes(place, row, envelope).decode()

    def seal_alike(self, context: str, plaintext: bytes) -> bytes:
        """Encrypt what goes out and comes back, alike each time (AES-SIV): as often as one likes,
        under a key of its own. `context` is authenticated.
        """
        kid, key = next(iter(self.data.items()))
        return ALIKE + kid.encode() + _siv(key).encrypt(plaintext, [context.encode()])

    def unseal_alike(self, context: str, envelope: bytes) -> bytes:
        """Decrypt what `seal_alike` made in the same context; else DecryptionRefused."""
        start = 1 + KID_BYTES
        kid = envelope[1:start].decode(errors="replace")
        key = self.data.get(kid) or self.coming_data.get(kid)
        if envelope[:1] != ALIKE or key is None:
            raise DecryptionRefused(context)
        try:
            return _siv(key).decrypt(envelope[start:], [context.encode()])
        except (InvalidTag, ValueError):  # ValueError: cut short
            raise DecryptionRefused(context) from None

    def seal_away(self, place: str, row: UUID | str, plaintext: bytes) -> bytes:
        """Encrypt what whoever wrote it cannot read again: to the newest public key, with a key
        used once (X25519, HKDF-SHA256, AES-256-GCM).
        """
        kid, public = next(iter(self.spool.items()))
        once = X25519PrivateKey.generate()
        point = once.public_key().public_bytes_raw()
        shared = once.exchange(X25519PublicKey.from_public_bytes(public))
        key = _agreed(shared, point + public)
        sealed = AESGCM(key).encrypt(_ONCE, plaintext, f"{place}/{row}".encode())
        return TO_PUBLIC + kid.encode() + point + sealed

    def unseal_away(self, place: str, row: UUID | str, envelope: bytes) -> bytes:
        """Decrypt what `seal_away` made; else DecryptionRefused."""
        start = 1 + KID_BYTES
        private = self.unspool.get(envelope[1:start].decode(errors="replace"))
        point, sealed = envelope[start : start + _POINT_BYTES], envelope[start + _POINT_BYTES :]
        if envelope[:1] != TO_PUBLIC or private is None:
            raise DecryptionRefused(place)
        mine = X25519PrivateKey.from_private_bytes(private)
        try:
            shared = mine.exchange(X25519PublicKey.from_public_bytes(point))
            key = _agreed(shared, point + mine.public_key().public_bytes_raw())
            return AESGCM(key).decrypt(_ONCE, sealed, f"{place}/{row}".encode())
        except (InvalidTag, ValueError):
            raise DecryptionRefused(place) from None

    def blind_index(self, kind: str, normalised: str) -> bytes:
        """Keyed hash for equality look-up of an encrypted value (32 bytes), as it is written."""
        return _keyed(next(iter(self.index.values())), kind, normalised)

    def blind_indexes(self, kind: str, normalised: str) -> list[bytes]:
        """Return that under each index key there is, as it is looked up: what is written first."""
        return [_keyed(key, kind, normalised) for key in self.index.values()]

    def each(self) -> list[Self]:
        """Return one of each index key, to ask for what several hashes made, the newest first."""
        return [replace(self, index={kid: key}) for kid, key in self.index.items()]

    def each_at_intake(self) -> list[Self]:
        """Like `each`; and of what follows from them, all that `for_intake` has, last."""
        if self.is_for_intake:
            return [replace(self, index={kid: key}) for kid, key in self.lesser.items()]
        lesser = [replace(self, index={kid: check(key)}) for kid, key in self.index.items()]
        return [*self.each(), *lesser]

    def mark(self, kind: str, normalised: str) -> str:
        """Keyed hash by which it is seen that two sought the same (32 hexadecimal digits)."""
        return self.blind_index(f"mark {kind}", normalised)[:16].hex()

    def tokens(self, kind: str, place: int, texts: Iterable[str]) -> list[int]:
        """Keyed hashes of texts, 8 bytes each as a bigint, under a key of their own for each kind
        and place: how often one occurs is seen within a place only.
        """
        return _tokens(self.blind_index(kind, str(place)), texts)

    def all_tokens(self, kind: str, place: int, texts: Iterable[str]) -> list[int]:
        """Return those under each index key there is, as they are looked up."""
        pieces = [*texts]
        keys = self.blind_indexes(kind, str(place))
        return [token for key in keys for token in _tokens(key, pieces)]


def check(index: bytes) -> bytes:
    """Return by what an index key is known: it tells nothing of the key."""
    return _keyed(index, "tonghu", "key check")


def public_of(pem: str) -> dict[str, str]:
    """Return the public part of a signing key, as a JWK has it."""
    numbers = _signer(pem).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=") for n in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x.decode(), "y": y.decode()}


def _signer(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ValueError("signing keys are P-256")
    return key


@cache
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@cache
def _siv(key: bytes) -> AESSIV:
    return AESSIV(HKDF(hashes.SHA256(), 64, salt=None, info=b"tonghu sealed alike").derive(key))


def _signing_key() -> dict[str, str]:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {os.urandom(6).hex(): pem.decode()}  # no "-" before it: commands take it as a word


def new_key(taken: Container[str] = ()) -> dict[str, bytes]:
    """Make a data, index or private key of the spool, under an id that no other has or had."""
    kid = next(each for each in iter(lambda: os.urandom(2).hex(), "") if each not in taken)
    return {kid: os.urandom(32)}


def _keyed(key: bytes, kind: str, normalised: str) -> bytes:
    return hmac.digest(key, f"{kind}\0{normalised}".encode(), "sha256")


def _tokens(key: bytes, texts: Iterable[str]) -> list[int]:
    keyed = hmac.new(key, digestmod=hashlib.sha256)
    return [_token(keyed.copy(), text.encode()) for text in texts]


def _token(keyed: hmac.HMAC, text: bytes) -> int:
    keyed.update(text)
    return int.from_bytes(keyed.digest()[:8], signed=True)


def _agreed(shared: bytes, points: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=points, info=b"tonghu sealed away").derive(shared)


def _derived(data: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        kid: HKDF(hashes.SHA256(), 32, salt=None, info=b"tonghu spool").derive(key)
        for kid, key in data.items()
    }


def public_parts(private: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the public keys of the spool that belong to private ones."""
    return {
        kid: X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        for kid, key in private.items()
    }


def _bytes_of(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {kid: base64.b64decode(key) for kid, key in keys.items()}


def _text_of(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {kid: base64.b64encode(key).decode() for kid, key in keys.items()}
