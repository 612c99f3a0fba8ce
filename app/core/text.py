"""What people write in several ways, brought to the one form that is compared. Pure.

The original is kept and shown; what these functions return is indexed, searched and compared.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Final

_LONGEST: Final = 3
"""Characters that one may stand for: ﷺ stands for eighteen, and no name for that long."""

_DOTS: Final = "·.。•‧∙⋅・˙∘◦●⚫⚬⬤⦁ꞏ⸰⸱⸳᛫ᐧ𐄁\u119eꓸ°˚"
"""After `_compatible`, which makes the Korean ㆍ U+119E."""
_APOSTROPHES: Final = "'`´‘’‛′ʹʻʼʽʾʿˈꞌ՚׳᾽᾿΄"
_OF_NAMES: Final = str.maketrans(
    dict.fromkeys(_DOTS, "·") | dict.fromkeys(_APOSTROPHES, "'"),
)
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Characters of other categories than Cf that show nothing (Default_Ignorable_Code_Point)."""

HAN: Final = re.compile("[\u4e00-\u9fff]")
"""A Chinese character: what is to be Chinese has one."""

_VARIANTS: Final = re.compile("[\ufe00-\ufe0f\U000e0000-\U000e0fff]")
_BLANK: Final = "\u2800"
"""A braille cell without dots, which looks like a space."""

_WITHOUT_SPACES: Final = (
    "[\u2e80-\u2fff\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3040-\u33ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua4cf\uac00-\ud7af\ue000-\uf8ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Ideographs, kana, syllables of Yi and Korean, and what old fonts keep for private use."""

_NEEDLESS_SPACE: Final = re.compile(f"(?<={_WITHOUT_SPACES}) | (?={_WITHOUT_SPACES})")
_PARTED: Final = re.compile("[ ·]*·[ ·]*")
_JOINED: Final = re.compile(" *- *")
_SPACES: Final = re.compile(" +")


def _unified() -> dict[str, str]:
    # U+E815…E864 are the places GBK gave to characters that Unicode had not yet: 䶮 is one.
    lows = (low for low in range(0x50, 0xA1) if low != 0x7F)  # noqa: PLR2004
    table = {
        chr(0xE815 + place): bytes((0xFE, low)).decode("gb18030") for place, low in enumerate(lows)
    }
    text = files("app.core").joinpath("unicode/equivalent_ideographs.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            radicals, ideograph = line.partition("#")[0].split(";")
            first, _, last = radicals.strip().partition("..")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                table[chr(code)] = chr(int(ideograph, 16))
    return {old: new for old, new in table.items() if new != old}


_UNIFIED: Final = _unified()
"""Radicals and characters of old fonts → the ideographs that they are."""


def canonical_name(name: str) -> str:
    """Return the form in which the names of people are compared: empty if nothing of it shows.

    NFKC, without case; radicals are the ideographs they look like; one `·` for any dot and `'` for
    any apostrophe; a space only between words of scripts that write them apart. Applied again, it
    changes nothing.
    """
    shown = _compatible(name).casefold().translate(_OF_NAMES)
    shown = _JOINED.sub("-", _SPACES.sub(" ", shown))
    parted = _NEEDLESS_SPACE.sub("", _PARTED.sub("·", shown))
    # A name that is nothing but dots stays one.
    return unicodedata.normalize("NFC", parted.strip(" ·") or parted.strip())


def canonical_number(number: str) -> str:
    """Return the form in which numbers of registers are compared: ASCII digits, one kind of hyphen,
    no spaces. Case stays: there are systems in which `a7` and `A7` are two pupils.
    """
    shown = _compatible(number).replace(" ", "")
    digits = (str(unicodedata.decimal(c)) if c.isdecimal() else c for c in shown)
    return unicodedata.normalize("NFC", "".join(digits))


def letters(text: str) -> str:
    """Return text in Latin letters as it is searched: lower case, no accents, tones, spaces or
    separators. ü is v after l and n, where pinyin tells it from u, and u elsewhere.
    """
    if text.isascii() and text.isalnum():
        return text.lower()
    plain = unicodedata.normalize("NFKD", _compatible(text).casefold())
    plain = re.sub("u([\u0300-\u0307\u0309-\u036f]*)\u0308", r"ü\1", plain)
    kept = "".join(c for c in plain if c.isalnum())
    return re.sub("(?<=[ln])ü", "v", kept).replace("ü", "u")


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFC", "".join(map(_character, text)))


@lru_cache(maxsize=20_000)
def _character(c: str) -> str:
    """Return what a character is without its width, font and other dress."""
    if c in _UNIFIED:
        return _character(_UNIFIED[c])
    category = unicodedata.category(c)
    if c.isspace() or c == _BLANK:
        return " "
    if category in {"Cf", "Cc"} or c in _FILLERS or _VARIANTS.match(c):
        return ""
    if category == "Pd" or c == "−":
        return "-"
    plain = unicodedata.normalize("NFKC", c)
    # A spacing accent would become a space and a mark.
    if plain == c or plain.startswith(" ") or len(plain) > _LONGEST:
        return c
    return "".join(map(_character, plain))
