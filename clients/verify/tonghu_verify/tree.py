"""The tree of RFC 6962, by itself: what a verifier needs of it."""

import hashlib

_HIGHEST = 62


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Growing:
    """A tree to which subtrees are added at the right; it keeps a hash of each whole one."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[tuple[int, bytes]] = []

    def add(self, hash_: bytes, height: int = 0) -> None:
        """Add a whole subtree of 2^height leaves. Raises ValueError where none can stand."""
        if height > _HIGHEST or self.size % (1 << height):
            raise ValueError
        self.size += 1 << height
        while self._parts and self._parts[-1][0] == height:
            hash_ = node(self._parts.pop()[1], hash_)
            height += 1
        self._parts.append((height, hash_))

    def root(self) -> bytes:
        parts = [hash_ for _, hash_ in self._parts]
        if not parts:
            return hashlib.sha256().digest()
        result = parts.pop()
        while parts:
            result = node(parts.pop(), result)
        return result


def includes(hash_: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Tell whether a path proves a leaf in a tree (RFC 9162, 2.1.3.2)."""
    if index >= size:
        return False
    at, last, result = index, size - 1, hash_
    for each in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = node(each, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node(result, each)
        at, last = at >> 1, last >> 1
    return last == 0 and result == root


def extends(old: int, new: int, path: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Tell whether a path proves that a tree begins with an older one (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = [old_root, *path] if old & (old - 1) == 0 else path
    if not hashes:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node(each, was), node(each, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node(now, each)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root
