"""What may be done with a breach, by operationId."""

from json import dumps
from typing import Any, Final

from app.access.acts import Act, ApprovalRequired, Condition, Guard, own, personally, stands
from app.breaches.area import WRITE
from app.breaches.models import BreachState, ToldOfBreach
from app.core.problems import Problem


class BreachClosed(Problem, status=409):
    """It was closed."""

    title = "This breach was closed"
    title_zh = "该事件已办结"


class NotYourBreach(Problem, status=403, denies=True):
    """Whose breach it is says who was told."""

    title = "Another agency recorded this breach"
    title_zh = "该事件由其他机构登记"


class BreachNotTold(Problem, status=409):
    """Who is to be told was not."""

    title = "First tell the cyberspace authority, and the families unless no harm is left"
    title_zh = "请先报告网信部门并告知相关家庭(能有效避免危害的除外)"


OF_FAMILIES: Final = frozenset({ToldOfBreach.families, ToldOfBreach.public})


def _names(told: Any, whom: str) -> bool:
    return f'"{whom}"' in (told if isinstance(told, str) else dumps(told))


_TOLD: Final = Condition(
    ("told",),
    lambda *_: ToldOfBreach.cyberspace_authority,
    _names,
    "{0} @> jsonb_build_array(jsonb_build_object('whom', {wanted}::text))",
    lambda *_: BreachNotTold(),
)
_OPEN: Final = (
    own("agency_id", NotYourBreach),
    stands(lambda *_: (BreachState.open,), lambda *_: BreachClosed()),
)
UNTOLD: Final = Guard(
    Condition(
        ("told",),
        lambda *_: sorted(OF_FAMILIES),
        lambda found, wanted: not any(_names(found, each) for each in wanted),
        "NOT EXISTS (SELECT FROM jsonb_array_elements({0}) AS t"
        " WHERE t ->> 'whom' = ANY ({wanted}::text[]))",
        lambda *_: ApprovalRequired(),
    ),
    "未告知相关家庭即结束事件",
    "closing a breach of which the families were not told",
)
"""That no harm is left, so that no family hears of it, is not one person's to say."""

ACTS: Final = {
    "recordBreachTold": Act(WRITE.code, _OPEN),
    "closeBreach": Act(WRITE.code, (personally("id"), *_OPEN, _TOLD), guard=UNTOLD),
}
