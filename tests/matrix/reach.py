"""What no target of the stage lets a role do, though docs/roles.md says that it may: with another
part in the case it does, as tests elsewhere show.
"""

from collections.abc import Iterator, Mapping

from tests.matrix.asks import ASKS
from tests.matrix.described import Operation
from tests.matrix.expectation import ROLES, Answer, expected
from tests.matrix.stage import Stage

ELSEWHERE: Mapping[str, frozenset[str]] = {
    # Its own sign-ins, of which the stage has none: tests/staff/test_staff.py.
    "endMySignIn": frozenset(ROLES) - {"school_system"},
    # Whoever is asked answers; on the stage it is the police: tests/referrals.
    "answerReferral": frozenset(
        {
            *("civil_affairs", "education_authority", "hospital", "reporting_body", "school"),
            *("township_supervisor", "village_director"),
        }
    ),
    # The stage's duty is the police's to accept a report; they owe and see others: tests/duties.
    "readDuty": frozenset(
        {
            *("auditor", "education_authority", "hospital", "reporting_body", "school"),
            "village_director",
        }
    ),
    # It writes `education`, the stage asks for `guardianship`: tests/children/test_reading.py.
    "changeChild": frozenset({"education_authority"}),
    # What its schools sent: tests/unresolved/test_attendance.py, test_above_schools.py.
    **dict.fromkeys(
        ("readUnresolved", "answerUnresolved", "correctUnresolved"),
        frozenset({"education_authority"}),
    ),
    # Where another office was asked where a child was: tests/attendance/test_presence.py.
    "recordPresenceFinding": frozenset(
        {"civil_affairs", "education_authority", "township_supervisor"}
    ),
    # Who reads no duties counts none, and is refused: tests/api/test_posts.py.
    "readOpenBusiness": frozenset({"administrator", "operator"}),
    # What they opened themselves; on the stage somebody else did: tests/break_glass.
    "readBreakGlassFile": frozenset({"auditor", "village_director"}),
    # It is done for protection, which is not the purpose asked for: tests/elsewhere.
    "lookElsewhere": frozenset({"reporting_body"}),
    # Only the sealer makes checkpoints: tests/sealing.
    **dict.fromkeys(
        ("readCheckpoint", "readInclusion"),
        frozenset({"auditor", "civil_affairs", "operator", "police"}),
    ),
    **dict.fromkeys(
        ("cosignCheckpoint", "presentCheckpoint"), frozenset({"civil_affairs", "police"})
    ),
    # Of a report that they filed themselves; those of the stage were filed by others.
    **dict.fromkeys(("supersedeReport", "assistPolice"), frozenset({"police"})),
}

BY_TWO: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("createStaff", "inviteStaff", "inviteDevice", "replaceClientKeys"),
        frozenset({"civil_affairs", "operator"}),
    ),
    "setPublicContact": frozenset({"civil_affairs", "operator"}),
    "resetPassword": frozenset({"administrator", "civil_affairs", "operator"}),
    **dict.fromkeys(
        (
            *("resumeClient", "allowBearerTokens", "registerApp", "holdPost"),
            *("changeAgency", "changePost", "handOverPost", "registerWitness", "endWitness"),
        ),
        frozenset({"operator"}),
    ),
    "registerClient": frozenset({"civil_affairs"}),
}
"""What nobody of a role does alone on any target: two do, in tests/staff/test_pairs_by_two.py."""

SHARED: Mapping[str, frozenset[str]] = {
    "proposeApproval": frozenset(
        {"administrator", "civil_affairs", "police", "township_supervisor"}
    ),
    **dict.fromkeys(
        ("decideApproval", "finishReview"),
        frozenset({"administrator", "operator", "police", "township_supervisor"}),
    ),
    "withdrawApproval": frozenset(
        {"administrator", "civil_affairs", "operator", "police", "township_supervisor"}
    ),
    "readReporter": frozenset({"police"}),
}
"""What the stage proposes and reviews is civil affairs'. The others': likewise, and the police's in
tests/police_reports/test_reading_reporters.py.
"""


def unreached(stage: Stage, described: Mapping[str, Operation]) -> Iterator[str]:
    """Yield the operations whose scope the caller's role holds and no target lets them do."""
    reached = {
        each.operation
        for each in ASKS
        for operation in [described[each.operation]]
        if any(
            expected(operation, (*operation.names, *each.names), each.gives, stage.who, target)
            is Answer.DONE
            for target in stage.targets
        )
    }
    for operation in described.values():
        if operation.scope in ROLES[stage.who.role]["scopes"] and operation.id not in reached:
            yield operation.id
