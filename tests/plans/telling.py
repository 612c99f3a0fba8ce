"""What came out: a line for each operation, and what is over its ceiling, worst first."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.plans.judging import Judged

_ALLOWED = Path(__file__).with_name("allowed.toml")
WHOLE = 1_000_000
"""Children from which on an exception must be needed: on a smaller register little is over."""


DEEPER = 1.2
"""What a page deep inside may cost, by the first page of the same list."""
_FLOOR = 20
_A_ROW = 8
"""Buffers that are no difference: a page more of each index; and each row may lie on a page of its
own, and be looked up among what is hidden, where those of the first page, copied together, are not.
"""


class Asked(NamedTuple):
    """One request or job: what, of whom, how it was answered, and what it read."""

    operation: str
    caller: str
    status: int
    judged: list[Judged]

    @property
    def buffers(self) -> int:
        return sum(one.buffers for one in self.judged)


class Over(NamedTuple):
    """A statement that is over its ceiling: where it was worst, and for whom else it was."""

    statement: str
    worst: Judged
    where: Asked
    operations: tuple[str, ...]
    times: int


def told(asked: list[Asked], children: int, *, whole: bool) -> int:
    """Print it all; return 1 if anything is over, failed, never got through, or is allowed for
    nothing.
    """
    said = tomllib.loads(_ALLOWED.read_text("utf-8"))
    allowed = said.get("allowed", [])
    refused = {each["operation"] for each in said.get("refused", [])}
    found, used = over(asked, allowed)
    _by_operation(asked)
    print("\nover their ceiling, worst first")
    for each in found:
        judged = each.worst
        print(
            f"{judged.buffers:>10,} buffers (ceiling {judged.ceiling:,}) for {judged.rows:,} rows,"
            f" {judged.looked_at:,} looked at (ceiling {judged.looks:,}), {judged.ms:,.0f} ms:"
            f" {each.where.operation}"
            f" · {each.where.caller}"
            f" ({each.times} times: {', '.join(each.operations)})\n"
            f"           {judged.worst}\n           {each.statement[:400]}"
        )
    if found:
        print(
            "           Mostly an index is missing that begins with what is given, and goes on in"
            " the order.\n           What may read more says so in tests/plans/allowed.toml."
        )
    further = {each["operation"] for each in allowed if each.get("deep")}
    deep = [pair for pair in deeper(asked) if _name(pair[0]) not in further]
    for first, last in deep:
        print(
            f"{first.operation}, {first.caller}: {first.buffers} buffers for the first page,"
            f" {last.buffers} deep inside"
        )
    failed = Counter((each.operation, each.status) for each in asked if each.status >= 500)
    for (operation, status), times in failed.items():
        print(f"answered {status}, {times} times: {operation}")
    always = [each for each in allowed if not each.get("now_and_then")]
    unused = [each for each in always if each not in used] if whole and children >= WHOLE else []
    for each in unused:
        print(f"allowed for nothing: {each['operation']}, {each['statement']}")
    through = {_name(each) for each in asked if each.status < 400}
    names = {_name(each) for each in asked}
    unseen = sorted(names - through - refused)
    if unseen:
        print(f"never got through, so not judged: {', '.join(unseen)}")
    if seen := sorted(refused & through) if whole and children >= WHOLE else []:
        print(f"got through, though said to be refused: {', '.join(seen)}")
    print(f"refused as said, so not judged to their end: {len(names & refused - through)}")
    statements = {judged.statement for each in asked for judged in each.judged}
    runs = sum(len(each.judged) for each in asked)
    print(
        f"\n{children:,} children: {len(asked):,} asked, {len(statements):,} statements judged"
        f" {runs:,} times, {len(found)} over"
    )
    return int(bool(found or deep or failed or unused or unseen or seen))


def _name(asked: Asked) -> str:
    return asked.operation.partition("?")[0]


def over(
    asked: Iterable[Asked], allowed: list[dict[str, Any]]
) -> tuple[list[Over], list[dict[str, Any]]]:
    """Find what is over its ceiling, worst first, and the exceptions that were needed."""
    found: dict[str, list[tuple[Judged, Asked]]] = defaultdict(list)
    used = []
    for each in asked:
        for judged in each.judged:
            if judged.over:
                own = next(_exceptions(each, judged, allowed), None)
                if own is not None:
                    used.append(own)
                if own is None or judged.buffers > own["buffers"]:
                    found[judged.statement].append((judged, each))
    ranked = []
    for statement, runs in found.items():
        worst, where = max(runs, key=lambda run: run[0].buffers)
        operations = tuple(sorted({each.operation.partition("=")[0] for _, each in runs}))
        ranked.append(Over(statement, worst, where, operations, len(runs)))
    return sorted(ranked, key=lambda one: -one.worst.buffers), used


def deeper(asked: Iterable[Asked]) -> Iterator[tuple[Asked, Asked]]:
    """Find the lists of which a page deep inside costs more than the first, with both."""
    first = {(each.operation, each.caller): each for each in asked}
    for (operation, caller), last in first.items():
        if operation.endswith("?cursor") and last.status == 200:
            plain = first[operation.removesuffix("?cursor"), caller]
            rows = max((one.rows for one in last.judged), default=0)
            if last.buffers > plain.buffers * DEEPER + _FLOOR + _A_ROW * rows:
                yield plain, last


def _exceptions(
    each: Asked, judged: Judged, allowed: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for one in allowed:
        if _name(each) == one["operation"] and judged.statement.startswith(one["statement"]):
            yield one


def _by_operation(asked: list[Asked]) -> None:
    rows: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        rows[each.operation].append(each)
    print(
        f"{'operation':<48}{'callers':>8}{'statements':>11}{'buffers/row':>12}{'over':>6}  status"
    )
    for operation, found in sorted(rows.items()):
        judged = [one for each in found for one in each.judged]
        worst = max((one.buffers / max(one.rows, 1) for one in judged), default=0)
        statuses = Counter(each.status for each in found)
        print(
            f"{operation:<48}{len(found):>8}{max(len(each.judged) for each in found):>11}"
            f"{worst:>12,.0f}{sum(one.over for one in judged):>6}  "
            + " ".join(f"{status}×{count}" for status, count in sorted(statuses.items()))
        )
