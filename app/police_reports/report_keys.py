"""The keys of each report: of what it says, and of who made it (ADR 63, AZ-9)."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint
from sqlmodel import Field, SQLModel

from app.core.data import distribution, keys, rls, sealed
from app.core.data.envelopes import Whose
from app.police_reports import models

STEP_CODES: Final = "police_report_steps.codes"
OF_CASE: Final = ("kind", "measures", "handled", "situations", "service_kinds")
"""What a step says in codes of the case, which is sealed; by the rest statements find it."""
CODES: Final = {
    "situations": "situations_sealed",
    "disposed_as": "disposed_sealed",
    "incomplete_as": "incomplete_sealed",
}
"""Codes of a report, which a release before kept in the clear, and where they are sealed."""


class ReportKey(SQLModel, table=True):
    """The keys of a report and of who made it, each wrapped by a data key of the file; empty once
    erased. Of no use without that file.
    """

    __tablename__ = "report_keys"
    __table_args__: Any = (
        ForeignKeyConstraint(
            ["home_county", "report_id"],
            ["police_reports.home_county", "police_reports.id"],
            name="report",
        ),
    )

    report_id: UUID = Field(primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    wrapped: bytes
    reporter_wrapped: bytes


distribution.in_one_place("beside the reports", "report_keys")
rls.allow("report_keys", "SELECT, INSERT, UPDATE")
for _whose, _wrapped in ((Whose.report, "wrapped"), (Whose.reporter, "reporter_wrapped")):
    keys.kept_in(_whose, keys.Kept("report_keys", "report_id", _wrapped, "police_reports"))

KEY: Final = keys.with_key(Whose.report, "r.home_county", "r.id")
"""What brings the key of `police_reports r` along."""

sealed.under_service(
    "report_keys",
    sealed.named("report_keys", "wrapped", "reporter_wrapped"),
    row="t.report_id::text",
)
sealed.under(
    Whose.report,
    "police_reports",
    {
        "narrative_sealed": models.NARRATIVE,
        "subject_sealed": models.SUBJECT,
        "as_sent_sealed": models.AS_SENT,
        **sealed.named("police_reports", *CODES.values()),
    },
    owner="t.id",
)
sealed.under(
    Whose.reporter,
    "police_reporters",
    {"person_sealed": models.PERSON},
    owner="t.report_id",
    row="t.report_id::text",
)
sealed.under(
    Whose.report,
    "police_report_steps",
    {"details_sealed": models.DETAILS, "codes_sealed": STEP_CODES},
    owner="t.report_id",
)
