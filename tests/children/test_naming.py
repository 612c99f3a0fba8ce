import pytest

from app.children.naming import spell


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
    assert spell(name) == {
        "name_pinyin": pinyin,
        "name_initials": initials,
        "name_reversed": name[::-1],
    }
