"""Encryption of fields and blind indexes (design D9, DB-4, DB-5)."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Never, Self
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

from app.core.problems import Problem

SUITES: Final[Mapping[int, str]] = {
    1: "AES-256-GCM under a data key of the file: its id (4 characters), nonce (12), ciphertext",
    2: "X25519, HKDF-SHA256, AES-256-GCM to a key of the spool: its id (4), point (32), ciphertext",
    3: "AES-256-SIV under a key made of a data key: its id (4), ciphertext",
    4: "AES-256-GCM under a key of its own: whose (1), their id (16), nonce (12), ciphertext",
}
"""What the first byte of every sealed value says: how it was sealed, and how the rest is laid out.
Another suite gets the next number; what was sealed before stays readable until it is sealed anew.
"""
_NONCE_BYTES = 12
_KID_BYTES = 4
_VERSION = b"\x01"
_TO_PUBLIC = b"\x02"
_ALIKE = b"\x03"
_OWN = b"\x04"
_OWNER_BYTES = 17
_POINT_BYTES = 32
_ONCE = bytes(_NONCE_BYTES)
"""The nonce of a key that seals one text only."""


MADE: Final = "keys.json"
"""The key file that is made where none is given."""
OLD_INDEX: Final = "0000"
"""The id of an index key from before index keys had ids."""


class DecryptionRefused(Exception):
    """The ciphertext does not belong to this place, or its key is unknown."""


class KeysWrong(Problem, status=503):
    """The keys of this process are not those of the database, so it shows and stores nothing; only
    reports to the police are taken in. Try again.
    """

    title = "This server cannot open the files at this moment; try again"
    title_zh = "服务器当前无法打开档案;请稍后重试"

    def __init__(self) -> None:
        super().__init__(headers={"retry-after": "5"})


class WrongKeys(NamedTuple):
    """That a process has other keys than the database: which, and by what it verifies tokens."""

    told: str
    verifying: Mapping[str, Mapping[str, str]]


class _Withheld(Mapping[str, Any]):
    """Keys that are not to be used: whoever asks for one is refused."""

    def __getitem__(self, kid: str) -> Never:
        raise KeysWrong

    def __iter__(self) -> Iterator[str]:
        raise KeysWrong

    def __len__(self) -> int:
        raise KeysWrong


_WITHHELD: Final = _Withheld()


class Erased(DecryptionRefused):
    """Its key is no more: nobody reads this again."""


ERASED: Final = "已删除 (erased)"
"""What is shown where a text stood whose key is no more."""


class KeyNotLoaded(LookupError):
    """The transaction has not looked for the key that is named here (`keys.load`)."""


class Whose(IntEnum):
    """Who has keys of their own, as sealed values name them."""

    child = 1
    report = 2
    reporter = 3


class Owner(NamedTuple):
    """Whose key: a child's, a report's, that of who made a report."""

    whose: Whose
    id: UUID

    @property
    def named(self) -> bytes:
        return bytes([self.whose]) + self.id.bytes


def of_child(child_id: UUID) -> Owner:
    return Owner(Whose.child, child_id)


def of_report(report_id: UUID) -> Owner:
    return Owner(Whose.report, report_id)


def of_reporter(report_id: UUID) -> Owner:
    return Owner(Whose.reporter, report_id)


def owner_of(envelope: bytes) -> Owner | None:
    """Return whose key a sealed value names; None for one of the service's, or of no value."""
    if envelope[:1] != _OWN or len(envelope) < 1 + _OWNER_BYTES:
        return None
    return Owner(Whose(envelope[1]), UUID(bytes=bytes(envelope[2 : 1 + _OWNER_BYTES])))


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
        unspool = new_key()
        return cls(
            signing=_signing_key(),
            coming=_signing_key(),
            data=new_key(),
            coming_data=new_key(),
            index=new_key(),
            spool=_public(unspool),
            unspool=unspool,
        )

    @classmethod
    def for_intake(cls, lesser: Mapping[str, bytes], spool: Mapping[str, bytes]) -> Self:
        """Make what a process works with whose own keys are wrong: it can seal away, and know again
        what was. Whatever else asks it for a key raises KeysWrong.
        """
        return cls(signing={}, data=_WITHHELD, index=_WITHHELD, spool=spool, lesser=lesser)

    @property
    def is_for_intake(self) -> bool:
        return self.data is _WITHHELD

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
            spool=_bytes_of(raw["spool"]) if "spool" in raw else _public(unspool),
            unspool=unspool,
        )
        if not (ring.signing and ring.data and ring.index):
            raise ValueError("the key file holds no signing, no data or no index key")
        if not ring.spool:
            raise ValueError("the key file holds no public key of the spool")
        named = (ring.data, ring.coming_data, ring.index, ring.spool, ring.unspool)
        if any(len(key) != 32 for each in named for key in each.values()):  # noqa: PLR2004
            raise ValueError("data, index and spool keys are 32 bytes, base64")
        if any(len(kid) != _KID_BYTES for each in named for kid in each):
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

    def rotated_data(self) -> Self:
        """Let the data key that was coming seal, if there was one; those of before open."""
        return replace(self, data={**self.coming_data, **self.data}, coming_data=new_key())

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
        under whose key, which was looked for; who has none yet gets it under the service's. Raises
        Erased, KeyNotLoaded.
        """
        raw = plaintext.encode() if isinstance(plaintext, str) else plaintext
        said, nonce = f"{place}/{row}".encode(), os.urandom(_NONCE_BYTES)
        own = None if of is None else self._own(of.named)
        if of is not None and own is not None:
            if isinstance(own, bytes):
                raise Erased(place)
            return _OWN + of.named + nonce + own.encrypt(nonce, raw, said)
        kid, key = next(iter(self.data.items()))
        return _VERSION + kid.encode() + nonce + _cipher(key).encrypt(nonce, raw, said)

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
        if envelope[:1] == _OWN:
            start = 1 + _OWNER_BYTES
            if not (cipher := self._own(bytes(envelope[1:start]))):
                raise Erased(place)
        else:
            start = 1 + _KID_BYTES
            kid = envelope[1:start].decode(errors="replace")
            key = self.data.get(kid) or self.coming_data.get(kid)
            cipher = None if key is None or envelope[:1] != _VERSION else _cipher(key)
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
        return _ALIKE + kid.encode() + _siv(key).encrypt(plaintext, [context.encode()])

    def unseal_alike(self, context: str, envelope: bytes) -> bytes:
        """Decrypt what `seal_alike` made in the same context; else DecryptionRefused."""
        start = 1 + _KID_BYTES
        kid = envelope[1:start].decode(errors="replace")
        key = self.data.get(kid) or self.coming_data.get(kid)
        if envelope[:1] != _ALIKE or key is None:
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
        return _TO_PUBLIC + kid.encode() + point + sealed

    def unseal_away(self, place: str, row: UUID | str, envelope: bytes) -> bytes:
        """Decrypt what `seal_away` made; else DecryptionRefused."""
        start = 1 + _KID_BYTES
        private = self.unspool.get(envelope[1:start].decode(errors="replace"))
        point, sealed = envelope[start : start + _POINT_BYTES], envelope[start + _POINT_BYTES :]
        if envelope[:1] != _TO_PUBLIC or private is None:
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


def kid_of(envelope: bytes) -> str | None:
    """Return under which data key something was sealed (`Keyring.seal`); None: it was not."""
    kid = envelope[1 : 1 + _KID_BYTES]
    return kid.decode(errors="replace") if envelope[:1] == _VERSION else None


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


def new_key() -> dict[str, bytes]:
    """Make a data, index or private key of the spool, under a new id."""
    return {os.urandom(2).hex(): os.urandom(32)}


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


def _public(private: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        kid: X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        for kid, key in private.items()
    }


def _bytes_of(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {kid: base64.b64decode(key) for kid, key in keys.items()}


def _text_of(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {kid: base64.b64encode(key).decode() for kid, key in keys.items()}


def load_keyring(*, keys: str | None, keys_file: Path | None, generate_in: Path | None) -> Keyring:
    """Load the keys, or make and keep new ones in `generate_in` (never in production)."""
    if keys is not None:
        return Keyring.from_json(keys)
    if keys_file is not None:
        return Keyring.from_json(keys_file.read_text())
    if generate_in is None:
        raise ValueError("no keys given")
    path = generate_in / MADE
    generate_in.mkdir(parents=True, exist_ok=True)
    temporary = generate_in / f".keys.{os.getpid()}.json"
    if not path.exists():
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(Keyring.generate().to_json())
        with suppress(FileExistsError):
            os.link(temporary, path)  # atomic: two processes starting at once share one file
        temporary.unlink()
    return Keyring.from_json(path.read_text())
