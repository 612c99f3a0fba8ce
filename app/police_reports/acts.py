"""What may be done with a report, by operationId, and by whom."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act, Condition, inside, own, own_or_among, own_or_nobodys, unset
from app.agencies.models import AgencyKind
from app.core.problems import Problem


class NotYourPart(Problem, status=403, denies=True):
    """The caller has a part in the case, but this step is another agency's."""

    title = "Another agency takes this step"
    title_zh = "该步骤由其他机构办理"


class SupersededAlready(Problem, status=409):
    """A correction takes the place of the newest report, and this one has been replaced."""

    title = "This report was replaced already; correct the one that took its place"
    title_zh = "该报告已被更正;请更正最新的一份"


class ClosureNotProposed(Problem, status=409):
    """There is nothing to agree to: nobody proposed to close it, or something new came since."""

    title = "Nobody has proposed to close this report, or something new came since"
    title_zh = "没有待确认的结案申请,或此后又有新情况"


class SecondPersonNeeded(Problem, status=403, denies=True):
    """An unassessed or unanswered case ends by two people: of one agency, or the other of the
    county.
    """

    title = "Another person of that agency or of the county confirms this"
    title_zh = "须由该机构或县级部门的另一名工作人员确认"


_COUNTY: Final = frozenset({AgencyKind.civil_affairs})
"""Civil affairs stand at the county or above, over every township they see."""
_PROPOSED = Condition(
    ("closure_step_id",),
    lambda *_: None,
    lambda found, _: found is not None,
    "({0} IS NOT NULL AND {wanted}::text IS NULL)",
    lambda *_: ClosureNotProposed(),
)
_ANOTHER_PERSON = Condition(
    ("closure_staff_id",),
    lambda principal, _: principal.staff_id,
    lambda proposer, person: person is not None and person != proposer,
    "({wanted}::uuid IS NOT NULL AND {0} IS DISTINCT FROM {wanted}::uuid)",
    lambda *_: SecondPersonNeeded(),
)
_THERE_OR_ABOVE = Condition(
    ("closure_agency_id",),
    lambda principal, _: None if principal.agency_kind in _COUNTY else principal.agency_id,
    lambda proposer, agency: agency is None or agency == proposer,
    "({wanted}::uuid IS NULL OR {0} = {wanted}::uuid)",
    lambda *_: SecondPersonNeeded(),
)
_IN_CHARGE = (own("police_agency_id", NotYourPart),)
_HANDLE = Act(
    "police_reports:handle", (own_or_among("police_agency_id", "also_told", NotYourPart),)
)
_PROTECTOR = inside("region_code", NotYourPart)
_PROTECT = Act("police_reports:receive", (_PROTECTOR,))

ACTS: Final[Mapping[str, Act]] = {
    "readReporter": Act("reporters:read", _IN_CHARGE),
    "readReportChain": Act("police_reports:read"),
    "acknowledgeReport": _HANDLE,
    "dispatchReport": _HANDLE,
    "disposeReport": _HANDLE,
    "notifyTownship": _HANDLE,
    "forwardReport": _HANDLE,
    "confirmTownshipNotice": Act(
        "police_reports:receive", (_PROTECTOR, own_or_nobodys("township_agency_id", NotYourPart))
    ),
    "recordAssessment": _PROTECT,
    "arrangeServices": _PROTECT,
    "closeReport": _PROTECT,
    "confirmClosure": Act(
        "police_reports:receive", (_PROTECTOR, _PROPOSED, _ANOTHER_PERSON, _THERE_OR_ABOVE)
    ),
    "supersedeReport": Act(
        "police_reports:file",
        (own("reporter_agency_id", NotYourPart), unset("superseded_by_id", SupersededAlready)),
    ),
}
