"""Why a file is in its categories and flagged: by which facts, settings and obligations."""

from datetime import date
from typing import Any

from app.access.principal import Principal
from app.children import derivation, queries, rules, sealing
from app.children.answers import Answer
from app.children.day import Day
from app.children.queries import ChildRef
from app.children.told import Told
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.policy import queries as policy


async def reasons(tx: Tx, principal: Principal, child: ChildRef) -> dict[str, Any]:
    """Say why a file is in its categories and flagged, or what it lacks to decide; facts of
    sections the caller reads only.
    """
    row = await tx.connection.fetchrow(
        f"SELECT c.id, c.told, {queries.STORED} FROM children c"
        " WHERE c.home_county = $1 AND c.id = $2",
        child.home_county,
        child.id,
    )
    file = sealing.whole(tx.keyring, row)
    told = Told.all_of(row["told"])
    facts = rules.Facts(derivation.birth_date(file), child.region_code, file, told)
    answers = rules.decide(facts, derivation.policy_on(child.region_code, tx.today), Day(tx.today))
    seen = "derived" in principal.role.reads
    return {
        "as_of": tx.today,
        "reasons": [
            _reason(principal, child, result, answer, kind, tx.today)
            for kind, found in zip(("categories", "flags"), answers, strict=True)
            for result, answer in found.items()
            if seen and answer.holds is not False
        ],
    }


def _reason(
    principal: Principal, child: ChildRef, result: str, answer: Answer, kind: str, on: date
) -> dict[str, Any]:
    names, obligations = rules.DERIVED_FROM[
        kind if kind == "flags" else "difficulty" if result.startswith("difficulty.") else result
    ]
    found = [policy.effective_value(name, child.region_code, on) for name in names]
    return {
        "result": result,
        "holds": answer.holds,
        "facts": sorted(f for f in answer.facts if f.split(".")[0] in principal.role.reads),
        "settings": [
            {"name": v.name, "region_code": region_text(v.region_code), "citation": v.citation}
            for v in found
        ],
        "obligations": obligations,
    }
