"""How a Chinese name is spelt in Latin letters, so that it can be searched by them. Pure."""

import os
from typing import Final

# The dictionary of phrases costs 45 MiB and says nothing about names; read when pypinyin loads.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")

from pypinyin import lazy_pinyin

_SURNAMES: Final = {
    "万俟": "mo qi",
    "尉迟": "yu chi",
    "单于": "chan yu",
    "长孙": "zhang sun",
    "澹台": "tan tai",
    "宰父": "zai fu",
    "令狐": "ling hu",
    "单": "shan",
    "曾": "zeng",
    "仇": "qiu",
    "解": "xie",
    "查": "zha",
    "朴": "piao",
    "区": "ou",
    "盖": "ge",
    "乐": "yue",
    "任": "ren",
    "华": "hua",
    "尹": "yin",
    "员": "yun",
    "繁": "po",
    "秘": "bi",
    "冼": "xian",
    "洗": "xian",
    "召": "shao",
    "折": "she",
    "种": "chong",
    "重": "chong",
    "翟": "zhai",
    "缪": "miao",
    "宓": "mi",
    "晁": "chao",
    "逄": "pang",
    "乜": "nie",
    "黑": "he",
    "覃": "qin",
    "隗": "wei",
    "祭": "zhai",
    "燕": "yan",
    "纪": "ji",
    "谌": "chen",
    "幺": "yao",
    "那": "na",
    "柏": "bai",
    "车": "che",
    "葛": "ge",
    "能": "nai",
    "应": "ying",
    "宁": "ning",
    "于": "yu",
    "佘": "she",
    "臧": "zang",
    "牟": "mu",
}
"""Surnames whose reading differs from the character's usual one; dictionaries take the usual."""


def spell(name: str) -> dict[str, str]:
    """Spell a name as searches find it, by column of `children`: lower-case letters without tones,
    spaces or separators. Letters that are not Chinese are kept.
    """
    syllables = _syllables(name)
    letters = ["".join(c for c in syllable.lower() if c.isalnum()) for syllable in syllables]
    return {
        "name_pinyin": "".join(letters),
        "name_initials": "".join(word[:1] for word in letters),
        "name_reversed": name[::-1],
    }


def _syllables(name: str) -> list[str]:
    for length in (2, 1):
        if read := _SURNAMES.get(name[:length]):
            return [*read.split(), *lazy_pinyin(name[length:], v_to_u=False)]
    return lazy_pinyin(name, v_to_u=False)
