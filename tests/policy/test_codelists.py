from datetime import date

from app.policy import queries
from app.policy.codelists import codelists, entries_in
from app.regions.rules import NATION


def test_every_parameter_named_gives_codes_for_the_nation() -> None:
    for name, each in codelists().items():
        entries = entries_in(each, queries.values(), NATION, date(2026, 11, 20))
        assert entries, name


def test_every_code_has_a_name_of_its_own() -> None:
    for name, each in codelists().items():
        assert len({entry.zh for entry in each.items}) == len(each.items), name
