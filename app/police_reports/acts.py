"""What may be done with a report, by operationId, and by whom."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.access.acts import (
    Act,
    Condition,
    another_person,
    given,
    own,
    own_or_among,
    own_or_nobodys,
    personally,
    unset,
)
from app.access.guards import ALWAYS
from app.access.principal import Principal
from app.agencies.models import AgencyKind
from app.core.problems import Problem
from app.police_reports.area import RECEIVE
from app.regions.rules import SPANS


class NotYourPart(Problem, status=403, denies=True):
    """The caller has a part in the case, but this step is another agency's."""

    title = "Another agency takes this step"
    title_zh = "该步骤由其他机构办理"


class DisposedAlready(Problem, status=409):
    """Nobody is in danger tonight any more as far as the report goes: two people read this now."""

    title = "The report is disposed of; two people read who reported"
    title_zh = "该报告已处置,查阅报告人须经两人审批"


class SupersededAlready(Problem, status=409):
    """A correction takes the place of the newest report, and this one has been replaced."""

    title = "This report was replaced already; correct the one that took its place"
    title_zh = "该报告已被更正;请更正最新的一份"


class ChildKnownAlready(Problem, status=409):
    """The report names its child's file; who else it may be about is another report."""

    title = "This report hangs on a file already"
    title_zh = "该报告已关联儿童档案"


class NothingToTakeBack(Problem, status=409):
    """The report hangs on no file."""

    title = "This report hangs on no file"
    title_zh = "该报告未关联儿童档案"


class NotAssessed(Problem, status=409):
    """There is no assessment to print."""

    title = "The child of this report was not assessed yet"
    title_zh = "该报告尚未作出调查评估"


class NotJoined(Problem, status=409):
    """No other report is about the same event."""

    title = "This report is joined with no other"
    title_zh = "该报告未与其他报告合并"


class SuspectKnownAlready(Problem, status=409):
    """It is clear whom the report speaks against, or it speaks against nobody."""

    title = "It is not open whom this report speaks against"
    title_zh = "该报告所指机构无须确认"


class NoSuspectNamed(Problem, status=409):
    """Nobody but its reporter has said whom the report speaks against."""

    title = "Nobody has named a suspect beside the reporter"
    title_zh = "除报告人外无人确认过被指机构"


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


class NothingLeftOut(Problem, status=409):
    """No measure was left out for a reason that is still to be judged."""

    title = "No reason for leaving out a measure waits to be judged"
    title_zh = "没有待确认的未采取措施理由"


class AnotherOfficerNeeded(Problem, status=403, denies=True):
    """Nobody judges the reasons they gave themselves, and no system does."""

    title = "Another person of the police judges these reasons"
    title_zh = "须由公安机关另一名工作人员确认该理由"


_COUNTY_CODES: Final = SPANS[2]
_COUNTY: Final = frozenset({AgencyKind.civil_affairs})
"""Civil affairs stand at the county or above, over every township they see."""


def _remit(principal: Principal) -> list[int]:
    return [principal.region_lo, principal.region_hi]


def _protects(place: int, home: int | None, former: Sequence[int], remit: Sequence[int]) -> bool:
    lo, hi = remit
    return lo <= place < hi or (home is not None and lo <= home < hi) or lo in former


PROTECTOR: Final = Condition(
    ("region_code", "home_region", "former_homes"),
    lambda principal, _: _remit(principal),
    _protects,
    "(({0} >= ({wanted}::bigint[])[1] AND {0} < ({wanted}::bigint[])[2])"
    " OR coalesce({1} >= ({wanted}::bigint[])[1] AND {1} < ({wanted}::bigint[])[2], false)"
    " OR ({wanted}::bigint[])[1] = ANY ({2}))",
    lambda *_: NotYourPart(),
)
"""Hold if it happened in the caller's remit, or the child lives there, or lived there since."""

IN_PLACE: Final = Condition(
    ("region_code", "home_region"),
    lambda principal, _: _remit(principal),
    lambda place, home, remit: _protects(place, home, (), remit),
    "(({0} >= ({wanted}::bigint[])[1] AND {0} < ({wanted}::bigint[])[2])"
    " OR coalesce({1} >= ({wanted}::bigint[])[1] AND {1} < ({wanted}::bigint[])[2], false))",
    lambda *_: NotYourPart(),
)
"""Hold if it happened in the caller's remit or the child lives there now: they end the case."""

_POLICE_OR_PROTECTOR = Condition(
    ("police_agency_id", "also_told", "region_code", "home_region", "former_homes"),
    # The agency counts for the police alone, the remit for all others.
    lambda principal, _: (
        [str(principal.agency_id), "0", "0"]
        if principal.agency_kind == AgencyKind.police
        else ["", *map(str, _remit(principal))]
    ),
    lambda police, told, place, home, former, wanted: (
        wanted[0] in {str(police), *map(str, told)}
        or _protects(place, home, former, [*map(int, wanted[1:])])
    ),
    "({0}::text = ({wanted}::text[])[1] OR ({wanted}::text[])[1] = ANY ({1}::text[])"
    " OR ({2} >= ({wanted}::text[])[2]::bigint AND {2} < ({wanted}::text[])[3]::bigint)"
    " OR coalesce({3} >= ({wanted}::text[])[2]::bigint AND {3} < ({wanted}::text[])[3]::bigint,"
    " false) OR ({wanted}::text[])[2]::bigint = ANY ({4}))",
    lambda *_: NotYourPart(),
)
_POLICE_OR_IN_PLACE = Condition(
    ("police_agency_id", "also_told", "region_code", "home_region"),
    _POLICE_OR_PROTECTOR.expected,
    lambda police, told, place, home, wanted: _POLICE_OR_PROTECTOR.test(
        police, told, place, home, (), wanted
    ),
    "({0}::text = ({wanted}::text[])[1] OR ({wanted}::text[])[1] = ANY ({1}::text[])"
    " OR ({2} >= ({wanted}::text[])[2]::bigint AND {2} < ({wanted}::text[])[3]::bigint)"
    " OR coalesce({3} >= ({wanted}::text[])[2]::bigint AND {3} < ({wanted}::text[])[3]::bigint,"
    " false))",
    lambda *_: NotYourPart(),
)
_ABOVE_SUSPICION = Condition(
    ("hidden_below", "police_below"),
    lambda principal, _: [
        int(principal.agency_kind == AgencyKind.police),
        principal.region_hi - principal.region_lo,
    ],
    lambda below, police_below, wanted: (
        not police_below or (police_below == 1 and wanted[1] >= _COUNTY_CODES)
        if wanted[0]
        else below <= wanted[1] and (below <= _COUNTY_CODES or police_below > 0)
    ),
    "(CASE ({wanted}::bigint[])[1] WHEN 1 THEN {1} = 0"
    f" OR ({{1}} = 1 AND ({{wanted}}::bigint[])[2] >= {_COUNTY_CODES})"
    " ELSE {0} <= ({wanted}::bigint[])[2]"
    f" AND ({{0}} <= {_COUNTY_CODES} OR {{1}} > 0) END)",
    lambda *_: NotYourPart(),
)
"""Hold for none of a kind that the words may mean: police, or civil affairs; who is above both, if
they say both. Where they may mean anybody it is no station: police of the county or who is above.
"""

_NAMED = given("suspect_step_id", NoSuspectNamed)
_POLICE_OR_COUNTY = Condition(
    ("state",),
    lambda principal, _: (
        principal.agency_kind == AgencyKind.police
        or principal.region_hi - principal.region_lo >= _COUNTY_CODES
    ),
    lambda _, known: bool(known),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: NotYourPart(),
)
_SUSPECT_OPEN = Condition(
    ("doubts",),
    lambda *_: "agency_unknown",
    lambda doubts, wanted: wanted in doubts,
    "({wanted}::text = ANY ({0}))",
    lambda *_: SuspectKnownAlready(),
)
_PROPOSED = given("closure_step_id", ClosureNotProposed)
_ANOTHER_PERSON = another_person("closure_staff_id", SecondPersonNeeded)
_THERE_OR_ABOVE = Condition(
    ("closure_agency_id",),
    lambda principal, _: None if principal.agency_kind in _COUNTY else principal.agency_id,
    lambda proposer, agency: agency is None or agency == proposer,
    "({wanted}::uuid IS NULL OR {0} = {wanted}::uuid)",
    lambda *_: SecondPersonNeeded(),
)
_ASSESSES = Condition(
    ("id",),
    lambda principal, _: RECEIVE.code in principal.role.scopes,
    lambda _, may: bool(may),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: NotYourPart(),
)
_ASSESSED = given("assessed_at", NotAssessed)
_HANGS_ON_A_FILE = given("child_id", NothingToTakeBack)
_JOINED = given("incident_id", NotJoined)
_BY_NAME = personally("state")
_IN_CHARGE = (own("police_agency_id", NotYourPart),)
TOLD: Final = own_or_among("police_agency_id", "also_told", NotYourPart)
"""Hold for the police in charge, or those told while nobody is."""

_OTHER_OFFICER = Condition(
    ("omitted_by",),
    lambda principal, _: principal.selves,
    lambda givers, selves: bool(selves) and not {*selves} & {*givers},
    "(cardinality({wanted}::uuid[]) > 0 AND NOT {wanted}::uuid[] && {0})",
    lambda *_: AnotherOfficerNeeded(),
)
_HANDLE = Act("police_reports:handle", (TOLD,))
_TELL = Act("police_reports:handle")
"""All police who had it may still tell what they did."""

_PROTECT = Act("police_reports:receive", (PROTECTOR,))
_MATCH = Act("police_reports:match", (_POLICE_OR_PROTECTOR,))

ACTS: Final[Mapping[str, Act]] = {
    "readReporter": Act("reporters:read", _IN_CHARGE, guard=ALWAYS),
    "readReporterAlone": Act(
        "reporters:read",
        (
            *_IN_CHARGE,
            personally("id"),
            unset("handled_at", DisposedAlready),
            unset("closed_at", DisposedAlready),
        ),
    ),
    "readReportChain": Act("police_reports:read"),
    "acknowledgeReport": _TELL,
    "dispatchReport": _TELL,
    "assistPolice": Act("police_reports:file", (own("reporter_agency_id", NotYourPart),)),
    "disposeReport": _TELL,
    "judgeOmissions": Act(
        "police_reports:handle", (TOLD, given("omission_step_id", NothingLeftOut), _OTHER_OFFICER)
    ),
    "investigateReport": _HANDLE,
    "notifyTownship": _HANDLE,
    "forwardReport": _HANDLE,
    "confirmTownshipNotice": Act(
        "police_reports:receive", (PROTECTOR, own_or_nobodys("township_agency_id", NotYourPart))
    ),
    "recordAssessment": _PROTECT,
    "readAssessmentDocument": Act("police_reports:read", (_ASSESSES, PROTECTOR, _ASSESSED)),
    "arrangeServices": _PROTECT,
    "closeReport": Act("police_reports:receive", (IN_PLACE, _BY_NAME)),
    "confirmClosure": Act(
        "police_reports:receive", (IN_PLACE, _PROPOSED, _ANOTHER_PERSON, _THERE_OR_ABOVE)
    ),
    "identifyChild": Act(
        _MATCH.scope, (_POLICE_OR_PROTECTOR, unset("child_id", ChildKnownAlready))
    ),
    "nameSuspect": Act(
        _MATCH.scope, (_POLICE_OR_PROTECTOR, _ABOVE_SUSPICION, _BY_NAME, _SUSPECT_OPEN)
    ),
    "withdrawSuspect": Act(
        _MATCH.scope, (_POLICE_OR_PROTECTOR, _POLICE_OR_COUNTY, _BY_NAME, _NAMED)
    ),
    "withdrawIdentification": Act(_MATCH.scope, (_POLICE_OR_IN_PLACE, _BY_NAME, _HANGS_ON_A_FILE)),
    "joinReports": _MATCH,
    "separateReport": Act(_MATCH.scope, (_POLICE_OR_PROTECTOR, _BY_NAME, _JOINED)),
    "supersedeReport": Act(
        "police_reports:file",
        (own("reporter_agency_id", NotYourPart), unset("superseded_by_id", SupersededAlready)),
    ),
}
