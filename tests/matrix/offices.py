"""When an office or post is not the caller's to change, and a check not theirs to record."""

from collections.abc import Callable, Mapping

from tests.matrix.data import ROLES, inside
from tests.matrix.facts import Target, Who

_LINE = {"civil_affairs", "township_supervisor", "village_director"}


def _gives_alone(who: Who, gives: str | None) -> bool:
    """The posts of an operator are filled by two."""
    return who.role == "civil_affairs" and gives in _LINE


def _not_anothers_within(who: Who, target: Target, gives: str | None) -> bool:
    return target.owner == who.agency or not inside(who, target.owner_region)


OFFICES: Mapping[str, Callable[[Who, Target, str | None], bool]] = {
    **dict.fromkeys(
        ("handOverPost", "changePost"), lambda who, _, gives: not _gives_alone(who, gives)
    ),
    "closePost": lambda who, _, gives: who.role != "operator" and not _gives_alone(who, gives),
    "readOpenBusiness": lambda who, *_: "duties:read" not in ROLES[who.role]["scopes"],
    # Another's is changed by two, and so is an operator's.
    "changeAgency": lambda who, target, _: target.owner != who.agency or who.role == "operator",
    **dict.fromkeys(("closeAgency", "mergeAgency"), _not_anothers_within),
    **dict.fromkeys(
        ("askHiringCheck", "answerHiringCheck", "recordNotClear"),
        lambda who, _, __: who.holder == "machine",
    ),
}
"""By operationId."""
