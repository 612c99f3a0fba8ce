from datetime import date

import pytest

from app.policy import queries
from app.policy.codelists import BadCodelists, codelist, codelists, entries_in
from app.regions.rules import NATION

TITLE = {"zh": "性别", "en": "Sex"}
MALE = {"code": "male", "zh": "男", "en": "Male"}


@pytest.mark.parametrize(
    "raw",
    [
        {"title": TITLE},
        {"title": TITLE, "source": "GB/T 2261.1", "items": []},
        {"title": TITLE, "source": "GB/T 2261.1", "items": [MALE, MALE]},
        {"title": TITLE, "source": "GB/T 2261.1", "items": [MALE], "parameter": "risk.scale"},
        {"title": TITLE, "items": [MALE]},
    ],
)
def test_refuses_a_list_of_another_form(raw) -> None:
    with pytest.raises(BadCodelists, match="^sex: "):
        codelist("sex", raw)


def test_every_parameter_named_gives_codes_for_the_nation() -> None:
    for each in codelists().values():
        entries = entries_in(each, queries.values(), NATION, date(2026, 11, 20))
        assert entries, each.name
        assert each.parameter is None or each.parameter in queries.parameters()


def test_every_code_has_two_names_of_its_own() -> None:
    for each in codelists().values():
        assert all(entry.zh.strip() and entry.en.strip() for entry in each.entries)
        assert len({entry.zh for entry in each.entries}) == len(each.entries), each.name
