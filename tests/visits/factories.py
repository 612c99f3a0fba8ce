"""Visits for tests."""

from typing import Any
from uuid import UUID

from app.core.ids import new_id


def a_visit(child_id: UUID, **fields: Any) -> dict[str, Any]:
    """The body of a plain visit, as a phone sends it."""
    return {
        "id": str(new_id()),
        "child_id": str(child_id),
        "visited_on": "2026-11-18",
        "visitor_type": "child_director",
        "policies_explained": ["child_welfare"],
        **fields,
    }


def something_wrong(**fields: Any) -> dict[str, Any]:
    """An abnormal finding."""
    return {
        "domain": "guardianship",
        "abnormal": True,
        "type": "guardian_failure",
        "refer_to": ["police"],
        "note": "合成记录:监护人外出未归",
        **fields,
    }
