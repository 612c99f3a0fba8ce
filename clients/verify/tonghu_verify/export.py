"""Go through an export line by line and say the first thing that is not right."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tonghu_verify import tree
from tonghu_verify.notes import Bad, Checkpoint

FORMAT = "tonghu-audit-export/1"
_BROKEN = (ValueError, KeyError, TypeError, RecursionError)
"""What reading a line raises that is none of an export."""


@dataclass(frozen=True)
class Proved:
    """What was found to be right: the leaves, and the checkpoints that say so."""

    begins: int
    ends: int
    by: list[Checkpoint]
    beside: list[Checkpoint]
    """Held checkpoints of sizes that this export says nothing of."""


def canonical(said: Any) -> bytes:
    """Write what a leaf says in the one form in which it was hashed."""
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def check(lines: Iterable[bytes], held: Sequence[Checkpoint]) -> Proved:
    """Check an export against checkpoints that somebody else kept. Raises Bad, which names the
    first row that is not right.
    """
    numbered = enumerate(lines, 1)
    head = _head(numbered)
    begins, ends = head["from"], head["to"]
    growing = tree.Growing()
    _put(growing, [(height, each) for height, each in _before(head, begins)], begins)
    by_size: dict[int, list[Checkpoint]] = {}
    for each in held:
        by_size.setdefault(each.size, []).append(each)
    sure, by = begins, []
    for _, n, said, hash_ in _leaves(numbered, begins):
        _expect(n, growing.size, ends)
        if tree.leaf(canonical(said)) != hash_:
            raise Bad(f"leaf {n} (entry {said.get('id')}) was changed: it is not what was sealed")
        growing.add(hash_)
        for checkpoint in by_size.get(growing.size, ()):
            _compare(growing, checkpoint, sure)
            by.append(checkpoint)
            sure = growing.size
    if growing.size != ends:
        raise Bad(f"leaf {growing.size} is missing, and all after it: the end was cut off")
    whole = _put(growing, head["after"], None)
    for checkpoint in by_size.get(whole, ()):
        if whole > ends:
            _compare(growing, checkpoint, sure)
            by.append(checkpoint)
            sure = ends
    _covered(held, whole)
    if not by:
        raise Bad("no checkpoint that you hold says anything of these rows: nothing is proved")
    if sure < ends:
        raise Bad(
            f"leaves {begins} to {sure - 1} are as they were signed, but of leaf {sure} and those"
            " after it no checkpoint that you hold says anything: fetch a later one"
        )
    return Proved(begins, ends, by, [each for each in held if each not in by])


def _head(numbered: Iterator[tuple[int, bytes]]) -> dict[str, Any]:
    try:
        head = json.loads(next(numbered)[1])
        numbers = type(head["from"]) is type(head["to"]) is int
        wanted = head["format"] == FORMAT and numbers and 0 <= head["from"] < head["to"]
        sound = wanted and isinstance(head["before"], list) and isinstance(head["after"], list)
    except (StopIteration, *_BROKEN):
        sound = False
    if not sound:
        raise Bad(f"line 1: this is no export of an audit ({FORMAT})")
    return head


def _before(head: dict[str, Any], begins: int) -> Iterator[tuple[int, str]]:
    """Yield the heights of the subtrees before the part, which are told by its beginning."""
    heights = [at for at in reversed(range(begins.bit_length())) if begins >> at & 1]
    if len(heights) != len(head["before"]):
        raise Bad("line 1: `before` does not fit `from`")
    yield from zip(heights, head["before"], strict=True)


def _put(growing: tree.Growing, parts: Sequence[Any], size: int | None) -> int:
    try:
        for height, hash_ in parts:
            growing.add(bytes.fromhex(hash_), height)
    except (ValueError, TypeError):
        raise Bad("line 1: the hashes beside the rows are none") from None
    if size is not None and growing.size != size:
        raise Bad("line 1: the hashes before the rows do not fit them")
    return growing.size


def _leaves(
    numbered: Iterator[tuple[int, bytes]], begins: int
) -> Iterator[tuple[int, int, dict[str, Any], bytes]]:
    for number, line in numbered:
        try:
            said = json.loads(line)
            n, hash_ = said["leaf"]["n"], bytes.fromhex(said["hash"])
            sound = isinstance(n, int) and said.keys() == {"leaf", "hash"}
        except _BROKEN:
            sound = False
        if not sound:
            at = begins + number - 2
            raise Bad(f"line {number}, where leaf {at} should stand, is no row of the audit")
        yield number, n, said["leaf"], hash_


def _expect(n: int, wanted: int, ends: int) -> None:
    if wanted >= ends:
        raise Bad(f"leaf {n} was added behind the last one, {ends - 1}")
    if n > wanted:
        raise Bad(f"leaf {wanted} is missing: leaf {n} stands in its place")
    if n < wanted:
        raise Bad(f"where leaf {wanted} should stand is leaf {n}, a second time or out of order")


def _compare(growing: tree.Growing, checkpoint: Checkpoint, sure: int) -> None:
    if growing.root() != checkpoint.root:
        rows = (
            f"leaf {sure}"
            if sure + 1 == checkpoint.size
            else (f"one of the leaves {sure} to {checkpoint.size - 1}")
        )
        raise Bad(
            f"this is another history than {checkpoint.place} was signed for, at size"
            f" {checkpoint.size}: the first row that is not right is {rows}"
        )


def _covered(held: Sequence[Checkpoint], whole: int) -> None:
    most = max(held, key=lambda each: each.size)
    if most.size > whole:
        raise Bad(
            f"leaf {whole} is missing, and all after it: {most.place} was signed for"
            f" {most.size} leaves, and this log ends before"
        )
