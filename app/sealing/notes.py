"""Checkpoints, keys and signatures as C2SP writes them: signed-note, tlog-checkpoint and
tlog-cosignature (Ed25519). Pure.
"""

import binascii
import re
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LOG: Final = 1
"""The kind of a log's key, and of its signatures (Ed25519)."""
WITNESS: Final = 4
"""That of a witness's: over the time as well (cosignature/v1)."""
NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,100}")
_RAW: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
_SIZE: Final = re.compile("[1-9][0-9]{0,14}")
_LINE: Final = re.compile(r"— ([^\s+]{1,100}) ([A-Za-z0-9+/=]{1,200})")


_HASH: Final = 32


class Said(NamedTuple):
    """What a checkpoint says of its log."""

    size: int
    root: bytes


class BadNote(ValueError):
    """What was given is no key, no note or no signature; the text says why."""


def _key_id(name: str, kind: int, raw: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + bytes([kind]) + raw).digest()[:4]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and whose it is, as `name+id+base64`."""

    name: str
    kind: int
    raw: bytes

    @property
    def id(self) -> bytes:
        return _key_id(self.name, self.kind, self.raw)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.raw).decode()}"

    @classmethod
    def read(cls, text: str, kind: int) -> "VerifierKey":
        """Read a key of a kind. Raises BadNote."""
        name, _, rest = text.partition("+")
        id_, _, encoded = rest.partition("+")
        data = _decoded(encoded)
        if len(data) != 1 + _RAW or data[0] != kind or not NAME.fullmatch(name):
            raise BadNote("This is no verifier key of that kind.")
        key = cls(name, kind, data[1:])
        if id_ != key.id.hex():
            raise BadNote("The id in the verifier key is not that of the key.")
        return key


def raw_of(text: str) -> bytes:
    """Return the public key in a verifier key of whichever kind."""
    return _decoded(text.split("+", 2)[2])[1:]


@dataclass(frozen=True, slots=True)
class Signer:
    """The key of a log."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> VerifierKey:
        return VerifierKey(self.name, LOG, self.private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """Make a key. Raises BadNote if the name is none."""
        if not NAME.fullmatch(name):
            raise BadNote("A log's name has neither spaces nor a plus sign.")
        return cls(name, Ed25519PrivateKey.generate())

    def write(self) -> str:
        """Write the key as one line, for a file that nobody else reads."""
        data = b64encode(bytes([LOG]) + self.private.private_bytes_raw()).decode()
        return f"{_PRIVATE}{self.name}+{self.public.id.hex()}+{data}\n"

    @classmethod
    def read(cls, text: str) -> "Signer":
        """Read a key that `write` wrote. Raises BadNote."""
        begins, _, rest = text.strip().partition(_PRIVATE)
        name, _, rest = rest.partition("+")
        data = _decoded(rest.partition("+")[2])
        if begins or len(data) != 1 + _RAW or data[0] != LOG or not NAME.fullmatch(name):
            raise BadNote("This is no key of an audit log.")
        return cls(name, Ed25519PrivateKey.from_private_bytes(data[1:]))

    def checkpoint(self, size: int, root: bytes, continues: str = "") -> str:
        """Return a checkpoint of this log, signed. `continues`: the line that names the log before
        it.
        """
        body = f"{self.name}\n{size}\n{b64encode(root).decode()}\n{continues}"
        signature = self.public.id + self.private.sign(body.encode())
        return f"{body}\n— {self.name} {b64encode(signature).decode()}\n"


def body_of(note: str) -> str:
    """Return what of a note is signed."""
    return note[: note.index("\n\n") + 1]


def continues(log: str, size: int, root: bytes) -> str:
    """Return the line by which each checkpoint of a log names the last one of the log before it."""
    return f"continues {log} {size} {b64encode(root).decode()}\n"


def signed(note: str, log: VerifierKey) -> Said:
    """Read a checkpoint that a log's key signed. Raises BadNote."""
    body, gap, lines = note.partition("\n\n")
    origin, size, root, *_ = [*body.split("\n"), "", "", ""]
    if not gap or origin != log.name or not _SIZE.fullmatch(size) or len(_decoded(root)) != _HASH:
        raise BadNote("This is no checkpoint of that log.")
    for found in filter(None, map(_LINE.fullmatch, lines.splitlines())):
        data = _decoded(found[2])
        if found[1] == log.name and data[:4] == log.id:
            try:
                Ed25519PublicKey.from_public_bytes(log.raw).verify(data[4:], f"{body}\n".encode())
            except InvalidSignature:
                break
            return Said(int(size), _decoded(root))
    raise BadNote("It is not signed by the key of that log.")


def check_cosignature(note: str, line: str, key: VerifierKey) -> int:
    """Check the line by which a witness signed a checkpoint; return when it says that was, in
    seconds since 1970. Raises BadNote.
    """
    found = _LINE.fullmatch(line)
    if found is None or found[1] != key.name:
        raise BadNote("This is no signature line of that witness: — NAME BASE64.")
    data = _decoded(found[2])
    if len(data) != 4 + 8 + 64 or data[:4] != key.id:
        raise BadNote("This is no cosignature/v1 by the key that the witness is registered with.")
    (at,) = struct.unpack(">Q", data[4:12])
    said = f"cosignature/v1\ntime {at}\n{body_of(note)}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(data[12:], said)
    except InvalidSignature:
        raise BadNote("The signature is not over this checkpoint.") from None
    return int(at)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        return b""
