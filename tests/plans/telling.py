"""What came out, as a table: worst first."""

from collections import Counter, defaultdict

from tests.plans.asking import Asked
from tests.plans.judging import Judged


def told(asked: list[Asked]) -> int:
    """Print the tables; return 1 if anything is over its ceiling."""
    over: dict[str, list[tuple[Judged, Asked]]] = defaultdict(list)
    for each in asked:
        for judged in each.judged:
            if judged.over:
                over[judged.statement].append((judged, each))
    by_operation(asked)
    print()
    ranked = sorted(over.items(), key=lambda one: -max(judged.buffers for judged, _ in one[1]))
    for statement, found in ranked:
        judged, each = max(found, key=lambda one: one[0].buffers)
        operations = sorted({one.operation for _, one in found})
        print(
            f"{judged.buffers:>10,} buffers {judged.rows:>6} rows {judged.looked_at:>9,} looked at"
            f" {judged.ms:>8,.0f} ms  {each.operation} · {each.caller} ({len(found)} times:"
            f" {', '.join(operations[:6])})\n      {judged.worst}\n      {statement[:300]}"
        )
    print(f"\n{len(asked)} asked, {sum(len(each.judged) for each in asked)} statements judged,"
          f" {len(over)} over")
    failed = [each for each in asked if each.status >= 500]
    for answered, times in Counter((each.operation, each.status) for each in failed).items():
        print(f"answered {answered[1]} {times} times: {answered[0]}")
    return int(bool(over or failed))


def by_operation(asked: list[Asked]) -> None:
    """Print a line for each operation and each answer's status."""
    rows: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        rows[each.operation].append(each)
    print(f"{'operation':<44}{'callers':>8}{'statements':>11}{'buffers/row':>12}{'over':>6}  status")
    for operation, found in sorted(rows.items()):
        judged = [one for each in found for one in each.judged]
        worst = max((one.buffers / max(one.rows, 1) for one in judged), default=0)
        statuses = Counter(each.status for each in found)
        print(
            f"{operation:<44}{len(found):>8}{max(len(each.judged) for each in found):>11}"
            f"{worst:>12,.0f}{sum(one.over for one in judged):>6}  "
            + " ".join(f"{status}×{count}" for status, count in sorted(statuses.items()))
        )
