"""Turn what Alembic found into statements that let the app go on while they run.

What goes into one short transaction comes first, policies and privileges with it; what must stand
outside of one (indexes, keys, checks on tables with rows) comes last, so that a run that failed
there can be repeated from the top.
"""

import textwrap
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.operations import ops
from alembic.util import CommandError
from differences import Standing, same

Tables = dict[str, Standing]


class Block(ops.MigrateOperation):
    """Operations inside a `with`."""

    def __init__(self, opening: str, inside: Sequence[ops.MigrateOperation]) -> None:
        self.opening = opening
        self.ops = inside


class Line(ops.MigrateOperation):
    """A line of Python: a comment, or a stop sign for a person."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how `alembic check` tells of it."""
        return "line", self.text


@renderers.dispatch_for(Block)
def _block(context: AutogenContext, block: Block) -> str:
    if "every_row" in block.opening:
        context.imports.add("from reach import every_row")
    inside = "\n".join(render_op_text(context, each) for each in block.ops)
    return f"{block.opening}:\n{textwrap.indent(inside, '    ')}"


@renderers.dispatch_for(Line)
def _line(context: AutogenContext, line: Line) -> str:
    if line.text.startswith("in_batches"):
        context.imports.add("from reach import in_batches")
    return line.text


class Plan:
    """What becomes of one direction's operations: `first` in a transaction, `last` outside."""

    def __init__(self, before: Tables, after: Tables, *, forward: bool) -> None:
        self.before = before
        self.after = after
        self.forward = forward
        self.first: list[ops.MigrateOperation] = []
        self.last: list[ops.MigrateOperation] = []
        self.lost: list[str] = []
        """Sentences about what a person must know before it is gone."""

    def operations(self, found: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
        """Return the statements in the order they run."""
        self._by_hand()
        for name in sorted(self.before):
            table, after = self.before[name], self.after.get(name)
            if after is None or not same(table.policies, after.policies):
                self.first += _executed(table.closing())
        for each in sorted(_flat(found), key=_drops_a_foreign_key, reverse=True):
            self._place(each)
        for name, table in sorted(self.after.items()):
            self.first += _executed(table.opening(self.before.get(name)))
        self._checks()
        self._partial_indexes(found)
        if not self.last:
            return self.first
        self.first = [again for each in self.first for again in _repeatable(each)]
        outside = Block("with op.get_context().autocommit_block()", self.last)
        return [*self.first, Line("# Outside a transaction: the app goes on meanwhile."), outside]

    def _both(self) -> Iterator[tuple[Standing, Standing]]:
        for name in sorted(set(self.before) & set(self.after)):
            yield self.before[name], self.after[name]

    def _by_hand(self) -> None:
        for before, after in self._both():
            old, new = (
                {name: text for name, text in each.constraints.items() if _of_a_person(text)}
                for each in (before, after)
            )
            for name in sorted({*old, *new}):
                was, becomes = old.get(name, ""), new.get(name, "")
                if not same({name: was}, {name: becomes}):
                    told = f"{before.name}: change {name} by hand from [{was}] to [{becomes}]"
                    self.first.append(Line(f"raise NotImplementedError({told!r})"))

    def _checks(self) -> None:
        for before, after in self._both():
            old, new = _checks_of(before), _checks_of(after)
            for name in sorted(set(old) | set(new)):
                if same(*({n: t for n, t in each.items() if n == name} for each in (old, new))):
                    continue
                table = f"ALTER TABLE {after.name}"
                self.first += _executed([f"{table} DROP CONSTRAINT IF EXISTS {name}"])
                if name in new:
                    words = after.checks.get(name, new[name])
                    self.first += _executed([f"{table} ADD CONSTRAINT {name} {words} NOT VALID"])
                    self.last += _executed([f"{table} VALIDATE CONSTRAINT {name}"])

    def _partial_indexes(self, found: Sequence[ops.MigrateOperation]) -> None:
        """Alembic doesn't compare an index's condition."""
        known = {
            str(each.index_name)
            for each in _flat(found)
            if isinstance(each, ops.CreateIndexOp | ops.DropIndexOp)
        }
        for before, after in self._both():
            for name, text in sorted(after.indexes.items()):
                if name in known or same({name: before.indexes.get(name, text)}, {name: text}):
                    continue
                self.last += _executed(
                    [
                        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                        text.replace(" INDEX ", " INDEX CONCURRENTLY ", 1),
                    ]
                )

    def _place(self, each: ops.MigrateOperation) -> None:
        name = getattr(each, "table_name", None) or getattr(each, "source_table", "")
        if self.forward and isinstance(each, ops.DropColumnOp | ops.DropTableOp):
            self._lose(f"{name}.{each.column_name}" if isinstance(each, ops.DropColumnOp) else name)
        if name not in self.before or name not in self.after:
            self.first.append(each)  # the whole table comes or goes: nobody waits for it
            return
        match each:
            case ops.CreateIndexOp():
                self._index(each)
            case ops.DropIndexOp():
                each.if_exists = True
                each.kw["postgresql_concurrently"] = True
                self.last.append(each)
            case ops.CreateUniqueConstraintOp():
                self._unique(each)
            case ops.CreateForeignKeyOp():
                self._foreign_key(each)
            case ops.AddColumnOp():
                self._column(each)
            case ops.AlterColumnOp():
                self._altered(each)
            case _:
                self.first.append(each)

    def _lose(self, what: str) -> None:
        self.lost.append(
            f"{what} is dropped: what it holds is lost, and the release before must use it no more."
        )
        rename = "A new name for it is two releases: add and fill the new one, then drop the old."
        self.first += [Line(f"# {self.lost[-1]}"), Line(f"# {rename}")]

    def _index(self, index: ops.CreateIndexOp) -> None:
        # An index left invalid by a run that failed would count as existing.
        self.last += _executed([f"DROP INDEX CONCURRENTLY IF EXISTS {index.index_name}"])
        index.kw["postgresql_concurrently"] = True
        self.last.append(index)

    def _unique(self, constraint: ops.CreateUniqueConstraintOp) -> None:
        name, table = constraint.constraint_name, constraint.table_name
        columns = f"({', '.join(constraint.columns)})"
        if constraint.kw.pop("postgresql_nulls_not_distinct", None):
            columns += " NULLS NOT DISTINCT"
        if more := [word for word, value in constraint.kw.items() if value]:
            raise CommandError(f"Write {name} of {table} by hand: it is unique with {more[0]}.")
        self.last += _executed(
            [
                f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {columns}",
                f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",
            ]
        )

    def _foreign_key(self, key: ops.CreateForeignKeyOp) -> None:
        table, name = key.source_table, key.constraint_name
        key.kw["postgresql_not_valid"] = True
        validate = _executed([f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"])
        hidden = [t for t in dict.fromkeys((table, key.referent_table)) if self.after[t].forced]
        if hidden:  # else the check sees no row and finds nothing wrong
            names = ", ".join(f'"{each}"' for each in hidden)
            validate = [Block(f"with every_row({names})", validate)]
        self.last += _executed([f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"])
        self.last += [key, *validate]

    def _column(self, add: ops.AddColumnOp) -> None:
        column = add.column
        given = column.server_default or column.computed or column.identity
        if not column.nullable and given is None:
            place = f"{add.table_name}.{column.name}"
            if self.forward:
                raise CommandError(
                    f"{place} is required and has no server_default, but {add.table_name} has"
                    " rows, and the release before this one goes on inserting without it. Give it"
                    f" a server_default; or let it be None, fill it (--fill {add.table_name}), and"
                    " require it in the release after."
                )
            self.first.append(Line(f"# {place} was required; what it held is gone."))
            column.nullable = True
        self.first.append(add)

    def _altered(self, alter: ops.AlterColumnOp) -> None:
        if alter.modify_type is not None:
            self.first.append(Line("# A new type may rewrite the table under a lock."))
        if alter.modify_nullable is False:
            table, column = f"ALTER TABLE {alter.table_name}", alter.column_name
            check = f"{column}_required"
            self.last += _executed(
                [
                    f"{table} DROP CONSTRAINT IF EXISTS {check}",
                    f"{table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID",
                    f"{table} VALIDATE CONSTRAINT {check}",
                    f"{table} ALTER COLUMN {column} SET NOT NULL",
                    f"{table} DROP CONSTRAINT {check}",
                ]
            )
            alter.modify_nullable = None
        if alter.has_changes():
            self.first.append(alter)


def _flat(found: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    flat: list[ops.MigrateOperation] = []
    for each in found:
        flat += _flat(each.ops) if isinstance(each, ops.OpContainer) else [each]
    return flat


def _drops_a_foreign_key(each: ops.MigrateOperation) -> bool:
    return isinstance(each, ops.DropConstraintOp) and each.constraint_type == "foreignkey"


def _executed(statements: Sequence[str] | Iterator[str]) -> list[ops.MigrateOperation]:
    return [ops.ExecuteSQLOp(each) for each in statements]


def _checks_of(table: Standing) -> dict[str, str]:
    return {name: text for name, text in table.constraints.items() if text.startswith("CHECK")}


def _of_a_person(text: str) -> bool:
    return text.startswith(("PRIMARY KEY", "EXCLUDE"))


def _repeatable(each: ops.MigrateOperation) -> Iterator[ops.MigrateOperation]:
    """Let an operation be harmless the second time, for it is committed before the last ones."""
    match each:
        case ops.AddColumnOp() | ops.CreateTableOp() | ops.CreateIndexOp():
            each.if_not_exists = True
        case ops.DropColumnOp() | ops.DropTableOp() | ops.DropIndexOp() | ops.DropConstraintOp():
            each.if_exists = True
        case ops.ExecuteSQLOp(sqltext=str(words)) if words.startswith("CREATE POLICY"):
            _, _, policy, _, table, *_ = words.split(maxsplit=5)
            yield ops.ExecuteSQLOp(f"DROP POLICY IF EXISTS {policy} ON {table}")
    yield each


def filling(table: str) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
    """Return both directions of a revision that changes rows, for a person to complete."""
    up = [
        Line("# Say what the rows get, and which still need it; each batch commits by itself."),
        Line(f'in_batches("{table}", "column = …", where="column IS NULL")'),
    ]
    return up, [Line("pass  # The rows keep what they got; the column goes with its own revision.")]


def plain_type(kind: str, thing: object, _: AutogenContext) -> str | bool:
    """Write a column type so that it stands without the app. Alembic calls this for each item."""
    if kind != "type" or not isinstance(thing, sa.types.TypeEngine):
        return False
    if isinstance(thing, sa.types.TypeDecorator):
        thing = thing.impl_instance
    module = type(thing).__module__
    if module.startswith("app."):
        near = next(t for t in type(thing).__mro__ if t.__module__.startswith("sqlalchemy."))
        thing = thing.adapt(near)
    if "dialects" in module:
        return False
    return f"sa.{thing!r}"
