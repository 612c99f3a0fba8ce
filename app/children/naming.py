"""How a name is compared, and how it is spelt in Latin letters to be searched by them. Pure."""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Final

from app.core.text import canonical_name, letters

# The dictionary of phrases costs 45 MiB and says nothing about names; read when pypinyin loads.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")

from pypinyin import lazy_pinyin

MOST_READINGS: Final = 3
"""Of one name: as many as `children` has columns for."""

MOST_LETTERS: Final = 600
"""Of one reading: an index takes no row of more than 2,704 bytes."""

_SURNAMES: Final = {
    surname: readings.split(", ")
    for surname, _, readings in (
        line.partition(" ")
        for line in """
万俟 mo qi, wan si
尉迟 yu chi, wei chi
单于 chan yu, dan yu
长孙 zhang sun, chang sun
澹台 tan tai, dan tai
宰父 zai fu
令狐 ling hu
子车 zi ju, zi che
拓跋 tuo ba, ta ba
皇甫 huang fu, huang pu
仲长 zhong chang, zhong zhang
公乘 gong sheng, gong cheng
句龙 gou long, ju long
夹谷 jia gu, jia yu
乐 yue, le
单 shan, dan, chan
曾 zeng, ceng
仇 qiu, chou
解 xie, jie, hai
查 zha, cha
朴 piao, pu, po
区 ou, qu
盖 ge, gai
任 ren
华 hua
尹 yin
员 yun, yuan
贠 yun, yuan
繁 po, fan
秘 bi, mi
冼 xian
洗 xian, xi
召 shao, zhao
折 she, zhe
种 chong, zhong
重 chong, zhong
翟 zhai, di
缪 miao, mou, miu
宓 mi, fu
晁 chao
逄 pang
乜 nie, mie
黑 he, hei
覃 qin, tan
隗 wei, kui
祭 zhai, ji
燕 yan
纪 ji
谌 chen, shen
幺 yao
那 na, nuo
柏 bai, bo
车 che, ju
葛 ge
能 nai, neng
应 ying
宁 ning
甯 ning
于 yu
於 yu, wu
佘 she
臧 zang
牟 mu, mou
尉 yu, wei
蔚 yu, wei
卜 bu, bo
句 gou, ju
谷 gu, yu
郗 xi, chi
郄 qie, xi
佴 nai, er
相 xiang
行 xing, hang
宿 su, xiu
俟 qi, si
盛 sheng, cheng
乘 cheng, sheng
都 du, dou
阚 kan, han
瞿 qu, ju
薄 bo, bao
贲 ben, bi, fei
费 fei, bi
郇 xun, huan
藏 zang, cang
强 qiang, jiang
茜 qian, xi
晟 cheng, sheng
适 kuo, shi
沈 shen, chen
俞 yu, shu
六 lu, liu
陆 lu, liu
还 huan, hai
会 gui, kuai, hui
奇 qi, ji
长 zhang, chang
朝 chao, zhao
度 du, duo
炅 gui, jiong
角 jue, jiao
隽 juan, jun
圈 juan, quan
莘 shen, xin
术 zhu, shu
拓 tuo, ta
咸 xian, jian
省 xing, sheng
钭 tou, dou
眭 sui, gui
呙 guo, wai, gua
笮 ze, zha
盍 he, ge, ke
钥 yue, yao
降 jiang, xiang
逯 lu, dai
便 pian, bian
提 di, ti
粘 nian, zhan
率 shuai, lv
逢 pang, feng
镡 tan, chan, xin
番 pan, fan, po
冒 mao, mo
殷 yin, yan
褚 chu, zhu
藉 ji, jie
厘 xi, li
信 xin, shen
敦 dun, dui
阿 a, e
合 he, ge
色 se, shai
颉 jie, xie
亢 kang, gang
塞 sai, se
系 xi, ji
校 xiao, jiao
卡 ka, qia
氏 shi, zhi
什 shi, shen
绿 lv, lu
露 lu, lou
筠 yun, jun
吁 xu, yu
儿 er, ni
菅 jian, guan
洼 wa, gui
么 yao, me
澹 tan, dan
大 da, dai
万 wan, mo
没 mo, mei
佛 fo, fu, bi
库 ku, she
乾 qian, gan
泷 shuang, long
荥 xing, ying
祢 mi, ni
栎 yue, li
柞 zuo, zha
泊 bo, po
泌 bi, mi
难 nan, ning
给 ji, gei
契 qi, xie
扎 zha, za
不 fou, bu
鬲 ge, li
铫 yao, diao, tiao
仡 ge, yi
且 ju, qie
其 qi, ji
郤 xi, qie
卻 xi, que
杻 niu, chou
迮 ze, zuo
蕃 fan, bo, pi
辟 bi, pi
辗 zhan, nian
歙 she, xi
芫 yuan, yan
荤 xun, hun
鉏 chu, ju, xu
沓 ta, da
尾 wei, yi
戏 xi, hu
柜 ju, gui
龟 qiu, gui
漯 luo, ta
蛾 e, yi
婼 ruo, chuo
丌 ji, qi
朱邪 zhu ye, zhu xie
冒顿 mo du, mao dun
""".strip().splitlines()
    )
}
"""Readings of surnames, as 现代汉语词典 and those who bear them have it, the usual one first. They
are here if a dictionary takes another for usual, or if there are several.
"""

_SIMPLIFIED: Final = str.maketrans(
    "樂單蓋區員種繆華紀諶車寧應遲萬長孫臺會術適強費賁闞陸還咼鐔釐頡係綠兒龍夾窪麽麼庫瀧滎禰櫟難給銚輾葷戲櫃龜頓",
    "乐单盖区员种缪华纪谌车宁应迟万长孙台会术适强费贲阚陆还呙镡厘颉系绿儿龙夹洼么么库泷荥祢栎难给铫辗荤戏柜龟顿",
)
_MOST_UNSURE: Final = 3
_UNSURE: Final = re.compile("(?<=[ln])(yu|u)")


def spell(name: str) -> dict[str, str | None]:
    """Spell a name as searches find it, by column of `children`: in its canonical form, forwards
    and backwards, and in lower-case letters without tones, spaces or separators, once for each
    reading. Letters that are not Chinese are kept.
    """
    compared = canonical_name(name) or name
    found = dict.fromkeys(
        (
            letters("".join(syllables))[:MOST_LETTERS],
            "".join(letters(each)[:1] for each in syllables),
        )
        for syllables in readings(compared)
    )
    first, *others = islice(found, MOST_READINGS)
    columns: dict[str, str | None] = {
        "name_canonical": compared,
        "name_reversed": compared[::-1],
        "name_pinyin": first[0],
        "name_initials": first[1],
    }
    for place in range(2, MOST_READINGS + 1):
        pinyin, initials = others[place - 2] if len(others) > place - 2 else (None, None)
        columns |= {f"name_pinyin_{place}": pinyin, f"name_initials_{place}": initials}
    return columns


def readings(name: str) -> Iterator[list[str]]:
    """Yield the syllables of a name once for each reading of its surname, the usual one first."""
    begun = name[:2].translate(_SIMPLIFIED)
    known = [length for length in (2, 1) if begun[:length] in _SURNAMES]
    for length in known:
        rest = lazy_pinyin(name[length:], v_to_u=False)
        for reading in _SURNAMES[begun[:length]]:
            yield [*reading.split(), *rest]
    if not known:
        yield lazy_pinyin(name, v_to_u=False)


def meant(typed: str) -> list[str]:
    """Return what the letters that somebody typed may begin in a spelt name: the ü of 吕 is v
    there, and typed as ü, v, yu or u.
    """
    parts = _UNSURE.split(letters(typed), _MOST_UNSURE)
    choices = [(part, "v") if place % 2 else (part,) for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


BLANK: Final[Mapping[str, str | None]] = {
    "name": "",
    **{column: None if column[-1].isdigit() else "" for column in spell("")},
}
"""Columns of `children` that held names until they were sealed, with nothing in them."""
