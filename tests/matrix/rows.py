"""The rows behind a target, stored as the system."""

from datetime import date
from typing import Any
from uuid import UUID

import orjson

from app.access.models import Client, Device, ReadingTally, StaffAccount
from app.agencies.models import Post, PostHolding, Staff
from app.attendance.models import AttendanceBatch
from app.children.exact_trials import PolicyTrialRow
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.data.hiding import HiddenSubject
from app.core.ids import new_id
from app.dropout_alerts.models import DropoutAlert, ReportReceipt
from app.duties.models import Duty
from app.police_reports.models import NARRATIVE, SUBJECT, PoliceReport, PoliceReportStep
from app.regions.rules import lineage, subtree
from app.unresolved.models import CLAIM, Unresolved
from app.webhooks.models import SECRET_PLACE, WebhookDelivery, WebhookEndpoint
from tests.breaches.stage import a_breach
from tests.matrix import power
from tests.matrix.facts import Target
from tests.matrix.found import PARTS

KINDS = (
    *(part.id for part in PARTS),
    *("unresolved_id", "alert_id", "report_id", "batch_id", "trial_id", "endpoint_id"),
    *("delivery_id", "post_id", "staff_id", "device_id", "sign_in_id", "holding_id"),
    *("approval_id", "review_id", "tally_id", "breach_id", "check_id"),
    *("checkpoint_id", "witness_id"),
    *("client_id", "entry_id", "duty_id VIS-01", "duty_id EDU-04", "duty_id"),
)
"""What `store` gives the ids that the target names for them."""

_DAY = date(2026, 11, 18)


async def store(tx: Tx, target: Target, child: ChildRef) -> None:
    """Store everything of a target but its agencies and the child."""
    about = {"home_county": child.home_county, "child_id": child.id, "region_code": target.region}
    below = {**about, "region_code": child.region_code, "pupil_of": child.school_id}
    for part in PARTS:
        tx.session.add_all(part.rows(tx, target, below))
    await _alert(tx, target, below)
    await _unresolved(tx, target)
    await _report(tx, target, about)
    _duties(tx, target, about)
    await _post(tx, target)
    _machine(tx, target)
    power.store(tx, target)
    _tally(tx, target)
    await _webhook(tx, target, child)
    tx.session.add(a_breach(tx, target))
    await tx.flush()
    await tx.connection.execute(
        "INSERT INTO audit_entries (id, at, actor, agency_id, role, region_code, operation,"
        " subject_id, decision, request_id)"
        " VALUES ($1, $2, 'test', $3, 'test', $4, 'test', $5, 'allowed', '-')",
        target.ids["entry_id"],
        tx.now,
        target.owner,
        target.region,
        target.ids["report_id"],
    )


async def _alert(tx: Tx, target: Target, about: dict[str, Any]) -> None:
    alert = DropoutAlert(
        **about,
        id=target.ids["alert_id"],
        opened_in=target.region,
        school_id=target.school,
        addressed=list(target.addressed),
        state="registered",
        opened_on=_DAY,
        first_absent_day=date(2026, 11, 2),
        last_absent_day=_DAY,
        unexcused_days=9,
        registered_on=_DAY,
        doubt="fewer_days",
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(alert)
    await tx.flush()
    for agency in target.addressed:
        tx.session.add(
            ReportReceipt(
                **about,
                alert_id=alert.id,
                school_id=target.school,
                agency_id=agency,
                kind="education",
            )
        )


async def _report(tx: Tx, target: Target, about: dict[str, Any]) -> None:
    identity = target.ids["report_id"]
    nobody = dict.fromkeys(("name", "birth_date", "approximate_age", "place"))
    subject = orjson.dumps({**nobody, "sex": "unknown"})
    closure = new_id()
    tx.session.add(
        PoliceReport(
            home_county=about["home_county"],
            child_county=about["home_county"],
            child_id=about["child_id"],
            region_code=target.scene,
            home_region=target.region,
            former_homes=sorted(lineage(target.before)[:-1]) if target.before else [],
            id=identity,
            situations=["living_alone"],
            urgency="urgent",
            channel="app",
            found_at=tx.now,
            filed_at=tx.now,
            reporter_agency_id=target.reporter,
            suspect_agency_id=target.suspect,
            hidden_from=sorted({target.suspect, target.accused_before} - {None}),
            hidden_below=10**6 if target.unclear_whom else 0,
            police_below=10**6 if target.unclear_whom else 0,
            doubts=["agency_unknown"] if target.unclear_whom else [],
            police_agency_id=target.police,
            forwarded_by_id=target.passed_on_by,
            omission_step_id=identity,
            closure_step_id=closure,
            closure_agency_id=target.owner,
            closure_staff_id=new_id(),
            narrative_sealed=tx.keyring.seal(NARRATIVE, identity, "合成记录"),
            subject_sealed=tx.keyring.seal(SUBJECT, identity, subject),
            content_index=b"-",
            routing="no_endpoint",
            acknowledge_due_at=tx.now,
            deliver_alarm_at=tx.now,
            updated_at=tx.now,
        )
    )
    tx.session.add(
        HiddenSubject(
            subject_id=identity,
            hidden_from=sorted({target.suspect, target.accused_before} - {None}),
            hidden_below=10**6 if target.unclear_whom else 0,
            police_below=10**6 if target.unclear_whom else 0,
            filed_by_id=target.reporter,
        )
    )
    await tx.flush()
    tx.session.add(
        PoliceReportStep(
            id=closure,
            home_county=about["home_county"],
            report_id=identity,
            step="closure_proposed",
            at=tx.now,
            recorded_at=tx.now,
            agency_id=target.owner,
            codes={"reason": "unfounded"},
            content_index=b"-",
        )
    )


def _duties(tx: Tx, target: Target, about: dict[str, Any]) -> None:
    owed = {
        "VIS-01": ("village_director", None, "2026Q4", "child_id"),
        "EDU-04": ("school", target.school, "", "alert_id"),
        "REP-07": ("police", target.police, "", "report_id"),
    }
    for rule, (role, agency, period, subject) in owed.items():
        told = list(target.told_to) if target.told_to and rule == "REP-07" else None
        tx.session.add(
            Duty(
                **about,
                id=target.ids["duty_id" if rule == "REP-07" else f"duty_id {rule}"],
                rule=rule,
                subject_id=target.ids[subject],
                bearer_role=role,
                bearer_agency_id=agency,
                priority=False,
                told_to=told,
                overseer_id=target.overseer if rule == "EDU-04" else None,
                period=period,
                counts_from=_DAY,
                counts_until=None,
                opened_at=tx.now,
                due_at=tx.now,
                overdue_at=None,
                discharged_at=None,
                discharged_by=None,
                discharged_on=None,
                state="open",
                version=1,
            )
        )


async def _unresolved(tx: Tx, target: Target) -> None:
    """A visit that its sender, an agency, made to somebody nobody knows."""
    identity, claimed = target.ids["unresolved_id"], new_id()
    sender = {
        **dict.fromkeys(("staff_id", "client_id")),
        "subject": "staff:test",
        "agency_id": str(target.owner),
        "agency_kind": "village_committee",
        "role": "village_director",
    }
    nothing = dict.fromkeys(
        (
            *("child_id", "other_child_id", "twin_id", "settled_at", "settled_by"),
            *("words_sealed", "dismissal_by", "dismissal_sealed", "dismissal_at"),
            *("answer", "answer_sealed", "answered_at", "answered_by"),
            *("their_answer", "their_answer_sealed", "their_answered_at"),
            "their_answered_by",
        )
    )
    claim = orjson.dumps({"child_id": claimed}, default=str)
    tx.session.add(
        Unresolved(
            **nothing,
            id=identity,
            kind="visit",
            about_id=target.ids["report_id"],  # as of a question about whose that is
            reason="child_unknown",
            region_code=target.region,
            owner_role="township_supervisor",
            agency_id=target.owner,
            sender=sender,
            sent_from=target.region,
            abnormal=False,
            claim=claimed.bytes,
            claim_sealed=tx.keyring.seal(CLAIM, identity, claim),
            state="open",
            due_at=tx.now,
            received_at=tx.now,
            updated_at=tx.now,
            version=1,
        )
    )
    await tx.flush()


async def _post(tx: Tx, target: Target) -> None:
    lo, hi = subtree(target.region)
    person = Staff(
        id=new_id(),
        agency_id=target.owner,
        region_code=target.owner_region,
        name="测试员",
        created_at=tx.now,
    )
    tx.session.add(person)
    other = {"id": target.ids["staff_id"], "name": "测试员乙"}
    tx.session.add(Staff(**{**person.model_dump(), **other}))
    tx.session.add(
        Post(
            id=target.ids["post_id"],
            agency_id=target.owner,
            role="village_director",
            local_title="测试岗位",
            region_code=target.region,
            remit_lo=lo,
            remit_hi=hi,
            created_at=tx.now,
        )
    )
    await tx.flush()
    tx.session.add(
        PostHolding(
            id=target.ids["holding_id"],
            post_id=target.ids["post_id"],
            staff_id=person.id,
            since=date(2026, 1, 1),
            created_at=tx.now,
        )
    )
    name = str(target.ids["staff_id"])
    tx.session.add(
        StaffAccount(
            staff_id=target.ids["staff_id"], username=name, password_hash="-", created_at=tx.now
        )
    )
    when = dict.fromkeys(("enrolled_at", "seen_at", "lease_until"), tx.now)
    tx.session.add(
        Device(
            id=target.ids["device_id"],
            staff_id=target.ids["staff_id"],
            thumbprint=name,
            name="测试手机",
            **when,
        )
    )


def _tally(tx: Tx, target: Target) -> None:
    tx.session.add(
        ReadingTally(
            id=target.ids["tally_id"],
            subject=f"staff:{new_id()}",
            agency_id=target.owner,
            day=_DAY,
            purpose="care",
            kind="children",
            role="village_director",
            region_code=target.region,
            counted=1_000,
            since=tx.now,
            alarmed_at=tx.now,
        )
    )


def _machine(tx: Tx, target: Target) -> None:
    lo, hi = subtree(target.region)
    tx.session.add(
        Client(
            id=target.ids["client_id"],
            kind="machine",
            name="test system",
            agency_id=target.owner,
            role="hospital",
            region_code=target.owner_region,
            remit_lo=subtree(target.owner_region)[0],
            remit_hi=subtree(target.owner_region)[1],
            created_at=tx.now,
        )
    )
    tx.session.add(
        PolicyTrialRow(
            id=target.ids["trial_id"],
            agency_id=target.owner,
            parameter="lbc.age_limit",
            region_code=target.region,
            value=14,
            tried_on=_DAY,
            made_by="-",
            lo=lo,
            hi=hi,
            state="done",
            files=0,
            tally={},
            after_region=lo,
            after_id=UUID(int=0),
            started_at=tx.now,
            advanced_at=tx.now,
        )
    )
    tx.session.add(
        AttendanceBatch(
            id=target.ids["batch_id"],
            agency_id=target.owner,
            caller="client:test",
            answer=orjson.dumps({"batch_id": target.ids["batch_id"], "results": []}),
            received_at=tx.now,
        )
    )


async def _webhook(tx: Tx, target: Target, child: ChildRef) -> None:
    lo, hi = subtree(target.region)
    endpoint, delivery = target.ids["endpoint_id"], target.ids["delivery_id"]
    tx.session.add(
        WebhookEndpoint(
            id=endpoint,
            agency_id=target.owner,
            url="https://receiver.example/hook",
            description="test",
            event_types=["police_reports.*"],
            mandatory=True,
            relation="none",
            region_code=target.region,
            region_lo=lo,
            region_hi=hi,
            secret_sealed=tx.keyring.seal(SECRET_PLACE, endpoint, b"0" * 32),
            created_at=tx.now,
            updated_at=tx.now,
        )
    )
    await tx.flush()
    tx.session.add(
        WebhookDelivery(
            id=delivery,
            webhook_id=f"msg_{delivery.hex[-27:]}",
            endpoint_id=endpoint,
            agency_id=target.owner,
            event_id=new_id(),
            wire_name="children.child_registered",
            ordering_key=child.id,
            region_code=target.region,
            home_county=child.home_county,
            sequence=1,
            body=orjson.dumps({"data": {"child_id": child.id}}),
            delivery_class="M",
            state="pending",
            next_at=tx.now,
            created_at=tx.now,
        )
    )
