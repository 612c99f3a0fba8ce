"""Whom the findings of a visit ask, and what for. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def asked_by(findings: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return, by kind of agency, what a child is referred for: what is wrong, else the part of its
    life that was looked at.
    """
    asked: dict[str, set[str]] = {}
    for finding in findings:
        for kind in finding["refer_to"]:
            asked.setdefault(kind, set()).add(finding["type"] or finding["domain"])
    return {kind: sorted(needs) for kind, needs in asked.items()}
