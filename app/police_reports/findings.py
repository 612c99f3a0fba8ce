"""What was found and arranged for the child that a report is about now."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.core.data.db import Tx
from app.police_reports import fetching, models, queries, rules
from app.police_reports.models import Step

_WELL: Final = {
    "safety": "safe",
    "guardianship": "adequate",
    "physical_health": "good",
    "mental_health": "good",
}

_HELP: Final = frozenset({"village_committee", "school", "hospital", "relatives", "social_work"})

_MENDS: Final = {
    "guardianship": {"guardianship_guidance"},
    "physical_health": {"medical_treatment"},
    "mental_health": {"counselling", "behaviour_correction"},
}
"""Which services are for what was not found well (REP-16: 有针对性地); of safety, any."""

_STEPS: Final = """
SELECT s.*, a.kind FROM police_report_steps s LEFT JOIN agencies a ON a.id = s.agency_id
WHERE s.report_id = $1 AND s.step IN ('assessed', 'services_arranged', 'identification_withdrawn')
ORDER BY s.recorded_at, s.id
"""


async def steps(tx: Tx, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each assessment and each order of services that counts and is not of another child, as
    they were recorded; with the `kind` of who took it, and what was `said`.
    """
    journal = await fetching.steps(tx, _STEPS, report["id"])
    return [
        {**step, "said": queries.said_in(tx, models.DETAILS, step["id"], sealed)}
        for step in rules.counted(journal)
        if step["step"] != Step.IDENTIFICATION_WITHDRAWN and (sealed := step["details_sealed"])
    ]


def assessment(
    report: Mapping[str, Any], journal: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the last assessment of these steps by somebody whom the report does not speak against;
    None if the child was not assessed.
    """
    found = [
        step
        for step in journal
        if step["step"] == Step.ASSESSED and step["agency_id"] not in report["hidden_from"]
    ]
    return found[-1] if found else None


def is_together(assessment: Mapping[str, Any]) -> bool:
    """Tell whether civil affairs and the police took part, and one who knows or helps the child
    (REP-15: 会同民政、公安等部门, 在村民委员会、中小学校…协助下).
    """
    said = assessment["codes"].get("participants") or assessment["said"].get("participants", ())
    together = {*said, assessment["kind"]}
    return together >= {"civil_affairs", "police"} and not _HELP.isdisjoint(said)


def is_well(assessment: Mapping[str, Any]) -> bool:
    """Tell whether an assessment found nothing that a service could mend (REP-16)."""
    said = assessment["said"]
    return all(said.get(name) == well for name, well in _WELL.items())


def is_answered(
    report: Mapping[str, Any], found: Mapping[str, Any], journal: Iterable[Mapping[str, Any]]
) -> bool:
    """Tell whether after an assessment services were arranged for all that it did not find well, or
    said not to be needed.
    """
    since, _ = rules.happened(found, report["found_at"])
    orders = [
        step["said"]
        for step in journal
        if step["step"] == Step.SERVICES_ARRANGED
        and rules.happened(step, report["found_at"])[0] >= since
    ]
    kinds = {service["kind"] for said in orders for service in said["services"]}
    unwell = [name for name in _MENDS if found["said"].get(name) != _WELL[name]]
    all_of_it = bool(kinds) and not any(kinds.isdisjoint(_MENDS[name]) for name in unwell)
    return all_of_it or any(said.get("none_needed") for said in orders)
