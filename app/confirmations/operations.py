"""Confirming that files say how it is."""

import orjson

from app.access.principal import Principal
from app.children import rows
from app.children.deps import ChildNotFound
from app.confirmations import queries, schemas
from app.confirmations.area import WRITE
from app.confirmations.events import ChangeFound, FileConfirmed
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.jobs import events
from app.core.problems import Problem


class ConfirmationDiffers(Problem, status=409):
    """The id is taken by a confirmation that says something else."""

    title = "This id belongs to another confirmation; use a new id"
    title_zh = "该编号已用于内容不同的档案确认;请使用新编号"


async def confirm_file(
    tx: Tx, principal: Principal, new: schemas.ConfirmationCreate
) -> tuple[schemas.Confirmation, bool]:
    """Store a confirmation, of whoever looked after the child on its day, and announce it. Returns
    it, and whether it is new. A day ahead is kept, and that of receipt counts.

    Sent again, it is answered with what is stored. Raises ChildNotFound, ConfirmationDiffers.
    """
    macs = tx.keyring.blind_indexes("confirmation", new.understood())
    of = of_child(new.child_id)
    if new.unread:
        of = await rows.keyed(tx, principal, new.child_id)
    values = {
        "id": new.id,
        "author": principal.staff_id,
        "content_mac": macs[0],
        "confirmed_on": min(new.confirmed_on, tx.today),
        "stated_on": new.confirmed_on if new.confirmed_on > tx.today else None,
        "changed": sorted({*new.changed}),
        "differs": sorted({*new.differs}),
        "instead_of": new.instead_of,
        "on_paper": new.on_paper,
        "as_sent_sealed": tx.keyring.seal(queries.AS_SENT, new.id, orjson.dumps(new.unread), of)
        if new.unread
        else None,
    }
    put = await rows.put(
        tx,
        principal,
        "confirmations",
        new.child_id,
        values,
        lived_in="received_in",
        on=new.confirmed_on,
        scope=WRITE.code,
    )
    if put is None:
        raise ChildNotFound
    row = put.row or await rows.find(tx, principal, new.id, table="confirmations")
    # One the caller may not know of is answered like one that says something else.
    if row is None or row["content_mac"] not in macs:
        raise ConfirmationDiffers
    if put.row:
        about = {name: row[name] for name in ("confirmed_on", "as_role")}
        unclear = any(each.startswith("differs") for each in new.unread)  # something is otherwise
        about["on_paper"] = bool(row["on_paper"])
        place, as_it_is = rows.announced(row), not (row["differs"] or unclear)
        await events.publish(tx, FileConfirmed(**place, **about, as_it_is=as_it_is))
        if row["differs"]:
            await events.publish(tx, ChangeFound(**place))
    return queries.confirmation_of(tx, principal, row), put.row is not None
