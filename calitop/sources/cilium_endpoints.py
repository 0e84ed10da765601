"""Cilium's endpoints on this node, from the small files that its agent keeps to restore them.

Of each file only what tells the pod is taken (`formats/cilium_state.py`); programs and maps that
stand beside it are not opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calitop.formats import cilium_state

_LONGEST = 1 << 20


def endpoints_text(state: Path) -> str:
    """One line for each endpoint, `PATH:JSON`.

    Args:
        state: The folder of all endpoints.

    Raises:
        OSError: It, or every file in it, may not be read.
    """
    folders = sorted(
        (path for path in state.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name)
    )
    found = [_endpoint(folder) for folder in folders]
    failed = [each for each in found if isinstance(each, OSError)]
    if failed and len(failed) == len(found):
        raise failed[0]
    remarks = [f"# cannot read '{each.filename}': {each.strerror}\n" for each in failed]
    return "".join([each for each in found if isinstance(each, str)] + remarks)


def _endpoint(folder: Path) -> str | OSError:
    """The endpoint of one folder; nothing of one that vanished meanwhile or has no file yet."""
    for path in (folder / name for name in cilium_state.FILES):
        try:
            with path.open("rb") as source:
                text = source.read(_LONGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            return error
        if told := cilium_state.reduced("".join(f"{path}:{line}\n" for line in _telling(text))):
            return told
    return ""


def _telling(text: str) -> Iterator[str]:
    """The line that tells the endpoint: of a C header the marked one, else all as one."""
    marked = [line for line in text.splitlines() if cilium_state.MARK in line]
    yield from marked[:1] or [" ".join(text.split("\n"))]
