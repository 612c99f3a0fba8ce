"""Encryption of fields and blind indexes (design D9, DB-4, DB-5)."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_NONCE_BYTES = 12
_KID_BYTES = 4
_VERSION = b"\x01"


class DecryptionRefused(Exception):
    """The ciphertext does not belong to this place, or its key is unknown."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The service's secret keys.

    `signing`: kid → PEM private key (P-256) for access tokens, newest first.
    `data`: kid (4 characters) → 32 byte AES key, newest first. `index`: the HMAC key of blind
    indexes; whoever has it can test guesses of identity numbers, so it lives outside the database.
    """

    signing: Mapping[str, str] = field(repr=False)
    data: Mapping[str, bytes] = field(repr=False)
    index: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        kid = base64.urlsafe_b64encode(os.urandom(6)).decode()
        return cls(
            signing={kid: pem.decode()},
            data={os.urandom(2).hex(): os.urandom(32)},
            index=os.urandom(32),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `{"signing": {kid: pem}, "data": {kid: base64}, "index": base64}`."""
        raw: dict[str, Any] = json.loads(text)
        ring = cls(
            signing=raw["signing"],
            data={kid: base64.b64decode(key) for kid, key in raw["data"].items()},
            index=base64.b64decode(raw["index"]),
        )
        if not ring.signing or not ring.data:
            raise ValueError("the key file holds no signing or no data key")
        if any(len(key) != 32 for key in (*ring.data.values(), ring.index)):  # noqa: PLR2004
            raise ValueError("data and index keys are 32 bytes, base64")
        if any(len(kid) != _KID_BYTES for kid in ring.data):
            raise ValueError("data key ids are 4 characters")
        return ring

    def to_json(self) -> str:
        return json.dumps(
            {
                "signing": dict(self.signing),
                "data": {kid: base64.b64encode(key).decode() for kid, key in self.data.items()},
                "index": base64.b64encode(self.index).decode(),
            },
            indent=1,
        )

    def seal(self, place: str, row: UUID | str, plaintext: str | bytes) -> bytes:
        """Encrypt for one column of one row. `place` is `table.column`; it is authenticated."""
        kid, key = next(iter(self.data.items()))
        nonce = os.urandom(_NONCE_BYTES)
        raw = plaintext.encode() if isinstance(plaintext, str) else plaintext
        sealed = AESGCM(key).encrypt(nonce, raw, f"{place}/{row}".encode())
        return _VERSION + kid.encode() + nonce + sealed

    def unseal_bytes(self, place: str, row: UUID | str, envelope: bytes) -> bytes:
        """Decrypt what `seal` made for the same place and row; else DecryptionRefused."""
        kid = envelope[1 : 1 + _KID_BYTES].decode(errors="replace")
        key = self.data.get(kid)
        if envelope[:1] != _VERSION or key is None:
            raise DecryptionRefused(place)
        start = 1 + _KID_BYTES
        nonce, sealed = envelope[start : start + _NONCE_BYTES], envelope[start + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, sealed, f"{place}/{row}".encode())
        except (InvalidTag, ValueError):  # ValueError: cut short
            raise DecryptionRefused(place) from None

    def unseal(self, place: str, row: UUID | str, envelope: bytes) -> str:
        return self.unseal_bytes(place, row, envelope).decode()

    def blind_index(self, kind: str, normalised: str) -> bytes:
        """Keyed hash for equality look-up of an encrypted value (32 bytes)."""
        return hmac.new(self.index, f"{kind}\0{normalised}".encode(), hashlib.sha256).digest()


def load_keyring(*, keys: str | None, keys_file: Path | None, generate_in: Path | None) -> Keyring:
    """Load the keys, or make and keep new ones in `generate_in` (never in production)."""
    if keys is not None:
        return Keyring.from_json(keys)
    if keys_file is not None:
        return Keyring.from_json(keys_file.read_text())
    if generate_in is None:
        raise ValueError("no keys given")
    path = generate_in / "keys.json"
    generate_in.mkdir(parents=True, exist_ok=True)
    temporary = generate_in / f".keys.{os.getpid()}.json"
    if not path.exists():
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(Keyring.generate().to_json())
        with suppress(FileExistsError):
            os.link(temporary, path)  # atomic: two processes starting at once share one file
        temporary.unlink()
    return Keyring.from_json(path.read_text())
