# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The way through a Redfish service: which documents to ask for next, which system is ours, which chassis holds it.

Pure: documents in (by the URI they were asked for), URIs and links out. Shapes are those of DSP0266 and the DSP8010
schemas ServiceRoot, ComputerSystem, Chassis, PowerSubsystem, PowerSupply, SensorCollection and Processor.

Nothing is assumed about names: no vendor's `Chassis/1`, no `System.Embedded.1`. A URI is followed only where it is a
path below /redfish/v1, because a token goes with every request and documents are written by others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

ROOT: Final = "/redfish/v1/"

# Redfish services are small; one that leads further than this leads nowhere.
MOST_DOCUMENTS: Final = 600
_LONGEST_URI: Final = 512

# ComputerSystem.SystemType; services from before that property have real systems only.
_REAL: Final = frozenset({None, "Physical", "OS"})
# Chassis.ChassisType of parts inside a machine: their power is inside somebody else's (schema Chassis v1_25_0).
_PARTS: Final = frozenset({"Card", "Cartridge", "Component", "Expansion", "Module", "StorageEnclosure", "Zone"})


@dataclass(frozen=True, slots=True)
class Chassis:
    """A chassis of ours; ``parent`` is the chassis of ours that contains it, None for an outermost one."""

    uri: str
    document: Document
    parent: str | None

    @property
    def id(self) -> str:
        """What the service calls it."""
        return word(self.document, "Id") or self.uri.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Layout:
    """Whose power this is: our system and the chassis that hold it and no other system, outermost and whole ones first.

    ``reason`` says why nothing can be said, where that is so.
    """

    system: str | None
    chassis: tuple[Chassis, ...]
    shared: tuple[str, ...] = ()
    """Chassis that hold other systems as well: their power is not this node's."""
    reason: str = ""

    def trees(self) -> Iterator[tuple[Chassis, ...]]:
        """Each outermost chassis with everything inside it, outer before inner."""
        for root in self.chassis:
            if root.parent is None:
                yield tuple(self._within(root))

    def _within(self, root: Chassis) -> Iterator[Chassis]:
        pending = [root]
        seen: set[str] = set()
        while pending:
            chassis = pending.pop(0)
            if chassis.uri in seen:
                continue
            seen.add(chassis.uri)
            yield chassis
            pending.extend(each for each in self.chassis if each.parent == chassis.uri)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Documents that are still to be asked for: without the ``essential`` ones no power is certain."""

    essential: tuple[str, ...]
    extra: tuple[str, ...]


def link(document: Document | None, *names: str) -> str | None:
    """The URI that ``document`` gives under ``names``; None where it gives none that may be followed."""
    value: Any = document
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return None
    return followable(value.get("@odata.id"))


def links(document: Document | None, *names: str) -> tuple[str, ...]:
    """All URIs of the array of references under ``names``."""
    value: Any = document
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    found = (followable(each.get("@odata.id")) for each in value if isinstance(each, Mapping))
    return tuple(uri for uri in found if uri is not None)


def followable(uri: object) -> str | None:
    """``uri`` without its fragment, or None unless it is a plain path of this service."""
    if not isinstance(uri, str) or len(uri) > _LONGEST_URI:
        return None
    path = uri.partition("#")[0]
    if not (path + "/").startswith(ROOT) or "//" in path or "/../" in path + "/" or not path.isprintable():
        return None
    return None if "\\" in path or " " in path else path


def word(document: Document, *names: str) -> str | None:
    """The text that ``document`` has under ``names``; None for anything else."""
    value: Any = document
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None


def same(one: str | None, other: str | None) -> bool:
    """Whether two URIs name one resource; some services write a slash at the end and some do not."""
    return one is not None and other is not None and one.rstrip("/") == other.rstrip("/")


class Known:
    """Documents by their own URI; members that came inside an expanded collection are found as well."""

    def __init__(self, documents: Documents) -> None:
        self._found: dict[str, tuple[Document, str]] = {}
        for uri, document in documents.items():
            for member in _members(document):
                inner = followable(member.get("@odata.id"))
                if inner is not None and len(member) > 1:
                    self._found.setdefault(inner, (member, uri))
        self._found |= {uri: (document, uri) for uri, document in documents.items()}

    def __contains__(self, uri: str | None) -> bool:
        return uri in self._found

    def document(self, uri: str | None) -> Document:
        """The document at ``uri``; an empty one where it is not known."""
        return self._found[uri][0] if uri is not None and uri in self._found else {}

    def asked(self, uri: str | None) -> str:
        """What has to be asked for to get the document at ``uri`` again."""
        return self._found[uri][1] if uri is not None and uri in self._found else uri or ""

    def values(self) -> Iterator[Document]:
        """All documents."""
        return (document for document, _ in self._found.values())

    def collection(self, uri: str | None) -> tuple[str, ...]:
        """All members of the collection at ``uri``, over all its pages, known or not."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        while uri is not None and uri not in seen and uri in self:
            seen.add(uri)
            found |= dict.fromkeys(members(self.document(uri)))
            uri = followable(self.document(uri).get("Members@odata.nextLink"))
        return tuple(found)

    def next_page(self, uri: str | None) -> str | None:
        """The first page of the collection at ``uri`` that is not known yet."""
        seen: set[str] = set()
        while uri is not None and uri in self and uri not in seen:
            seen.add(uri)
            uri = followable(self.document(uri).get("Members@odata.nextLink"))
        return None if uri in seen else uri


def members(document: Document | None) -> tuple[str, ...]:
    """The URIs of a collection's members."""
    found = (followable(each.get("@odata.id")) for each in _members(document))
    return tuple(uri for uri in found if uri is not None)


def _members(document: Document | None) -> tuple[Document, ...]:
    value = document.get("Members") if document is not None else None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(each for each in value if isinstance(each, Mapping))


def expands(documents: Documents) -> bool:
    """Whether the service hands out a collection's members with the collection (ServiceRoot ExpandQuery.NoLinks)."""
    value: Any = documents.get(ROOT, {})
    for name in ("ProtocolFeaturesSupported", "ExpandQuery", "NoLinks"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value is True


def layout(documents: Documents, *, system: str = "") -> Layout:
    """Finds our system (the only physical one, else the one with this id, UUID or serial number) and its chassis."""
    known = Known(documents)
    root = documents.get(ROOT)
    systems = {uri: known.document(uri) for uri in known.collection(link(root, "Systems")) if uri in known}
    chosen, reason = _choose(systems, system)
    if reason:
        return Layout(None, (), reason=reason)
    found = {uri: known.document(uri) for uri in known.collection(link(root, "Chassis")) if uri in known}
    inside = _inside(found)
    ours: list[str] = []
    shared: list[str] = []
    unsaid: list[str] = []
    for uri in found:
        held = {each for each in _held(uri, found, inside) if _physical(each, systems)}
        if chosen is not None and any(not same(other, chosen) for other in held):
            shared.append(uri)
        elif held or len(systems) <= 1:
            ours.append(uri)
        else:
            unsaid.append(uri)
    # Where there are several systems, a chassis that names none of them is ours if it is inside one of ours.
    while nested := [uri for uri in unsaid if any(outer in ours for outer in inside.get(uri, ()))]:
        ours += nested
        unsaid = [uri for uri in unsaid if uri not in nested]
    shared += unsaid
    linked = links(systems.get(chosen or ""), "Links", "Chassis")
    made = [Chassis(uri, found[uri], next((out for out in inside.get(uri, ()) if out in ours), None)) for uri in ours]
    made.sort(key=lambda each: _rank(each, linked))
    return Layout(chosen, tuple(made), tuple(shared))


def _choose(systems: Mapping[str, Document], wanted: str) -> tuple[str | None, str]:
    if wanted:
        for uri, document in systems.items():
            if wanted.lower() in {str(document.get(name, "")).lower() for name in ("Id", "UUID", "SerialNumber")}:
                return uri, ""
        return None, f"no system has the id, UUID or serial number {wanted!r}"
    physical = [uri for uri, each in systems.items() if word(each, "SystemType") in _REAL]
    if len(physical) > 1:
        names = ", ".join(str(systems[uri].get("Id", uri)) for uri in physical)
        return None, f"this BMC has several systems ({names}): the setting redfish_system says which one is this node"
    return (physical[0] if physical else None), ""


def _inside(found: Mapping[str, Document]) -> dict[str, list[str]]:
    """Chassis -> the chassis that contain it directly; both directions of the link are believed."""
    exact = {uri.rstrip("/"): uri for uri in found}
    inside: dict[str, list[str]] = {}
    for uri, document in found.items():
        outer = link(document, "Links", "ContainedBy")
        if outer is not None and outer.rstrip("/") in exact and not same(outer, uri):
            inside.setdefault(uri, []).append(exact[outer.rstrip("/")])
        for inner in links(document, "Links", "Contains"):
            if inner.rstrip("/") in exact and not same(inner, uri):
                inside.setdefault(exact[inner.rstrip("/")], []).append(uri)
    return inside


def _held(uri: str, found: Mapping[str, Document], inside: Mapping[str, list[str]]) -> set[str]:
    """The systems in a chassis and in everything inside it."""
    held: set[str] = set()
    pending, seen = [uri], set()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        held.update(each.rstrip("/") for each in links(found[current], "Links", "ComputerSystems"))
        pending.extend(inner for inner, outers in inside.items() if current in outers)
    return held


def _physical(uri: str, systems: Mapping[str, Document]) -> bool:
    """Whether a link leads to a real system; virtual ones live inside real ones and own no power."""
    document = next((each for known, each in systems.items() if same(known, uri)), None)
    return document is not None and word(document, "SystemType") in _REAL


def _rank(chassis: Chassis, linked: Sequence[str]) -> tuple[bool, bool, int]:
    part = word(chassis.document, "ChassisType") in _PARTS
    place = next((at for at, uri in enumerate(linked) if same(uri, chassis.uri)), len(linked))
    return chassis.parent is not None, part, place


def wanted(documents: Documents, *, absent: Collection[str], system: str = "") -> Wanted:
    """What to ask for next; ``absent`` are URIs that the service did not have. Empty when the walk is complete."""

    def missing(*uris: str | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(uri for uri in uris if uri is not None and uri not in known and uri not in absent))

    known = Known(documents)
    root = documents.get(ROOT)
    if root is None:
        return Wanted(missing(ROOT), ())
    tops = [link(root, name) for name in ("Systems", "Chassis")]
    first = missing(*map(known.next_page, tops), *(uri for top in tops for uri in known.collection(top)))
    if first:
        return Wanted(first, ())
    found = layout(documents, system=system)
    essential: list[str] = []
    extra: list[str] = []
    for chassis in found.chassis:
        subsystem = link(chassis.document, "PowerSubsystem")
        supplies = link(known.document(subsystem), "PowerSupplies")
        each = known.collection(supplies)
        essential += missing(subsystem, *(link(chassis.document, name) for name in ("EnvironmentMetrics", "Power")))
        essential += missing(known.next_page(supplies), *each, *(link(known.document(uri), "Metrics") for uri in each))
        sensors = link(chassis.document, "Sensors")
        extra += missing(known.next_page(sensors), *known.collection(sensors))
    processors = link(known.document(found.system), "Processors")
    each = known.collection(processors)
    extra += missing(known.next_page(processors), *each)
    extra += missing(*(link(known.document(uri), "EnvironmentMetrics") for uri in each))
    room = max(0, MOST_DOCUMENTS - len(documents))
    kept = tuple(dict.fromkeys(essential))[:room]
    return Wanted(kept, tuple(uri for uri in dict.fromkeys(extra) if uri not in kept)[: room - len(kept)])
