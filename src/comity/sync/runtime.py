"""The definitions in force, compiled once per revision; a running hub follows them without a restart."""

import threading
from collections.abc import Mapping, Sequence

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import (
    Definitions,
    DocumentVersion,
    Kind,
    MappingKind,
    MappingSpec,
    ProgrammeSpec,
    SystemSpec,
)
from comity.identity import api as identity
from comity.identity.api import CompiledMatch
from comity.kernel.database import Tx
from comity.mapping import api as mapping
from comity.mapping.api import CompiledMapping
from comity.profile import api as profile
from comity.profile.types import ProfileModel
from comity.programme import api as programme
from comity.programme.types import Programme
from comity.sync.types import NotReady

CREATE_NEVER = "never"


class StreamMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping in force."""

    name: str
    spec: MappingSpec
    compiled: CompiledMapping

    @property
    def is_person(self) -> bool:
        """True when the stream's records are people."""
        return self.spec.kind is MappingKind.PERSON

    @property
    def writes(self) -> bool:
        """True when Comity writes into records of the stream."""
        return any(field.direction.is_written for field in self.spec.person_fields)

    @property
    def write_cadences(self) -> dict[str, str]:
        """At whose ticks fields of the system are written; those that are written at once are not there."""
        said = {
            field.field: cadence
            for field in self.spec.person_fields
            if field.direction.is_written and (cadence := self.spec.write_cadence(field)) is not None
        }
        groups = self.compiled.groups if said else ()
        return {
            path: said[group.fields[0].path] for group in groups for path in group.paths if group.fields[0].path in said
        }

    @property
    def echoed_attributes(self) -> list[str]:
        """Attributes that Comity writes and reads, so that what it wrote comes back."""
        return [
            field.attribute
            for field in self.spec.person_fields
            if field.direction.is_written and field.direction.is_read
        ]

    @property
    def vendor_fields(self) -> list[str]:
        """Every field of the system this mapping reads or writes, also by its lenses; the record's id and time."""
        names = [self.spec.external_id, *(path for field in self.compiled.fields for path in field.paths)]
        if self.spec.changed_at:
            names.append(self.spec.changed_at)
        return list(dict.fromkeys([*names, *self.read_fields]))

    @property
    def read_fields(self) -> list[str]:
        """The fields of the system that become values here."""
        names = [field.field for field in self.spec.person_fields if field.direction.is_read]
        purchase = self.spec.purchase_fields
        if purchase is not None:
            names.extend(source.field for source in purchase.sources.values() if source.field)
            names.extend([purchase.lines.field] if purchase.lines else [])
        return list(dict.fromkeys(names))


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the flow needs to know of the definitions of one revision."""

    revision: int
    definitions: Definitions
    systems: dict[str, SystemSpec]
    streams: dict[tuple[str, str], StreamMapping]
    match: CompiledMatch
    model: ProfileModel
    programmes: tuple[Programme, ...]

    @property
    def written_systems(self) -> list[str]:
        """Systems that Comity writes into."""
        return sorted({system for (system, _), stream in self.streams.items() if stream.writes})

    def creates_in(self, system: str) -> bool:
        """True when people may get a record in a system where they have none."""
        spec = self.systems.get(system)
        return spec is not None and spec.deliver.create != CREATE_NEVER

    def written_streams(self, system: str) -> list[StreamMapping]:
        """Return the mappings through which Comity writes into a system."""
        return [stream for (name, _), stream in sorted(self.streams.items()) if name == system and stream.writes]


def compile_runtime(
    current: Definitions, *, programmes: Mapping[str, Sequence[DocumentVersion]] | None = None
) -> Runtime:
    """Compile definitions. Raises the Invalid errors of mapping, identity and profile.

    `programmes` are the versions each programme has had, newest first: a purchase earns by what was said on its day.
    """
    versions = programmes or {}
    attributes = current.attributes
    rules = current.rules
    streams = {
        (spec.system, spec.stream): StreamMapping(
            name=name, spec=spec, compiled=mapping.compile_mapping(spec, attributes=attributes)
        )
        for name, spec in current.mappings.items()
    }
    return Runtime(
        revision=current.revision,
        definitions=current,
        systems=current.systems,
        streams=streams,
        match=identity.compile_match(current.match_spec, attributes=attributes),
        model=profile.compile_model(
            attributes=sorted(attributes.items()),
            rules=current.rules_spec,
            rules_version=rules.version if rules else 0,
        ),
        programmes=tuple(
            programme.say_programme(
                name,
                spec,
                [
                    (each.applied_at, each.version, each.spec)
                    for each in reversed(versions.get(name, ()))
                    if isinstance(each.spec, ProgrammeSpec) and not each.is_retired
                ],
                version=current.revision,
            )
            for name, spec in sorted(current.programmes.items())
        ),
    )


class RuntimeSource:
    """Gives the runtime in force; compiles again when the revision moved. Thread-safe."""

    def __init__(self) -> None:
        """Start with nothing compiled."""
        self._runtime: Runtime | None = None
        self._lock = threading.Lock()

    def get(self, tx: Tx) -> Runtime:
        """Return the runtime of the revision this transaction sees. Raises NotReady before the first apply."""
        revision = definitions.get_revision(tx)
        runtime = self._runtime
        if runtime is not None and runtime.revision == revision:
            return runtime
        with self._lock:
            if self._runtime is None or self._runtime.revision != revision:
                current = definitions.get_definitions(tx)
                if not current.documents:
                    raise NotReady
                versions = {
                    name: definitions.list_versions(tx, kind=Kind.PROGRAMME, name=name) for name in current.programmes
                }
                self._runtime = compile_runtime(current, programmes=versions)
            return self._runtime
