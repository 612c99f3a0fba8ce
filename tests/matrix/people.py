"""Whose accounts and phones somebody looks after, and what of that they do not do alone."""

from collections.abc import Callable, Mapping

from tests.matrix.data import inside
from tests.matrix.facts import Target, Who

_LINE = {"civil_affairs", "township_government", "village_committee"}
_DECIDE = {"police", "operator", "supervision", "education", "civil_affairs"}
"""Kinds of agencies whose people are second persons, or read what is kept from others."""


def looks_after_people(who: Who, target: Target) -> bool:
    """Their agency's own; civil affairs, those of their line in the remit; the operator, all. The
    agencies of the stage are of the caller's kind.
    """
    own = target.owner == who.agency or who.role == "operator"
    line = who.role == "civil_affairs" and who.kind in _LINE and inside(who, target.owner_region)
    return own or line


def _machine(who: Who, target: Target, gives: str | None) -> bool:
    return who.holder == "machine"


def _by_two(who: Who, target: Target, gives: str | None) -> bool:
    return (
        who.holder == "machine"
        or not looks_after_people(who, target)
        or who.kind in _DECIDE
        or target.owner != who.agency
    )


PEOPLE: Mapping[str, Callable[[Who, Target, str | None], bool]] = {
    **dict.fromkeys(
        (
            *("suspendStaff", "resumeStaff", "resetSecondFactor", "endStaff"),
            *("listMySignIns", "endMySignIns"),
        ),
        _machine,
    ),
    **dict.fromkeys(("createStaff", "inviteStaff"), _by_two),
    "resetPassword": lambda *_: True,  # by nobody alone
    "inviteDevice": lambda who, *_: who.holder == "machine" or who.kind in _DECIDE,
}
"""When what is done with a visible person is not the caller's to do alone. On the stage nobody is
suspended or has an authenticator, so nothing is resumed or reset.
"""
