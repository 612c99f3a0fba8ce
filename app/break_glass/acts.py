"""What may be done with a file that was opened in an emergency, by operationId."""

import operator
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from app.access.acts import Act, Afterwards, Condition, another_person, inside, personally, unset
from app.break_glass.area import OPEN, READ, REVIEW
from app.break_glass.models import Propriety
from app.core.problems import Problem


class NotOpenedByYou(Problem, status=403, denies=True):
    """A file is opened to one person, in the post they acted in."""

    title = "This file was opened to somebody else"
    title_zh = "该档案的紧急查阅由他人发起"


class GlassShut(Problem, status=403, denies=True):
    """The minutes are over, or somebody ended it before."""

    title = "The file is not open any more"
    title_zh = "紧急查阅已结束"


class OpenedByYou(Problem, status=403, denies=True):
    """Another person reviews what one opened, whichever post either holds (AZ-7)."""

    title = "Another person has to review this"
    title_zh = "须由另一人复核"


class OpenedByYourAgency(Problem, status=403, denies=True):
    """Colleagues do not review each other."""

    title = "Another agency reviews what yours opened"
    title_zh = "须由其他机构复核本机构的紧急查阅"


class NotInYourRemit(Problem, status=403, denies=True):
    """The civil affairs of the place where the child lives review."""

    title = "Civil affairs of where the child lives review this"
    title_zh = "由儿童居住地民政部门复核"


class ReviewedAlready(Problem, status=409):
    """A review is said once."""

    title = "This was reviewed already"
    title_zh = "该紧急查阅已复核"


_OWN: Final = Condition(
    ("staff_id", "agency_id", "role"),
    lambda principal, _: [
        principal.staff_id and str(principal.staff_id),
        str(principal.agency_id),
        principal.role.code,
    ],
    lambda person, agency, role, wanted: [str(person), str(agency), role] == wanted,
    # By the columns themselves: there is an index by whom it was opened to.
    "({0} = ({wanted}::text[])[1]::uuid AND {1} = ({wanted}::text[])[2]::uuid"
    " AND {2} = ({wanted}::text[])[3])",
    lambda *_: NotOpenedByYou(),
)
_LIVE: Final = Condition(
    ("live",),
    lambda *_: True,
    operator.eq,
    "{0} = {wanted}",
    lambda *_: GlassShut(),
)
_NOT_OURS: Final = Condition(
    ("agency_id",),
    lambda principal, _: [*principal.agencies],
    lambda agency, wanted: agency not in wanted,
    "{0} <> ALL ({wanted}::uuid[])",
    lambda *_: OpenedByYourAgency(),
)

MISUSE: Final = Afterwards(
    timedelta(hours=72),
    "认定紧急查阅不当并即时停用其账号",
    "an account is suspended at once for misuse of an emergency",
    Condition(
        ("verdict",),
        lambda *_: Propriety.misuse,
        operator.eq,
        "{0} = {wanted}",
        lambda *_: ReviewedAlready(),
    ),
)
"""It takes power away: one person does, and another says whether that was in order."""

ACTS: Final[Mapping[str, Act]] = {
    "readBreakGlassFile": Act(READ.code, (_OWN, _LIVE)),
    "endBreakGlass": Act(OPEN.code, (_OWN, _LIVE)),
    "reviewBreakGlass": Act(
        REVIEW.code,
        (
            personally("id"),
            inside("region_code", NotInYourRemit),
            another_person("staff_id", OpenedByYou),
            _NOT_OURS,
            unset("verdict", ReviewedAlready),
        ),
    ),
}
