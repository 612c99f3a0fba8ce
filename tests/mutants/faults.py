"""Where the code could be wrong, and how to make it so in a running process.

The operators are mutmut's, without those on strings (texts for people), and five that it lacks.
"""

import ast
import functools
import gc
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import libcst as cst
from libcst import matchers as m
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from mutmut.mutation import mutators

_CONDITION = re.compile(r"\b(?:AND|OR)\b")
_ENDS = re.compile(
    r"\b(AND|OR|THEN|ORDER BY|GROUP BY|LIMIT|RETURNING|FOR UPDATE|ON CONFLICT|WHEN|END)\b"
)


Fault = tuple[cst.CSTNode, cst.CSTNode | None]
"""A node and what stands in its place, nothing perhaps."""


def _library(node: cst.CSTNode) -> Iterator[Fault]:
    """Do what mutmut does to a node."""
    for kind, operator in mutators.mutation_operators:
        if operator not in _NOT_THESE and isinstance(node, kind):
            yield from ((node, mutated) for mutated in operator(node))


def _argument_unknown(node: cst.CSTNode) -> Iterator[Fault]:
    """Give None for an argument."""
    for argument in node.args if isinstance(node, cst.Call) else ():
        if not argument.star and not m.matches(argument.value, _PLUMBING):
            yield argument.value, cst.Name("None")


def _negated(node: cst.CSTNode) -> Iterator[Fault]:
    if isinstance(node, cst.If):
        held = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.test, cst.UnaryOperation(cst.Not(), held)


def _statement_dropped(node: cst.CSTNode) -> Iterator[Fault]:
    if isinstance(node, cst.Expr) and m.matches(node.value, m.Call() | m.Await()):
        yield node, cst.Pass()


def _part_dropped(node: cst.CSTNode) -> Iterator[Fault]:
    """Drop an operand, an element or a named argument."""
    if isinstance(node, cst.BooleanOperation):
        yield node, node.left
        yield node, node.right
    parts = getattr(node, "elements", ())
    if isinstance(node, cst.Call):
        parts = [argument for argument in node.args if argument.keyword]
    yield from ((part, None) for part in parts)


def _condition_dropped(node: cst.CSTNode) -> Iterator[Fault]:
    """Take one `AND …` or `OR …` out of SQL, as far as its own parentheses reach."""
    if not isinstance(node, cst.SimpleString | cst.FormattedStringText):
        return
    text = node.value
    limit = len(text) - (len(node.quote) if isinstance(node, cst.SimpleString) else 0)
    for found in _CONDITION.finditer(text):
        depth, end = 0, found.end()
        while end < limit and not (depth == 0 and _ENDS.match(text, end)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth < 0:
                break
            end += 1
        yield node, node.with_changes(value=text[: found.start()] + text[end:])


_NOT_THESE = {
    mutators.operator_string,  # texts for people
    mutators.operator_assignment,  # what is None fails where it is used
    mutators.operator_arg_removal,  # a TypeError mostly; see `_argument_unknown`
    mutators.operator_match,  # a case of several lines loses its indentation
}
_PLUMBING = m.Name("tx") | m.Name("principal") | m.Name("self") | m.Name("None")
OPERATORS = (
    _library,
    _argument_unknown,
    _negated,
    _statement_dropped,
    _part_dropped,
    _condition_dropped,
)
_DOCSTRING = m.Expr(m.SimpleString() | m.ConcatenatedString())
_LEFT_ALONE = (cst.Annotation, cst.Decorator, cst.Parameters, cst.Raise, cst.Import, cst.ImportFrom)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: `key` names it across other changes of the file, `source` is the file with it."""

    key: str
    place: str
    source: str
    diff: str


class NotInProcess(Exception):
    """The fault lies outside functions and constants: it takes a process that imports it anew."""


class SameCode(Exception):
    """The fault is none: it reads differently and says the same."""


class _Visitor(cst.CSTVisitor):
    """Collects (place, node, what stands in its place) of functions and the module's constants."""

    def __init__(self, module: cst.Module) -> None:
        self.module = module
        self.inside: list[tuple[cst.CSTNode, str]] = []
        self.found: list[tuple[str, Fault]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, _LEFT_ALONE) or m.matches(node, _DOCSTRING):
            return False
        constant = isinstance(node, cst.Assign | cst.AnnAssign) and not self.inside
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.inside.append((node, node.name.value))
        elif constant:
            target = node.target if isinstance(node, cst.AnnAssign) else node.targets[0].target
            self.inside.append((node, self.module.code_for_node(target)))
        elif self.inside:
            place = ".".join(name for _, name in self.inside)
            self.found += [(place, fault) for operator in OPERATORS for fault in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self.inside and self.inside[-1][0] is original_node:
            self.inside.pop()


def mutants(source: str) -> list[Mutant]:
    """List the faults of a file that compile and change something, in the order of the file."""
    wrapped = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    spans = wrapped.resolve(ByteSpanPositionProvider)
    visitor = _Visitor(wrapped.module)
    wrapped.module.visit(visitor)
    raw, texts = source.encode(), {}
    for place, fault in visitor.found:
        node, mutated = _narrowed(*fault)
        start, end = spans[node].start, spans[node].start + spans[node].length
        code = b""
        if mutated is None:
            end += len(re.match(rb"(\s*,\s*)?", raw[end:])[0])
        else:
            code = wrapped.module.code_for_node(mutated).encode()
            inner = len(getattr(mutated, "lpar", ())) if getattr(node, "lpar", ()) else 0
            code = code[inner : len(code) - inner]  # a span is what parentheses enclose
        texts.setdefault((raw[:start] + code + raw[end:]).decode(), place)
    made, seen = [], Counter[str]()
    for text, place in texts.items():
        was, now = _change(source, text, re.compile(r"[^\w.]"))
        key = f"{place}: {' '.join(was.split())} → {' '.join(now.split())}"
        seen[key] += 1
        key += f" #{seen[key]}" if seen[key] > 1 else ""
        lines = zip("-+", _change(source, text, re.compile(r"\n")), strict=True)
        diff = "\n".join(f"{sign} {line}" for sign, part in lines for line in part.splitlines())
        made.append(Mutant(key, place, text, diff))
    return made


def _alike(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _narrowed(node: cst.CSTNode, mutated: cst.CSTNode | None) -> Fault:
    """Descend to the one child that differs, so that the rest keeps its text."""
    while mutated is not None and type(node) is type(mutated):
        pairs = list(zip(node.children, mutated.children, strict=False))
        differ = [pair for pair in pairs if pair[0] is not pair[1]]
        if len(differ) != 1 or len(node.children) != len(mutated.children):
            break
        node, mutated = differ[0]
    return node, mutated


def _change(before: str, after: str, border: re.Pattern[str]) -> tuple[str, str]:
    """Return what differs, as far as the next borders on both sides."""
    start = _alike(before, after)
    most = min(len(before), len(after)) - start
    end = min(most, _alike(before[::-1], after[::-1]))
    while start and not border.match(before, start - 1):
        start -= 1
    while end and not border.match(before, len(before) - end):
        end -= 1
    return before[start : len(before) - end], after[start : len(after) - end]


class Running:
    """The code of a process that has imported everything: where faults are put in force."""

    def __init__(self, below: Path) -> None:
        gc.unfreeze()  # what the tests spared the collector is what we look for
        gc.collect()
        self._functions: dict[str, list[FunctionType]] = defaultdict(list)
        self._caches = []
        for found in gc.get_objects():
            if isinstance(found, FunctionType) and found.__code__.co_filename.startswith(
                f"{below}/"
            ):
                self._functions[found.__code__.co_filename].append(found)
            elif isinstance(found, functools._lru_cache_wrapper):
                self._caches.append(found)
        gc.freeze()  # forks share the memory

    def install(self, path: Path, module: ModuleType, after: str) -> None:
        """Put a changed file in force: functions by their code, constants by their value.

        Raises NotInProcess, SyntaxError, or SameCode.
        """
        before = path.read_text()
        old, new = ast.parse(before), ast.parse(after)
        if ast.dump(old) == ast.dump(new):
            raise SameCode
        if [_skeleton(node) for node in old.body] != [_skeleton(node) for node in new.body]:
            raise NotInProcess
        _swap_code(
            self._functions[str(path)], compile(before, path, "exec"), compile(after, path, "exec")
        )
        _rebind(module, old, new)
        for cache in self._caches:
            if str(cache.__module__).startswith("app."):
                cache.cache_clear()


def _skeleton(node: ast.stmt) -> str:
    """Tell what of a statement is neither a function's body nor a constant's value."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return type(node).__name__
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.dump(node.args) + ",".join(map(ast.dump, node.decorator_list)) + node.name
    if isinstance(node, ast.ClassDef):
        inner = [
            _skeleton(each)
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            else ast.dump(each)
            for each in node.body
        ]
        said = ",".join(map(ast.dump, [*node.bases, *node.keywords]))
        return node.name + said + "\n".join(inner)
    return ast.dump(node)


def _codes(code: CodeType, counts: Counter[str]) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            counts[const.co_qualname] += 1
            yield (const.co_qualname, counts[const.co_qualname]), const
            yield from _codes(const, counts)


def _swap_code(functions: Iterable[FunctionType], before: CodeType, after: CodeType) -> None:
    old, new = dict(_codes(before, Counter())), dict(_codes(after, Counter()))
    keys = {(code.co_qualname, code.co_firstlineno): key for key, code in old.items()}
    changed = {key for key, code in new.items() if old.get(key) != code}
    in_force = set()
    for function in functions:
        key = keys.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if key in new:
            try:
                function.__code__ = new[key]
            except ValueError as error:  # another number of free variables
                raise NotInProcess from error
            in_force.add(key)
    if changed and not changed & in_force:
        raise NotInProcess  # nothing that runs has it


_ITSELF = object()
"""Stands for a function, which is changed where it is."""


def _rebind(module: ModuleType, old: ast.Module, new: ast.Module) -> None:
    """Assign the changed constants and those made of them or by a changed function, here and
    wherever they are imported.
    """
    changed: dict[str, object] = {}
    for was, now in zip(old.body, new.body, strict=True):
        if isinstance(now, ast.FunctionDef) and ast.dump(was) != ast.dump(now):
            changed[now.name] = _ITSELF
        if not isinstance(now, ast.Assign | ast.AnnAssign) or now.value is None:
            continue
        used = {node.id for node in ast.walk(now.value) if isinstance(node, ast.Name)}
        if ast.dump(was) == ast.dump(now) and not used & changed.keys():
            continue
        targets = [now.target] if isinstance(now, ast.AnnAssign) else now.targets
        names = [
            node.id for each in targets for node in ast.walk(each) if isinstance(node, ast.Name)
        ]
        changed |= {name: vars(module)[name] for name in names}
        exec(compile(ast.Module([now], []), module.__file__ or "", "exec"), vars(module))
    for other in list(sys.modules.values()):
        for name in changed:
            if other is not module and getattr(other, "__dict__", {}).get(name) is changed[name]:
                setattr(other, name, vars(module)[name])
