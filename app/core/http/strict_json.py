"""JSON as strict as a record of a child needs it (IN-2)."""

import json
import math
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 32
_INT64 = 2**63
_LONGEST = len(str(-_INT64))


class JsonRefused(ValueError):
    """The text is not JSON we accept. `code` names the rule, `pointer` the place."""

    def __init__(self, code: str, pointer: str = "#") -> None:
        super().__init__(code)
        self.code = code
        self.pointer = pointer


class Repeated(dict[str, Any]):
    """An object with a key twice, of a text whose parts are judged one by one."""


def _never(_: Any) -> bool:
    return False


def loads(raw: bytes, *, any_text: Callable[[Any], bool] = _never, in_parts: bool = False) -> Any:
    """Parse UTF-8 JSON. Refuses duplicate keys, NaN and Infinity, lone surrogates, NUL characters,
    integers beyond 64 bits and nesting deeper than 32. Raises JsonRefused. `any_text`: in what it
    says so of, text that cannot be stored is let through, for whoever replaces it. `in_parts`: so
    is all else, for whoever asks it of each part (`check`).
    """
    unique, constant = (_marked, float) if in_parts else (_unique, _no_constant)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=constant,
            parse_int=_integer,
        )
    except JsonRefused:
        raise
    except RecursionError:
        raise JsonRefused("json_too_deep") from None
    except ValueError:
        raise JsonRefused("json_invalid") from None
    if not in_parts:
        _check(value, "#", 1, _any_text if any_text(value) else _check_text)
    return value


def check(part: Any, pointer: str) -> None:
    """Refuse, of a part of a text that was read `in_parts`, what `loads` refuses of a whole."""
    _check(part, pointer, pointer.count("/") + 1, _check_text)


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(found)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("json_duplicate_key")
    return found


def _integer(digits: str) -> int:
    """Return an integer; of one beyond 64 bits, however long, one that is refused as such."""
    return int(digits) if len(digits) <= _LONGEST else _INT64


def _no_constant(_: str) -> None:
    raise JsonRefused("json_number_not_finite")


def _check(value: Any, pointer: str, depth: int, check_text: Callable[[str, str], None]) -> None:
    kind = type(value)
    if kind is str:
        check_text(value, pointer)
    elif kind is dict:
        _check_depth(depth, pointer)
        for key, item in value.items():
            check_text(key, pointer)
            if item is not None and item is not True and item is not False:
                _check(item, f"{pointer}/{key}", depth + 1, check_text)
    elif kind is list:
        _check_depth(depth, pointer)
        for index, item in enumerate(value):
            _check(item, f"{pointer}/{index}", depth + 1, check_text)
    elif kind is Repeated:
        raise JsonRefused("json_duplicate_key", pointer)
    elif kind is int and not -_INT64 <= value < _INT64:
        raise JsonRefused("json_integer_too_large", pointer)
    elif kind is float and not math.isfinite(value):
        raise JsonRefused("json_number_not_finite", pointer)


def _check_depth(depth: int, pointer: str) -> None:
    if depth > MAX_DEPTH:
        raise JsonRefused("json_too_deep", pointer[:100])


def _any_text(text: str, pointer: str) -> None:
    """Refuse nothing."""


def _check_text(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise JsonRefused("json_nul_character", pointer)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise JsonRefused("json_lone_surrogate", pointer) from None
