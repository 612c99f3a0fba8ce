"""Production says everything itself; elsewhere there are defaults."""

from typing import Any

import pytest

from app.core.settings import Environment, Settings

COMPLETE: dict[str, Any] = {
    "environment": Environment.production,
    "database": {"url": "postgresql://a@b/c"},
    "keys": "{}",
    "tokens": {"issuer": "https://tonghu.example"},
}


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
    ],
)
def test_production_that_lacks_something_does_not_start(monkeypatch, changes, said) -> None:
    for name in ("TONGHU_DATABASE__URL", "TONGHU_KEYS", "TONGHU_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=said):
        Settings(**{**COMPLETE, **changes})
