"""How many there are of everything for each child, and what differs from one copy to another."""

from collections.abc import Callable, Iterable

from app.children import naming

RATIOS = {
    "children": 1.0,
    "visits": 2.0,
    "duties": 1.6,
    "attendance_events": 1.0,
    "attendance_slots": 1.0,
    "attendance_days": 0.05,
    "attendance_batches": 0.1,
    "child_changes": 1.0,
    "child_facts": 0.5,
    "child_enrolments": 1.0,
    "child_keys": 1.0,
    "resident_ids": 1.0,
    "confirmations": 1.0,
    "events": 1.0,
    "audit_entries": 1.1,
    "duty_evidence": 0.5,
    "dropout_alerts": 0.02,
    "police_reports": 0.01,
    "referrals": 0.05,
    "unresolved": 0.02,
    "webhook_deliveries": 0.1,
    "presence_doubts": 0.02,
    **dict.fromkeys(("attendance_contradictions", "attendance_rolls", "child_aliases"), 0.05),
    **dict.fromkeys(("child_external_ids", "child_stays", "derivations"), 0.05),
    **dict.fromkeys(("duplicate_referrals", "policy_trials"), 0.05),
    **dict.fromkeys(("presence_sightings", "spooled_reports"), 0.05),
    **dict.fromkeys(("break_glass", "looks_elsewhere", "rights_requests", "breaches"), 0.05),
    **dict.fromkeys(("consents", "reading_tallies"), 0.2),
    "notices": 1.0,
    **dict.fromkeys(("approvals", "bearer_exceptions", "reviews", "same_persons"), 0.05),
}
"""Rows for each child. Few of what there will be many of let a statement pass that reads all."""

OF_AGENCIES = {
    "agencies": 1.0,
    "posts": 0.3,
    "staff": 0.3,
    "staff_accounts": 0.3,
    "post_holdings": 0.3,
    "hiring_checks": 0.3,
    "clients": 0.05,
    "sign_ins": 0.05,
    "devices": 0.1,
    "webhook_endpoints": 0.02,
    "subscriptions": 0.02,
}
"""What agencies have, copied once for each township, and in which share of them."""

ALONG = {
    "police_report_steps": "police_reports",
    "police_reporters": "police_reports",
    "report_keys": "police_reports",
    "hidden_subjects": "police_reports",
    "dropout_alert_steps": "dropout_alerts",
    "dropout_measures": "dropout_alerts",
    "dropout_persuasions": "dropout_alerts",
    "dropout_report_receipts": "dropout_alerts",
    "dropout_written_reports": "dropout_alerts",
    "unresolved_evidence": "unresolved",
    "webhook_attempts": "webhook_deliveries",
    "event_named": "events",
    "subject_sequences": "events",
    "visit_versions": "visits",
    "audit_children": "audit_entries",
}
"""What exists for the same copies as something else."""

SELDOM = {
    "duties": "t.told_to IS NULL OR n % 40 = 0",
    "audit_entries": "cardinality(t.beside_ids) < 5 OR n % 20 = 0",
}
"""Which rows of a table are copied: what there is much less of than the templates make believe."""

KEPT = {
    *("jobs", "job_schedules", "regions", "alembic_version", "idempotency_keys", "revocations"),
    *("event_feed", "key_checks", "reindexed", "former_release"),
    *("duty_counts", "children_counts"),
    *("child_names", "names_unfilled"),  # made of the names, by the county's key
    *("used_proofs", "pushed_requests"),
    *("audit_leaves", "audit_nodes", "audit_checkpoints", "audit_cosignatures", "audit_witnesses"),
    *("audit_logs", "audit_presented", "backups_made"),
    *("invitations", "device_codes", "sign_in_places"),
    *("used_assertions", "authorization_codes", "refresh_tokens", "school_calendar_days"),
}
"""What is not copied."""

_SURNAMES, _GIVEN = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗",
    "小明红芳伟强军丽静敏涛超勇艳杰娟霞平刚玲",
)


def name_of(n: int) -> str:
    """Say what children of copy `n` are called."""
    return _SURNAMES[n % 20] + _GIVEN[n // 20 % 20] + _GIVEN[n // 400 % 20]


def _of(n: str, texts: Iterable[str]) -> str:
    listed = ", ".join(f"'{each}'" for each in texts)
    return f"(ARRAY[{listed}])[1 + ({n}) % 20]"


def _named(shown: Callable[[str], str]) -> str:
    """Write the name of copy `n`, a part for each character."""
    parts = (("n", _SURNAMES), ("n / 20", _GIVEN), ("n / 400", _GIVEN))
    return " || ".join(_of(n, map(shown, characters)) for n, characters in parts)


def _spelt(column: str) -> Callable[[str], str]:
    return lambda character: naming.spell(character)[column] or ""


_NAME = _named(str)
_OPEN = "n % 20 = 0"
"""One of twenty is under way."""
_IN_PLACE = "lpad(plans_place((t.{0}->>'region_code')::bigint, n, $5::bigint[])::text, 12, '0')"
_SECTION = (
    "CASE WHEN t.{0}->>'region_code' IS NOT NULL THEN jsonb_set(t.{0}, '{{region_code}}', to_jsonb("
    + _IN_PLACE
    + ")) ELSE t.{0} END"
)
_PERIOD = "CASE m WHEN 0 THEN t.period ELSE (2026 - (m + 3) / 4) || 'Q' || (4 - m % 4) END"

_POSITION = "t.position + (n::bigint * 10 + m) * 1000000"
"""Each copy has places of its own in the feed."""

CHOSEN = {
    "children.name": _NAME,
    "children.name_canonical": _NAME,
    "children.name_reversed": f"reverse({_NAME})",
    "children.name_pinyin": _named(_spelt("name_pinyin")),
    "children.name_initials": _named(_spelt("name_initials")),
    "children.birth_date": "date '2010-01-01' + n * 7 % 5800",
    "children.residence": _SECTION.format("residence"),
    "children.hukou": _SECTION.format("hukou"),
    "children.categories": (
        "CASE WHEN n % 997 = 1 THEN ARRAY['orphan'] WHEN n % 2 = 0 THEN ARRAY['left_behind']"
        " WHEN n % 5 = 0 THEN ARRAY['difficulty.family'] ELSE t.categories END"
    ),
    "children.priority_flags": (
        "CASE WHEN n % 4999 = 1 THEN ARRAY['no_guardian'] WHEN n % 101 = 0 THEN ARRAY['disabled']"
        " ELSE t.priority_flags END"
    ),
    "children.updated_at": "t.updated_at - n * interval '40 seconds'",
    **{
        f"consents.{column}": f"CASE WHEN n % 2 = 0 THEN t.{column} END"
        for column in ("withdrawn_on", "withdrawn_at")
    },
    "child_external_ids.index": "decode(md5(t.index::text || n), 'hex')",
    "audit_entries.committed_in": (
        "extract(epoch FROM t.at - (n * 37 + m * 7) % 361 * interval '1 day'"
        " - n * interval '1 second')::bigint - 3000000000"
    ),
    "events.position": _POSITION,
    "event_named.position": _POSITION,
    "child_changes.version": "t.version + m * 10",
    "resident_ids.index": "decode(md5(t.index::text || n || '.' || m), 'hex')",
    "attendance_events.event_id": "t.event_id || '-' || n || '-' || m || '-' || t.id",
    "attendance_contradictions.event_id": "t.event_id || '-' || n",
    "attendance_rolls.event_id": "t.event_id || '-' || n",
    "unresolved.claim": "decode(md5(t.claim::text || n), 'hex')",
    "unresolved_evidence.sender_ref": "t.sender_ref || '-' || n",
    "webhook_deliveries.webhook_id": "'msg_' || substr(md5(t.webhook_id || n || '.' || m), 6)",
    "staff_accounts.username": "t.username || '-' || n",
    "devices.thumbprint": "t.thumbprint || '-' || n",
    "duties.period": _PERIOD,
    "police_reports.routing": "replace(t.routing, 'no_endpoint', 'routed')",
    "webhook_deliveries.state": f"CASE WHEN {_OPEN} THEN t.state ELSE 'succeeded' END",
    "webhook_deliveries.delivered_at": (
        f"CASE WHEN {_OPEN} THEN t.delivered_at ELSE t.created_at END"
    ),
}
"""What a column holds in copy `n`, made `m` times, of template row `t`."""
