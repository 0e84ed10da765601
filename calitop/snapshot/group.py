"""Files that were read -> snapshots: which files belong to one node at one moment.

The deepest folders with facts of a node are the snapshots. A folder above one gives what
accompanies it: a pod list, and a host name where all below is one node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from calitop.model.node import SourceFile
from calitop.snapshot.facts import is_about_a_node
from calitop.snapshot.manifest import Manifest, ManifestFile
from calitop.snapshot.naming import name_from_folders, without_sections
from calitop.snapshot.reading import ReadFile, missing_file, reading_of_missing, with_manifest
from calitop.snapshot.recognise import Reading

Folder = tuple[str, ...]
HOST_FILE = "hostname"
_UNUSED = "not used: a folder below it is the snapshot"


@dataclass(eq=False)
class Group:
    """The files of one snapshot."""

    root: Folder
    """Absolute, part by part; an archive is a part."""
    files: list[ReadFile]
    above: list[ReadFile] = field(default_factory=list)
    """From folders above it, nearest first."""
    unused: list[SourceFile] = field(default_factory=list)
    """Facts in folders above it that cannot be told to be this node's."""
    host: str | None = None
    """Of a transcript of several hosts, the one meant."""

    @property
    def manifest(self) -> Manifest | None:
        """What the snapshot says of itself."""
        return next((each.manifest for each in self.files if each.manifest), None)

    def own_name(self) -> str | None:
        """The node's name by its content: manifest, prompt, `hostname` file."""
        if self.manifest and self.manifest.node:
            return self.manifest.node
        if self.host:
            return self.host
        prompts = (each.node_name() for each in self.files)
        files = (_host_file(each) for each in (*self.files, *self.above))
        return next((name for name in (*prompts, *files) if name), None)

    def name(self) -> str | None:
        """The node's name by its content, else by the folders above."""
        return self.own_name() or name_from_folders(self.root) or self._kernel_name()

    def _kernel_name(self) -> str | None:
        names = (reading.fragment.node_name for each in self.files for reading in each.readings)
        return next((name for name in names if name), None)


def _host_file(read: ReadFile) -> str | None:
    kinds = (reading for reading in read.readings if reading.kind == HOST_FILE)
    return next((reading.fragment.node_name for reading in kinds if reading.fragment.node_name), None)


def group(files: Iterable[ReadFile], base: Folder) -> list[Group]:
    """The snapshots among the files, in the order of their folders.

    Args:
        files: Everything below what was opened.
        base: The folder, part by part, that the files' paths start from.
    """
    folders: dict[Folder, list[ReadFile]] = {}
    for read in sorted(files, key=lambda read: read.path):
        folders.setdefault((*base, *PurePosixPath(read.path).parts[:-1]), []).append(read)
    folders = {folder: _in_light_of_manifest(found) for folder, found in folders.items()}
    merged: dict[Folder, list[ReadFile]] = {}
    for folder, found in folders.items():
        root = _root_of(folder, base, folders)
        merged.setdefault(root, []).extend(_labelled(each, folder[len(root) :]) for each in found)
    return [part for each in _groups(merged) for part in _per_host(each)]


def _in_light_of_manifest(files: list[ReadFile]) -> list[ReadFile]:
    manifest = next((each.manifest for each in files if each.manifest), None)
    if manifest is None:
        return files
    out = []
    for read in files:
        told = manifest.file(read.name)
        out.append(with_manifest(read, told) if told and read.manifest is None else read)
    there = {read.name for read in files}
    lost = [each for each in manifest.files if each.file not in there and "/" not in each.file]
    return [_with_missing(each, lost) if each.manifest is manifest else each for each in out]


def _with_missing(read: ReadFile, lost: Sequence[ManifestFile]) -> ReadFile:
    """The manifest with what it tells of files that are not there: the reason, or that there is nothing."""
    nothing = (reading for reading in map(reading_of_missing, lost) if reading is not None)
    told = (*read.told, *map(missing_file, lost))
    return replace(read, readings=(*read.readings, *nothing), told=told)


def _root_of(folder: Folder, base: Folder, folders: dict[Folder, list[ReadFile]]) -> Folder:
    """The folder whose snapshot a folder belongs to: sections of a bundle belong together."""
    root = without_sections(folder)
    return root if len(root) >= len(base) else folder[: max(len(base), 0)]


def _labelled(read: ReadFile, below: Folder) -> ReadFile:
    """The file with its names as seen from the snapshot's folder."""
    if not below:
        return read
    prefix = "/".join(below)
    return replace(read, told=tuple(replace(each, file=f"{prefix}/{each.file}") for each in read.told))


def _groups(merged: dict[Folder, list[ReadFile]]) -> list[Group]:
    telling = [root for root, files in merged.items() if any(each.is_about_a_node for each in files)]
    if not telling:
        telling = [root for root, files in merged.items() if any(each.is_recognised for each in files)]
    deepest = [root for root in telling if not any(_is_below(other, root) for other in telling)]
    groups = [Group(root, merged[root]) for root in sorted(deepest)]
    for each in groups:
        each.above, each.unused = _files_above(each, groups, merged)
    return groups


def _is_below(one: Folder, other: Folder) -> bool:
    return len(one) > len(other) and one[: len(other)] == other


def _files_above(
    this: Group, groups: Sequence[Group], merged: dict[Folder, list[ReadFile]]
) -> tuple[list[ReadFile], list[SourceFile]]:
    out: list[ReadFile] = []
    unused: list[SourceFile] = []
    for depth in range(len(this.root) - 1, -1, -1):
        folder = this.root[:depth]
        below = [each for each in groups if _is_below(each.root, folder)]
        one_node = len({name_from_folders(each.root) for each in below}) == 1
        for read in merged.get(folder, ()):
            seen = _from_above(read, len(this.root) - depth)
            if _applies_below(read, one_node):
                out.append(seen)
            elif read.is_about_a_node:
                unused += [replace(told, note=_UNUSED) for told in seen.told]
    return out, unused


def _applies_below(read: ReadFile, one_node: bool) -> bool:
    """A pod list is for all nodes below it, a host name for the only one; rules are of their own folder."""
    if read.is_about_a_node or not read.is_recognised:
        return False
    return one_node or any(reading.fragment.pods for reading in read.readings)


def _from_above(read: ReadFile, steps: int) -> ReadFile:
    up = "../" * steps
    return replace(read, told=tuple(replace(each, file=up + each.file) for each in read.told))


def _per_host(each: Group) -> list[Group]:
    """One group per host where the prompts of one transcript name several."""
    hosts = dict.fromkeys(
        session.host
        for read in each.files
        for session in read.sessions
        if session.host and _tells(session.reading)
    )
    only_transcripts = all(read.sessions for read in each.files if read.is_about_a_node)
    if len(hosts) < 2 or not only_transcripts:
        return [each]
    return [Group(each.root, each.files, each.above, each.unused, host) for host in hosts]


def _tells(reading: Reading) -> bool:
    return any(is_about_a_node(part.fragment) for part in reading.parts())


def base_of(path: Path) -> Folder:
    """The folder, part by part, that paths below an opened path start from."""
    whole = path.absolute()
    return (whole if whole.is_dir() else whole.parent).parts[1:]
