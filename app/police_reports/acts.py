"""What may be done with a report, by operationId, and by whom."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act, inside, own, own_or_among, own_or_nobodys, unset
from app.core.problems import Problem


class NotYourPart(Problem, status=403, denies=True):
    """The caller has a part in the case, but this step is another agency's."""

    title = "Another agency takes this step"
    title_zh = "该步骤由其他机构办理"


class SupersededAlready(Problem, status=409):
    """A correction takes the place of the newest report, and this one has been replaced."""

    title = "This report was replaced already; correct the one that took its place"
    title_zh = "该报告已被更正;请更正最新的一份"


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
    "supersedeReport": Act(
        "police_reports:file",
        (own("reporter_agency_id", NotYourPart), unset("superseded_by_id", SupersededAlready)),
    ),
}
