"""The one way to fetch reports: with their keys, and with what is sealed of them in codes opened;
and how such codes are sealed again (ADR 69).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from app.core.data import former, keys, resealing
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, Owner, of_report
from app.police_reports.report_keys import CODES, KEY, OF_CASE, STEP_CODES

Report = dict[str, Any]
COLUMNS: Final = f"r.*, {KEY}"
"""What is selected, or returned, of `police_reports r`."""


async def reports(tx: Tx, statement: str, *arguments: Any) -> list[Report]:
    """Fetch reports by a statement that says `COLUMNS`."""
    return [opened(tx, row) for row in await tx.connection.fetch(statement, *arguments)]


async def report(tx: Tx, statement: str, *arguments: Any) -> Report | None:
    """Fetch one report, if there is one."""
    row = await tx.connection.fetchrow(statement, *arguments)
    return None if row is None else opened(tx, row)


def opened(tx: Tx, row: Mapping[str, Any]) -> Report:
    """Open the key that a report brought along, and what is sealed of it in codes."""
    keys.brought(tx.keyring, of_report(row["id"]), row)
    return {**row, **{name: _said(tx.keyring, row, name) for name in CODES}}


def _said(keyring: Keyring, row: Mapping[str, Any], name: str) -> list[str]:
    sealed, plain = row[CODES[name]], row[name]
    if sealed is None:
        return [*plain]
    try:
        known = orjson.loads(keyring.unseal_bytes(_place(name), row["id"], sealed))
    except Erased:
        known = []
    # What the release before says anew comes to it: none is taken away.
    return [*dict.fromkeys([*known, *plain])]


async def sealed(tx: Tx, report_id: UUID, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of a report, whose key is open, as they are written: codes sealed, unless the
    release before may have to read them.
    """
    said = CODES.keys() & columns.keys()
    if not said:
        return dict(columns)
    if await former.may_run(tx):
        return {**columns, **{CODES[name]: None for name in said}}
    return {**columns, **of_codes(tx.keyring, report_id, columns)}


def of_codes(
    keyring: Keyring, report_id: UUID, columns: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Seal what is of codes in columns; return both, that which was in the clear empty."""
    said: dict[str, Any] = {}
    for name, column in CODES.items():
        if name in columns:
            raw, of = orjson.dumps([*columns[name]]), of_report(report_id)
            said[name] = []
            said[column] = keyring.seal(_place(name), report_id, raw, of) if columns[name] else None
    return said


def _place(name: str) -> str:
    return f"police_reports.{CODES[name]}"


async def steps(tx: Tx, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    """Fetch steps with all that they say in codes, by a statement that says `id`, `codes` and
    `codes_sealed`. One statement more, if the key of their report is not open.
    """
    rows = await tx.connection.fetch(statement, *arguments)
    await keys.of_rows(tx, rows)
    return [{**row, "codes": step_codes(tx.keyring, row)} for row in rows]


def step_codes(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step says in codes; of a report that was erased, what is in the clear."""
    if row["codes_sealed"] is None:
        return dict(row["codes"])
    try:
        sealed = keyring.unseal_bytes(STEP_CODES, row["id"], row["codes_sealed"])
    except Erased:
        return dict(row["codes"])
    return {**row["codes"], **orjson.loads(sealed)}


async def step_columns(
    tx: Tx, step_id: UUID, of: Owner, codes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the columns of a step that says these codes, under an open key; in the clear while the
    release before may have to read them.
    """
    said = orjson.loads(orjson.dumps(codes, default=str))
    if _of_case(said) and await former.may_run(tx):
        return {"codes": said, "codes_sealed": None}
    return _sealed_step(tx.keyring, step_id, of, said)


def _of_case(codes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: codes[name] for name in OF_CASE if name in codes}


def _sealed_step(
    keyring: Keyring, step_id: UUID, of: Owner, codes: Mapping[str, Any]
) -> dict[str, Any]:
    of_case = _of_case(codes)
    plain = {name: each for name, each in codes.items() if name not in of_case}
    if not of_case:
        return {"codes": plain, "codes_sealed": None}
    found = [each.get("measures") or () for each in (codes, *(codes.get("handled") or ()))]
    if any("child_found" in each for each in found):  # where a child was seen is asked for by it
        plain["child_found"] = True
    sealed = keyring.seal(STEP_CODES, step_id, orjson.dumps(of_case), of)
    return {"codes": plain, "codes_sealed": sealed}


def _owner_of_step(_: Keyring, row: Mapping[str, Any]) -> Owner:
    return of_report(row["report_id"])


def _step_anew(tx: Tx, row: Mapping[str, Any]) -> Mapping[str, Any]:
    if row["codes_sealed"] is not None or not _of_case(row["codes"]):
        return {}
    said = _sealed_step(tx.keyring, row["id"], of_report(row["report_id"]), row["codes"])
    return {**said, "codes": orjson.dumps(said["codes"]).decode()}


resealing.IN_PLAIN.append(
    resealing.InPlain("police_report_steps", "codes_sealed", _owner_of_step, _step_anew)
)


def _owner_of(_: Keyring, row: Mapping[str, Any]) -> Owner:
    return of_report(row["id"])


def _anew(tx: Tx, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return (
        of_codes(tx.keyring, row["id"], opened(tx, row)) if any(row[each] for each in CODES) else {}
    )


resealing.IN_PLAIN.append(resealing.InPlain("police_reports", "disposed_sealed", _owner_of, _anew))
