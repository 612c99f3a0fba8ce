import pytest

from app.children.naming import _SURNAMES, MOST_READINGS, meant, readings, spell
from app.core.text import canonical_name


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("样小一", "yangxiaoyi", "yxy"),
        ("单样", "shanyang", "sy"),
        ("曾样", "zengyang", "zy"),
        ("仇样", "qiuyang", "qy"),
        ("解样", "xieyang", "xy"),
        ("查样", "zhayang", "zy"),
        ("朴样", "piaoyang", "py"),
        ("区样", "ouyang", "oy"),
        ("单于样", "chanyuyang", "cyy"),
        ("吕绿", "lvlv", "ll"),
        ("样单", "yangdan", "yd"),
        ("古丽·样", "guliyang", "gly"),
        ("Yang 样", "yangyang", "yy"),
    ],
)
def test_spells_names(name: str, pinyin: str, initials: str) -> None:
    spelt = spell(name)
    assert (spelt["name_pinyin"], spelt["name_initials"]) == (pinyin, initials)
    assert spelt["name_canonical"] == canonical_name(name)
    assert spelt["name_reversed"] == canonical_name(name)[::-1]


@pytest.mark.parametrize("surname", sorted(_SURNAMES))
def test_a_surname_has_no_more_readings_than_there_are_columns(surname: str) -> None:
    found = {"".join(syllables) for syllables in readings(f"{surname}样")}
    assert {"".join(reading.split()) + "yang" for reading in _SURNAMES[surname]} <= found
    assert len(found) <= MOST_READINGS


def test_old_forms_of_a_surname_are_read_alike() -> None:
    for old, new in (("樂", "乐"), ("單于", "单于"), ("萬俟", "万俟"), ("⼄", "乙")):
        columns = ("name_pinyin", "name_pinyin_2", "name_pinyin_3")
        assert [spell(old)[each] for each in columns] == [spell(new)[each] for each in columns]


def test_what_is_typed_may_mean_several() -> None:
    assert meant("Lü") == meant("lv") == ["lv"]
    assert meant("anyu") == ["anyu", "anv"]
    assert meant("lulu") == ["lulu", "lulv", "lvlu", "lvlv"]
    assert len(meant("lu" * 30)) == 8
