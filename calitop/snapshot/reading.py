"""One file of a snapshot -> what it was taken for and what it tells, or the manifest it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calitop.formats.fragment import NOTE, Fragment
from calitop.model.node import Problem, SourceFile
from calitop.snapshot.adjust import apply_hint
from calitop.snapshot.archive import Blob
from calitop.snapshot.facts import is_about_a_node, says_something
from calitop.snapshot.hints import Hint, hint_of_command, hint_of_file_name
from calitop.snapshot.manifest import Manifest, ManifestFile, read_manifest
from calitop.snapshot.merge import Piece
from calitop.snapshot.recognise import Reading, count_lines, decode, recognise
from calitop.snapshot.transcript import (
    Session,
    has_named_prompts,
    has_plain_prompts,
    is_transcript,
    node_of,
    prose,
    read_transcript,
)

TRANSCRIPT = "transcript"
MANIFEST = "manifest"


@dataclass(frozen=True, eq=False)
class ReadFile:
    """One file, read."""

    path: str
    """Relative to what was opened."""
    readings: tuple[Reading, ...]
    """Those of the formats found in it; of a transcript, one per command."""
    mtime: float | None = None
    manifest: Manifest | None = None
    sessions: tuple[Session, ...] = ()
    """Of a transcript."""
    told: tuple[SourceFile, ...] = ()
    """The lines it has in a list of files, their names relative to its folder."""
    empty: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_about_a_node(self) -> bool:
        """It tells facts of a node's network; without them a folder is no snapshot."""
        return self.manifest is not None or any(is_about_a_node(each.fragment) for each in self.readings)

    @property
    def is_recognised(self) -> bool:
        """Some format fits."""
        return self.manifest is not None or any(each.kind is not None for each in self.readings)

    def pieces(self, host: str | None = None) -> list[Piece]:
        """What goes into a state; of a transcript of several hosts, only that host's part."""
        if self.sessions:
            return [
                Piece(part.fragment, session.reading.hint.cut)
                for session in self.sessions
                if host is None or session.host in (host, None)
                for part in session.reading.parts()
            ]
        return [Piece(each.fragment, each.hint.cut) for each in self.readings]

    def node_name(self) -> str | None:
        """The node that a prompt names."""
        return node_of(self.sessions)


def read_blob(blob: Blob) -> ReadFile:
    """What one file of a snapshot is and tells.

    Raises:
        BadSnapshot: It is the manifest of a newer calitop.
    """
    name = blob.path.rsplit("/", 1)[-1]
    if blob.error is not None:
        return _unread(blob, name, blob.error)
    text = decode(blob.data)
    if text is None:
        return _unread(blob, name, "binary file")
    manifest = read_manifest(text)
    if manifest is not None:
        told = (SourceFile(name, MANIFEST, count_lines(text)),)
        return ReadFile(blob.path, (), blob.mtime, manifest, told=told)
    return replace(_read_text(text, blob.path, name), mtime=blob.mtime)


def _unread(blob: Blob, name: str, why: str) -> ReadFile:
    told = (SourceFile(name, None, 0, (Problem(None, "", why),)),)
    return ReadFile(blob.path, (), blob.mtime, told=told)


def _read_text(text: str, path: str, name: str) -> ReadFile:
    if has_named_prompts(text) or has_plain_prompts(text):
        found = _as_transcript(text, path, name)
        if found is not None:
            return found
    reading = recognise(text, hint_of_file_name(name))
    if reading.kind is None and is_transcript(text):
        found = _as_transcript(text, path, name)
        if found is not None:
            return found
    return ReadFile(path, reading.parts(), told=(_told(name, reading),), empty=not text.strip())


def _as_transcript(text: str, path: str, name: str) -> ReadFile | None:
    sessions = read_transcript(text)
    readings = tuple(part for session in sessions for part in session.reading.parts())
    if not any(says_something(reading.fragment) for reading in readings):
        return None
    whole = SourceFile(name, TRANSCRIPT, count_lines(text), prose(text, sessions))
    told = (whole, *(_told(f"{name}:{each.line} {each.command}", each.reading) for each in sessions))
    return ReadFile(path, readings, sessions=sessions, told=told)


def _told(name: str, reading: Reading) -> SourceFile:
    kinds = dict.fromkeys(part.kind for part in reading.parts() if part.kind is not None)
    problems = sorted(
        (problem for part in reading.parts() for problem in part.fragment.problems),
        key=lambda problem: problem.line or 0,
    )
    return SourceFile(
        name, " + ".join(kinds) or None, reading.lines, tuple(problems), reading.fragment.extra.get(NOTE)
    )


def with_manifest(read: ReadFile, told: ManifestFile) -> ReadFile:
    """The same file in the light of what the manifest says of it: the command, and how it ended."""
    hint = _hint_of(told)
    hint = replace(hint, succeeded=told.status == 0)
    failed = _failure(told)
    if read.empty:
        reading = recognise("", hint)
        if failed is not None:
            reading = replace(reading, fragment=Fragment(problems=(failed,)))
        return replace(read, readings=(reading,), told=(_told(read.told[0].file, reading),))
    readings = tuple(_rehinted(each, hint) for each in read.readings)
    if failed is None or not read.told:
        return replace(read, readings=readings)
    head = replace(read.told[0], problems=(*read.told[0].problems, failed))
    return replace(read, readings=readings, told=(head, *read.told[1:]))


def _rehinted(reading: Reading, hint: Hint) -> Reading:
    return replace(reading, fragment=apply_hint(reading.fragment, hint), hint=hint)


def _failure(told: ManifestFile) -> Problem | None:
    if told.status == 0:
        return None
    if told.status is None and told.error is None:
        return None
    why = told.error or f"exit status {told.status}"
    return Problem(None, told.command or told.file, why)


def _hint_of(told: ManifestFile) -> Hint:
    return hint_of_command(told.command) if told.command else hint_of_file_name(told.file)


def reading_of_missing(told: ManifestFile) -> Reading | None:
    """What a file tells that is not there because there is surely nothing; None for all others."""
    return recognise("", replace(_hint_of(told), succeeded=True)) if told.empty else None


def missing_file(told: ManifestFile) -> SourceFile:
    """The line of a file that the manifest names and that is not there, with the reason."""
    kind = recognise("", _hint_of(told)).kind
    if not told.asked:
        return SourceFile(told.file, kind, 0, (), told.error)
    problem = _failure(told) or Problem(
        None, told.command or told.file, "the manifest names it; it is not there"
    )
    return SourceFile(told.file, kind, 0, (problem,))
