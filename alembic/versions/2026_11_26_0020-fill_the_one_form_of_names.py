"""fill the one form of names

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0020
Revises: 0019
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0020"
down_revision: str | Sequence[str] | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


RADICALS = (
    "\ue815\ue819\ue81a\ue81b\ue81c\ue81d\ue81f\ue820\ue821\ue822\ue823\ue824\ue825\ue827\ue828\ue829\ue82a\ue82d\ue82e\ue82f\ue830\ue833\ue834\ue835\ue836\ue837\ue838\ue839\ue83a\ue83c"
    "\ue83d\ue83e\ue83f\ue840\ue841\ue842\ue844\ue845\ue846\ue847\ue848\ue849\ue84a\ue84b\ue84c\ue84d\ue84e\ue84f\ue850\ue851\ue852\ue853\ue856\ue857\ue858\ue859\ue85a\ue85b\ue85c\ue85d"
    "\ue85e\ue85f\ue860\ue861\ue862\ue863⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘"
    "⺙⺛⺜⺝⺞⺟⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷"
    "⺸⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻕"
    "⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳"
)
IDEOGRAPHS = (
    "厂乙㑳㑇刀㔾㖞㘚㘎小心㥮㤘㧏㧟㩳㧐㭎㱮㳠牛𤴔䁖䅟𥫗䌷㓁羊𦍌䎱"
    "䎬聿䏝䓖䙡䙌䜣䜩䝼䞍𧾷䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶䲣䲟䲠䲡䱷䲢䴓䴔"
    "䴕䴖䴗䴘䴙䶮厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑𫜹忄心扌"
    "攵旡日月歺母民氵氺灬爫爫丬牛犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌"
    "𦍋耂肀聿肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑钅長镸长门𨸏"
    "阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟"
)
"""Radicals and the private-use places of GBK, and the ideographs that they are."""

ACCENTS = "´΄᾽᾿"
DOTS = ".。•‧∙⋅・˙∘◦●⚫⬤⦁ꞏ⸰⸱⸳᛫ᐧ𐄁"
APOSTROPHES = "`‘’‛′ʹʻʼʽʾʿˈꞌ՚׳"
DASHES = "−‐‑‒–—―"
UNSEEN = "[\u0080-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
SPACE = "[\u0009-\u000d\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000 ]+"
UNSPACED = "[\u2e80-\u2fff\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3040-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7af\ue000-\uf8ff\uf900-\ufaff\U00020000-\U0003ffff]"

READINGS = """
万俟 moqi moqi mq wansi ws
尉迟 yuchi yuchi yc weichi wc
单于 chanyu chanyu cy danyu dy shanyu sy
长孙 zhangsun zhangsun zs changsun cs
澹台 tantai tantai tt dantai dt
子车 ziche ziju zj ziche zc
拓跋 tuoba tuoba tb taba tb
皇甫 huangfu huangfu hf huangpu hp
乐 yue yue y le l
单 shan shan s dan d chan c
曾 zeng zeng z ceng c
仇 qiu qiu q chou c
解 xie xie x jie j hai h
查 zha zha z cha c
朴 piao piao p pu p po p
区 ou ou o qu q
盖 ge ge g gai g
员 yun yun y yuan y
贠 yuan yun y yuan y
繁 po po p fan f
秘 bi bi b mi m
洗 xian xian x xi x
召 shao shao s zhao z
折 she she s zhe z
种 chong chong c zhong z
重 chong chong c zhong z
翟 zhai zhai z di d
缪 miao miao m mou m miu m
宓 mi mi m fu f
乜 nie nie n mie m
黑 he he h hei h
覃 qin qin q tan t
隗 wei wei w kui k
祭 zhai zhai z ji j
谌 chen chen c shen s
那 na na n nuo n
柏 bai bai b bo b
车 che che c ju j
能 nai nai n neng n
於 yu yu y wu w
牟 mu mu m mou m
尉 wei yu y wei w
蔚 wei yu y wei w
卜 bo bu b bo b
句 ju gou g ju j
谷 gu gu g yu y
郗 xi xi x chi c
郄 qie qie q xi x
佴 er nai n er e
行 xing xing x hang h
宿 su su s xiu x
俟 qi qi q si s
盛 sheng sheng s cheng c
乘 cheng cheng c sheng s
都 dou du d dou d
阚 han kan k han h
瞿 qu qu q ju j
薄 bao bo b bao b
贲 ben ben b bi b fei f
费 fei fei f bi b
郇 huan xun x huan h
藏 cang zang z cang c
强 qiang qiang q jiang j
茜 qian qian q xi x
晟 cheng cheng c sheng s
适 shi kuo k shi s
沈 shen shen s chen c
俞 yu yu y shu s
六 liu lu l liu l
陆 lu lu l liu l
还 hai huan h hai h
会 hui gui g hui h
奇 qi qi q ji j
长 zhang zhang z chang c
朝 chao chao c zhao z
度 du du d duo d
炅 jiong gui g jiong j
角 jiao jue j jiao j
隽 juan juan j jun j
圈 quan juan j quan q
莘 shen shen s xin x
术 shu zhu z shu s
拓 tuo tuo t ta t
咸 xian xian x jian j
省 sheng xing x sheng s
钭 tou tou t dou d
眭 sui sui s gui g
呙 guo guo g gua g
笮 ze ze z zha z
盍 he he h ge g ke k
钥 yao yue y yao y
降 jiang jiang j xiang x
逯 lu lu l dai d
便 bian pian p bian b
提 ti di d ti t
粘 zhan nian n zhan z
"""
"""A surname, how it was spelt, and for each of its readings the letters and the initials."""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def translated(sql: str, old: str, new: str) -> str:
    return f"translate({sql}, {literal(old)}, {literal(new)})"


def replaced(sql: str, pattern: str, by: str) -> str:
    return f"regexp_replace({sql}, {literal(pattern)}, {literal(by)}, 'g')"


def canonical(sql: str) -> str:
    """What the program makes of a name. Of the rarest characters it makes more: it goes through the
    files every night, and puts right what is spelt otherwise.
    """
    sql = replaced(translated(sql, RADICALS, IDEOGRAPHS), UNSEEN, "")
    sql = translated(sql, ACCENTS, "'" * len(ACCENTS))
    sql = replaced(f"lower(normalize({sql}, NFKC))", SPACE, " ")
    sql = translated(sql, DOTS, "·" * len(DOTS))
    sql = translated(sql, APOSTROPHES + DASHES, "'" * len(APOSTROPHES) + "-" * len(DASHES))
    sql = replaced(replaced(sql, " *- *", "-"), "[ ·]*·[ ·]*", "·")
    return replaced(sql, f"(?<={UNSPACED}) | (?={UNSPACED})", "")


def readings() -> str:
    rows = []
    for line in READINGS.split("\n"):
        if line:
            cells = [literal(each) for each in line.split()]
            rows.append(f"({', '.join(cells + ['NULL'] * (8 - len(cells)))})")
    return f"(VALUES {', '.join(rows)}) AS r (surname, was, p1, i1, p2, i2, p3, i3)"


CHANGE = f"""
(name_canonical, name_reversed, name_pinyin, name_initials, name_pinyin_2, name_initials_2,
 name_pinyin_3, name_initials_3) = (
    SELECT compared, reverse(compared), coalesce(r.p1 || letters, name_pinyin),
           coalesce(r.i1 || initials, name_initials), r.p2 || letters, r.i2 || initials,
           r.p3 || letters, r.i3 || initials
    FROM (SELECT {canonical("name")} AS form) AS f
    CROSS JOIN LATERAL (
        SELECT coalesce(nullif(btrim(form, ' ·'), ''), nullif(btrim(form), ''), name) AS compared
    ) AS c
    LEFT JOIN {readings()}
        ON r.surname IN (left(compared, 2), left(compared, 1)) AND starts_with(name_pinyin, r.was)
    CROSS JOIN LATERAL (
        SELECT substr(name_pinyin, length(r.was) + 1) AS letters,
               substr(name_initials, length(r.surname) + 1) AS initials
    ) AS rest
    ORDER BY length(r.surname) DESC NULLS LAST LIMIT 1
)
"""


def upgrade() -> None:
    in_batches("children", CHANGE, where="name_canonical = '' AND name <> ''")


def downgrade() -> None:
    pass  # The rows keep what they got; the columns go with their own revision.
