"""What an event says of a case, in lists of codes: sealed beside the rest of it, under the key of
the child or report it is about (ADR 69).

Ids, times and single codes stay in `events.data`, where statements read them. A field that is a
list of codes, or is kept by codes, is of a case unless its class says that it is `PLAIN`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import BaseModel

from app.core.data import keys
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, Owner, of_child, of_report

PLACE: Final = "events.codes"


class Plain:
    """Says of a field of an event that its codes tell nothing of a case."""


PLAIN: Final = Plain()
OWNERS: Final = {"child": of_child, "report": of_report}
"""By what an event is about, whose key; one that names a child is under the child's."""


def fields_of(kind: type[BaseModel]) -> frozenset[str]:
    """Return the fields of an event's class that hold codes of a case."""
    return frozenset(
        name
        for name, field in kind.model_fields.items()
        if get_origin(field.annotation) in {list, dict}
        and _is_code(get_args(field.annotation)[0])
        and PLAIN not in field.metadata
    )


def _is_code(said: Any) -> bool:
    return (get_args(said) or (said,))[0] is str


def owner(subject: str, subject_id: UUID, child_id: Any) -> Owner | None:
    """Return under whose key an event's codes are; None: nobody's."""
    if child_id is not None:
        return of_child(UUID(str(child_id)))
    of = OWNERS.get(subject)
    return None if of is None else of(subject_id)


def opened(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that an event says (`id`, `data`, `codes_sealed`), whose key is open. Raises
    Erased.
    """
    data = orjson.loads(row["data"]) if isinstance(row["data"], str) else row["data"]
    if row["codes_sealed"] is None:
        return dict(data)
    codes = orjson.loads(keyring.unseal_bytes(PLACE, row["id"], row["codes_sealed"]))
    return {**data, **codes}


async def with_codes(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put into the `data` of each row what is sealed of it; what was erased is missing there. One
    statement more where keys are not open.
    """
    await keys.of_rows(tx, rows)
    return [{**row, "data": _left(tx.keyring, row)} for row in rows]


def _left(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return opened(keyring, row)
    except Erased:
        return opened(keyring, {**row, "codes_sealed": None})


async def load(tx: Tx, owners: Iterable[Owner | None]) -> None:
    """Open the keys of those whose codes are to be sealed."""
    await keys.load(tx, [each for each in owners if each is not None])
