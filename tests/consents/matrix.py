"""Notices and consents in the matrix."""

from collections.abc import Iterator
from datetime import date

import orjson

from app.consents.models import GIVER, WITHDRAWER, Consent
from app.core.data.db import Tx
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always


def a_consent(**fields: object) -> Json:
    """The body of a guardian's consent to what takes one."""
    return {
        "collection": "referral_to_organisation",
        "text_version": 1,
        "given_by": "guardian",
        "name": "样老丙",
        "relation": "外婆",
        "form": "in_writing",
        **fields,
    }


def a_withdrawal(**fields: object) -> Json:
    """The body of its withdrawal."""
    said = {"withdrawn_by": "guardian", "name": "样老丙", "relation": "外婆", "form": "spoken"}
    return {**said, **fields}


A_NOTICE: Json = {"collections": ["visits"], "told_to": "guardian", "form": "spoken"}


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[Consent]:
    consent_id = target.ids["consent_id"]
    who = orjson.dumps({"name": "样老丙", "relation": "外婆"})
    yield Consent(
        **about,
        id=consent_id,
        collection="referral_to_organisation",
        text_version=1,
        given_by="guardian",
        giver_sealed=tx.keyring.seal(GIVER, consent_id, who),
        form="in_writing",
        given_on=date(2026, 11, 18),
        agency_id=target.owner,
        recorded_by="system",
        recorded_at=tx.now,
        withdrawn_by="guardian",
        withdrawer_sealed=tx.keyring.seal(WITHDRAWER, consent_id, who),
        withdrawn_form="spoken",
        withdrawn_on=date(2026, 11, 19),
        withdrawal_recorded_by="system",
        withdrawn_at=tx.now,
        version=1,
    )


PART = Part(
    id="consent_id",
    asks=(
        Ask("recordNotice", always(A_NOTICE), dated="told_on"),
        Ask("listChildNotices", dated="told_on"),
        Ask("recordConsent", always(a_consent())),
        Ask("listChildConsents"),
        Ask("withdrawConsent", always(a_withdrawal())),
    ),
    rows=_rows,
    dated="given_on",
)
