"""Two contracts that import-linter lacks; `.importlinter` says how they are used."""

from collections.abc import Iterator

import grimp
from importlinter import Contract, ContractCheck, fields, output


class _LinkContract(Contract):
    """A contract broken by single imports, each shown with its line."""

    def links(self, graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
        """Yield every (importer, imported) that is not allowed."""
        raise NotImplementedError

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - the base class's.
        """Keep the contract when there is no such import."""
        del verbose
        found = sorted(set(self.links(graph)))
        return ContractCheck(kept=not found, metadata={"links": [(*link, _line(graph, *link)) for link in found]})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import."""
        for importer, imported, line in check.metadata["links"]:
            output.print_error(f"{importer} -> {imported} (l.{line})", bold=False)


def _line(graph: grimp.ImportGraph, importer: str, imported: str) -> int:
    details = graph.get_import_details(importer=importer, imported=imported)
    return int(details[0]["line_number"]) if details else 0


class DoorContract(_LinkContract):
    """A room is entered only through its doors; open rooms have no door, and the wiring has a few more."""

    type_name = "door"
    root = fields.StringField()
    doors = fields.SetField(subfield=fields.StringField())
    open_rooms = fields.SetField(subfield=fields.StringField())
    wiring = fields.StringField()
    wiring_doors = fields.SetField(subfield=fields.StringField())

    def links(self, graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
        """Yield the imports that go past a door."""
        for importer in graph.find_descendants(self.root):
            here = importer.split(".")[1]
            doors = self.doors | (self.wiring_doors if here == self.wiring else set())
            for imported in graph.find_modules_directly_imported_by(importer):
                root, room, *inside = imported.split(".")[:3] + [""] * (2 - imported.count("."))
                if root == self.root and inside[0] and room not in {here} | self.open_rooms and inside[0] not in doors:
                    yield importer, imported


class BesideContract(_LinkContract):
    """A room stands apart: it may import a few named modules, and few named packages may import it."""

    type_name = "beside"
    root = fields.StringField()
    room = fields.StringField()
    may_import = fields.SetField(subfield=fields.StringField())
    may_be_imported_by = fields.SetField(subfield=fields.StringField())

    def links(self, graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
        """Yield the imports into the room and out of it that are not named."""
        room = f"{self.root}.{self.room}"
        if room not in graph.modules:
            return
        inside = {room} | graph.find_descendants(room)
        for module in inside:
            for imported in graph.find_modules_directly_imported_by(module) - inside:
                if imported.startswith(f"{self.root}.") and imported not in self.may_import:
                    yield module, imported
            for importer in graph.find_modules_that_directly_import(module) - inside:
                if not any(f"{importer}.".startswith(f"{name}.") for name in self.may_be_imported_by):
                    yield importer, module
