"""Signatures, against the specification's vector and the reference library."""

import base64
import re
from datetime import UTC, datetime

import pytest
import standardwebhooks

from app.webhooks import signing


def test_matches_the_published_vector() -> None:
    secret = base64.b64decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    assert signing.secret_text(secret) == "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    signed = signing.signature(
        [secret],
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
    )
    assert signed == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="


@pytest.mark.parametrize("body", [b"{}", '{"note":"儿童"}'.encode()])
def test_agrees_with_the_reference_library(body: bytes) -> None:
    secret, when = signing.new_secret(), datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
    library = standardwebhooks.Webhook(signing.secret_text(secret))
    ours = signing.signature([secret], "msg_a", int(when.timestamp()), body)
    assert ours == library.sign("msg_a", when, body.decode())


def test_signs_with_every_key_newest_first() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    both = signing.signature([new, old], "msg_a", 1, b"{}").split(" ")
    assert both == [signing.signature([key], "msg_a", 1, b"{}") for key in (new, old)]
    assert both[0] != both[1]


def test_ids_cannot_be_guessed() -> None:
    ids = {signing.new_webhook_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"msg_[A-Za-z0-9_-]{27}", each) for each in ids)


def test_key_ids_name_secrets_without_showing_them() -> None:
    secret = signing.new_secret()
    assert signing.key_id(secret) == signing.key_id(secret)
    assert signing.key_id(secret) != signing.key_id(signing.new_secret())
