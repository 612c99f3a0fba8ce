"""One child, however its name and numbers are written: taken, found, and known as a duplicate."""

from datetime import date

import pytest

from app.children.queries import resolve_external
from app.core.data.db import SYSTEM
from tests.attendance.factories import a_school, an_event, push, statuses
from tests.children.conftest import OTHER_TOWNSHIP_VILLAGE, VILLAGE
from tests.children.factories import a_child, a_file, everywhere, with_check_digit
from tests.jobs import run_jobs

ENDS_IN_X = next(
    number
    for serial in range(900, 1000, 2)
    if (number := with_check_digit(f"12000020160301{serial}")).endswith("X")
)
OLD = "120000990301900"
"""Fifteen digits, of a girl born on 1999-03-01."""
OLD_IN_FULL = with_check_digit("12000019990301900")

SPELLINGS = {
    "买买提·吐": [
        *(f"买买提{dot}吐" for dot in "•・‧．.。･∙⋅ㆍᆞ⚬°"),
        "买买提 · 吐",
        "\u202b买买提·吐\u202c",
        "买\u200b买提·吐",
    ],
    "样伟": ["样　伟", "样 伟", "样\u00a0伟", "样\u2009伟", "样伟\u200b", "样\ufe00伟"],
    "大民": ["⼤民", "大⺠"],
    "ヤマダ一": ["ﾔﾏﾀﾞ一"],
    "Li O'Ming": ["ＬＩ　Ｏ’ＭＩＮＧ", "li o´ming"],
}
PAIRS = [
    pair
    for name, others in SPELLINGS.items()
    for other in others
    for pair in ((name, other), (other, name))
]


def identity(**fields):
    return {**a_file(VILLAGE)["identity"], "resident_id": None, **fields}


@pytest.fixture
def search(client):
    async def found(caller, **wanted) -> list[str]:
        answer = await client.post("/v1/children/search", json=wanted, headers=caller.headers)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    return found


class TestNames:
    @pytest.mark.parametrize(("name", "other"), PAIRS)
    async def test_another_spelling_is_the_same_child(
        self, name, other, open_file, search, director
    ) -> None:
        opened = await open_file(director, identity=identity(name=name))
        assert opened.status_code == 201, opened.text
        child = opened.json()["id"]
        assert opened.json()["identity"]["name"] == name  # kept and shown as it came
        again = await open_file(director, identity=identity(name=other))
        assert (again.status_code, again.json()["type"]) == (409, "/problems/duplicate-child")
        assert again.headers["location"] == f"/v1/children/{child}"
        assert await search(director, name=other) == [child]

    @pytest.mark.parametrize(
        ("name", "wanted"),
        [
            ("买买提•吐", {"name": "买买提 ．", "match": "prefix"}),
            ("买买提•吐", {"name": "。吐", "match": "suffix"}),
            ("买买提•吐", {"name": "提・吐", "match": "infix"}),
            ("样　伟一", {"name": "样 伟", "match": "prefix"}),
            ("样伟　一", {"name": "伟 一", "match": "suffix"}),
            ("大⺠一", {"name": "⺠一", "match": "infix"}),
            ("Li Ming", {"name": "ＬＩ", "match": "prefix"}),
        ],
    )
    async def test_a_part_in_another_spelling(
        self, name, wanted, open_file, search, director
    ) -> None:
        child = (await open_file(director, identity=identity(name=name))).json()["id"]
        assert await search(director, **wanted) == [child]

    async def test_a_renamed_child_is_found_by_the_new_name(
        self, open_file, search, client, director
    ) -> None:
        child = (await open_file(director, identity=identity(name="样　伟"))).json()["id"]
        changed = await client.patch(
            f"/v1/children/{child}",
            json={"identity": {"name": "买买提 • 吐"}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert changed.json()["identity"]["name"] == "买买提 • 吐"
        assert await search(director, name="买买提·吐") == [child]
        assert await search(director, name="样伟") == []

    async def test_namesakes_beyond_the_remit_are_referred(
        self, open_file, director, database
    ) -> None:
        await a_child(database, OTHER_TOWNSHIP_VILLAGE, name="买买提•吐")
        opened = await open_file(director, identity=identity(name="买买提 ・ 吐"))
        assert opened.status_code == 201
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            reasons = await tx.connection.fetch("SELECT reason FROM duplicate_referrals")
        assert [row["reason"] for row in reasons] == ["name_and_birth_date"]

    @pytest.mark.parametrize("longest", ["ﷺ壮", "㌖装", "𝅘𝅥𝅲ﬃ", "㍿装"])
    async def test_the_longest_name_is_kept(self, longest, open_file, search, director) -> None:
        name = (longest * 200)[:200]
        opened = await open_file(director, identity=identity(name=name))
        assert opened.status_code == 201, opened.text
        assert len(opened.json()["identity"]["name_pinyin"]) <= 600
        assert await search(director, name=name) == [opened.json()["id"]]

    async def test_other_names_are_others(self, open_file, director) -> None:
        for name in ("样伟", "样炜", "样·伟"):
            answer = await open_file(director, identity=identity(name=name))
            assert answer.status_code == 201, name

    @pytest.mark.parametrize("copied", ["样伟\n", "\t样\t伟", "样\r\n伟", "样\x85伟"])
    async def test_tabs_and_line_breaks_are_spaces(
        self, copied, open_file, search, director
    ) -> None:
        """All spaces: names are copied out of tables."""
        opened = await open_file(director, identity=identity(name=copied))
        assert opened.status_code == 201, opened.text
        again = await open_file(director, identity=identity(name="样伟"))
        assert again.headers["location"] == f"/v1/children/{opened.json()['id']}"
        assert await search(director, name=copied) == [opened.json()["id"]]

    @pytest.mark.parametrize("blank", ["\u200b", "\u3164\u202e", "　"])
    async def test_what_shows_nothing_is_no_name(self, blank, open_file, director) -> None:
        answer = await open_file(director, identity=identity(name=blank))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "text_blank"


class TestReadings:
    @pytest.mark.parametrize(
        ("name", "typed"),
        [
            ("乐样", "yue le"),
            ("覃样", "qin tan"),
            ("率样", "shuai lv lu"),
            ("逢样", "pang feng"),
            ("呙样", "guo wai gua"),
            ("咼样", "guo wai"),
            ("会样", "gui kuai hui"),
            ("镡样", "tan chan xin"),
            ("番样", "pan fan"),
            ("仲长样", "zhongchang zhongzhang"),
            ("盖样", "ge gai"),
            ("单样", "shan dan chan"),
            ("曾样", "zeng ceng"),
            ("解样", "xie jie"),
            ("查样", "zha cha"),
            ("仇样", "qiu chou"),
            ("朴样", "piao pu"),
            ("区样", "ou qu"),
            ("种样", "chong zhong"),
            ("员样", "yun yuan"),
            ("缪样", "miao mou"),
            ("翟样", "zhai di"),
            ("尉迟样", "yuchi weichi"),
            ("万俟样", "moqi wansi"),
            ("單于样", "chanyu shanyu"),
            ("⼄样", "yi"),
            ("吕样", "lü lyu lv lu LÜ Lǚ lǚyang lvyang lyuyang luyang ly"),
            ("女样", "nü nyu nv nu"),
            ("吕略", "lvlve lulue lyulyue lülüe lvlue"),
            ("安雨", "anyu any"),
            ("卢样", "lu"),
            ("西安样", "xi'an xian XiAn"),
        ],
    )
    async def test_every_reading_finds_it(self, name, typed, open_file, search, director) -> None:
        child = (await open_file(director, identity=identity(name=name))).json()["id"]
        for letters in typed.split():
            assert await search(director, pinyin=letters) == [child], letters

    async def test_initials_of_every_reading(self, open_file, search, director) -> None:
        child = (await open_file(director, identity=identity(name="覃小样"))).json()["id"]
        for letters in ("qxy", "txy"):
            assert await search(director, pinyin=letters) == [child]
        assert await search(director, pinyin="tx") == []

    @pytest.mark.parametrize(
        ("name", "typed"),
        [
            ("么小米", "yaoxiaomi yxm mexiaomi"),
            ("麽小米", "yaoxiaomi yxm"),
            ("澹小米", "tanxiaomi txm dxm"),
            ("荥小米", "xingxiaomi yingxiaomi xxm yxm"),
            ("难小米", "nanxiaomi ningxiaomi nxm"),
            ("给小米", "jixiaomi jxm gxm"),
            ("乾小米", "qianxiaomi ganxiaomi gxm"),
            ("泊小米", "boxiaomi poxiaomi pxm"),
            ("契小米", "xiexiaomi xxm qxm"),
            ("且小米", "juxiaomi jxm qxm"),
            ("佛小米", "foxiaomi fuxiaomi bixiaomi bxm"),
            ("朱邪小米", "zhuyexiaomi zyxm zxxm"),
            ("尉小米", "yuxiaomi weixiaomi yxm wxm"),
        ],
    )
    async def test_a_whole_name_is_found_by_letters_and_initials(
        self, name, typed, open_file, search, director
    ) -> None:
        """Every lawful reading of a surname is found."""
        child = (await open_file(director, identity=identity(name=name))).json()["id"]
        for letters in typed.split():
            assert await search(director, pinyin=letters) == [child], letters

    async def test_another_syllable_finds_nothing(self, open_file, search, director) -> None:
        await open_file(director, identity=identity(name="卢乐"))
        for letters in ("lv", "yue", "lule ya", "luyue"):
            assert await search(director, pinyin=letters) == [], letters

    @pytest.mark.parametrize("typed", ["'-", "l", "l '"])
    async def test_two_letters_are_needed(self, typed, client, director) -> None:
        answer = await client.post(
            "/v1/children/search", json={"pinyin": typed}, headers=director.headers
        )
        assert answer.status_code == 422


class TestResidentIds:
    @pytest.mark.parametrize(
        "sent",
        [
            ENDS_IN_X.lower(),
            "".join(chr(ord(c) + 0xFEE0) for c in ENDS_IN_X.lower()),
            f"{ENDS_IN_X[:6]} {ENDS_IN_X[6:14]}-{ENDS_IN_X[14:]}\u200b",
            ENDS_IN_X[:-1] + "×",
            ENDS_IN_X[:-1] + "Ⅹ",
        ],
    )
    async def test_a_number_in_another_spelling(self, sent, open_file, search, director) -> None:
        opened = await open_file(director, identity=identity(resident_id=sent))
        assert opened.status_code == 201, opened.text
        assert opened.json()["identity"]["resident_id"] == ENDS_IN_X
        child = opened.json()["id"]
        for wanted in (sent, ENDS_IN_X):
            assert await search(director, resident_id=wanted) == [child]
            again = await open_file(director, identity=identity(name="样二", resident_id=wanted))
            assert again.status_code == 409
            assert again.headers["location"] == f"/v1/children/{child}"

    async def test_an_old_number_is_the_new_one(self, database, client, search, director) -> None:
        grown = [
            await a_child(database, VILLAGE, name=name, birth_date=date(1999, 3, 1))
            for name in ("样一", "样二")
        ]
        first, second = [f"/v1/children/{child.id}" for child in grown]
        headers = {**director.headers, "if-match": '"1"'}

        async def give(path: str, number: str):
            change = {
                "identity": {"resident_id": number},
                "residence": {"region_code": f"{VILLAGE}"},
            }
            return await client.patch(path, json=change, headers=headers)

        answer = await give(first, OLD)
        assert answer.status_code == 200, answer.text
        assert answer.json()["identity"]["resident_id"] == OLD
        for wanted in (OLD, OLD_IN_FULL):
            assert await search(director, resident_id=wanted) == [str(grown[0].id)]
            duplicate = await give(second, wanted)
            assert (duplicate.status_code, duplicate.headers["location"]) == (409, first)

    @pytest.mark.parametrize(
        ("number", "rule"),
        [
            (OLD, "resident_id_birth_date"),
            (ENDS_IN_X[:-1] + "0", "resident_id_checksum"),
            (ENDS_IN_X[:-1], "string_pattern_mismatch"),
            (ENDS_IN_X + "0", "string_too_long"),
        ],
    )
    async def test_a_wrong_number_is_told_and_no_number_of_the_file(
        self, client, number, rule, open_file, director
    ) -> None:
        """What is merely imperfect is kept and marked: it is no key, and a correction is strict."""
        opened = await open_file(director, identity=identity(resident_id=number))
        assert opened.status_code == 201, opened.text
        file = opened.json()
        assert file["identity"]["resident_id"] is None
        assert file["as_sent"]["identity.resident_id"] == number
        changed = await client.patch(
            f"/v1/children/{file['id']}",
            json={"identity": {"resident_id": number}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert changed.status_code == 422, changed.text
        assert rule in {error["code"] for error in changed.json()["errors"]}


class TestNumbersOfSchools:
    @pytest.mark.parametrize(
        ("kept", "sent"),
        [
            ("G2020-0001", "g2020-0001"),
            ("Ｇ２０２０－０００１", "G2020-0001"),
            ("G2020-0001", " G2020 –\u200b 0001 "),
            ("G12000020160301900x", "Ｇ12000020160301900X"),
        ],
    )
    async def test_a_pupil_is_known_by_it(
        self, kept, sent, open_file, client, director, database, settings
    ) -> None:
        school = await a_school(database, settings)
        numbers = [{"system": "student_status", "number": kept}]
        education = {"school_id": str(school.id), "status": "enrolled", "student_numbers": numbers}
        opened = await open_file(director, education=education)
        assert opened.status_code == 201, opened.text
        assert opened.json()["education"]["student_numbers"] == numbers
        events = [
            an_event(None, student={"system": "student_status", "number": number}, session=session)
            for number, session in ((sent, "morning"), (kept, "afternoon"))
        ]
        assert statuses(await push(client, school, *events)) == ["accepted", "accepted"]

    async def test_a_number_kept_as_it_was_sent_before_is_still_known(
        self, database, keyring
    ) -> None:
        child = await a_child(database, VILLAGE)
        sent = ("student_status", "g2020-0001")
        was = keyring.blind_index("child_external_ids", "\0".join(sent))
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO child_external_ids (index, child_id, home_county, region_code,"
                " section) VALUES ($1, $2, $3, $4, 'education')",
                was,
                child.id,
                child.home_county,
                child.region_code,
            )
            assert await resolve_external(tx, everywhere(), [sent]) == {sent: child}

    async def test_case_tells_pupils_apart_where_it_may(
        self, open_file, director, database
    ) -> None:
        for name, number in (("样一", "a7"), ("样二", "A7")):
            numbers = [{"system": "gate", "number": number}]
            person = identity(name=name)
            answer = await open_file(
                director, identity=person, education={"student_numbers": numbers}
            )
            assert answer.status_code == 201
        async with database.begin(SYSTEM) as tx:
            sent = [("gate", "a7"), ("gate", "A7"), ("gate", " ａ7")]
            found = await resolve_external(tx, everywhere(), sent)
        assert found["gate", "a7"] == found["gate", " ａ7"] != found["gate", "A7"]


@pytest.mark.parametrize(
    "phone",
    [
        "022 2959 0000",
        "(022)29590000",
        "022－29590000",
        "138 0000 0000",
        "022-29590000转8",
        "110",
        "＋８６ １３８００００００００",
    ],
)
async def test_a_telephone_number_is_kept_as_it_came(phone, open_file, director) -> None:
    guardian = {"name": "样老丙", "phone": phone}
    opened = await open_file(director, guardianship={"kind": "grandparents", "guardian": guardian})
    assert opened.status_code == 201, opened.text
    assert opened.json()["guardianship"]["guardian"]["phone"] == phone
