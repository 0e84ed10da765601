"""`manifest.json` of a snapshot: what was run, when, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from calitop.errors import BadSnapshot

SCHEMA = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One command of a capture."""

    file: str
    command: str | None = None
    status: int | None = None
    """Exit status; None when it was not run."""
    started_at: str | None = None
    """UTC, RFC 3339."""
    error: str | None = None
    asked: bool = True
    """False where there was nothing to ask (a module that is not loaded); no fault then."""
    empty: bool = False
    """Not asked, because there is surely nothing that it could have told."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself."""

    node: str | None = None
    captured_at: str | None = None
    kernel: str | None = None
    programs: Mapping[str, str] = field(default_factory=dict)
    files: tuple[ManifestFile, ...] = ()

    def file(self, name: str) -> ManifestFile | None:
        """What is said of the file of that name, or None."""
        return next((each for each in self.files if each.file == name), None)


def read_manifest(text: str) -> Manifest | None:
    """The manifest that a text is.

    Returns:
        None for any other text.

    Raises:
        BadSnapshot: Its schema is newer than this calitop.
    """
    if not text.lstrip().startswith("{") or '"schema"' not in text or '"files"' not in text:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("files"), list):
        return None
    schema = told.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool):
        return None
    if schema > SCHEMA:
        raise BadSnapshot(
            f"snapshot has schema {schema}, this calitop reads up to {SCHEMA}", "upgrade calitop"
        )
    files = tuple(_file(each) for each in told["files"] if isinstance(each, dict) and _text(each.get("file")))
    programs = told.get("programs")
    return Manifest(
        node=_text(told.get("node")),
        captured_at=_text(told.get("captured_at")),
        kernel=_text(told.get("kernel")),
        programs={str(k): str(v) for k, v in programs.items()} if isinstance(programs, dict) else {},
        files=files,
    )


def _file(told: Mapping[str, object]) -> ManifestFile:
    status = told.get("status")
    command = told.get("command")
    if isinstance(command, list):
        command = " ".join(str(word) for word in command)
    return ManifestFile(
        file=str(told["file"]),
        command=_text(command),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        started_at=_text(told.get("started_at")),
        error=_text(told.get("error")),
        asked=told.get("asked") is not False,
        empty=told.get("empty") is True,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def write_manifest(manifest: Manifest) -> str:
    """The text of a manifest, as interface.md lays it down."""
    body = {
        "schema": SCHEMA,
        "node": manifest.node,
        "captured_at": manifest.captured_at,
        "kernel": manifest.kernel,
        "programs": dict(manifest.programs),
        "files": [_written(each) for each in manifest.files],
    }
    return json.dumps(body, indent=1, ensure_ascii=True) + "\n"


def _written(each: ManifestFile) -> dict[str, object]:
    body: dict[str, object] = {
        "file": each.file,
        "command": each.command,
        "status": each.status,
        "started_at": each.started_at,
        "error": each.error,
    }
    if not each.asked:
        body["asked"] = False
    return {**body, "empty": True} if each.empty else body
