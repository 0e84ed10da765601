"""End the explorer when its terminal is gone, however it was started.

The kernel tells only the leader of a session that its terminal hung up. Below a program that
keeps that to itself (`make`, some wrappers), reading the dead terminal gives nothing, at once and
for ever, and the explorer would stay behind and keep a core busy.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time

_IGNORED_AFTER_S = 1.0
"""Still here then: the signal is ignored, as below `nohup`."""


def end_with_the_terminal(terminal: int = 0) -> None:
    """Have this process end as by SIGHUP once a terminal hangs up; costs nothing until then.

    Args:
        terminal: File descriptor of the terminal. What is none is not watched.
    """
    if hasattr(select, "poll") and os.isatty(terminal):
        threading.Thread(target=_wait, args=(terminal,), name="hangup", daemon=True).start()


def _wait(terminal: int) -> None:
    waiting = select.poll()
    waiting.register(terminal, 0)  # a hang-up is told without being asked for (poll(2))
    waiting.poll()
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(_IGNORED_AFTER_S)
    os._exit(128 + signal.SIGHUP)
