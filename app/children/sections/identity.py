"""Who the child is."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.children import residents
from app.children.sections.marks import Codes, Counted, PastDay, Section
from app.core.http.wire import Line, Name

Sex = Annotated[
    Literal["male", "female", "unknown"],
    Codes(
        "sex",
        zh="性别",
        en="Sex",
        source="GB/T 2261.1 values in words",
        labels={"male": ("男", "Male"), "female": ("女", "Female"), "unknown": ("未知", "Unknown")},
    ),
]
EthnicGroup = Annotated[
    str,
    Field(min_length=2, max_length=2, pattern=r"^(0[1-9]|[1-4][0-9]|5[0-8]|9[78])$"),
    Codes(
        "ethnic_groups",
        zh="民族",
        en="Ethnic group",
        source="GB/T 3304-1991",
        labels={
            "01": ("汉族", "Han"),
            "02": ("蒙古族", "Mongol"),
            "03": ("回族", "Hui"),
            "04": ("藏族", "Zang (Tibetan)"),
            "05": ("维吾尔族", "Uygur"),
            "06": ("苗族", "Miao"),
            "07": ("彝族", "Yi"),
            "08": ("壮族", "Zhuang"),
            "09": ("布依族", "Buyei"),
            "10": ("朝鲜族", "Chosen (Korean)"),
            "11": ("满族", "Man (Manchu)"),
            "12": ("侗族", "Dong"),
            "13": ("瑶族", "Yao"),
            "14": ("白族", "Bai"),
            "15": ("土家族", "Tujia"),
            "16": ("哈尼族", "Hani"),
            "17": ("哈萨克族", "Kazak"),
            "18": ("傣族", "Dai"),
            "19": ("黎族", "Li"),
            "20": ("傈僳族", "Lisu"),
            "21": ("佤族", "Va"),
            "22": ("畲族", "She"),
            "23": ("高山族", "Gaoshan"),
            "24": ("拉祜族", "Lahu"),
            "25": ("水族", "Sui"),
            "26": ("东乡族", "Dongxiang"),
            "27": ("纳西族", "Naxi"),
            "28": ("景颇族", "Jingpo"),
            "29": ("柯尔克孜族", "Kirgiz"),
            "30": ("土族", "Tu"),
            "31": ("达斡尔族", "Daur"),
            "32": ("仫佬族", "Mulao"),
            "33": ("羌族", "Qiang"),
            "34": ("布朗族", "Blang"),
            "35": ("撒拉族", "Salar"),
            "36": ("毛南族", "Maonan"),
            "37": ("仡佬族", "Gelao"),
            "38": ("锡伯族", "Xibe"),
            "39": ("阿昌族", "Achang"),
            "40": ("普米族", "Pumi"),
            "41": ("塔吉克族", "Tajik"),
            "42": ("怒族", "Nu"),
            "43": ("乌孜别克族", "Uzbek"),
            "44": ("俄罗斯族", "Russ"),
            "45": ("鄂温克族", "Ewenki"),
            "46": ("德昂族", "Deang"),
            "47": ("保安族", "Bonan"),
            "48": ("裕固族", "Yugur"),
            "49": ("京族", "Gin"),
            "50": ("塔塔尔族", "Tatar"),
            "51": ("独龙族", "Derung"),
            "52": ("鄂伦春族", "Oroqen"),
            "53": ("赫哲族", "Hezhen"),
            "54": ("门巴族", "Monba"),
            "55": ("珞巴族", "Lhoba"),
            "56": ("基诺族", "Jino"),
            "97": ("其他", "Other"),
            "98": ("外国血统中国籍人士", "Chinese citizen of foreign descent"),
        },
    ),
]
ResidentNumber = Annotated[
    str,
    Field(min_length=15, max_length=18, pattern=r"^([0-9]{15}|[0-9]{17}[0-9X])$"),
    BeforeValidator(lambda sent: residents.written(sent) if isinstance(sent, str) else sent),
]
"""A resident identity number as `residents.written`, compared as `residents.canonical`."""

NoNumberReason = Annotated[
    Literal["not_registered", "not_issued", "not_shown"],
    Codes(
        "no_resident_id_reasons",
        zh="无身份证号原因",
        en="Why a child has no resident identity number",
        source="REG-02",
        labels={
            "not_registered": ("未登记户口", "Hukou not registered"),
            "not_issued": ("尚未编号", "Number not issued yet"),
            "not_shown": ("未出示", "Number not shown"),
        },
    ),
]


class Identity(Section):
    """Who the child is."""

    name: Name | None = Field(default=None, description="Full name.", examples=["样小一"])
    sex: Counted[Sex | None] = Field(default=None, description="Sex as registered.")
    birth_date: Counted[PastDay | None] = Field(default=None, description="Date of birth.")
    ethnic_group: Counted[EthnicGroup | None] = Field(
        default=None, description="Ethnic group, GB/T 3304 number; 01 is Han.", examples=["01"]
    )
    resident_id: ResidentNumber | None = Field(
        default=None,
        description=(
            "Resident identity number (GB 11643), 18 characters or the 15 of an old one. Spaces,"
            " hyphens, full-width digits and a small x are taken. A child may have none yet."
        ),
    )
    no_resident_id_reason: Counted[NoNumberReason | None] = Field(
        default=None, description="Why there is no number, if that is known."
    )
    paper_file: Line | None = Field(
        default=None, description="Where the paper file lies (REG-03).", examples=["村委会档案柜2"]
    )


class NewIdentity(Identity):
    """Who the child is; name, sex and date of birth are needed to open a file."""

    name: Name = Field(description="Full name.", examples=["样小一"])
    sex: Counted[Sex] = Field(description="Sex as registered.")
    birth_date: Counted[PastDay] = Field(description="Date of birth.", examples=["2016-03-01"])


class IdentityShown(NewIdentity):
    """Who the child is."""

    name_pinyin: str = Field(
        max_length=600,
        pattern=r"^[^\x00]*$",
        description="The name in Latin letters, made by the service.",
        examples=["yangxiaoyi"],
    )
    resident_id_place_known: bool | None = Field(
        description="False if no table knows the number's place code: worth a second look."
    )
