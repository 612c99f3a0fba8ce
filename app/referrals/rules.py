"""Whom the findings of a visit ask, and what for. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any


def asked_by(
    findings: Iterable[Mapping[str, Any]],
    concerned: Mapping[str, Collection[str]],
    reported: Collection[str],
) -> dict[str, list[str]]:
    """Return, by kind of agency, what a child is referred for: what is wrong, else the part of its
    life that was looked at. What is wrong and names nobody is fed back to whom it concerns by its
    domain (`concerned`), unless it is one of the situations `reported` to the police.
    """
    asked: dict[str, set[str]] = {}
    for finding in findings:
        left = finding["abnormal"] and finding["type"] not in reported
        kinds = finding["refer_to"] or (concerned.get(finding["domain"], ()) if left else ())
        for kind in kinds:
            asked.setdefault(kind, set()).add(finding["type"] or finding["domain"])
    return {kind: sorted(needs) for kind, needs in asked.items()}
