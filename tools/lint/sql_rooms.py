"""SQL obeys the doors: a room's SQL touches its own schema and the `v_*` views of rooms upstream.

The incident behind it: a join over a neighbour's tables is the one import that no import checker sees. What is read
here is what PostgreSQL itself would read: its own parser goes over every statement, and over the bodies of functions.
Every room may call the functions of `kernel`; nobody but a room itself writes its tables. Foreign keys into another
room are a touch like any other. Tables without a schema are temporary tables or common table expressions; so that this
stays true, nobody sets a search path.
"""

import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pglast
from pglast import ast

ROOT = Path(__file__).parents[2]
KERNEL = "kernel"
GENERATED = "schema.sql"
SEQUENCE_FUNCTIONS = {"currval", "nextval", "setval", "to_regclass"}
HIDING_FUNCTIONS = {
    "set_config",
    "query_to_xml",
    "query_to_xmlschema",
    "table_to_xml",
    "schema_to_xml",
    "cursor_to_xml",
}
"""They read what no parser sees."""
WRITES = {
    ast.InsertStmt: "relation",
    ast.UpdateStmt: "relation",
    ast.DeleteStmt: "relation",
    ast.MergeStmt: "relation",
    ast.CopyStmt: "relation",
    ast.ViewStmt: "view",
    ast.CreateSeqStmt: "sequence",
    ast.CreateTrigStmt: "relation",
    ast.IntoClause: "rel",
}
NAMED_LISTS = {
    ast.CreateFunctionStmt: "funcname",
    ast.CreateEnumStmt: "typeName",
    ast.CreateDomainStmt: "domainname",
    ast.DefineStmt: "defnames",
    ast.ObjectWithArgs: "objname",
}


def upstream(config: Path = ROOT / ".importlinter") -> dict[str, set[str]]:
    """Return for each room the rooms below it, as the import contract has them."""
    parser = configparser.ConfigParser()
    parser.read(config, encoding="utf-8")
    layers = parser["importlinter:contract:layers"]["layers"].strip().splitlines()
    above: dict[str, set[str]] = {}
    below: set[str] = set()
    for layer in reversed(layers):
        rooms = {re.sub(r"[() ]", "", room) for room in layer.split("|")}
        above.update(dict.fromkeys(rooms, frozenset(below)))
        below |= rooms
    return above


def parameters_to_numbers(text: str) -> str:
    """Write `%(name)s` as `$n` and `%%` as `%`, as psycopg does before the server sees the text."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        return f"${names.setdefault(match[1], len(names) + 1)}"

    return re.sub(r"%\((\w+)\)[sbt]|%%", number, text) if re.search(r"%\(\w+\)", text) else text


def check(package: Path, ranks: dict[str, set[str]]) -> list[str]:
    """Return what is wrong with the SQL files of every room of the package, one line each."""
    found: list[str] = []
    for folder in sorted(path for path in package.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.rglob("*.sql") if path.name != GENERATED)
        statements: list[tuple[Path, Any, str]] = []
        for path in files:
            try:
                statements += [(path, *one) for one in _statements(path.read_text(encoding="utf-8"))]
            except pglast.Error as error:
                found.append(f"{path}: PostgreSQL cannot read this: {error}")
        room = _Room(folder.name, ranks.get(folder.name, set()), _loose_names(node for _, node, _ in statements))
        for path, node, body in statements:
            problems = dict.fromkeys([*room.problems(node), *room.body_problems(node, body)])
            found += [f"{path}: {problem}" for problem in problems]
    return found


def _statements(text: str) -> list[tuple[Any, str]]:
    text = parameters_to_numbers(text)
    source = text.encode()
    raws = pglast.parse_sql(text)
    ends = [raw.stmt_location + (raw.stmt_len or len(source)) for raw in raws]
    return [(raw.stmt, source[raw.stmt_location : end].decode()) for raw, end in zip(raws, ends, strict=True)]


def _loose_names(nodes: Iterator[Any]) -> set[str]:
    """Return the names that the room may use without a schema: its temporary and transition tables."""
    names: set[str] = set()
    for node in nodes:
        for each in _walk(node):
            if isinstance(each, ast.RangeVar) and each.relpersistence == "t":
                names.add(each.relname)
            elif isinstance(each, ast.TriggerTransition):
                names.add(each.name)
    return names


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.Node):
        yield node
        for attribute in node:
            yield from _walk(getattr(node, attribute))
    elif isinstance(node, tuple | list):
        for each in node:
            yield from _walk(each)


def _names(node: Any) -> tuple[str, ...]:
    return tuple(part.sval for part in node or () if isinstance(part, ast.String))


class _Room:
    """One room: what its statements may touch."""

    def __init__(self, name: str, below: set[str], loose: set[str]) -> None:
        self.name = name
        self.below = below
        self.loose = loose

    def problems(self, statement: Any) -> Iterator[str]:
        nodes = list(_walk(statement))
        loose = self.loose | {node.ctename for node in nodes if isinstance(node, ast.CommonTableExpr)}
        written = {id(getattr(node, WRITES[type(node)])) for node in nodes if type(node) in WRITES}
        aliases = {id(each) for node in nodes if isinstance(node, ast.LockingClause) for each in node.lockedRels or ()}
        for node in nodes:
            if id(node) in aliases:
                continue
            if isinstance(node, ast.RangeVar):
                yield from self._table(node, loose, is_changed=id(node) in written)
            elif isinstance(node, ast.FuncCall):
                yield from self._function(node)
            elif isinstance(node, ast.TypeName):
                yield from self._owned(_names(node.names), "type", KERNEL)
            else:
                yield from self._definition(node)

    def body_problems(self, statement: Any, text: str) -> Iterator[str]:
        """Read the body of a function, statement by statement."""
        if not isinstance(statement, ast.CreateFunctionStmt):
            return
        options = {option.defname: option.arg for option in statement.options or ()}
        language = options["language"].sval.lower() if "language" in options else "sql"
        if language == "sql" and "as" in options:
            for node, _ in _statements(_names(options["as"])[0]):
                yield from self.problems(node)
        elif language == "plpgsql":
            for query in _plpgsql_queries(pglast.parse_plpgsql(_with_plain_types(statement, text))):
                if query is None:
                    yield "runs SQL that it builds itself (EXECUTE); write the statement out"
                else:
                    for node, _ in _statements(query):
                        yield from self.problems(node)

    def _definition(self, node: Any) -> Iterator[str]:
        if isinstance(node, ast.CreateTrigStmt):
            yield from self._owned(_names(node.funcname), "function", KERNEL)
        elif isinstance(node, ast.CreateSchemaStmt) and node.schemaname != self.name:
            yield f"makes the schema {node.schemaname}, which is not the room's own"
        elif isinstance(node, ast.DropStmt):
            for each in node.objects:
                yield from self._owned(_names(each), "object")
        elif isinstance(node, ast.CommentStmt):
            yield from self._owned(_names(node.object), "object")
        elif isinstance(node, ast.VariableSetStmt) and node.name == "search_path":
            yield "sets the search path; name every table with its schema"
        elif isinstance(node, ast.DoStmt):
            yield "has a DO block; give it a name and a file under functions/, or a migration in plain statements"
        elif type(node) in NAMED_LISTS:
            yield from self._made(_names(getattr(node, NAMED_LISTS[type(node)])))

    def _table(self, node: Any, loose: set[str], *, is_changed: bool) -> Iterator[str]:
        schema, name = node.schemaname, node.relname
        full = f"{schema}.{name}"
        if schema is None:
            if node.relpersistence != "t" and name not in loose and not name.startswith("pg_"):
                yield f"names the table {name} without its schema"
        elif schema in {self.name, "pg_catalog", "information_schema", "pg_temp"}:
            return
        elif is_changed:
            yield f"changes {full}, which is another room's"
        elif schema not in self.below:
            yield f"reads {full}, which is not upstream of {self.name}"
        elif not name.startswith("v_"):
            yield f"touches {full}; of another room only its views (v_*) may be read"

    def _function(self, node: Any) -> Iterator[str]:
        names = _names(node.funcname)
        yield from self._owned(names, "function", KERNEL)
        if names[-1] in HIDING_FUNCTIONS:
            yield f"calls {names[-1]}, behind which no lint sees what is read; write the statement out"
        if names[-1] in SEQUENCE_FUNCTIONS and node.args:
            first = node.args[0]
            while isinstance(first, ast.TypeCast):
                first = first.arg
            if isinstance(first, ast.A_Const) and isinstance(first.val, ast.String):
                yield from self._owned(tuple(first.val.sval.split(".")), "object")

    def _owned(self, names: tuple[str, ...], what: str, *others: str) -> Iterator[str]:
        """A qualified name must be the room's own, the server's, or that of a room named here."""
        if len(names) > 1 and names[0] not in {self.name, "pg_catalog", *others}:
            yield f"uses the {what} {'.'.join(names)}, which is another room's"

    def _made(self, names: tuple[str, ...]) -> Iterator[str]:
        if len(names) < 2:
            yield f"makes or names {'.'.join(names)} without its schema"
        else:
            yield from self._owned(names, "object")


def _with_plain_types(statement: Any, text: str) -> str:
    """Call the types of parameters that are a schema's own plain text: pglast cannot look them up."""
    for parameter in statement.parameters or ():
        if (names := _names(parameter.argType.names))[:-1] not in {(), ("pg_catalog",)}:
            text = text.replace(f"{parameter.name} {'.'.join(names)}", f"{parameter.name} text", 1)
    return text


def _plpgsql_queries(node: Any) -> Iterator[str | None]:
    """Yield the statements inside a PL/pgSQL body, and None for one that is built at run time."""
    if isinstance(node, list):
        for each in node:
            yield from _plpgsql_queries(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"} or key == "dynquery":
                yield None
            if key == "PLpgSQL_expr":
                yield _as_statement(value["query"], value["parseMode"])
            else:
                yield from _plpgsql_queries(value)


def _as_statement(query: str, mode: int) -> str:
    """Make a statement of an expression (mode 2) or an assignment (3 to 5)."""
    if mode == 2:
        return f"select {query}"
    if mode > 2:
        return f"select {re.split(':?=', query, maxsplit=1)[1]}"
    return query


def main() -> int:
    """Check src/comity; print what is wrong and return the exit code."""
    found = check(ROOT / "src/comity", upstream())
    for line in found:
        print(line.replace(f"{ROOT}/", ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
