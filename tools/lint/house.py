"""House rules that no other linter knows.

Each rule is one function; its docstring names the incident it keeps from coming back. `check` runs them all over the
files git knows of, and prints `path:line: what is wrong`. There is no way to switch a rule off for a line: change the
rule, here, with a reason.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
CODE = {".py", ".sql", ".js", ".css", ".html", ".sh"}
GENERATED = {"schema.sql"}
ROOM_WORDS = ("Owns:", "Invariants:", "Tables:", "Place in the flow:")

BUILT = {".venv", ".git", "__pycache__", "build", "dist", "var", ".pytest_cache", ".ruff_cache", ".hypothesis"}

Found = Iterator[tuple[int, str]]


def long_file(path: Path, text: str) -> Found:
    """A service class of 3,305 lines grew because no day was the day to split it. A file holds one idea."""
    count = text.count("\n")
    if path.suffix in CODE and path.name not in GENERATED and count > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"the file has {count} lines, at most {FILE_LINES_MAX} are allowed; split it by ideas"


def local_place(path: Path, text: str) -> Found:
    """A lock file once named the package mirror of its author's machine, and installed nowhere else."""
    del path
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern in PLACES:
            if match := pattern.search(line):
                yield number, f"names a place that exists on one machine or network only: {match[0].strip()}"


PLACES = [
    re.compile(pattern)
    for pattern in (
        r"(?:files\.)?python" + r"hosted\.org",
        r"\bpy" + r"pi\.org",
        r"registry\.npm" + r"js",
        r"\b(?:deb|security)\.deb" + r"ian\.org",
        r"(?:^|[\s'\"=:(`])/(?:ro" + r"ot|wo" + r"rk)/\S*",
        r"(?:^|[\s'\"=:(`])/(?:home|Users)" + r"/\w+/\S*",
        r"--(?:extra-)?index" + r"-url\b(?=[ =]\S)",
        r"--find" + r"-links[ =]\S",
    )
]


def loose_todo(path: Path, text: str) -> Found:
    """A note to oneself that nobody finds again. With an issue number somebody can ask for it."""
    if path.suffix not in CODE:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(r"(?:#|--|//|/\*)\s*(?:TODO|FIXME|XXX)\b(?!\s*\(?#\d+)", line):
            yield number, "a TODO needs its issue number: TODO(#12): ..."


def long_function(path: Path, tree: ast.Module) -> Found:
    """What does not fit on a screen is not read before it is changed."""
    del path
    for node in _functions(tree):
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {count} lines, at most {FUNCTION_LINES_MAX} are allowed"


def silent_room(path: Path, tree: ast.Module) -> Found:
    """A room that does not say what it owns ends up owning what others did not want."""
    if path.name != "__init__.py" or path.parent.parent.name != "comity" or path.parts[0] != "src":
        return
    said = ast.get_docstring(tree) or ""
    missing = [word for word in ROOM_WORDS if word.split(":")[0] not in said]
    if missing:
        yield 1, f"the room's docstring does not say: {' '.join(missing)}"


def own_clock(path: Path, tree: ast.Module) -> Found:
    """A test failed on the last day of every month: the code asked the clock itself. Time and ids are passed in."""
    if not _is_product(path) or path.as_posix().startswith("src/comity/kernel/"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in CLOCK_CALLS:
            yield (
                node.lineno,
                f"{_dotted(node.func)}() asks the machine; pass in `now` or `ids` (kernel.clock, kernel.ids)",
            )
        elif isinstance(node, ast.Import):
            for name in {alias.name for alias in node.names} & CHANCE_MODULES:
                yield (
                    node.lineno,
                    f"imports {name}; pass in `ids` (kernel.ids), or `random.Random(seed)` where it is simulated",
                )
        elif isinstance(node, ast.ImportFrom) and not _is_allowed_chance(node):
            yield node.lineno, f"imports chance or the clock from {node.module}; pass in `now` or `ids`"


CLOCK_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "datetime.datetime.now", "datetime.datetime.utcnow",
    "date.today", "datetime.date.today", "time.time", "time.time_ns", "time.localtime", "time.gmtime",
    "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid4", "os.urandom",
}  # fmt: skip
CHANCE_MODULES = {"random", "secrets"}
CHANCE_NAMES = {"time": {"time", "time_ns"}, "uuid": {"uuid1", "uuid4", "uuid6", "uuid7"}, "os": {"urandom"}}


def _is_allowed_chance(node: ast.ImportFrom) -> bool:
    names = {alias.name for alias in node.names}
    if node.module == "random":
        return names == {"Random"}  # A generator with a seed is no chance.
    return node.module != "secrets" and not names & CHANCE_NAMES.get(node.module or "", set())


def own_network(path: Path, tree: ast.Module) -> Found:
    """A client of its own knows no time limit, no proxy and no address that must not be called. One calls out."""
    name = path.as_posix()
    if not _is_product(path) or name.startswith(("src/comity/kernel/", "src/comity/sandbox/")):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        else:
            continue
        for module in sorted(found & NETWORK_MODULES):
            yield node.lineno, f"imports {module}; systems are called through kernel.egress"


NETWORK_MODULES = {"urllib.request", "http.client", "ftplib", "smtplib", "socketserver", "xmlrpc.client"}


def built_sql(path: Path, tree: ast.Module) -> Found:
    """A string put together at run time is where injections start. SQL stands in files; compilers hand theirs over."""
    if not _is_product(path):
        return
    is_kernel = path.as_posix().startswith("src/comity/kernel/")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "comity.kernel.sql"
            and not path.name.endswith("store.py")
        ):
            for name in {alias.name for alias in node.names} & {"execute_text", "fetch_text"}:
                yield node.lineno, f"{name} runs compiled SQL; only a store may call it"
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr not in {"execute", "executemany", "copy"}:
            continue
        text = node.args[0]
        if isinstance(text, ast.JoinedStr | ast.BinOp) or (
            isinstance(text, ast.Call)
            and isinstance(text.func, ast.Attribute)
            and text.func.attr == "format"
            and isinstance(text.func.value, ast.Constant)
        ):
            yield node.lineno, "SQL is put together from strings; write a file under sql/ and pass parameters"
        elif isinstance(text, ast.Constant) and isinstance(text.value, str) and not is_kernel:
            yield node.lineno, "SQL stands in files: write it under sql/, one statement a file"


def swallowed_error(path: Path, tree: ast.Module) -> Found:
    """Three days of purchases were lost behind an `except` that did nothing. Nothing is done silently."""
    del path
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno, "a bare except also catches the request to stop; name the errors"
        elif _dotted(node.type) in {"Exception", "BaseException"} and all(_is_nothing(each) for each in node.body):
            yield node.lineno, "an error of any kind vanishes here; name the errors, or log and count it"


def _is_nothing(node: ast.stmt) -> bool:
    is_pass = isinstance(node, ast.Pass | ast.Continue)
    return is_pass or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_product(path: Path) -> bool:
    name = path.as_posix()
    return name.startswith("src/comity/") and "/bench" not in name


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


TEXT_RULES: list[Callable[[Path, str], Found]] = [long_file, local_place, loose_todo]
TREE_RULES: list[Callable[[Path, ast.Module], Found]] = [
    long_function,
    silent_room,
    own_clock,
    own_network,
    built_sql,
    swallowed_error,
]


def check(root: Path, paths: Iterable[Path]) -> list[str]:
    """Return what is wrong with these files, one line each; paths are relative to root."""
    found: list[str] = []
    for path in paths:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # A picture, or a file that is just being moved.
        findings = [each for rule in TEXT_RULES for each in rule(path, text)]
        if path.suffix == ".py":
            tree = ast.parse(text, filename=str(path))
            findings += [each for rule in TREE_RULES for each in rule(path, tree)]
        found += [f"{path}:{line}: {what}" for line, what in sorted(findings)]
    return found


def known_files(root: Path) -> list[Path]:
    """Return the files git knows of or would take in, relative to root; without git, all that are not built here."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode()  # noqa: S603 - fixed words.
    except (FileNotFoundError, subprocess.CalledProcessError):
        inside = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return sorted(path for path in inside if not BUILT & set(path.parts) and ".egg-info" not in str(path))
    return sorted(Path(name) for name in listed.split("\0") if name)


def main() -> int:
    """Check the repository; print what is wrong and return the exit code."""
    found = check(ROOT, known_files(ROOT))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
