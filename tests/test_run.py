"""`make run` as a developer starts it."""

import os
import sys

import pytest

from scripts import run


@pytest.mark.parametrize(
    ("said", "told"), [([], None), (["--port", "8001"], "http://127.0.0.1:8001")]
)
def test_the_port_it_listens_on_is_the_one_it_names(monkeypatch, said, told) -> None:
    """Discovery and proofs of keys name the issuer: on another port nobody could sign in."""

    class Failed:
        returncode = 3

    monkeypatch.setenv("TONGHU_TOKENS__ISSUER", "")
    monkeypatch.delenv("TONGHU_TOKENS__ISSUER")
    monkeypatch.setattr(sys, "argv", ["run.py", *said])
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: Failed)
    with pytest.raises(SystemExit):
        run.main()
    assert os.environ.get("TONGHU_TOKENS__ISSUER") == told
