"""Production says everything itself; elsewhere there are defaults."""

import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from app.core import startup
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings

COMPLETE: dict[str, Any] = {
    "environment": Environment.production,
    "database": {"url": "postgresql://a@b/c"},
    "keys": "{}",
    "tokens": {"issuer": "https://tonghu.example"},
}

OPEN_ORIGINS = ("*", "null", "http://app.example", "https://*.example", "https://app.example/")
HALVES = ("0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/7", "::/0", "2000::/3")
OWN = ("127.0.0.1/32", "169.254.169.254/32", "::1/128", "126.0.0.0/7", "fe80::/64")


def test_production_with_all_it_needs_starts_and_shows_no_docs() -> None:
    assert not Settings(**COMPLETE).serves_docs
    assert Settings(**COMPLETE, docs_enabled=True).serves_docs


def test_elsewhere_docs_are_shown_unless_turned_off() -> None:
    assert Settings(environment=Environment.test).serves_docs
    assert not Settings(environment=Environment.test, docs_enabled=False).serves_docs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"database": {}}, "TONGHU_DATABASE__URL"),
        (
            {"database": COMPLETE["database"] | {"behind_pgbouncer": True}},
            "TONGHU_DATABASE__DIRECT_URL",
        ),
        ({"keys": None}, "TONGHU_KEYS_FILE or TONGHU_KEYS"),
        ({"tokens": {"issuer": "http://tonghu.example"}}, "https TONGHU_TOKENS__ISSUER"),
        ({"webhooks": {"allow_http": True}}, "never delivers webhooks over plain http"),
        *(({"cors_origins": [each]}, "such as https://app.example") for each in OPEN_ORIGINS),
        *(
            ({"trusted_proxies": [each]}, "your own proxies in TONGHU_TRUSTED_PROXIES, not")
            for each in HALVES
        ),
        *(({"metrics_networks": [each]}, "TONGHU_METRICS_NETWORKS, not half") for each in HALVES),
        *(
            ({"webhooks": {"allowed_networks": [each]}}, "TONGHU_WEBHOOKS__ALLOWED_NETWORKS, not")
            for each in HALVES
        ),
        *(({"webhooks": {"allowed_networks": [each]}}, "to itself") for each in OWN),
        ({"rate_limit": {"per_second": 1e9}}, "TONGHU_RATE_LIMIT__PER_SECOND is at most 10000"),
        ({"rate_limit": {"burst": 10**9}}, "TONGHU_RATE_LIMIT__BURST 100000"),
    ],
)
def test_production_that_lacks_something_does_not_start(monkeypatch, changes, said) -> None:
    for name in ("TONGHU_DATABASE__URL", "TONGHU_KEYS", "TONGHU_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=said):
        Settings(**{**COMPLETE, **changes})


def test_production_takes_the_networks_that_somebody_has() -> None:
    networks = ["10.0.0.0/8", "192.0.2.7/32", "fc00::/7"]
    chosen = Settings(
        **COMPLETE,
        cors_origins=["https://app.example", "https://app.example:8443"],
        trusted_proxies=networks,
        metrics_networks=networks,
        webhooks={"allowed_networks": networks},
    )
    assert len(chosen.trusted_proxies) == 3


def test_all_that_is_wrong_is_said_at_once_and_nothing_of_what_was_given() -> None:
    secret = '{"data": {"a1b2": "of-the-keys"}}'
    with pytest.raises(ValidationError) as wrong:
        Settings(environment="production", keys=secret, cors_origins=["*"], database={"url": 1})
    with pytest.raises(ValidationError) as more:
        Settings(environment="production", keys=secret, cors_origins=["*"], tokens={"issuer": "x"})
    assert "TONGHU_DATABASE__URL; production needs an https" in str(more.value)
    assert "of-the-keys" not in str(wrong.value) + str(more.value)


@pytest.mark.parametrize(("mode", "refused"), [(0o604, 1), (0o620, 1), (0o666, 1), (0o440, 0)])
def test_production_keeps_its_keys_from_others(tmp_path, mode: int, refused: int) -> None:
    file, link = tmp_path / "keys.json", tmp_path / "link"
    file.write_text(Keyring.generate().to_json())
    file.chmod(mode)
    link.symlink_to(file)
    chosen = Settings(**{**COMPLETE, "keys": None, "keys_file": link})
    if refused:
        with pytest.raises(startup.OpenKeyFile, match=f"mode {mode:04o}.*chmod 0400 .*link"):
            startup.keyring(chosen)
    else:
        assert startup.keyring(chosen).data
    elsewhere = chosen.model_copy(update={"environment": Environment.sandbox})
    assert startup.keyring(elsewhere).data


def test_a_command_says_in_a_line_what_is_open(tmp_path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(Keyring.generate().to_json())
    file.chmod(0o644)
    production = {
        "TONGHU_ENVIRONMENT": "production",
        "TONGHU_DATABASE__URL": "postgresql://127.0.0.1:1/none",
        "TONGHU_TOKENS__ISSUER": "https://tonghu.example",
        "TONGHU_KEYS_FILE": str(file),
    }
    for changes, said in (
        ({}, "TONGHU_KEYS_FILE may be read or replaced by others (mode 0644)"),
        ({"TONGHU_CORS_ORIGINS": '["*"]'}, "production lets only named https origins"),
        (
            {"TONGHU_TRUSTED_PROXIES": "10.0.0.0/8"},
            'No JSON: error parsing value for field "trusted_pro',
        ),
        ({"TONGHU_DATABASE__POOL_SIZE": "x"}, "TONGHU_DATABASE__POOL_SIZE: Input should be"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "retention"],
            env={**os.environ, **production, **changes},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(said)
        assert "\n" not in done.stderr.rstrip()
