"""One well-formed request, or several, for every operation. A new operation needs a line in the
part of its package (see `parts.py`), or here.
"""

from collections.abc import Callable

from app.core.ids import new_id
from app.sealing.notes import LOG, WITNESS, VerifierKey
from tests.access.apps import a_key
from tests.attendance.factories import an_event
from tests.children.factories import a_file
from tests.dropout_alerts import factories as dropout
from tests.matrix.facts import Target
from tests.matrix.found import PARTS
from tests.matrix.parts import Ask, Json, always
from tests.police_reports import factories as police

_NOW = "2026-11-20T09:30:00+08:00"
_KEYS = {"keys": [a_key()[1]]}


def _place(target: Target) -> str:
    return f"{target.region:012d}"


def _new_file(target: Target) -> Json:
    file = a_file(target.region)
    return {section: file[section] for section in ("identity", "residence")}


def _trial(target: Target) -> Json:
    return {"parameter": "lbc.age_limit", "region_code": _place(target), "value": 14}


def _events(target: Target) -> Json:
    return {"events": [an_event(target.ids["child_id"], id="the-same-every-time")]}


def _report_on_file(target: Target) -> Json:
    body = police.a_report(child_id=str(target.ids["child_id"]), region_code=_place(target))
    del body["subject"]
    return body


def _report(target: Target) -> Json:
    return police.a_report(region_code=_place(target))


def _post(role: str) -> Callable[[Target], Json]:
    return lambda target: {
        "agency_id": str(target.owner),
        "role": role,
        "local_title": "测试岗位",
        "region_code": _place(target),
    }


def _machine(role: str) -> Callable[[Target], Json]:
    return lambda target: {
        "name": "test system",
        "agency_id": str(target.owner),
        "role": role,
        "region_code": _place(target),
    }


def _proposal(target: Target) -> Json:
    """A police station for the township of a target, which operators propose."""
    township = f"{target.region // 1000 * 1000:012d}"
    body = {"kind": "police", "name": "测试派出所", "region_code": township}
    said = {"operation": "createAgency", "path": "/v1/agencies", "body": body}
    return {**said, "reason": "合成记录,仅用于测试。"}


_ACCESS = (
    Ask("readMe"),
    Ask("listMySignIns"),
    Ask("endMySignIns"),
    Ask("endMySignIn"),
    Ask("listStaff", shows=("staff_id",)),
    Ask("readStaff"),
    Ask(
        "createStaff",
        lambda target: {"agency_id": str(target.owner), "name": "测试员", "username": "new.one"},
    ),
    Ask("inviteStaff"),
    Ask("resetPassword"),
    Ask("resetSecondFactor"),
    Ask("suspendStaff"),
    Ask("resumeStaff"),
    Ask("endStaff"),
    Ask("listSignIns"),
    Ask("endSignIns"),
    Ask("inviteDevice"),
    Ask("listDevices"),
    Ask("revokeDevice"),
    Ask("listClients", shows=("client_id",)),
    Ask("readClient"),
    Ask("registerClient", _machine("hospital"), gives="hospital"),
    Ask("registerClient", _machine("police"), gives="police"),
    Ask("registerApp", always({"name": "app", "redirect_uris": ["https://app.example/back"]})),
    Ask("replaceClientKeys", always(_KEYS)),
    Ask("suspendClient"),
    Ask("resumeClient"),
    Ask("allowBearerTokens", always({"reason": "x" * 20, "until": "2026-12-01T00:00:00Z"})),
    Ask("endBearerTokens"),
    Ask("proposeApproval", _proposal),
    Ask("listApprovals", shows=("approval_id",)),
    Ask("readApproval"),
    Ask("decideApproval", always({"verdict": "approved", "reason": "合成记录,仅用于测试。"})),
    Ask("withdrawApproval"),
    Ask("listReviews", shows=("review_id",)),
    Ask("readReview"),
    Ask("finishReview", always({"finding": "proper", "note": "合成记录,仅用于测试。"})),
)

_REFERENCE = (
    Ask("listRegions"),
    Ask("readRegion"),
    Ask("listCodelists"),
    Ask("readCodelist"),
    Ask("listPolicyParameters"),
    Ask("readPolicyParameter"),
    Ask("listClauses"),
    Ask("listCollections"),
    Ask("listAgencies", shows=("agency_id",)),
    Ask(
        "createAgency",
        lambda target: {"kind": "school", "name": "测试学校", "region_code": _place(target)},
    ),
    Ask("readAgency"),
    Ask("listPosts", shows=("post_id in a list",)),
    Ask("readPost"),
    Ask("addPost", _post("village_director"), gives="village_director"),
    Ask("addPost", _post("police"), gives="police"),
    Ask("listHolders"),
    Ask(
        "holdPost",
        lambda target: {"staff_id": str(target.ids["staff_id"]), "since": "2026-11-01"},
        gives="village_director",
    ),
    Ask("leavePost", always({"until": "2026-11-20"}), gives="village_director"),
    Ask("setPublicContact", always({"public_contact": "022-00000000"})),
    Ask(
        "handOverPost",
        lambda target: {
            "holding_id": str(target.ids["holding_id"]),
            "successor_id": str(target.ids["staff_id"]),
            "since": "2026-11-20",
        },
        gives="village_director",
    ),
    Ask("changePost", always({"based_on": 1, "local_title": "儿童主任"}), gives="village_director"),
    Ask("closePost", gives="village_director"),
    Ask("readOpenBusiness"),
    Ask("changeAgency", always({"based_on": 1, "name_en": "Office"})),
    Ask("closeAgency", always({"reason": "合成记录,仅用于测试。"})),
    Ask("mergeAgency", always({"successor_id": str(new_id())})),
    Ask("listHiringChecks", shows=("check_id",)),
    Ask("readHiringCheck"),
    Ask(
        "askHiringCheck",
        lambda target: {
            "staff_id": str(target.ids["staff_id"]),
            "office_id": str(target.police),
            "asked_on": "2026-11-03",
        },
    ),
    Ask("answerHiringCheck", always({"result": "clear", "answered_on": "2026-11-04"})),
    Ask("recordNotClear", always({"answered_on": "2026-11-04"})),
    Ask("listStaffNearChildren"),
    Ask("listAuditEntries", shows=("entry_id",)),
    Ask("listReadingAlarms", shows=("tally_id",)),
    Ask("listChildReaders"),
)

_WEBHOOKS = (
    Ask(
        "registerWebhookEndpoint",
        lambda target: {
            "url": "https://receiver.example/hook",
            "description": "test",
            "event_types": ["police_reports.report_filed"],
            "region_code": _place(target),
        },
    ),
    Ask("listWebhookEndpoints", shows=("endpoint_id",)),
    Ask("readWebhookEndpoint"),
    Ask("changeWebhookEndpoint", always({"description": "changed"})),
    Ask("rotateWebhookSecret", always({"overlap_hours": 1})),
    Ask("listWebhookDeliveries", shows=("delivery_id",)),
    Ask("readWebhookDelivery"),
    Ask("replayWebhookDelivery"),
    Ask("closeWebhookDelivery", always({"reason": "told by telephone"})),
    Ask("listEvents"),
)

_CHILDREN = (
    Ask("createChild", _new_file),
    Ask("listChildren", shows=("child_id",)),
    Ask("partitionChildren"),
    Ask("searchChildren", always({"name": "测一", "limit": 200}), shows=("child_id",)),
    Ask("readChild"),
    Ask("changeChild", always({"guardianship": {"kind": "grandparents"}})),
    Ask("readChildHistory"),
    Ask("readChildReasons"),
    Ask("listChildEnrolments"),
    Ask("listDuties", shows=("duty_id VIS-01", "duty_id EDU-04", "duty_id")),
    Ask("partitionDuties"),
    Ask("summariseDuties"),
    Ask("summariseChildren"),
    Ask("tryPolicyValue", _trial),
    Ask("startPolicyTrial", _trial),
    Ask("readPolicyTrial"),
    Ask("cancelPolicyTrial"),
    Ask("readDuty"),
    Ask("proposeWaiver", always({"reason": "合成记录"})),
    Ask("approveWaiver"),
    Ask("withdrawWaiver"),
)

_SCHOOLS = (
    Ask("pushAttendanceEvents", _events, names=("child_id",)),
    Ask(
        "listAttendanceEvents",
        query=lambda target: {"child_id": str(target.ids["child_id"])},
        names=("child_id",),
    ),
    Ask("readAttendanceBatch"),
    Ask("listDropoutAlerts", shows=("alert_id",)),
    Ask("readDropoutAlert"),
    Ask("recordPersuasion", always(dropout.an_attempt())),
    Ask("recordParentContact", always({"spoken_on": "2026-11-20", "method": "phone"})),
    Ask("enterInRegister", always({"cause": "working", "whereabouts": "working_away"})),
    Ask("sendWrittenReport", always(dropout.a_report())),
    Ask("acknowledgeWrittenReport"),
    Ask("orderMeasure", always({"kind": "aid", "ordered_on": "2026-11-20"})),
    Ask("recordReturn", always({"returned_on": "2026-11-20", "kind": "same_school"})),
    Ask("settleDoubt", always({"decision": "stands", "note": "合成记录"})),
)

_POLICE = (
    Ask("fileReport", _report),
    Ask("fileReport", _report_on_file, claims=("child_id",)),
    Ask("listReports", shows=("report_id",)),
    Ask("readReport"),
    Ask("readReporter"),
    Ask("readReporterAlone", always({"reason": "合成记录,仅用于测试。"})),
    Ask("readReportChain"),
    Ask("readAssessmentDocument"),
    Ask("acknowledgeReport", always({"police_reference": "1", "accepted_at": _NOW})),
    Ask("dispatchReport", always({"dispatched_at": _NOW, "unit": "一组"})),
    Ask("assistPolice", always({"helped_at": _NOW, "help_given": "合成记录"})),
    Ask(
        "disposeReport",
        always(
            {
                "kind": "living_alone",
                "at": _NOW,
                "measures": ["parents_ordered_to_return", "parents_admonished"],
            }
        ),
    ),
    Ask("notifyTownship", always({"sent_at": _NOW, "content": "合成记录"})),
    Ask("forwardReport", always({"forwarded_at": _NOW, "police_agency_id": str(new_id())})),
    Ask("confirmTownshipNotice", always({"received_at": _NOW})),
    Ask(
        "recordAssessment",
        always(
            {
                "assessed_at": _NOW,
                "safety": "safe",
                "guardianship": "weak",
                "physical_health": "good",
                "mental_health": "fair",
                "participants": ["school"],
                "summary": "合成记录",
            }
        ),
    ),
    Ask(
        "arrangeServices",
        always(
            {
                "arranged_at": _NOW,
                "services": [{"kind": "counselling", "provider": "测试", "started": True}],
            }
        ),
    ),
    Ask(
        "judgeOmissions",
        lambda target: {
            "judged_at": _NOW,
            "disposition_id": str(target.ids["report_id"]),
            "confirmed": True,
            "explanation": "合成记录",
        },
    ),
    Ask("investigateReport", always({"at": _NOW, "stage": "ended", "explanation": "合成记录"})),
    Ask("closeReport", always({"closed_at": _NOW, "reason": "child_safe"})),
    Ask("confirmClosure", always({"confirmed_at": _NOW})),
    Ask(
        "identifyChild",
        lambda target: {
            "identified_at": _NOW,
            "child_id": str(target.ids["child_id"]),
            "basis": "合成记录",
        },
    ),
    Ask("withdrawIdentification", always({"withdrawn_at": _NOW, "basis": "合成记录"})),
    Ask("withdrawSuspect", always({"withdrawn_at": _NOW, "basis": "合成记录"})),
    Ask("separateReport", always({"separated_at": _NOW, "basis": "合成记录"})),
    Ask("nameSuspect", always({"named_at": _NOW, "suspect_agency_id": None, "basis": "合成"})),
    Ask("joinReports", always({"joined_at": _NOW, "report_id": str(new_id())})),
    Ask("supersedeReport", _report),
)

_UNRESOLVED = (
    Ask("listUnresolved", shows=("unresolved_id",)),
    Ask("readUnresolved"),
    Ask(
        "attachUnresolved",
        lambda target: {"child_id": str(target.ids["child_id"]), "words": "合成记录"},
        claims=("child_id",),
    ),
    Ask(
        "correctUnresolved",
        lambda target: {"child_id": str(target.ids["child_id"]), "words": "合成记录"},
        claims=("child_id",),
    ),
    Ask("takeBackUnresolved", always({"words": "合成记录"})),
    Ask("dismissUnresolved", always({"words": "合成记录"})),
    Ask("answerUnresolved", always({"answer": "one_visit", "words": "合成记录"})),
)

_BREACHES = (
    Ask("recordBreach", always({"kind": "leaked", "what": "合成记录", "measures": "合成记录"})),
    Ask("listBreaches", shows=("breach_id",)),
    Ask("readBreach"),
    Ask("recordBreachTold", always({"whom": "police"})),
    Ask("closeBreach", always({"words": "合成记录"})),
)

_WITNESS = str(VerifierKey("witness.example", WITNESS, bytes([1] * 32)))
_SEALED = (
    Ask("listCheckpoints"),
    Ask("readCheckpoint"),
    Ask("readInclusion", query=lambda t: {"entry_id": str(t.ids["entry_id"])}),
    Ask("cosignCheckpoint", always({"line": f"— witness.example {'A' * 104}"})),
    Ask("presentCheckpoint", always({"note": "audit.example\n1\n-\n\n-"})),
    Ask("startLog", always({"key": str(VerifierKey("audit.example", LOG, bytes(32)))})),
    Ask("listWitnesses", shows=("witness_id",)),
    Ask("registerWitness", lambda t: {"agency_id": str(t.police), "key": _WITNESS}),
    Ask("readWitness"),
    Ask("endWitness"),
)

ASKS: tuple[Ask, ...] = (
    *(*_BREACHES, *_SEALED),
    *(*_ACCESS, *_REFERENCE, *_WEBHOOKS, *_CHILDREN, *_SCHOOLS, *_POLICE, *_UNRESOLVED),
    *(each for part in PARTS for each in part.asks),
)

NAMES = {"readCodelist": "sex", "readPolicyParameter": "dropout.thresholds"}
"""What `{name}` in a path stands for: lists and parameters that everybody may read."""
