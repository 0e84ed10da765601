"""`make differential`: predictions beside this kernel's own rule-by-rule trace. Root only.

    python -m tests.differential N [SEED]

SEED repeats a run. To see one router of it again, give `N` as 100 and the seed as the case prints it
(`4711.3`) in CALITOP_ROUTER.
"""

from __future__ import annotations

import os
import random
import sys
import time

from tests.differential.lacking import lacking
from tests.differential.run import BACKENDS, PACKETS_PER_ROUTER, Report, one_router, run
from tests.kernel.netns import why_not

_MOST_TOLD = 10


def main() -> int:
    """Run, print, and fail where the kernel was not foretold."""
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    seed = sys.argv[2] if len(sys.argv) > 2 else str(random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}; this kernel lacks: {', '.join(lacking()) or 'nothing'}", flush=True)
    start = time.perf_counter()
    report = _again() or run(int(sys.argv[1]), seed)
    took = time.perf_counter() - start
    print("\n\n".join(report.wrong[:_MOST_TOLD]))
    print(f"{report}; {report.packets / took:.0f}/s")
    for words, count in report.open.most_common(_MOST_TOLD):
        print(f"  undecided {count} times: {words}")
    return 1 if report.wrong else 0


def _again() -> Report | None:
    """One router of an earlier run."""
    wanted = os.environ.get("CALITOP_ROUTER")
    if not wanted:
        return None
    report = Report()
    one_router(report, wanted, PACKETS_PER_ROUTER, BACKENDS)
    return report


sys.exit(main())
