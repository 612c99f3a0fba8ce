"""What may be done with a doubt about who was there, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act, Condition, personally, unset
from app.attendance.area import VERIFY
from app.core.problems import Problem


class NotSaidByYou(Problem, status=403, denies=True):
    """Only the school that said the child was there looks, or whoever is asked in its place."""

    title = "Another school said that the child was there"
    title_zh = "该在校记录由其他学校报送"


class AlreadyFound(Problem, status=409):
    """It was looked into."""

    title = "What was found is recorded already"
    title_zh = "核实结果已登记"


_ASKED: Final = Condition(
    ("asked_id", "school_id"),
    lambda principal, _: principal.agency_id,
    lambda asked, school, agency: (asked or school) == agency,
    "({0} = {wanted} OR ({0} IS NULL AND {1} = {wanted}))",  # an index each
    lambda *_: NotSaidByYou(),
)
PRESENCE_ACTS: Final[Mapping[str, Act]] = {
    "recordPresenceFinding": Act(
        VERIFY.code,
        (
            _ASKED,
            personally("id"),
            unset("finding", AlreadyFound),
        ),
    ),
}
