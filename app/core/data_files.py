"""YAML that is part of the program, read with its lines: a slip is refused where it stands."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]
"""Where something stands: the keys and positions that lead to it."""


class BadDataFile(ValueError):
    """A file names what does not exist, or contradicts itself. The message has file and line."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """What a file says, and the line each part of it stands on."""

    name: str
    content: dict[str, Any]
    lines: Mapping[Place, int]

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each name and what is said of it. Raises BadDataFile where nothing is."""
        for name, entry in self.content.items():
            if not isinstance(entry, dict):
                raise self.refusal((name,), f"nothing is said of {name}")
            yield name, entry

    def refusal(self, place: Place, sentence: str) -> BadDataFile:
        """Say what is wrong at a place, or at the nearest thing around it that is written down."""
        while place not in self.lines:
            place = place[:-1]
        return BadDataFile(f"{self.name} line {self.lines[place]}: {sentence}")

    def require(self, place: Place, kind: str, word: object, known: Collection[Any]) -> None:
        """Refuse a word that is not one of those known, with the nearest of them."""
        if word not in known:
            raise self.refusal(place, unknown(kind, word, known))

    def parsed(self, model: type[Model], place: Place, entry: Mapping[str, Any]) -> Model:
        """Read an entry as a model that knows every key it may have. Raises BadDataFile."""
        try:
            return model.model_validate(entry)
        except ValidationError as error:
            # A key mistyped is also a key missing: the slip is the one to show.
            wrong = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
            raise self.refusal((*place, *wrong["loc"]), _sentence(wrong, model)) from None


def plain(text: str) -> Any:
    """Read YAML without its lines."""
    return yaml.load(text, yaml.CSafeLoader)


def read(package: str, name: str) -> DataFile:
    """Read a file that lies in a package. Raises BadDataFile if it is not usable YAML."""
    text = files(package).joinpath(name).read_text("utf-8")
    return parse(f"{package.replace('.', '/')}/{name}", text)


def parse(name: str, text: str) -> DataFile:
    """Read YAML whose keys are words, none of them twice in one place. Raises BadDataFile."""
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise BadDataFile(f"{name} line 1: names and what they mean are expected")
        lines: dict[Place, int] = {(): 1}
        for place, line, wrong in _walk(node, ()):
            if wrong is not None:
                raise BadDataFile(f"{name} line {line}: {wrong}")
            lines[place] = line
        return DataFile(name, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark.line if error.problem_mark else 0
        line = min(found, text.count("\n")) + 1  # at the end libyaml counts one more
        raise BadDataFile(f"{name} line {line}: {error.problem}") from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int, str | None]]:
    """Yield each place, its line, and what is wrong with its key, if anything."""
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*place, position), item.start_mark.line + 1, None
            yield from _walk(item, (*place, position))
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        wrong = None
        if key.tag != "tag:yaml.org,2002:str":
            wrong = f"put the key {key.value} in quotes, YAML takes it for something else"
        elif key.value in seen:
            wrong = f"{key.value} is said twice"
        seen.add(key.value)
        plain = isinstance(value, yaml.ScalarNode) and wrong is None
        yield (*place, key.value), value.start_mark.line + 1 if plain else line, wrong
        yield from _walk(value, (*place, key.value))


def unknown(kind: str, word: object, known: Collection[Any]) -> str:
    """Say that a word means nothing, and which one was probably meant."""
    near = get_close_matches(str(word), sorted(str(each) for each in known), n=1)
    if near:
        return f"no {kind} is called {word}; did you mean {near[0]}?"
    return f"no {kind} is called {word}"


def _sentence(wrong: ErrorDetails, model: Any) -> str:
    name = ".".join(str(step) for step in wrong["loc"] if isinstance(step, str))
    if wrong["type"] == "extra_forbidden":
        for step in wrong["loc"][:-1]:
            model = model.model_fields[step].annotation
        known = [field.alias or name for name, field in model.model_fields.items()]
        return unknown("key", wrong["loc"][-1], known)
    if wrong["type"] in {"enum", "literal_error"}:
        choices = re.findall(r"'([^']*)'", str(wrong["ctx"]["expected"]))
        return unknown(f"value of {name}", wrong["input"], choices)
    if wrong["type"] == "value_error":
        return str(wrong["ctx"]["error"])
    a_list, nothing = f"is a list: write [{wrong['input']}]", "says nothing"
    said = {"missing": "is missing", "too_short": nothing, "string_too_short": nothing}
    said |= dict.fromkeys(("tuple_type", "frozen_set_type"), a_list)
    return f"{name} {said[wrong['type']]}" if wrong["type"] in said else f"{name}: {wrong['msg']}"
