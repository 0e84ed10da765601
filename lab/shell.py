"""Running the usual programs in namespaces. Everything the lab does to the kernel goes through here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[1]
"""Where `python -m lab…` works."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


def run(*words: str, stdin: str | None = None) -> str:
    """Output of a command.

    Raises:
        LabError: It failed, or is not installed.
    """
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, cwd=PROJECT)
    except FileNotFoundError:
        raise LabError(
            f"cannot run {words[0]!r}: not installed; install it (Debian: see docs/lab.md)"
        ) from None
    if done.returncode:
        raise LabError(f"`{' '.join(words)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def inside(namespace: str, *words: str, stdin: str | None = None) -> str:
    """Output of a command run in a namespace."""
    return run("ip", "netns", "exec", namespace, *words, stdin=stdin)


def batch(lines: Iterable[str], namespace: str | None = None) -> None:
    """Runs many `ip` commands as one process."""
    where = ("-n", namespace) if namespace else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


def scripts(texts: Mapping[str, str]) -> None:
    """Runs a shell script in each of these namespaces, side by side.

    Raises:
        LabError: One of them failed; all have ended.
    """
    running = {
        namespace: subprocess.Popen(
            ["ip", "netns", "exec", namespace, "sh", "-e"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for namespace in texts
    }
    failures = []
    for namespace, process in running.items():
        _, errors = process.communicate(texts[namespace])
        if process.returncode:
            failures.append(f"{namespace}: {errors.strip()}")
    if failures:
        raise LabError("cannot set up the namespaces: " + "; ".join(failures))
