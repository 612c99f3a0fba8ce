"""JSON as strict as a record of a child needs it (IN-2)."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from app.core.problems import our_names

MAX_DEPTH = 32
_INT64 = 2**63
_LONGEST = 4_000
"""Digits of an integer that are read; of more, however many, one that is as little kept."""
_REPLACED = "\ufffd"
_WIDE = re.compile("[\u2e80-\ud7ff\uf900-\uffef]")
_NO_TEXT = re.compile("[\udc80-\udcff]")
_BEFORE_COLON = (b" :", b"\t:", b"\n:", b"\r:")
UNSURE = object()
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class JsonRefused(ValueError):
    """The text is not JSON we accept. `code` names the rule, `pointer` the place."""

    def __init__(self, code: str, pointer: str = "#") -> None:
        super().__init__(code)
        self.code = code
        self.pointer = pointer


class Repeated(dict[str, Any]):
    """An object with a key twice, of a text that is not refused for it: as the last says.
    `earlier`: what was said before, in order.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        last = {name: place for place, (name, _) in enumerate(pairs)}
        self.earlier = [each for place, each in enumerate(pairs) if last[each[0]] != place]


def _never(_: Any) -> bool:
    return False


def plain(raw: bytes) -> Any:
    """Read a text in which there is plainly nothing to refuse, as most are; UNSURE of all others,
    which `loads` reads. A tenth of its time.
    """
    if b"\\" in raw or any(before in raw for before in _BEFORE_COLON):
        return UNSURE
    try:
        value = orjson.loads(raw)
        # Each name ends in a quote and a colon, and a text without escapes has no fewer of these
        # than names: where the value has as many names, none was said twice.
        return value if _names(value, MAX_DEPTH) == raw.count(b'":') else UNSURE
    except ValueError:
        return UNSURE


def _names(value: Any, depth: int) -> int:
    """Count the names in a value. Raises ValueError if something in it may have to be refused."""
    kind = type(value)
    if kind is dict or kind is list:
        if not depth:
            raise ValueError
        count = len(value) if kind is dict else 0
        for each in value.values() if kind is dict else value:
            if type(each) is not str:
                count += _names(each, depth - 1)
        return count
    if kind is float or (kind is int and not -_INT64 <= value < _INT64):
        raise ValueError
    return 0


def loads(
    raw: bytes,
    *,
    anything: Callable[[Any], bool] = _never,
    in_parts: bool = False,
    evidence: bool = False,
) -> Any:
    """Parse UTF-8 JSON. Refuses duplicate keys, NaN and Infinity, lone surrogates, NUL characters,
    integers beyond 64 bits and nesting deeper than 32. Raises JsonRefused. `anything`: what it
    says so of is refused for none of these, but left to whoever makes it `storable`; `in_parts`: so
    is all, for whoever asks it of each part (`check`). `evidence`: it may be in GB 18030, and bytes
    that are no text become lone surrogates, to be refused or made `storable` as others are.
    """
    try:
        value = json.loads(
            _text(raw, evidence=evidence),
            object_pairs_hook=_marked,
            parse_constant=float,
            parse_int=_integer,
        )
    except RecursionError:
        raise JsonRefused("json_too_deep") from None
    except ValueError:
        raise JsonRefused("json_invalid") from None
    if not in_parts and not anything(value):
        check(value, "#")
    return value


def _text(raw: bytes, *, evidence: bool) -> str:
    try:
        return raw.decode("utf-8-sig")  # a mark at the beginning says nothing (RFC 8259 8.1)
    except UnicodeDecodeError:
        if not evidence:
            raise
    mended = raw.decode("utf-8-sig", "surrogateescape")
    # Of text that only lost a byte most is text; of GB 18030 in this reading next to nothing is.
    if len(_WIDE.findall(mended)) >= len(_NO_TEXT.findall(mended)):
        return mended
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return mended


def storable(said: Any, replaced: dict[str, Any], field: str = "", depth: int = 1) -> Any:
    """Return JSON that can be kept: what cannot is replaced, or told in words. `replaced`: tells by
    field what was, as it was or why; of a key said twice the values before the last.
    """
    if isinstance(said, str):
        if bad := {f"U+{ord(character):04X}" for character in _UNSTORABLE.findall(said)}:
            replaced[field] = ", ".join(sorted(bad))
        return _UNSTORABLE.sub(_REPLACED, said)
    if isinstance(said, dict | list) and depth > MAX_DEPTH:
        replaced[field] = "json_too_deep"
        return _written(said)
    if isinstance(said, list):
        return [storable(each, replaced, field, depth + 1) for each in said]
    if isinstance(said, dict):
        return _storable_object(said, replaced, f"{field}." if field else "", depth)
    beyond = isinstance(said, int) and not -_INT64 <= said < _INT64
    if beyond or (isinstance(said, float) and not math.isfinite(said)):
        replaced[field] = str(said)
        return str(said)
    return said


def _storable_object(
    said: dict[str, Any], replaced: dict[str, Any], within: str, depth: int
) -> dict[str, Any]:
    for number, (name, each) in enumerate(getattr(said, "earlier", ()), start=1):
        before = f"{within}{_UNSTORABLE.sub(_REPLACED, name)} ({number})"
        replaced[before] = storable(each, replaced, before, depth + 1)
    kept: dict[str, Any] = {}
    for name, each in said.items():
        plain = _UNSTORABLE.sub(_REPLACED, name)
        while plain in kept or (plain != name and plain in said):
            plain += _REPLACED
        kept[plain] = storable(each, replaced, f"{within}{plain}", depth + 1)
        if plain != name:
            replaced.setdefault(f"{within}{plain}", ascii(name))
    return kept


def _written(said: Any) -> str:
    try:
        return json.dumps(said)
    except RecursionError:  # pragma: no cover  as deep as the stack
        return _REPLACED


def check(part: Any, pointer: str) -> None:
    """Refuse a text, or of one that was read `in_parts` a part, for what `loads` refuses it."""
    _check(part, pointer, pointer.count("/") + 1)


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST else _INT64


def _check(value: Any, pointer: str, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value, pointer)
    elif kind is dict:
        _check_depth(depth, pointer)
        for key, item in value.items():
            _check_text(key, pointer)
            if item is not None and item is not True and item is not False:
                _check(item, f"{pointer}/{key if key in our_names() else '?'}", depth + 1)
    elif kind is list:
        _check_depth(depth, pointer)
        for index, item in enumerate(value):
            _check(item, f"{pointer}/{index}", depth + 1)
    elif kind is Repeated:
        raise JsonRefused("json_duplicate_key", pointer)
    elif kind is int and not -_INT64 <= value < _INT64:
        raise JsonRefused("json_integer_too_large", pointer)
    elif kind is float and not math.isfinite(value):
        raise JsonRefused("json_number_not_finite", pointer)


def _check_depth(depth: int, pointer: str) -> None:
    if depth > MAX_DEPTH:
        raise JsonRefused("json_too_deep", pointer[:100])


def _check_text(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise JsonRefused("json_nul_character", pointer)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise JsonRefused("json_lone_surrogate", pointer) from None
