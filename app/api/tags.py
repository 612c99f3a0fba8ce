"""The document's chapters, in the order a newcomer reads them."""

from typing import Any

DESCRIPTIONS = {
    "Access": "Who the token speaks for, and what it may do.",
    "Regions": "Administrative divisions over time.",
    "Policy": "Parameters by region and date, the clauses they come from, and code lists.",
    "Agencies": "Agencies, schools, posts and who holds them.",
    "Children": "The file: identity, facts, categories, risk, history.",
    "Duties": "Who owes what to which child by when.",
    "Visits": "Home visits and what was found.",
    "Attendance": "Enrolment and absence, pushed by schools.",
    "Dropout alerts": "From absence to return to school.",
    "Police reports": "From the mandatory report to services for the child.",
    "Webhooks": "Signed deliveries of what happened, and their attempts.",
    "Events": "What webhooks deliver, one kind of event each.",
    "Audit": "Who saw or changed what, and why.",
}


class UndescribedTag(Exception):
    """A router's tag is missing above."""


def used_in(document: dict[str, Any]) -> list[dict[str, str]]:
    """Describe the tags a document uses, in order. Raises UndescribedTag."""
    used = {
        tag
        for part in ("paths", "webhooks")
        for methods in document[part].values()
        for operation in methods.values()
        for tag in operation["tags"]
    }
    if unknown := used - DESCRIPTIONS.keys():
        raise UndescribedTag(", ".join(sorted(unknown)))
    return [{"name": n, "description": d} for n, d in DESCRIPTIONS.items() if n in used]
