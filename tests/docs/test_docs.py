"""What the documents say is true: all of it is there, every example works, every link leads somewhere."""

import inspect
import json
import re
from pathlib import Path

import pytest
import typer

from comity import wiring
from comity.definitions import api as definitions
from comity.definitions.places import Place, read_document, split_documents
from comity.definitions.types import SPEC_TYPES
from comity.interfaces.cli.main import app
from comity.interfaces.rest.app import HANDLERS
from comity.interfaces.rest.description import describe
from comity.interfaces.shared.problems import FRAMEWORK_CODES
from comity.kernel.embedded.roles import OWNER
from comity.kernel.telemetry import REGISTRY
from comity.mapping import api as mapping
from comity.programme.types import RedemptionVerdict
from comity.settings import PREFIX, Settings
from tests.unit.definitions.json_schema import fits
from tools.reference.errors import code_of, list_error_classes
from tools.reference.pages import write_pages
from tools.reference.shapes import anchor

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
PAGES = sorted(
    path
    for folder in ("*.md", "docs/**/*.md")
    for path in ROOT.glob(folder)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
GUIDES = [path for path in PAGES if REFERENCE not in path.parents and "decisions" not in path.parts]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str):
    """Yield the fenced blocks of a language, their indentation taken away, with the line they begin at."""
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found[2] == language:
            yield text[: found.start()].count("\n") + 2, inspect.cleandoc("\n" + found[3]) + "\n"


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The reference as the code would have it now."""
    return write_pages()


class TestReference:
    def test_is_what_the_code_says(self, written):
        stale = [name for name, text in written.items() if (REFERENCE / name).read_text(encoding="utf-8") != text]
        assert not stale, "run `make schemas`"

    def test_holds_no_page_that_is_written_no_more(self, written):
        assert {path.name for path in REFERENCE.iterdir()} == set(written)

    @pytest.mark.parametrize(
        ("page", "names"),
        [
            ("settings.md", [f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__]),
            ("mapping-lenses.md", mapping.lens_names()),
            ("connectors.md", wiring.CONNECTORS),
            ("definitions.md", list(SPEC_TYPES)),
            ("errors.md", [code_of(each) for each in list_error_classes()] + list(FRAMEWORK_CODES.values())),
            ("api.md", list(describe(HANDLERS)["paths"])),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_names_everything(self, page, names):
        text = (REFERENCE / page).read_text(encoding="utf-8")
        assert not [name for name in names if name not in text]

    def test_names_every_command(self):
        text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
        wanted = [" ".join(("comity", *words)) for words in _commands(typer.main.get_command(app))]
        assert not [each for each in wanted if f"# {each}\n" not in text]


def _commands(command, words=()):
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from _commands(each, (*words, name))
        else:
            yield (*words, name)


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_lead_somewhere(self, page):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        dead = []
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            file, _, section = target.partition("#")
            path = (page.parent / file).resolve() if file else page
            if not path.exists() or (section and path.suffix == ".md" and section not in _anchors(path)):
                dead.append(target)
        assert not dead


def _anchors(path: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {anchor(title.replace("`", "")) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


class TestExamples:
    @pytest.mark.parametrize("page", GUIDES, ids=name_of)
    def test_in_yaml_are_well_formed_documents(self, page):
        """Examples that are whole documents; what stands for itself (part of one) has no `kind`."""
        faults = []
        for line, text in blocks(page, "yaml"):
            if not re.search(r"^kind:", text, re.MULTILINE):
                continue
            loaded = definitions.load_text(text, file=f"{name_of(page)}:{line}")
            faults += list(loaded.problems)
            for document in loaded.documents:
                checker = wiring.CHECKERS.get(document.kind)
                if document.kind == "system" and checker is not None:
                    faults += [f"{document.key}: {fault.message}" for fault in checker(document, None)]
        assert not faults, "\n".join(map(str, faults))

    def test_of_the_guide_to_definitions_are_a_project_that_validates(self):
        loaded = definitions.Loaded()
        for line, text in blocks(ROOT / "docs/guides/definitions.md", "yaml"):
            if re.search(r"^kind:", text, re.MULTILINE):
                loaded += definitions.load_text(text, file=f"line {line}")
        problems = definitions.validate(loaded, checkers=wiring.CHECKERS)
        assert not problems, "\n".join(map(str, problems))

    def test_of_the_guide_to_definitions_are_what_the_schema_for_editors_takes(self):
        (schema,) = map(json.loads, definitions.editor_schema().values())
        for line, text in blocks(ROOT / "docs/guides/definitions.md", "yaml"):
            if re.search(r"^kind:", text, re.MULTILINE):
                places = [read_document(chunk) for chunk in split_documents(text)]
                assert all(isinstance(place, Place) and fits(place.value, schema) for place in places), f"line {line}"

    def test_of_the_tutorial_shows_all_that_a_redemption_answers(self):
        text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
        [shown] = re.findall(r"`(\{.status.:.redeemed.*?\})`", text)
        assert tuple(json.loads(shown)) == RedemptionVerdict.__struct_fields__

    @pytest.mark.parametrize("page", GUIDES, ids=name_of)
    def test_name_metrics_that_exist(self, page):
        known = {family.name for family in REGISTRY.collect()}
        found = set(re.findall(r"`(comity_[a-z_]+)`", page.read_text(encoding="utf-8")))
        assert found - {OWNER} <= known

    @pytest.mark.parametrize("page", GUIDES, ids=name_of)
    def test_name_commands_and_options_that_exist(self, page):
        root = typer.main.get_command(app)
        wrong = []
        for language in ("sh", "console", "bash"):
            for line, text in blocks(page, language):
                for words in _calls(text):
                    fault = _fault_of(root, words)
                    if fault:
                        wrong.append(f"{name_of(page)}:{line}: comity {' '.join(words)}: {fault}")
        for words in (each.split() for each in re.findall(r"`comity ([^`]+)`", page.read_text(encoding="utf-8"))):
            fault = _fault_of(root, words)
            if fault:
                wrong.append(f"{name_of(page)}: comity {' '.join(words)}: {fault}")
        assert not wrong, "\n".join(wrong)

    @pytest.mark.parametrize("page", GUIDES, ids=name_of)
    def test_name_settings_that_exist(self, page):
        known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__}
        found = set(re.findall(r"\bCOMITY_[A-Z_]+\b", page.read_text(encoding="utf-8")))
        assert {each for each in found if not each.startswith("COMITY_TEST_")} <= known

    @pytest.mark.parametrize("page", GUIDES, ids=name_of)
    def test_name_targets_of_make_that_exist(self, page):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        text = page.read_text(encoding="utf-8")
        found = set(re.findall(r"(?:^|`)make(?: [A-Z]+=\S+)* ([a-z-]+)", text, re.MULTILINE))
        assert found <= targets


def _calls(text: str):
    """Yield the words after `comity` of each call in a block; a prompt, comments and further shell are left out."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        call = re.match(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?comity\s+([^#|>&]*)", line)
        if call:
            yield call[1].split()


def _fault_of(command, words) -> str | None:
    """Say what is wrong with a call: a command or an option that does not exist."""
    words = list(words)
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            return None
        name = words.pop(0).rstrip(".,;:")
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in options]
    return f"there is no option {', '.join(unknown)}" if unknown else None


class TestWords:
    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_promise_nothing_that_nobody_can_keep(self, page):
        """Delivered at least once, applied once: whoever promises more has not lost a connection yet."""
        said = re.findall(r"exactly[- ]once\s+deliver\w*", page.read_text(encoding="utf-8"), re.IGNORECASE)
        assert not said
