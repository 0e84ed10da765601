"""Dialog: send a few packets, after saying exactly which; nothing is sent without its key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Button, Label

from calitop.errors import CalitopError, UsageError
from calitop.probe.known import KnownEnd, known_sources, known_targets
from calitop.probe.records import ProbeCancelled, Progress
from tui.clipboard import copy
from tui.draft import Draft
from tui.probe_form import ProbeForm
from tui.screens.files import BESIDE
from widgets.signs import Signs
from widgets.text import plain

if TYPE_CHECKING:
    from calitop.cni.index import NodeIndex
    from calitop.probe.plan import Plan
    from calitop.probe.prober import Prober
    from calitop.probe.records import ProbeResult, Request

PAUSE_S = 0.2
"""After the last key, before the node is asked what the draft comes to."""
BAR = 20
"""Cells of the bar at most."""
KEYS = "enter next, send  ctrl+s send  tab field  up down known  escape leave"
RUNNING_KEYS = "escape stop: nothing more is sent"
OFFLINE_KEYS = "enter next, copy  ctrl+s copy  tab field  up down known  escape leave"
OFFLINE = "A snapshot is a picture of the node: nothing can be sent from it."


class Left(NamedTuple):
    """How the dialog was left."""

    draft: Draft
    result: ProbeResult | None = None
    """The answer; None when nothing was probed."""


class Known(Message):
    """What the node knows to choose from."""

    def __init__(self, sources: list[KnownEnd], targets: list[KnownEnd]) -> None:
        super().__init__()
        self.sources = sources
        self.targets = targets


class Planned(Message):
    """What a draft comes to, or why to nothing."""

    def __init__(self, asked: int, plan: Plan | None, why: str = "") -> None:
        super().__init__()
        self.asked = asked
        self.plan = plan
        self.why = why


class Advanced(Message):
    """The probe made a step."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress


class Ended(Message):
    """The probe is over."""

    def __init__(self, result: ProbeResult | None, error: CalitopError | None = None) -> None:
        super().__init__()
        self.result = result
        self.error = error


def progress_words(progress: Progress, signs: Signs) -> str:
    """One line about a step: `SENDING  3/5 answered  ●●●··`."""
    if progress.stage in ("background", "baseline", "reading"):
        return f"{progress.stage.upper()}  {progress.words}{signs.cut}"
    head, word = ("WAITING", "seen") if progress.stage == "waiting" else ("SENDING", "answered")
    done, total = min(progress.done, progress.total), progress.total
    marks = done * min(total, BAR) // max(1, total)
    bar = signs.part * marks + signs.still * (min(total, BAR) - marks)
    return f"{head}  {done}/{total} {word}  {bar}"


class ProbeScreen(ModalScreen[Left]):
    """Asks for a probe, says what will be sent, sends it on its key, and waits for the answer."""

    BINDINGS = [
        Binding("escape", "leave", "leave", show=False),
        Binding("ctrl+s", "send", "send", show=False, priority=True),
        Binding("up", "known(-1)", show=False),
        Binding("down", "known(1)", show=False),
        *BESIDE,
    ]

    def __init__(
        self, index: Callable[[], NodeIndex], prober: Prober | None, draft: Draft, signs: Signs
    ) -> None:
        """Over the node of the index; without a prober nothing can be sent, only told how to."""
        super().__init__()
        self._index = index
        self._prober = prober
        self._draft = draft
        """What was looked up last; at first what the fields begin with."""
        self._signs = signs
        self._asked = 0
        self._plan: Plan | None = None
        self._command = ""
        self._soon: Timer | None = None
        self._stop: threading.Event | None = None
        """Set while a probe runs."""
        self._heard = ""
        self._result: ProbeResult | None = None

    def compose(self) -> ComposeResult:
        """Fields, what they come to, the button, the keys."""
        node = plain(self._index().state.name or "this node")
        with Vertical(classes="dialog", id="probe"):
            yield Label(f"Probe on {node}", classes="dialog-title", markup=False)
            yield ProbeForm(self._draft, self._signs)
            yield Label(id="probe-state", markup=False)
            yield Label(id="probe-words", markup=False)
            yield Button("send" if self._prober else "copy", id="probe-send", compact=True)
            yield Label(KEYS if self._prober else OFFLINE_KEYS, id="probe-keys", classes="dialog-keys")

    def on_mount(self) -> None:
        """Look up what can be chosen, and what the draft comes to."""
        self.query_one(Button).active_effect_duration = 0
        self.run_worker(self._find_known, thread=True, group="known")
        self._look()

    def on_unmount(self) -> None:
        """Whoever leaves the application stops the probe too."""
        if self._stop is not None:
            self._stop.set()

    @property
    def form(self) -> ProbeForm:
        """The fields."""
        return self.query_one(ProbeForm)

    def _find_known(self) -> None:
        """In a thread."""
        index = self._index()
        self.post_message(Known(known_sources(index), known_targets(index)))

    @on(Known)
    def _show_known(self, message: Known) -> None:
        self.form.show_known(message.sources, message.targets)

    def _say(self, state: str, words: str = "", look: str = "") -> None:
        label = self.query_one("#probe-state", Label)
        label.set_classes(look)
        label.update(plain(state))
        self.query_one("#probe-words", Label).update(plain(words))

    # Before anything is sent -------------------------------------------------------------

    @on(ProbeForm.Changed)
    def _changed(self) -> None:
        """What was said before no longer holds; what holds now is looked up when the typing rests."""
        if self.form.draft == self._draft:
            return
        self._draft = self.form.draft
        self._forget()
        if self._prober is None:
            self._look()
        else:
            self._say_looking()
            self._soon = self.set_timer(PAUSE_S, self._look)

    def _forget(self) -> None:
        self._asked += 1
        self._plan = None
        if self._soon is not None:
            self._soon.stop()

    def _say_looking(self) -> None:
        self._say("looking up what would be sent" + self._signs.cut)

    def _look(self) -> None:
        self._forget()
        try:
            request = self._draft.request()
        except UsageError as error:
            self._command = ""
            self._say("not complete" if self._prober else OFFLINE, str(error))
            return
        if self._prober is None:
            self._say_command(request)
            return
        self._say_looking()
        work = partial(self._find_plan, self._prober, self._asked, request)
        self.run_worker(work, thread=True, exclusive=True, group="plan")

    def _say_command(self, request: Request) -> None:
        from calitop.probe.plan import command_of

        self._command = command_of(request)
        name = self._index().state.name or "the node"
        self._say(OFFLINE, f"on {name}, live: sudo {self._command}")

    def _find_plan(self, prober: Prober, asked: int, request: Request) -> None:
        """In a thread."""
        try:
            planned = Planned(asked, prober.plan(self._index(), request))
        except CalitopError as error:
            planned = Planned(asked, None, str(error))
        self.post_message(planned)

    @on(Planned)
    def _show_plan(self, message: Planned) -> None:
        if message.asked != self._asked or self._stop is not None:
            return
        self._plan = message.plan
        if message.plan is None:
            self._fail("NOT POSSIBLE", message.why)
            return
        here = message.plan.why_not_here is None
        self.query_one(Button).label = "send" if here else "wait for the ping"
        self._say(
            "READY: on your key this is sent" if here else "READY: nothing is sent from here",
            message.plan.words,
            "-good",
        )

    def _fail(self, state: str, why: str) -> None:
        self._plan = None
        self.query_one(Button).label = "look again"
        self._say(state, why, "-bad")

    @on(ProbeForm.Finished)
    def _finished(self) -> None:
        self.set_focus(self.query_one(Button))

    def action_known(self, step: int) -> None:
        """Move in the list of what is known."""
        self.form.highlight(step)

    # Sending ---------------------------------------------------------------------------

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.action_send()

    def action_send(self) -> None:
        """Send exactly what stands there, or look up what would be; offline, copy the command."""
        self._changed()  # a key may have come that no message told of yet
        if self._prober is None:
            self.action_copy()
        elif self._stop is None and self._plan is None:
            self._look()
        elif self._stop is None and self._plan is not None:
            self._run(self._prober, self._plan)

    def action_copy(self) -> None:
        """The command that does the same; while that is not known, what is said."""
        if self._command:
            copy(self.app, f"sudo {self._command}", "the command")
            return
        said = (str(self.query_one(name, Label).content) for name in ("#probe-state", "#probe-words"))
        copy(self.app, "\n".join(filter(None, said)), "what would be sent")

    def _run(self, prober: Prober, plan: Plan) -> None:
        self._stop = threading.Event()
        self._lock(True)
        self.query_one(Button).label = "running" + self._signs.cut
        work = partial(self._probe, prober, plan, self._stop)
        self.run_worker(work, thread=True, group="probe")

    def _lock(self, locked: bool) -> None:
        self.query_one(Button).focus()
        self.form.disabled = locked
        self.query_one("#probe-keys", Label).update(RUNNING_KEYS if locked else KEYS)

    def _probe(self, prober: Prober, plan: Plan, stop: threading.Event) -> None:
        """In a thread."""

        def tell(progress: Progress) -> None:
            self.post_message(Advanced(progress))

        try:
            result = prober.probe(plan.request, tell, stop.is_set, plan)
            _ = result.answer.hooks  # computed here, off the event loop
            ended = Ended(result)
        except CalitopError as error:
            ended = Ended(None, error)
        self.post_message(ended)

    @on(Advanced)
    def _show_progress(self, message: Advanced) -> None:
        if self._plan is None or self._stop is None or self._stop.is_set():
            return
        progress = message.progress
        self._heard = progress_words(progress, self._signs)
        is_invitation = progress.stage == "waiting" and not progress.done
        self._say(self._heard, progress.words if is_invitation else self._plan.words, "-busy")

    @on(Ended)
    def _show_end(self, message: Ended) -> None:
        if message.result is not None:
            self._result = message.result
            self._show_answer()
            return
        self._stop = None
        self._lock(False)
        if isinstance(message.error, ProbeCancelled):
            self._fail("STOPPED by you", f"It had come to: {self._heard}")
        else:
            self._fail("NO ANSWER", str(message.error))

    @on(events.ScreenResume)
    def _show_answer(self) -> None:
        """At once, or when what was opened over this screen is closed."""
        if self._result is not None and self.is_active:
            self.dismiss(Left(self._draft, self._result))

    def action_leave(self) -> None:
        """Stop what is running; else, or when it does not stop, leave."""
        if self._stop is None or self._stop.is_set():
            self.dismiss(Left(self.form.draft))
            return
        self._stop.set()
        self._say("stopping" + self._signs.cut, "", "-busy")
