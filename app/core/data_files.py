"""YAML that is part of the program, read with its lines: a slip is refused where it stands."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Words that are never left out."""

Place = tuple[str | int, ...]
"""Where something stands: the keys and positions that lead to it."""

_WRONG: Final = {
    "missing": "is missing",
    "too_short": "says nothing",
    "string_too_short": "says nothing",
    "string_type": "is a text: put it in quotes",
    "date_type": "is a day: write it like 2026-11-20, without quotes",
    "int_type": "is a number: write it without quotes",
    "tuple_type": "is a list: write [{input}]",
    "frozen_set_type": "is a list: write [{input}]",
    "list_type": "is a list: write each with - before it",
    "dict_type": "is made of names and what they mean",
    "model_type": "is made of names and what they mean",
}
"""What to say of a mistake that pydantic names."""

_TELLING: Final = {"literal_error": 0, "extra_forbidden": 2}
"""Which of several mistakes is said, if not 1 like the others: the greatest."""

_KEYS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


class Part(BaseModel):
    """A part of a file, and every key it may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Part):
    """What something is called."""

    zh: Text
    en: Text


class BadDataFile(ValueError):
    """A file names what does not exist, or contradicts itself. The message has file and line."""


@dataclass(frozen=True, slots=True, eq=False)
class DataFile:
    """What a file says, and the line each part of it stands on."""

    name: str
    content: dict[str, Any]
    lines: Mapping[Place, int]

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each name and what is said of it. Raises BadDataFile where nothing is."""
        for name, entry in self.content.items():
            if entry is None:
                raise self.refusal((name,), f"nothing is said of {name}")
            if not isinstance(entry, dict):
                raise self.refusal((name,), f"{name} {_WRONG['dict_type']}")
            yield name, entry

    def refusal(self, place: Place, sentence: str) -> BadDataFile:
        """Say what is wrong at a place, or at the nearest thing around it that is written down."""
        while place not in self.lines:
            place = place[:-1]
        return BadDataFile(f"{self.name} line {self.lines[place]}: {sentence}")

    def require(self, place: Place, kind: str, word: object, known: Collection[Any]) -> None:
        """Refuse a word that is not one of those known, with the nearest of them."""
        if word not in [*known]:
            raise self.refusal(place, unknown(kind, word, known))

    def require_unlike(self, key: str) -> None:
        """Refuse two entries of one list that have the same under a key."""
        seen = set()
        for place in self.lines:
            if place[-1:] == (key,) and isinstance(place[-2], int):
                value: Any = self.content
                for step in place:
                    value = value[step]
                said = (place[:-2], value)
                if said in seen:
                    raise self.refusal(place, f"the {key} {value} is given twice")
                seen.add(said)

    def parts(self, model: type[Model], key: str) -> dict[str, Model]:
        """Read every entry as a model that has its name under a key. Raises BadDataFile."""
        return {
            name: self.parsed(model, (name,), {key: name, **entry})
            for name, entry in self.entries()
        }

    def parsed(self, model: type[Model], place: Place, entry: object) -> Model:
        """Read an entry as a model that knows every key it may have. Raises BadDataFile."""
        try:
            return model.model_validate(entry)
        except ValidationError as error:
            # A key mistyped is also a key missing: the slip is the one to show. Where a word or a
            # list may stand, the list is the one meant.
            wrong = max(error.errors(), key=lambda each: _TELLING.get(each["type"], 1))
            sentence = _sentence(wrong, model, place)
            raise self.refusal((*place, *wrong["loc"]), sentence) from None


class _Loader(yaml.CSafeLoader):
    """Says where a day or a number stands that does not exist."""

    def construct_object(self, node: yaml.Node, *deep: bool, **named: bool) -> Any:
        try:
            return super().construct_object(node, *deep, **named)
        except ValueError:
            problem = f"{node.value} is no day or number that exists"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark) from None


def plain(text: str) -> Any:
    """Read YAML without its lines."""
    return yaml.load(text, yaml.CSafeLoader)


def read(package: str, name: str) -> DataFile:
    """Read a file that lies in a package. Raises BadDataFile if it is not usable YAML."""
    text = files(package).joinpath(name).read_text("utf-8")
    return parse(f"{package.replace('.', '/')}/{name}", text)


def parse(name: str, text: str) -> DataFile:
    """Read YAML whose keys are words, none of them twice in one place. Raises BadDataFile."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise BadDataFile(f"{name} line 1: names and what they mean are expected")
        lines = {(): 1, **dict(_walk(node, ()))}
        return DataFile(name, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark.line if error.problem_mark else 0
        line = min(found, text.count("\n")) + 1  # at the end libyaml counts one more
        raise BadDataFile(f"{name} line {line}: {error.problem}") from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    """Yield each place and its line. Raises MarkedYAMLError where a key cannot be one."""
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*place, position), item.start_mark.line + 1
            yield from _walk(item, (*place, position))
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        if key.tag not in _KEYS:
            wrong = f"put the key {key.value} in quotes, YAML takes it for something else"
            raise yaml.MarkedYAMLError(None, None, wrong, key.start_mark)
        if key.value in seen:
            wrong = f"{key.value} is said twice"
            raise yaml.MarkedYAMLError(None, None, wrong, key.start_mark)
        seen.add(key.value)
        stands = value if isinstance(value, yaml.ScalarNode) else key
        yield (*place, key.value), stands.start_mark.line + 1
        yield from _walk(value, (*place, key.value))


def unknown(kind: str, word: object, known: Collection[Any]) -> str:
    """Say that a word means nothing, and which one was probably meant."""
    spelled = sorted(map(_spelled, known))
    said = _spelled(word)
    near = get_close_matches(said, spelled, n=1) if isinstance(word, str) else ()
    said = f'"{said}"' if said in spelled else said
    sentence = f"no {kind} is called {said}"
    return f"{sentence}; did you mean {near[0]}?" if near else sentence


def _spelled(word: object) -> str:
    """Return a word as YAML spells it."""
    return word if isinstance(word, str) else json.dumps(word, ensure_ascii=False, default=str)


def _sentence(wrong: ErrorDetails, model: Any, place: Place) -> str:
    if wrong["type"] == "extra_forbidden":
        for step in wrong["loc"][:-1]:
            model = _inside(model, step)
        known = [field.alias or name for name, field in model.model_fields.items()]
        return unknown("key", wrong["loc"][-1], known)
    if wrong["type"] == "value_error":
        return str(wrong["ctx"]["error"])
    steps = wrong["loc"] or place[-1:]  # a kind of value, where there are several, is no key
    keys = [each for each in steps if isinstance(each, str) and "[" not in each]
    name = ".".join(keys)
    if wrong["input"] is None:
        return f"{name} says nothing"
    if wrong["type"] in {"enum", "literal_error"}:
        choices = re.findall(r"'([^']*)'", str(wrong["ctx"]["expected"]))
        return unknown(f"value of {name}", wrong["input"], choices)
    said = _WRONG.get(wrong["type"])
    return f"{name} {said.format(**wrong)}" if said else f"{name}: {wrong['msg']}"


def _inside(kind: Any, step: int | str) -> Any:
    """Return the type of what stands at a key or a position."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inner = kind.model_fields[str(step)].annotation
        parts = [each for each in get_args(inner) if isinstance(each, type)]
        models = [each for each in parts if issubclass(each, BaseModel)]
        return models[0] if models and isinstance(inner, UnionType) else inner
    return [each for each in get_args(kind) if each is not ...][-1]
