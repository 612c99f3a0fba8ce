"""Which pieces of a name are kept as tokens, and which are asked for. Pure.

A piece begins with a letter for its kind: `e` the whole name, `p` how it begins, `s` how it ends,
`m` what lies within, `y` how it begins in Latin letters, `i` its initials. None is a single
character or syllable: how often a surname occurs would give it away (ADR 38). Where a name is long,
its pieces are not: whoever asks compares what is found with the name itself.
"""

from collections.abc import Callable, Mapping
from typing import Final

from app.children.naming import MOST_LETTERS, meant, readings
from app.core.text import canonical_name, letters

SHORTEST: Final = 2
LONGEST: Final = 4
"""Characters of a piece of a name; Chinese names seldom have more."""

_SPELT: Final = """
a ai an ang ao ba bai ban bang bao bei ben beng bi bian biang biao bie bin bing bo bong bu ca cai
can cang cao ce cei cen ceng cha chai chan chang chao che chen cheng chi chong chou chu chua chuai
chuan chuang chui chun chuo ci cong cou cu cuan cui cun cuo da dai dan dang dao de dei den deng di
dia dian diao die din ding diu dong dou du duan dui dun duo e ei en eng er fa fan fang fei fen feng
fiao fo fou fu ga gai gan gang gao ge gei gen geng gong gou gu gua guai guan guang gui gun guo ha
hai han hang hao he hei hen heng hong hou hu hua huai huan huang hui hun huo ji jia jian jiang jiao
jie jin jing jiong jiu ju juan jue jun ka kai kan kang kao ke kei ken keng kong kou ku kua kuai kuan
kuang kui kun kuo la lai lan lang lao le lei len leng li lia lian liang liao lie lin ling liu lo
long lou lu luan lun luo lv lve ma mai man mang mao me mei men meng mi mian miao mie min ming miu mo
mou mu na nai nan nang nao ne nei nen neng ni nia nian niang niao nie nin ning niu nong nou nu nuan
nun nuo nv nve o ou pa pai pan pang pao pei pen peng pi pian piao pie pin ping po pou pu qi qia qian
qiang qiao qie qin qing qiong qiu qu quan que qun ran rang rao re ren reng ri rong rou ru rua ruan
rui run ruo sa sai san sang sao se sen seng sha shai shan shang shao she shei shen sheng shi shou
shu shua shuai shuan shuang shui shun shuo si song sou su suan sui sun suo ta tai tan tang tao te
tei teng ti tian tiao tie ting tong tou tu tuan tui tun tuo wa wai wan wang wei wen weng wo wong wu
xi xia xian xiang xiao xie xin xing xiong xiu xu xuan xue xun ya yan yang yao ye yi yin ying yo yong
you yu yuan yue yun za zai zan zang zao ze zei zen zeng zha zhai zhan zhang zhao zhe zhei zhen zheng
zhi zhong zhou zhu zhua zhuai zhuan zhuang zhui zhun zhuo zi zong zou zu zuan zui zun zuo
"""
_SYLLABLES: Final = frozenset(_SPELT.split())
"""Without those of interjections that have no vowel: who types `ng` means initials."""


def kept(name: str) -> set[str]:
    """Return the pieces of a name by which it is found."""
    compared = canonical_name(name) or name
    end = len(compared)
    pieces = {"e" + compared}
    for length in range(SHORTEST, min(LONGEST, end - 1) + 1):
        pieces |= {"p" + compared[:length], "s" + compared[end - length :]}
        pieces |= {"m" + compared[at : at + length] for at in range(1, end - length)}
    for syllables in readings(compared):
        spelt = [each for part in syllables if (each := letters(part))]
        pieces |= {"y" + begun for begun in _beginnings(spelt)}
        if len(spelt) >= SHORTEST:
            pieces.add("i" + "".join(each[0] for each in spelt))
    return pieces


def _beginnings(spelt: list[str]) -> list[str]:
    # Where what is no syllable ends nobody can tell who types it.
    if not _SYLLABLES.issuperset(spelt):
        spelt = [*"".join(spelt)[:MOST_LETTERS]]
    return ["".join(spelt[:place]) for place in range(SHORTEST, len(spelt) + 1)]


def of_name(name: str, match: str) -> list[str]:
    """Return the pieces of which one is kept of each name that a canonical one, or part of it,
    matches; none if there are none: the part is too short.
    """
    if match == "exact":
        return ["e" + name]
    if len(name) < SHORTEST:
        return []
    piece = name[-LONGEST:] if match == "suffix" else name[:LONGEST]
    kinds, short = _ASKED[match]
    return [kind + piece for kind in kinds + (short if piece == name else "")]


_ASKED: Final = {"prefix": ("p", "e"), "suffix": ("s", "e"), "infix": ("pm", "se")}
"""Kinds of pieces, and those as well that are asked for by something no longer than a piece."""


def of_letters(typed: str) -> list[str]:
    """Return the pieces of which one is kept of each name that begins with these Latin letters, or
    has them for initials; none if they may be one syllable, or the beginning of it.
    """
    begun = [_completed(spelt) for spelt in meant(typed)]
    if not all(begun):
        return []
    return ["i" + letters(typed), *sorted("y" + each for each in set().union(*begun))]


def _completed(spelt: str) -> set[str]:
    """Return how names that begin so may go on to the end of the syllable; empty if that may be
    their first.
    """
    if any(each.startswith(spelt) for each in _SYLLABLES):
        return set()
    ends = {0}
    for end in range(1, len(spelt)):
        if any(spelt[at:end] in _SYLLABLES for at in ends):
            ends.add(end)
    rest = {spelt[end:]: spelt[:end] for end in ends - {0}}
    return {spelt} | {
        done + each for part, done in rest.items() for each in _SYLLABLES if each.startswith(part)
    }


def fits(name: str, *, sought: str | None, match: str, typed: str | None) -> bool:
    """Tell whether a name is one that is sought: by a canonical name or part of it, by Latin
    letters, or by both.
    """
    compared = canonical_name(name) or name
    if sought is not None and not _FITS[match](compared, sought):
        return False
    return typed is None or any(_spelt(syllables, typed) for syllables in readings(compared))


_FITS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "infix": str.__contains__,
}


def _spelt(syllables: list[str], typed: str) -> bool:
    spelt = letters("".join(syllables))[:MOST_LETTERS]
    initials = "".join(letters(each)[:1] for each in syllables)
    return initials == letters(typed) or spelt.startswith(tuple(meant(typed)))
