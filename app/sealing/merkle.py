"""The tree of RFC 6962: its hashes, its right edge, and which subtrees a proof is made of. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

BITS: Final = 8
"""A node is kept for each whole subtree of 2^8 leaves, 2^16, and so on."""


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Whole(NamedTuple):
    """A whole subtree of 2^`height` leaves, the `i`-th of its kind."""

    height: int
    i: int


class Kept(NamedTuple):
    """A run of hashes that lie in one level: of leaves (0), or of nodes."""

    level: int
    begins: int
    ends: int


def kept_of(subtree: Whole) -> Kept:
    """Say of which hashes that are kept the hash of a whole subtree is made."""
    level, above = divmod(subtree.height, BITS)
    return Kept(level, subtree.i << above, (subtree.i + 1) << above)


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a whole subtree, of the hashes of its parts: a power of two of them."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def wholes(begins: int, ends: int) -> list[Whole]:
    """Divide the leaves of a subtree into whole ones, the largest first."""
    found = []
    while begins < ends:
        height = (ends - begins).bit_length() - 1
        found.append(Whole(height, begins >> height))
        begins += 1 << height
    return found


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a subtree, of the hashes of the whole ones in it, the largest first."""
    if not hashes:
        return sha256().digest()
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


@dataclass(slots=True)
class Edge:
    """The right edge of a tree: the hashes of the whole subtrees it is made of, largest first."""

    size: int
    hashes: list[bytes]

    def copy(self) -> "Edge":
        return Edge(self.size, [*self.hashes])

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add the hash of a leaf; return the nodes to keep that are whole by it: level, place and
        hash of each.
        """
        self.size += 1
        made, height, hash_ = [], 0, leaf
        while not (self.size >> height) & 1:
            hash_ = node_hash(self.hashes.pop(), hash_)
            height += 1
            if height % BITS == 0:
                made.append((height // BITS, (self.size >> height) - 1, hash_))
        self.hashes.append(hash_)
        return made

    def root(self) -> bytes:
        return root(self.hashes)


def inclusion(leaf: int, size: int) -> list[tuple[int, int]]:
    """Return the subtrees, as ranges of leaves, that prove a leaf in a tree (RFC 6962, 2.1.1)."""
    begins, ends, path = 0, size, []
    while ends - begins > 1:
        middle = begins + _left(ends - begins)
        if leaf < middle:
            path.append((middle, ends))
            ends = middle
        else:
            path.append((begins, middle))
            begins = middle
    return path[::-1]


def consistency(old: int, size: int) -> list[tuple[int, int]]:
    """Return the subtrees, as ranges of leaves, that prove a tree to begin with an older one that
    is not empty (RFC 6962, 2.1.2).
    """
    begins, ends, path = 0, size, []
    while old != ends:
        middle = begins + _left(ends - begins)
        if old <= middle:
            path.append((middle, ends))
            ends = middle
        else:
            path.append((begins, middle))
            begins = middle
    if begins:
        path.append((begins, ends))
    return path[::-1]


def _left(leaves: int) -> int:
    """Return how many leaves lie in the left part of a tree of so many, of at least two."""
    return 1 << (leaves - 1).bit_length() - 1
