"""The command `calitop`: from words to an exit status. The one place that tells of errors."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from calitop.cli.arguments import CHECK, EXPLAIN, EXPLORE, HITS, PROBE, SAVE, SHOW, TRACE, Arguments, parse
from calitop.errors import CalitopError

_INTERRUPTED = 130
_BROKEN_PIPE = 141
_CANNOT_READ = 3
_MODULES = {
    EXPLORE: "calitop.cli.explore",
    SHOW: "calitop.cli.show",
    SAVE: "calitop.cli.save",
    HITS: "calitop.cli.hits",
    PROBE: "calitop.cli.probe",
    TRACE: "calitop.cli.trace",
    CHECK: "calitop.cli.check",
    EXPLAIN: "calitop.cli.explain",
}
"""Imported only when the command is given: most need neither terminal nor kernel."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `calitop`; those of this process when None.

    Returns:
        Exit status (interface.md, "Exit status").
    """
    _tolerate_any_text()
    # A node is left as it was: no __pycache__ beside the installed files.
    sys.dont_write_bytecode = True
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except CalitopError as error:
        _tell(str(error))
        return error.exit_code
    except BrokenPipeError:
        _close_stdout()
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        _close_stdout()
        where = f" '{error.filename}'" if error.filename else ""
        _tell(f"cannot read or write{where}: {error.strerror or error}")
        return _CANNOT_READ


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return _command(arguments)


def _command(arguments: Arguments) -> int:
    status = importlib.import_module(_MODULES[arguments.command]).run(arguments)
    assert isinstance(status, int)
    return status


def _tell(message: str) -> None:
    from calitop.report.text import printable

    print(f"calitop: {printable(message)}", file=sys.stderr)


def _tolerate_any_text() -> None:
    """What the locale cannot spell is written with escapes; it does not end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_stdout() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, so that the exit is silent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, io.UnsupportedOperation):
        pass
    finally:
        os.close(nowhere)
