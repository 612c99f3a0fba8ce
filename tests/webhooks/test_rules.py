"""Where to, when again, and what an answer means."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from app.webhooks import rules
from app.webhooks.rules import Gate

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def again(
    delivery_class: rules.DeliveryClass,
    failures: int,
    random: float = 0.5,
    not_before: datetime | None = None,
    held: timedelta = timedelta(),
) -> timedelta | None:
    at = rules.next_attempt(
        delivery_class, failures, NOW, queued_at=NOW - held, not_before=not_before, random=random
    )
    return None if at is None else at - NOW


def waits(delivery_class: rules.DeliveryClass, count: int, random: float = 0.5) -> list[float]:
    found = (again(delivery_class, failures, random) for failures in range(1, count + 1))
    return [-1.0 if each is None else round(each.total_seconds(), 3) for each in found]


class TestSchedule:
    def test_of_a_mandatory_delivery_never_ends(self) -> None:
        assert waits("M", 8) == [5, 30, 120, 300, 900, 900, 900, 900]
        years = timedelta(days=3000)
        assert again("M", 100_000, held=years) == timedelta(minutes=15)

    def test_of_a_subscriber_delivery_goes_on_daily_for_thirty_days(self) -> None:
        hours = [7200, 18_000, 36_000, 50_400, 72_000, 86_400]
        assert waits("S", 11) == [5, 300, 1800, *hours, 86_400, 86_400]
        day, thirty = timedelta(days=1), timedelta(days=30)
        assert again("S", 40, held=thirty - timedelta(seconds=1)) == day
        assert again("S", 10, held=thirty) is None
        assert again("S", 9, held=thirty) == day  # sent again by hand, it has its whole schedule

    def test_is_spread_by_a_fifth_each_way(self) -> None:
        assert waits("M", 2, random=0.0) == [4, 24]
        assert waits("M", 2, random=1.0) == [6, 36]

    @pytest.mark.parametrize(
        ("delivery_class", "asked", "seconds"),
        [
            ("M", 60, 60),
            ("M", 86_400, 900),  # a report does not wait longer than a quarter of an hour
            ("M", 1, 5),  # never sooner than the schedule
            ("S", 3600, 3600),
            ("S", 10**9 - 1, 86_400),
        ],
    )
    def test_keeps_to_retry_after(
        self, delivery_class: rules.DeliveryClass, asked: int, seconds: int
    ) -> None:
        not_before = rules.not_before(delivery_class, str(asked), NOW)
        assert again(delivery_class, 1, not_before=not_before) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            (None, None),
            ("120", 120),
            (" 7 ", 7),
            ("Fri, 20 Nov 2026 02:01:30 GMT", 90),
            ("Fri, 20 Nov 2026 01:00:00 GMT", 0),
            ("soon", None),
            ("-5", None),
            ("1e9", None),
            ("9" * 400, None),
            ("Fri, 99 Nov 2026 99:00:00 GMT", None),
        ],
    )
    def test_reads_retry_after(self, header: str | None, seconds: int | None) -> None:
        expected = None if seconds is None else timedelta(seconds=seconds)
        assert rules.retry_after(header, NOW) == expected


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_2xx_is_delivered(self, status: int) -> None:
        assert rules.succeeded(status)

    @pytest.mark.parametrize("status", [None, 100, 199, 300, 302, 304, 400, 410, 500, 599, 999])
    def test_all_else_is_not(self, status: int | None) -> None:
        assert not rules.succeeded(status)

    def test_asking_to_stop_never_stops_a_mandatory_delivery(self) -> None:
        assert rules.refuses_for_good("S", 410, None)
        assert rules.refuses_for_good("S", 500, "abort-message")
        assert not rules.refuses_for_good("S", 500, None)
        assert not rules.refuses_for_good("M", 410, "abort-message")


def moved(gate: Gate, status: int | None, seconds: float = 0.1, *, timed_out=False) -> Gate:
    took = timedelta(seconds=seconds)
    return rules.gate_after(gate, status, took=took, timed_out=timed_out, now=NOW)


class TestGate:
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_overload_closes_it_to_one_and_success_opens_it_again(self, status: int) -> None:
        gate = moved(Gate(64), status)
        assert gate.limit == 1
        for expected in (2, 4, 8, 16, 17, 18):
            gate = moved(gate, 200)
            assert gate.limit == expected

    def test_one_that_answers_quickly_gets_more_and_a_slow_one_no_more_than_at_first(self) -> None:
        gate = Gate()
        for _ in range(300):
            gate = moved(gate, 200)
        assert gate == Gate(256)
        assert moved(gate, 200, seconds=1.1) == Gate()
        assert moved(gate, 500) == Gate(failures=1)

    def test_hanging_closes_it_to_one(self) -> None:
        assert moved(Gate(), None, timed_out=True).limit == 1

    def test_ten_failures_in_a_row_pause_then_one_probes(self) -> None:
        gate = Gate()
        for _ in range(9):
            gate = moved(gate, 500)
            assert gate.room(NOW) == 16
        gate = moved(gate, 500)
        assert gate.room(NOW) == 0
        assert gate.room(NOW + timedelta(seconds=30)) == 1

    def test_it_is_there_again_with_the_first_success_after_three_failures(self) -> None:
        assert rules.is_back(Gate(failures=3), 0, 200)
        assert rules.is_back(Gate(), 3, 204)  # this delivery failed, at another worker's
        assert not rules.is_back(Gate(failures=2), 2, 200)
        assert not rules.is_back(Gate(failures=9), 9, 500)


DENIED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "8.8.8.8",
    "114.114.114.114",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "2400:3200::1",
    "2606:4700::1111",
]


class TestAddress:
    @pytest.mark.parametrize("text", DENIED)
    def test_that_is_not_public_is_refused(self, text: str) -> None:
        assert not rules.address_allowed(ip_address(text), ())

    @pytest.mark.parametrize("text", PUBLIC)
    def test_that_is_public_is_dialled(self, text: str) -> None:
        assert rules.address_allowed(ip_address(text), ())

    @pytest.mark.parametrize("text", ["10.9.0.7", "::ffff:10.9.0.7"])
    def test_of_a_network_the_operator_names_is_dialled(self, text: str) -> None:
        allowed = [ip_network("10.9.0.0/24")]
        assert rules.address_allowed(ip_address(text), allowed)
        assert not rules.address_allowed(ip_address("10.9.1.7"), allowed)

    def test_carried_by_a_translator_is_vetted_all_the_same(self) -> None:
        allowed = [ip_network("64:ff9b::/96"), ip_network("2002::/16")]
        assert rules.address_allowed(ip_address("64:ff9b::808:808"), allowed)
        assert not rules.address_allowed(ip_address("64:ff9b::7f00:1"), allowed)
        assert not rules.address_allowed(ip_address("2002:7f00:1::"), allowed)


def allowed_url(url: str, **changes: object) -> bool:
    how = {"allow_http": False, "ports": (443,), "allowed": (), **changes}
    return rules.url_allowed(url, **how)


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://receiver.example.org",
            "https://receiver.example.org:443/a/b?c=d%20e",
            "https://xn--fiqs8s.example.cn/in",
        ],
    )
    def test_of_a_public_name_is_taken(self, url: str) -> None:
        assert allowed_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://receiver.example.org/",
            "ftp://receiver.example.org/",
            "https://receiver.example.org:8443/",
            "https://receiver.example.org:0/",
            "https://receiver.example.org:99999/",
            "https://user:word@receiver.example.org/",
            "https://receiver.example.org/#part",
            "https://receiver.example.org./",
            "https://receiver..example.org/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://8.8.8.8/",
            "https://[::1]/",
            "https://[2400:3200::1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://1.2.3.4.5/",
            "https://receiver.example.0x7f/",
            "https://童护.cn/",
            "https://receiver.example.org\\@127.0.0.1/",
            "https://receiver.example.org/a b",
            "https://receiver.example.org/\r\nx: y",
            "https:///in",
            "https://[::1",
            "",
        ],
    )
    def test_of_any_other_kind_is_refused(self, url: str) -> None:
        assert not allowed_url(url)

    def test_with_an_address_is_taken_in_the_operators_networks_only(self) -> None:
        inside = {
            "allow_http": True,
            "ports": (9000,),
            "allowed": [ip_network("127.0.0.1/32")],
        }
        assert allowed_url("http://127.0.0.1:9000/in", **inside)
        assert not allowed_url("http://127.0.0.2:9000/in", **inside)
        assert not allowed_url("http://127.1:9000/in", **inside)
        assert not allowed_url("http://127.0.0.1/in", **inside)
