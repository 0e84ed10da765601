"""`calitop save`: capture this node into a folder or one file."""

from __future__ import annotations

import sys

from calitop.cli.arguments import Arguments
from calitop.report.text import plural, printable
from calitop.snapshot.save import check_destination, is_kept, save
from calitop.sources.collect import collect, programs


def run(arguments: Arguments) -> int:
    """Read everything once and write it; what could not be read is named on standard error.

    Returns:
        Exit status 0.
    """
    assert arguments.dest is not None
    check_destination(arguments.dest)
    captures = collect(arguments.netns, arguments.via, arguments.pods)
    save(captures, arguments.dest, programs(captures))
    kept = sum(is_kept(each) for each in captures)
    print(f"calitop: saved {plural(kept, 'file')} to '{printable(str(arguments.dest))}'", file=sys.stderr)
    for each in captures:
        if each.error is not None and each.asked:
            print(printable(f"calitop: not complete: {each.command}: {each.error}"), file=sys.stderr)
    return 0
