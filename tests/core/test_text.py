"""However people write a name or a number, there is one form of it that is compared."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.text import canonical_name, canonical_number, letters

DOTS = "·•・‧．.。･∙⋅ㆍ⚬°˚"
SPACES = " \u00a0\u2002\u2003\u2009\u202f\u205f\u3000"
UNSEEN = (
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202e\u2060\u2066\u2069\ufeff\u00ad\ufe0f\U000e0101"
)
APOSTROPHES = "'’‘ʼ´`＇"
RADICALS = {"大": "⼤", "民": "⺠", "青": "⻘", "金": "⾦", "龙": "⻰", "木": "⽊"}
WIDE = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}

HAN = st.text(st.sampled_from("样小一伟吐买提大民青金龙木䶮"), min_size=1, max_size=4)
WORD = st.text(st.sampled_from("abkmnruéüABLZ"), min_size=1, max_size=6)
LATIN = st.lists(WORD | st.tuples(WORD, WORD).map("'".join), min_size=1, max_size=3).map(" ".join)
NAMES = st.lists(HAN | LATIN, min_size=1, max_size=3).map("·".join)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(ANYTHING)
@example("Ꞌa")  # a capital apostrophe
@example("か ゙")
@example("\u0345a\u0301")
@example("a. -. b")
def test_what_is_canonical_stays(text: str) -> None:
    for form in (canonical_name, canonical_number, letters):
        assert form(form(text)) == form(text)


def one_of(choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(choices)


def written_otherwise(draw: st.DrawFn, name: str) -> str:
    """Write a name as somebody else would, whose keyboard, font and habits are others."""
    characters = []
    for before, c in zip(f" {name}", name, strict=False):
        ways = [
            c,
            WIDE.get(c, c),
            RADICALS.get(c, c),
            unicodedata.normalize("NFD", c),
            c.swapcase(),
        ]
        ways += {"·": DOTS, " ": SPACES, "'": APOSTROPHES, "䶮": "\ue863"}.get(c, "")
        way = draw(st.sampled_from(ways))
        around = draw(st.text(one_of(SPACES), max_size=2)) if c in "· " else ""
        between = ord(before) > 0x2E80 and ord(c) > 0x2E80
        spaces = draw(st.text(one_of(SPACES), max_size=1)) if between else ""
        unseen = draw(st.text(one_of(UNSEEN), max_size=1))
        characters.append(f"{around}{spaces}{unseen}{way}{around}")
    ends = draw(st.tuples(st.text(one_of(SPACES), max_size=1), st.text(one_of(SPACES), max_size=1)))
    return ends[0] + "".join(characters) + ends[1]


@given(st.data(), NAMES)
@settings(max_examples=100)
def test_every_spelling_of_a_name_is_one(data: st.DataObject, name: str) -> None:
    other = data.draw(st.composite(written_otherwise)(name))
    assert canonical_name(other) == canonical_name(name)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("样小一", "样小一"),
        ("买买提·吐", "买买提·吐"),
        ("买买提 • 吐", "买买提·吐"),
        ("样　伟", "样伟"),
        ("Li  Ming", "li ming"),
        ("ＬＩ　ＭＩＮＧ", "li ming"),
        ("Li 样", "li样"),
        ("⼤⺠", "大民"),
        ("\uf9dc", "隆"),  # a compatibility ideograph
        ("O´Neil", "o'neil"),  # not "o  ́neil"
        ("a¨b", "a¨b"),
        ("样·", "样"),
        ("·", "·"),
        ("\u200b\u202e", ""),
        ("\u3164", ""),
        ("李\U000e0100", "李"),
        ("李\u2800明", "李明"),  # a braille cell without dots
        ("Anna – Li", "anna-li"),
        ("이 영희", "이영희"),
        ("\ufdfa", "\ufdfa"),  # one letter of eighteen
    ],
)
def test_names(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [("样伟", "样炜"), ("龙", "龍"), ("Jose", "José"), ("Li Ming", "Liming"), ("样·一", "样一")],
)
def test_other_names_stay_others(one: str, other: str) -> None:
    assert canonical_name(one) != canonical_name(other)


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        ("G2020-0001", "G2020-0001"),
        ("Ｇ２０２０－０００１", "G2020-0001"),
        ("G2020 –\u200b 0001", "G2020-0001"),
        ("٠١٢", "012"),
        ("a7", "a7"),
        (" \u200b", ""),
    ],
)
def test_numbers(number: str, canonical: str) -> None:
    assert canonical_number(number) == canonical


@pytest.mark.parametrize(
    ("typed", "searched"),
    [("Lǚ Xiǎo", "lvxiao"), ("nü'er", "nver"), ("Müller", "muller"), ("José", "jose")],
)
def test_letters(typed: str, searched: str) -> None:
    assert letters(typed) == searched
