"""Print families, what follows for the child, and why: `python -m scripts.families`.

They are those of `tests/children/families.yaml`, which the tests hold the rules to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from app.children.day import Day
from app.children.rules import Derived, Facts, decide, derive, policy_of
from app.children.sections import File
from app.policy import parameters, queries
from app.regions.rules import county_of

FAMILIES: Final = Path(__file__).parents[1] / "tests/children/families.yaml"
VALUES: Final = (
    *queries.values(),
    *parameters.demo_values_in(parameters.demo_file(), queries.parameters()),
)
_TODAY: Final = date(2026, 11, 20)
_AGE_TEN: Final = date(2016, 3, 1)
_POOR_HEALTH: Final = {"serious_illness", "severe_disability", "mental_disability", "hiv_no_work"}
_SETTLED: Final[Mapping[str, Mapping[str, Any]]] = {
    "guardianship": {
        "kind": "grandparents",
        "evaluation": "good",
        "evaluated_by": "样板村儿童主任",
        "evaluation_grounds": dict.fromkeys(("performance", "life", "education", "health"), "well"),
    },
    "education": {"status": "enrolled", "stage": "primary"},
    "health": {"status": "healthy"},
    "welfare": {"poor": False},
}


@dataclass(frozen=True, slots=True)
class Family:
    """A family of the table: its words, the region's name, the facts, the day, what must follow."""

    says: str
    source: str
    region: str
    facts: Facts
    on: date
    then: Mapping[str, list[str]]

    @property
    def policy(self) -> Mapping[str, Any]:
        return policy_of(VALUES, self.facts.region_code, self.on)

    def derived(self) -> Derived:
        return derive(self.facts, self.policy, self.on)

    def because(self) -> Iterator[str]:
        """Say for each result that is so or undecided which facts decide, or are missing."""
        for found in decide(self.facts, self.policy, Day(self.on)):
            for result, answer in found.items():
                if answer.holds is not False:
                    asked = "" if answer.holds else "? "
                    yield f"{asked}{result}: {', '.join(sorted(answer.facts)) or 'everybody'}"


def families() -> list[Family]:
    """Read the table."""
    read = yaml.safe_load(FAMILIES.read_text())
    return [_family(each, read["regions"]) for each in read["families"]]


def _family(said: Mapping[str, Any], regions: Mapping[str, int]) -> Family:
    name = said.get("region", "nation")
    region = regions[name]
    since = str(said.get("since", "2020-01-01"))
    parents = [
        _parent(role, said.get(role, ["away"]), said, since)
        for role in ("father", "mother")
        if said.get(role, ["away"]) is not None
    ]
    hukou = {"registered": True, "type": "rural", "region_code": f"{county_of(region)}"}
    born = said.get("born", _AGE_TEN)
    sections = {section: said.get(section, fill) for section, fill in _SETTLED.items()}
    sections["guardianship"] = {**_SETTLED["guardianship"], **sections["guardianship"]}
    sections |= {
        "hukou": said.get("hukou", hukou),
        "residence": {
            "lives_with": said.get("lives_with", ["grandparents"]),
            "rural_place": True,
            "rural_since": born,
            **said.get("residence", {}),
        },
        "family": {**said.get("family", {}), "parents": parents},
        "adoption": said.get("adoption", {}),
    }
    facts = Facts(born, region, File.model_validate(_texts(sections)))
    return Family(said["says"], said["source"], name, facts, said.get("day", _TODAY), said["then"])


def _parent(role: str, statuses: list[Any], said: Mapping[str, Any], since: str) -> dict[str, Any]:
    given = [{"status": each} if isinstance(each, str) else each for each in statuses]
    return {
        "role": role,
        "guardianship_capacity": None
        if _POOR_HEALTH & {each["status"] for each in given}
        else "full",
        "work_region": "440300000000",
        "statuses": [{"since": since, **each} for each in given],
        **said.get(f"{role}_is", {}),
    }


def _texts(said: Any) -> Any:
    """Write the days of YAML as JSON has them."""
    if isinstance(said, dict):
        return {name: _texts(each) for name, each in said.items()}
    if isinstance(said, list):
        return [_texts(each) for each in said]
    return said.isoformat() if isinstance(said, date) else said


def main() -> None:
    for number, family in enumerate(families(), start=1):
        found = family.derived()
        results = [*found.categories, *found.priority_flags, *(f"?{r}" for r in found.undecided)]
        print(f"{number:3} {family.region:9} {family.says} [{family.source}]")
        print(f"    → {', '.join(results) or 'nothing'}")
        for line in family.because():
            print(f"      {line}")


if __name__ == "__main__":
    main()
