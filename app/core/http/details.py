"""What a broken rule is called for a person: our words, never those that were sent (IN-4)."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic_core.core_schema import ErrorType

_DETAILS: Final = {
    "missing": "This is required.",
    "extra_forbidden": "This field does not exist here.",
    "string_too_short": "The text is too short.",
    "string_too_long": "The text is too long.",
    "string_pattern_mismatch": "The text has the wrong form.",
    "string_type": "A text is wanted.",
    "bool_type": "true or false is wanted.",
    "int_type": "A whole number is wanted.",
    "list_type": "A list is wanted.",
    "dict_type": "An object is wanted.",
    "model_type": "An object is wanted.",
    "model_attributes_type": "An object is wanted.",
    "uuid_parsing": "An id is a UUID.",
    "uuid_type": "An id is a UUID.",
    "date_from_datetime_parsing": "This day does not exist.",
    "too_long": "There are too many items.",
    "too_short": "There are too few items.",
    "enum": "The value is not in the code list.",
    "literal_error": "The value is not in the code list.",
    "greater_than_equal": "The number is too small.",
    "less_than_equal": "The number is too large.",
}
_BOUNDS: Final = {
    "expected": "",
    "pattern": "",
    "le": "at most ",
    "ge": "at least ",
    "max_length": "at most ",
    "min_length": "at least ",
}
_SHORT: Final = 400
_OTHERS: Final = frozenset(get_args(ErrorType))
"""Rules that are not ours: what pydantic says of them may repeat what was sent."""


def words_of(error: Mapping[str, Any]) -> str:
    """Say what is wrong; of a form, a list or a bound also which, if that is short."""
    kind: str = error["type"]
    if kind not in _OTHERS:
        return str(error["msg"])
    said = _DETAILS.get(kind, "The value does not meet the rule.")
    rule = error.get("ctx", {})
    bound = next(
        (f"{most}{rule[name]}" for name, most in _BOUNDS.items() if rule.get(name) is not None), ""
    )
    return f"{said[:-1]}: {bound}" if 0 < len(bound) <= _SHORT else said
