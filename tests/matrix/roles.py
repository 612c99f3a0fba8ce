"""The data of the roles and duties, read as text, and where somebody's remit lies."""

from pathlib import Path
from typing import Any

import yaml

from tests.matrix.facts import Who

_APP = Path(__file__).parents[2] / "app"
ROLES: dict[str, dict[str, Any]] = yaml.safe_load((_APP / "access/roles.yaml").read_text("utf-8"))
_SETS = ROLES.pop("scope_sets")
for _role in ROLES.values():
    _own = _role.get("scopes", [])
    _role["scopes"] = [*_own, *(scope for name in _role["includes"] for scope in _SETS[name])]
DUTIES: dict[str, dict[str, Any]] = yaml.safe_load((_APP / "duties/rules.yaml").read_text("utf-8"))


def remit(region: int) -> range:
    """The codes of a division and of everything in it: 2+2+2+3+3 digits, the rest zeros."""
    text = f"{region:012d}"
    for length in (2, 4, 6, 9, 12):
        if int(text[length:] or 0) == 0:
            return range(region, region + 10 ** (12 - length))
    raise ValueError(region)


def inside(who: Who, region: int) -> bool:
    return region in remit(who.region)
