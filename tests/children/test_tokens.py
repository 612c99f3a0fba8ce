from random import Random

import pytest
from pypinyin.constants import PINYIN_DICT

from app.children import tokens
from app.children.names import made as made_at
from app.children.naming import _SURNAMES, meant, readings
from app.core.data.crypto import Keyring
from app.core.text import canonical_name, letters

GIVEN = "小明红芳伟强丽静一安娜吕绿嗯𠀾恩尔"
ODD = (
    *("Brown", "Li O'Ming", "样 Tom", "A", "嗯嗯"),
    *("古丽·样", "样·阿不都热合曼·吐尔逊", "丽", "𠀾样"),
)


def names(count: int) -> list[str]:
    random = Random(38)
    made = [
        random.choice([*_SURNAMES, *"王李张诸吕安"]) + "".join(random.choices(GIVEN, k=length))
        for length in random.choices((1, 2, 2, 3, 5), k=count)
    ]
    return [*ODD, *made]


def beginnings(name: str) -> set[str]:
    spelt = ["".join(map(letters, syllables)) for syllables in readings(canonical_name(name))]
    return {each[:end] for each in spelt for end in range(2, len(each) + 1)}


@pytest.mark.parametrize(("name", "count"), [("样一", 3), ("样小一", 6), ("欧阳小一", 10)])
def test_keeps_as_few_as_are_asked_for(name: str, count: int) -> None:
    assert len(tokens.kept(name)) == count


def test_says_which_they_are() -> None:
    assert tokens.kept("古丽·样") == {
        *("e古丽·样", "p古丽", "p古丽·", "s·样", "s丽·样", "m丽·"),
        *("yguli", "yguliyang", "igly"),
    }
    assert tokens.kept("曾样") == {"e曾样", "yzengyang", "ycengyang", "izy", "icy"}


@pytest.mark.parametrize("name", names(60))
def test_every_part_of_a_name_finds_it(name: str) -> None:
    kept, whole = tokens.kept(name), canonical_name(name)
    assert kept.intersection(tokens.of_name(whole, "exact"))
    for at in range(len(whole) + 1):
        for match, part in (("prefix", whole[:at]), ("suffix", whole[at:])):
            asked = tokens.of_name(part, match)
            assert (len(part) < tokens.SHORTEST) == (not asked)
            assert not asked or kept.intersection(asked), (match, part)
        for end in range(at + tokens.SHORTEST, len(whole) + 1):
            assert kept.intersection(tokens.of_name(whole[at:end], "infix")), whole[at:end]


@pytest.mark.parametrize("name", names(60))
def test_its_letters_find_it_or_may_be_one_syllable(name: str) -> None:
    kept = tokens.kept(name)
    for typed in beginnings(name):
        asked = tokens.of_letters(typed)
        begins = any(each.startswith(may) for may in meant(typed) for each in tokens._SYLLABLES)
        assert begins == (not asked)
        assert not asked or kept.intersection(asked), typed
    for syllables in readings(canonical_name(name)):
        initials = "".join(letters(each)[:1] for each in syllables)
        asked = tokens.of_letters(initials) if len(initials) > 1 else []
        assert not asked or kept.intersection(asked), initials


def test_no_single_character_or_syllable_is_kept() -> None:
    for name in names(300):
        parts = [[*map(letters, syllables)] for syllables in readings(canonical_name(name))]
        spelt = all(tokens._SYLLABLES.issuperset(each) for each in parts)
        for piece in tokens.kept(name):
            assert len(piece) > 2 or piece == "e" + canonical_name(name), (name, piece)
            single = piece[0] == "y" and piece[1:] in {each[0] for each in parts}
            assert not (spelt and single), (name, piece)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("wxm", {"iwxm", "ywxm"}),
        ("wangxiao", {"iwangxiao", "ywangxiao"}),
        ("wangq", {"iwangq", "ywangq", *(f"ywang{each}" for each in ("qi", "qu", "que"))}),
        ("anlü", {"ianlv", "yanlv", "yanlve"}),
        ("fangan", {"yfangan", "yfangang"}),
    ],
)
def test_a_begun_syllable_is_completed(typed: str, asked: set[str]) -> None:
    assert asked <= set(tokens.of_letters(typed))


@pytest.mark.parametrize("typed", ["wang", "zh", "xian", "l", "lue", "nü"])
def test_what_may_be_one_syllable_is_not_asked_for(typed: str) -> None:
    assert tokens.of_letters(typed) == []


def test_a_search_asks_for_few() -> None:
    begun = {each[:end] for each in tokens._SYLLABLES for end in range(1, len(each) + 1)}
    assert max(len(tokens.of_letters("wang" + each)) for each in begun) <= 60


def test_every_reading_of_a_dictionary_is_a_syllable() -> None:
    without_vowel = {"m", "n", "ng", "hm", "hng", ""}
    spelt = {letters(each) for all_of in PINYIN_DICT.values() for each in all_of.split(",")}
    # Interjections with an ê, which no name has.
    assert spelt - without_vowel - tokens._SYLLABLES == set()


@pytest.mark.parametrize(
    ("name", "sought", "match", "typed", "fits"),
    [
        ("样小一", "样小一", "exact", None, True),
        ("样小一", "样小", "exact", None, False),
        ("样·阿不都热合曼", "样·阿不都热", "prefix", None, True),
        ("样·阿不都热合曼", "样·阿不都曼", "prefix", None, False),
        ("样小一", "小一", "suffix", "yangx", True),
        ("样小一", "小一", "suffix", "wangx", False),
        ("样小一", "小一", "prefix", "yangx", False),
        ("样　小一", "样小", "infix", None, True),
        ("曾样", None, "exact", "cengy", True),
        ("曾样", None, "exact", "cy", True),
        ("曾样", None, "exact", "sengy", False),
        ("吕样", None, "exact", "luya", True),
    ],
)
def test_what_was_found_is_compared(name, sought, match, typed, fits) -> None:
    assert tokens.fits(name, sought=sought, match=match, typed=typed) is fits


def test_tokens_are_the_county_s_own() -> None:
    keyring, other = Keyring.generate(), Keyring.generate()
    made = keyring.tokens("child_names", 120119000000, ["e样", "p样"])
    assert made == keyring.tokens("child_names", 120119000000, ["e样", "p样"])
    assert len({*made, *keyring.tokens("child_names", 120118000000, ["e样", "p样"])}) == 4
    assert not {*made}.intersection(other.tokens("child_names", 120119000000, ["e样", "p样"]))
    assert all(-(2**63) <= each < 2**63 for each in made)
    places = (120119101200, 120119102201, 120118101201)
    near, same, next_to_it = (made_at(keyring, place, ["e样"]) for place in places)
    assert near == same != next_to_it, "nor is a name of one county known by another's"
    # Kept in databases: another key, or another form, and no name is found.
    known = Keyring(signing={}, data={}, index={"0000": bytes(32)})
    assert known.tokens("child_names", 120119000000, ["e样小一"]) == [-4421256212544836422]
