"""Signed notes, checkpoints and cosignatures as C2SP writes them, read from outside."""

import hashlib
import re
from base64 import b64decode
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG, WITNESS = 1, 4
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
_CONTINUES = re.compile(r"continues (\S+) ([0-9]{1,19}) \S+")
_HASH = 32
_DIGITS = re.compile("0|[1-9][0-9]{0,18}")


class Bad(Exception):
    """What was given is not what it should be; the text says how."""


@dataclass(frozen=True)
class Key:
    """Whose key it is, of what kind, and the key."""

    name: str
    kind: int
    id: bytes
    raw: bytes

    @classmethod
    def read(cls, text: str, kind: int) -> "Key":
        """Read `name+id+base64`."""
        parts = text.strip().split("+", 2)
        try:
            data = b64decode(parts[2], validate=True)
        except (IndexError, ValueError):
            raise Bad(f"{text.strip()[:80]} is no verifier key: name+id+base64") from None
        name, raw = parts[0], data[1:]
        id_ = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if len(raw) != _HASH or data[0] != kind or id_.hex() != parts[1]:
            wanted = "a log" if kind == LOG else "a witness"
            raise Bad(f"{text.strip()[:80]} is no Ed25519 key of {wanted}")
        return cls(name, kind, id_, raw)

    def signed(self, said: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, said)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """What a log was at a size; `signers`: the names of the witnesses that say so too. `continues`:
    the log before this one, and at what size its last checkpoint was that anybody held.
    """

    size: int
    root: bytes
    place: str
    signers: frozenset[str]
    continues: tuple[str, int] | None


def checkpoint(text: str, place: str, log: list[Key], witnesses: list[Key]) -> Checkpoint:
    """Read a checkpoint and check who signed it. Raises Bad unless one of the log's keys did."""
    body, gap, below = text.partition("\n\n")
    lines = body.split("\n")
    try:
        origin, size, root = lines[0], lines[1], b64decode(lines[2], validate=True)
    except (IndexError, ValueError):
        raise Bad(f"{place} is no checkpoint") from None
    if not gap or not _DIGITS.fullmatch(size) or len(root) != _HASH:
        raise Bad(f"{place} is no checkpoint")
    known = [key for key in log if key.name == origin]
    signed = {
        key
        for line in below.splitlines()
        if (key := _signed_by((body + "\n").encode(), line, place, [*known, *witnesses]))
    }
    if not signed & {*known}:
        raise Bad(f"{place} is not signed by the key of the log that was given")
    signers = frozenset(key.name for key in signed if key.kind == WITNESS)
    return Checkpoint(int(size), root, place, signers, _continues(lines[3:]))


def _continues(lines: list[str]) -> tuple[str, int] | None:
    for line in lines:
        if found := _CONTINUES.fullmatch(line):
            return found[1], int(found[2])
    return None


def _signed_by(said: bytes, line: str, place: str, keys: list[Key]) -> Key | None:
    """Tell by whose key a line of signature is; None: by none of these. Raises Bad if it is false,
    or no such line.
    """
    try:
        found = _SIGNATURE.fullmatch(line)
        data = b64decode(found[2], validate=True) if found else b""
    except ValueError:
        data = b""
    if not found or not data:
        raise Bad(f"{place}: not a line of a signature: {line[:60]}")
    for key in keys:
        if (key.name, key.id) == (found[1], data[:4]):
            signature = data[4:]
            if key.kind == WITNESS:
                at, signature = int.from_bytes(data[4:12], "big"), data[12:]
                said = f"cosignature/v1\ntime {at}\n".encode() + said
            if not key.signed(said, signature):
                raise Bad(f"{place}: the signature of {key.name} is false")
            return key
    return None
