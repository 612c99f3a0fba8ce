"""changeChild, and what follows from facts by itself."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import orjson
import pytest

from app.children import derivation, operations, queries, rederiving, sealing
from app.children.schemas import ChildChange
from app.children.sections import File
from app.core.data import keys
from app.core.data.db import SYSTEM
from app.core.http.preconditions import PreconditionFailed
from app.core.jobs import queue
from app.regions.rules import county_of
from tests.access.factories import a_caller, an_agency
from tests.children.conftest import (
    OTHER_COUNTY_VILLAGE,
    OTHER_TOWNSHIP_VILLAGE,
    SIBLING,
    TOWNSHIP,
    VILLAGE,
)
from tests.children.factories import RESIDENT_ID, a_child, a_file, everywhere, with_check_digit
from tests.jobs import hand_out, run_jobs, told

_A_FACT = """
INSERT INTO child_facts (home_county, child_id, region_code, id, kind, value_sealed, since,
                         stated_by, recorded_at)
SELECT home_county, id, region_code, gen_random_uuid(), 'guardianship', '', '2026-01-01', 'x', now()
FROM children WHERE id = $1
"""


@pytest.fixture
def patch(client):
    async def send(caller, child_id, change, version=1, **headers):
        return await client.patch(
            f"/v1/children/{child_id}",
            json=change,
            headers={**caller.headers, "if-match": f'"{version}"', **headers},
        )

    return send


@pytest.fixture
async def file(open_file, director):
    answer = await open_file(director)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestChangesSections:
    async def test_merges_and_counts_the_version(self, file, patch, director) -> None:
        answer = await patch(director, file["id"], {"guardianship": {"evaluation": "poor"}})
        assert answer.status_code == 200, answer.text
        changed = answer.json()
        assert answer.headers["etag"] == '"2"'
        assert changed["guardianship"] == {**file["guardianship"], "evaluation": "poor"}
        assert changed["derived"]["priority_flags"] == ["poor_guardianship"]
        unchanged = {"identity", "hukou", "residence", "family", "education", "health"}
        assert all(changed[section] == file[section] for section in unchanged)

    async def test_null_clears_and_objects_merge(self, file, patch, director) -> None:
        change = {"guardianship": {"guardian": {"phone": None}}, "health": {"notes": None}}
        changed = (await patch(director, file["id"], change)).json()
        assert changed["guardianship"]["guardian"] == {
            "name": "样老丙",
            "relation": "外婆",
            "birth_date": None,
            "address": None,
            "phone": None,
        }
        assert changed["health"]["notes"] is None
        cleared = (await patch(director, file["id"], {"health": None}, 2)).json()
        assert cleared["health"]["status"] is None

    async def test_what_must_be_there_cannot_be_cleared(self, file, patch, director) -> None:
        answer = await patch(director, file["id"], {"identity": {"name": None}})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#/identity/name"
        answer = await patch(director, file["id"], {"residence": None})
        assert answer.json()["errors"][0]["pointer"] == "#/residence/region_code"

    async def test_what_changes_nothing_makes_no_version(self, file, patch, director) -> None:
        assert (await patch(director, file["id"], {})).json()["errors"][0]["code"] == "change_empty"
        answer = await patch(director, file["id"], {"health": {"status": "healthy"}})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')

    async def test_needs_the_version_it_is_based_on(self, file, client, patch, director) -> None:
        change = {"health": {"status": "weak"}}
        path = f"/v1/children/{file['id']}"
        assert (await client.patch(path, json=change, headers=director.headers)).status_code == 428
        assert (await patch(director, file["id"], change)).status_code == 200
        stale = await patch(director, file["id"], {"health": {"status": "chronic"}})
        assert stale.status_code == 412

    async def test_a_file_that_moved_since_it_was_found_is_asked_for_anew(self, tx) -> None:
        gone = queries.ChildRef(uuid4(), 120118000000, OTHER_COUNTY_VILLAGE, None)
        change = ChildChange.model_validate({"health": {"status": "healthy"}})
        with pytest.raises(PreconditionFailed):
            await operations.change_child(tx, everywhere(), gone, change, if_match=1)

    async def test_the_same_key_replays(self, file, patch, director) -> None:
        change = {"health": {"status": "weak"}}
        first = await patch(director, file["id"], change, **{"idempotency-key": "k"})
        again = await patch(director, file["id"], change, **{"idempotency-key": "k"})
        assert (first.status_code, again.content) == (200, first.content)

    async def test_keeps_dated_facts(self, file, patch, director, database) -> None:
        change = {"guardianship": {"kind": "relatives", "since": "2026-10-01"}}
        await patch(director, file["id"], change)
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT * FROM child_facts WHERE kind = 'guardianship' ORDER BY recorded_at, id"
            )
            await keys.of_rows(tx, rows)
        values = [
            orjson.loads(
                tx.keyring.unseal("child_facts.value_sealed", row["id"], row["value_sealed"])
            )
            for row in rows
        ]
        assert [value["kind"] for value in values] == ["grandparents", "relatives"]
        assert [row["since"] for row in rows] == [date(2026, 11, 20), date(2026, 10, 1)]
        assert [row["until"] for row in rows] == [date(2026, 11, 20), None]
        assert rows[1]["stated_by"] == f"staff:{director.subject_id}"

    async def test_a_fact_ends_where_the_next_begins_and_not_before_it_began(
        self, file, patch, director, database
    ) -> None:
        """Nor that of another child."""
        other = await a_child(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_A_FACT, other.id)
        for version, since in enumerate(("2026-10-01", "2026-10-20", "2026-10-10"), start=1):
            change = {"guardianship": {"since": since}}
            answer = await patch(director, file["id"], change, version)
            assert answer.status_code == 200, answer.text
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "SELECT since, until FROM child_facts WHERE kind = 'guardianship'"
                " ORDER BY child_id = $1 DESC, id",
                other.id,
            )
        day = date(2026, 10, 20)
        assert [tuple(row) for row in rows if row != rows[1]] == [
            (date(2026, 1, 1), None),
            (date(2026, 10, 1), day),
            (day, day),
            (date(2026, 10, 10), None),
        ]

    async def test_announces_sections_and_categories(self, file, patch, director, database) -> None:
        home = [
            {"role": role, "statuses": [{"status": "at_home"}]} for role in ("father", "mother")
        ]
        await patch(director, file["id"], {"family": {"parents": home}})
        events = {row["wire_name"]: row["data"] for row in await told(database)}
        assert events["children.child_changed"]["sections"] == ["family"]
        assert events["children.categories_changed"]["removed"] == ["left_behind"]


class TestWhoMayChange:
    async def test_a_school_writes_its_sections_and_no_others(
        self, open_file, patch, director, database, settings
    ) -> None:
        school = await an_agency(database, "school", TOWNSHIP)
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=school)
        pupil = (await open_file(director, education={"school_id": str(school)})).json()
        assert (await patch(teacher, pupil["id"], {"education": {"grade": 3}})).status_code == 200
        refused = await patch(
            teacher, pupil["id"], {"education": {"grade": 4}, "health": {"status": "weak"}}, 2
        )
        assert refused.status_code == 403
        assert [e["pointer"] for e in refused.json()["errors"]] == ["#/health"]
        for elsewhere in (None, str(await an_agency(database, "school", TOWNSHIP))):
            answer = await patch(teacher, pupil["id"], {"education": {"school_id": elsewhere}}, 2)
            assert answer.status_code == 403, answer.text
            assert answer.json()["type"] == "/problems/outside-remit"

    async def test_outside_the_remit_there_is_nothing_to_change(
        self, file, patch, database, settings
    ) -> None:
        stranger = await a_caller(database, settings, "village_director", SIBLING)
        for child_id in (file["id"], str(uuid4())):
            answer = await patch(stranger, child_id, {"health": {"status": "weak"}})
            assert answer.status_code == 404


async def test_a_change_keeps_the_rules_of_a_file(file, patch, director) -> None:
    answer = await patch(director, file["id"], {"identity": {"birth_date": "2026-11-21"}})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/child-invalid")
    assert answer.json()["errors"][0]["pointer"] == "#/identity/birth_date"


class TestMoves:
    async def test_ends_the_old_remit_at_once(
        self, file, patch, client, director, township, database
    ) -> None:
        answer = await patch(township, file["id"], {"residence": {"region_code": f"{SIBLING}"}})
        assert answer.status_code == 200, answer.text
        gone = await client.get(f"/v1/children/{file['id']}", headers=director.headers)
        assert gone.status_code == 404
        async with database.begin(SYSTEM) as tx:
            data = await tx.connection.fetchval(
                "SELECT data::text FROM events WHERE wire_name = 'children.child_changed'"
            )
            home = await tx.connection.fetchval("SELECT home_county FROM children")
        assert orjson.loads(data)["previous_region_code"] == VILLAGE
        assert home == VILLAGE // 10**6 * 10**6

    async def test_is_told_where_the_child_lived(
        self, file, patch, client, database, settings
    ) -> None:
        """Who keeps copies there hears that this one is another's now."""
        place = {
            name: county_of(at) for name, at in (("here", VILLAGE), ("there", OTHER_COUNTY_VILLAGE))
        }
        office = {
            name: await a_caller(database, settings, "civil_affairs", at, machine=True)
            for name, at in {**place, "over": 120000000000}.items()
        }
        moved = await patch(
            office["over"], file["id"], {"residence": {"region_code": f"{OTHER_COUNTY_VILLAGE}"}}
        )
        assert moved.status_code == 200, moved.text
        await hand_out(database)
        heard = {}
        for name, caller in office.items():
            feed = await client.get("/v1/events", headers=caller.headers)
            told = ((each["type"], each["data"]) for each in feed.json()["items"])
            heard[name] = {
                kind.removeprefix("children."): data["region_code"]
                for kind, data in told
                if kind in {"children.child_left", "children.child_changed"}
            }
        left, changed = {"child_left": f"{VILLAGE}"}, {"child_changed": f"{OTHER_COUNTY_VILLAGE}"}
        assert heard == {"here": left, "there": changed, "over": left | changed}

    async def test_only_inside_the_callers_remit(self, file, patch, township) -> None:
        place = f"{OTHER_TOWNSHIP_VILLAGE}"
        answer = await patch(township, file["id"], {"residence": {"region_code": place}})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/outside-remit")


class TestNumbers:
    async def test_a_number_can_be_given_changed_and_taken_away(
        self, open_file, patch, client, director
    ) -> None:
        identity = {**a_file(VILLAGE)["identity"], "resident_id": None}
        child = (await open_file(director, identity=identity)).json()["id"]
        second = with_check_digit("12000020160301902")
        for version, number in enumerate((RESIDENT_ID, second, None), start=1):
            answer = await patch(director, child, {"identity": {"resident_id": number}}, version)
            assert answer.status_code == 200, answer.text
            for wanted in (RESIDENT_ID, second):
                found = await client.post(
                    "/v1/children/search", json={"resident_id": wanted}, headers=director.headers
                )
                assert len(found.json()["items"]) == (wanted == number)

    async def test_a_strangers_number_is_referred_and_nothing_changed(
        self, open_file, patch, client, director, database, settings
    ) -> None:
        stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
        await open_file(stranger, OTHER_COUNTY_VILLAGE)
        identity = {**a_file(VILLAGE)["identity"], "resident_id": None}
        child = (await open_file(director, identity=identity)).json()["id"]
        answer = await patch(director, child, {"identity": {"resident_id": RESIDENT_ID}})
        assert answer.status_code == 202, answer.text
        assert answer.json().keys() == {"referral_id", "status"}
        after = await client.get(f"/v1/children/{child}", headers=director.headers)
        assert after.headers["etag"] == '"1"'
        assert after.json()["identity"]["resident_id"] is None
        audited = (
            "SELECT decision, rule, child_ids FROM audit_entries WHERE operation = 'changeChild'"
        )
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(audited)
        assert tuple(row) == ("partly", "possible-duplicate", [UUID(child)])

    async def test_a_visible_childs_number_is_a_duplicate(
        self, file, open_file, patch, director, database
    ) -> None:
        identity = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
        child = (await open_file(director, identity=identity)).json()["id"]
        answer = await patch(director, child, {"identity": {"resident_id": RESIDENT_ID}})
        assert answer.status_code == 409
        assert answer.headers["location"] == f"/v1/children/{file['id']}"
        audited = "SELECT child_ids FROM audit_entries WHERE decision = 'denied'"
        async with database.begin(SYSTEM) as tx:
            assert await tx.connection.fetchval(audited) == [UUID(file["id"])]

    async def test_other_systems_numbers_resolve_inside_the_remit(
        self, file, patch, database, township
    ) -> None:
        await a_child(database, VILLAGE)
        change = {"external": {"numbers": [{"system": "child_welfare", "number": "7"}]}}
        assert (await patch(township, file["id"], change)).status_code == 200
        numbers = [("student_status", "G-CANARY-1"), ("child_welfare", "7"), ("other", "7")]
        async with database.begin(SYSTEM) as tx:
            resolved = await queries.resolve_external(tx, everywhere(), numbers)
        assert {number: str(child.id) for number, child in resolved.items()} == dict.fromkeys(
            numbers[:2], file["id"]
        )
        async with database.begin(SYSTEM) as tx:
            elsewhere = everywhere(lo=SIBLING, hi=SIBLING + 1)
            assert await queries.resolve_external(tx, elsewhere, numbers) == {}
            assert await queries.find_many(tx, elsewhere, [UUID(file["id"])]) == {}
            found = await queries.find_many(tx, everywhere(), [UUID(file["id"]), uuid4()])
        assert list(found) == [UUID(file["id"])]

    async def test_a_number_two_children_bear_resolves_to_neither(
        self, open_file, director, database
    ) -> None:
        await open_file(director)
        other = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
        assert (await open_file(director, identity=other)).status_code == 201
        async with database.begin(SYSTEM) as tx:
            number = ("student_status", "G-CANARY-1")
            assert await queries.resolve_external(tx, everywhere(), [number]) == {}


class TestRederives:
    async def test_a_birthday_ends_a_category(self, open_file, director, database, now) -> None:
        identity = {
            **a_file(VILLAGE)["identity"],
            "birth_date": "2010-11-21",
            "resident_id": None,
        }
        file = (await open_file(director, identity=identity)).json()
        assert file["derived"]["categories"] == ["left_behind"]
        async with database.begin(SYSTEM) as tx:
            tx.now = now.replace(day=21)
            while await rederiving.rederive(tx, county_of(VILLAGE)):
                pass
            row = await tx.connection.fetchrow("SELECT * FROM children")
            events = await tx.connection.fetchval(
                "SELECT count(*) FROM events WHERE wire_name = 'children.categories_changed'"
            )
        assert (row["categories"], row["version"], events) == ([], 1, 1)

    async def test_goes_through_everybody_batch_by_batch(self, database, monkeypatch) -> None:
        monkeypatch.setattr(rederiving, "BATCH", 2)
        for _ in range(5):
            await a_child(database, VILLAGE, categories=["left_behind"])
        async with database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, "children.rederive", [{}])
        done = await run_jobs(database)
        assert done.count("children.rederive_in_county") == 4  # the last looks whose day has come
        async with database.begin(SYSTEM) as tx:
            left = await tx.connection.fetchval(
                "SELECT count(*) FROM children WHERE categories <> '{}'"
            )
        assert left == 0

    async def test_a_name_the_release_before_stored_is_spelt_anew(self, database) -> None:
        late = await a_child(database, VILLAGE, name="乐　样", name_index=b"as it was")
        file = File.model_validate({"identity": {"birth_date": "2016-03-01"}})
        unasked = derivation.derive(file, VILLAGE, date(2026, 11, 20))
        open_, lacking = list(unasked.undecided), list(unasked.lacking)
        other = await a_child(database, VILLAGE, name="样一", undecided=open_, lacking=lacking)
        async with database.begin(SYSTEM) as tx:
            tx.now += timedelta(days=1)
            await rederiving.rederive(tx, county_of(VILLAGE))
            read = "SELECT *, updated_at = $2 AS new FROM children WHERE id = $1"
            row = await tx.connection.fetchrow(read, late.id, tx.now)
            index = sealing.name_index(tx.keyring, "乐样", row["birth_date"])
            assert (row["name_index"], row["version"], row["new"]) == (index, 1, True)
            assert sealing.named(tx.keyring, row) == ("乐　样", "yueyang")
            assert not (await tx.connection.fetchrow(read, other.id, tx.now))["new"]
