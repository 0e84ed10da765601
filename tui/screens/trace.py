"""The predicted path of a packet over the whole screen: what is asked, and its way there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen

from calitop.errors import CalitopError
from tui.bindings import BY_ID, keys_in_use
from tui.clipboard import copy
from tui.draft import PathDraft
from tui.ends_form import EndsForm
from tui.path_form import PathForm
from tui.pictures import Foreteller, Foretold
from tui.screens.files import MOVING
from tui.ticket import TICKET_WIDTH, save_ticket
from widgets.answer_line import Place
from widgets.key_line import KeyHint, KeyLine
from widgets.pane_tabs import PaneTabs, Tab
from widgets.path_lines import verdict_words
from widgets.path_list import PathList
from widgets.path_shown import ShownPath, step_text
from widgets.signs import Signs
from widgets.virtual_rows import VirtualRows

if TYPE_CHECKING:
    from calitop.probe.known import KnownEnd

WAYS = {"forward": "Forward", "reply": "Reply"}
"""The packet's way and its answer's, and what their tabs are called."""
LOOK_AGAIN_S = 2.0
"""Between two looks at the counters of a live node."""
ASK = "Choose a source and a destination: the path between them is predicted from what was read of the nodes."
NO_ANSWER = "No way delivers the packet, so there is no answer to follow."

FIELD_LABELS = {
    "enter": "next, predict",
    "up": "known",
    "down": "known",
    "next_pane": "next field",
    "previous_pane": "field before",
}
"""What the keys do while something is typed."""

ACTIONS = {
    "up": "cursor('up')",
    "down": "cursor('down')",
    "enter": "enter",
    "left": "side('left')",
    "right": "side('right')",
    "arrangement": "turn",
    "passed_by": "passed_by",
    "open_below": "open_below",
    "next_pane": "app.focus_next",
    "previous_pane": "app.focus_previous",
    "baseline": "baseline",
    "poll_now": "ask",
    "save": "save",
    "copy": "copy",
    "help": "app.explain_keys",
    "trace": "leave",
    "back": "leave",
}
"""What the explorer's keys do here, by their ids: a key of the operator's own works in both."""


class Left(NamedTuple):
    """How the screen was left."""

    draft: PathDraft
    place: Place | None = None
    """Where the operator goes; None to go back."""


class Known(Message):
    """What the nodes know to choose from."""

    def __init__(self, sources: list[KnownEnd], targets: list[KnownEnd]) -> None:
        super().__init__()
        self.sources = sources
        self.targets = targets


class Predicted(Message):
    """The path is there, or the reason why there is none."""

    def __init__(self, asked: int, foretold: Foretold | None, why: str = "") -> None:
        super().__init__()
        self.asked = asked
        self.foretold = foretold
        self.why = why


class TraceScreen(Screen[Left]):
    """A packet's path; dismissed with where the operator goes."""

    BINDINGS = [
        Binding("escape,q", "leave", show=False),
        *(Binding(BY_ID[name].keys, action, id=name, show=False) for name, action in ACTIONS.items()),
        *MOVING,
    ]

    def __init__(
        self,
        foreteller: Foreteller,
        draft: PathDraft,
        signs: Signs,
        serial: Callable[[], int | None] = lambda: None,
        rebase: Callable[[], None] | None = None,
    ) -> None:
        """Over the nodes that the foreteller has.

        Args:
            foreteller: Predicts, in threads.
            draft: What the fields begin with.
            signs: Of this terminal.
            serial: Another number when counters of a live node moved; None for snapshots.
            rebase: Takes a new baseline; None where that is not done from here.
        """
        super().__init__()
        self._foreteller = foreteller
        self._draft = draft
        self._signs = signs
        self._serial = serial
        self._rebase = rebase
        self._seen: int | None = None
        self._asked = 0
        self._foretold: Foretold | None = None
        self._way = "forward"
        self._with_passed = False

    def compose(self) -> ComposeResult:
        """What is asked, both ways, the keys."""
        yield PathForm(self._draft, self._signs)
        yield PaneTabs()
        for way in WAYS:
            yield PathList(signs=self._signs, css_id=f"path-{way}")
        yield KeyLine()

    def on_mount(self) -> None:
        """Look up what can be chosen, and ask at once where enough is said."""
        self._show_way()
        self.run_worker(self._find_known, thread=True, group="known")
        self.set_interval(LOOK_AGAIN_S, self._look_again)
        if self.form.missing is not None:
            self._say(ASK)

    def begin(self, draft: PathDraft) -> None:
        """Shown once more, maybe for another packet; what was found stays until it is found anew."""
        if draft != self.form.draft:
            self.form.fill_in(draft)
        self.run_worker(self._find_known, thread=True, group="known")
        if self.form.missing is None:
            self.action_ask()

    @property
    def form(self) -> PathForm:
        """The fields."""
        return self.query_one(PathForm)

    @property
    def rows(self) -> PathList:
        """The way that is shown."""
        return self._rows(self._way)

    def _rows(self, way: str) -> PathList:
        return self.query_one(f"#path-{way}", PathList)

    # What can be chosen ------------------------------------------------------------------

    def _find_known(self) -> None:
        """In a thread."""
        self.post_message(Known(*self._foreteller.known()))

    @on(Known)
    def _show_known(self, message: Known) -> None:
        self.form.show_known(message.sources, message.targets)

    # Asking ----------------------------------------------------------------------------

    @on(EndsForm.Finished)
    def _finished(self) -> None:
        if self.form.missing is None:
            self.rows.focus()
            self.action_ask()

    def action_ask(self) -> None:
        """Predict in a thread; an older question is dropped."""
        self._asked += 1
        self._draft = self.form.draft
        self._seen = self._serial()
        if self._foretold is None:
            self._say("following the packet" + self._signs.cut)
        work = partial(self._work, self._asked, self._draft)
        self.run_worker(work, thread=True, exclusive=True, group="path")

    def _look_again(self) -> None:
        """What counted since, while the screen is looked at and says what is asked."""
        is_new = self._foretold is not None and self._serial() != self._seen
        if is_new and self.is_current and self.form.draft == self._draft:
            self.action_ask()

    def _work(self, asked: int, draft: PathDraft) -> None:
        """In a thread."""
        try:
            predicted = Predicted(asked, self._foreteller.foretell(draft.question()))
        except CalitopError as error:
            predicted = Predicted(asked, None, _in_words_of_the_form(str(error)))
        self.post_message(predicted)

    @on(Predicted)
    def _show(self, message: Predicted) -> None:
        if message.asked != self._asked:
            return
        former, self._foretold = self._foretold, message.foretold
        if self._foretold is None:
            self._say(message.why)
            return
        is_same = former is not None and former.told.traced == self._foretold.told.traced
        self._fill("forward", self._foretold.forward, keep=is_same)
        self._fill("reply", self._foretold.reply, keep=is_same)
        if not is_same:
            self._way = "forward"
        self._show_way()

    def _fill(self, way: str, shown: ShownPath | None, *, keep: bool) -> None:
        rows = self._rows(way)
        if shown is None:
            rows.say(NO_ANSWER)
        elif keep:
            rows.show_again(shown)
        else:
            rows.show_path(shown)

    def _say(self, text: str) -> None:
        """Words in place of both ways."""
        self._foretold, self._way = None, "forward"
        for way in WAYS:
            self._rows(way).say(text)
        self._show_way()

    # Showing ---------------------------------------------------------------------------

    def _show_way(self) -> None:
        """The chosen way, its tab, and the keys."""
        had_focus = isinstance(self.focused, PathList)
        for way in WAYS:
            self._rows(way).set_class(way == self._way, "-active")
        if had_focus:
            self.rows.focus()
        tabs = [Tab(way, f"{title}  {self._tab_words(way)}".rstrip()) for way, title in WAYS.items()]
        self.query_one(PaneTabs).show_tabs(tabs, self._way)
        self._say_keys()

    def _tab_words(self, way: str) -> str:
        if self._foretold is None:
            return ""
        shown = self._foretold.forward if way == "forward" else self._foretold.reply
        return self._signs.unknown if shown is None else verdict_words(shown.path.verdict, self._signs)

    def _say_keys(self) -> None:
        """Below: what each key does now."""
        chosen: Mapping[str, str] = getattr(self.app, "chosen_keys", {})
        keys = {name: keys.split(" ")[0] for name, keys in keys_in_use(chosen).items()}
        labels = self._path_labels() if isinstance(self.focused, PathList) else FIELD_LABELS
        hints = [KeyHint(name, keys[name], label) for name, label in labels.items()]
        self.query_one(KeyLine).show_hints([*hints, KeyHint("back", "escape", "back")])

    def _path_labels(self) -> dict[str, str]:
        has_branches = self.rows.shown is not None and self.rows.shown.branches
        return {
            "enter": "go",
            "arrangement": "reply" if self._way == "forward" else "forward",
            "passed_by": "matched only" if self._with_passed else "unmatched",
            **({"open_below": "open all"} if has_branches else {}),
            "next_pane": "fields",
            "save": "save",
            "copy": "copy",
            "help": "help",
        }

    def on_descendant_focus(self) -> None:
        """In a field other keys count than in the path."""
        self._say_keys()

    @on(KeyLine.KeyClicked)
    async def _key_clicked(self, message: KeyLine.KeyClicked) -> None:
        await self.run_action(ACTIONS[message.key_id])

    @on(PaneTabs.TabClicked)
    def _tab_clicked(self, message: PaneTabs.TabClicked) -> None:
        self._way = message.pane
        self._show_way()

    def action_turn(self) -> None:
        """The way there, or the answer's way back."""
        self._way = "reply" if self._way == "forward" else "forward"
        self._show_way()

    def action_passed_by(self) -> None:
        """Rules that did not match, or only those that did."""
        self._with_passed = not self._with_passed
        for way in WAYS:
            self._rows(way).show_passed(self._with_passed)
        self._say_keys()

    def action_open_below(self) -> None:
        """The steps of all branches, or of none."""
        self.rows.action_open_below()

    def action_baseline(self) -> None:
        """Count from now on."""
        if self._rebase is None:
            self.notify(
                "a snapshot does not move: d chooses the moment counted from", timeout=5, markup=False
            )
        else:
            self._rebase()

    # Moving ----------------------------------------------------------------------------

    def action_cursor(self, how: str) -> None:
        """Move in the list of known ends while one is asked for, else in the path."""
        steps = {"up": -1, "down": 1}
        if not (how in steps and self.form.highlight(steps[how])):
            self.rows.action_cursor(how)

    def action_side(self, how: str) -> None:
        """Open or close a branch."""
        self.rows.action_side(how)

    def action_enter(self) -> None:
        """Go where the line leads."""
        self.rows.action_enter()

    @on(VirtualRows.Entered)
    def _entered(self, message: VirtualRows.Entered) -> None:
        place = self.rows.place(message.line)
        if place is not None:
            self.dismiss(Left(self.form.draft, place))

    def action_leave(self) -> None:
        """Out of the fields to the path, where there is one; else back to where the screen was opened."""
        if self._foretold is not None and not isinstance(self.focused, PathList):
            self.rows.focus()
        else:
            self.dismiss(Left(self.form.draft))

    # Taking away -----------------------------------------------------------------------

    def _text(self) -> str | None:
        """What the command prints."""
        from calitop.report.trace_text import trace_text

        if self._foretold is None:
            self.notify("there is no path yet", timeout=5, markup=False)
            return None
        return trace_text(self._foretold.told, TICKET_WIDTH, not_matching=self._with_passed)

    def action_copy(self) -> None:
        """The step of the line; from the verdict both ways, as the command prints them."""
        rows = self.rows
        step = rows.step(rows.cursor) if isinstance(self.focused, PathList) else None
        if step is not None:
            copy(self.app, step_text(step), f"a step on {step.step.node}")
        elif (text := self._text()) is not None:
            copy(self.app, text, "the whole path")

    def action_save(self) -> None:
        """Both ways into a file."""
        text = self._text()
        if text is not None:
            ends = f"{self._draft.source}-{self._draft.target}".replace("/", "-").replace(":", "-")
            save_ticket(self, f"path-{ends}.txt", "Save this path as text to", text)


def _in_words_of_the_form(told: str) -> str:
    """An error in the words of this screen: what is an option of the command is a field here."""
    return told.replace("say --on NODE --in INTERFACE", "fill in 'at' as node:interface").replace(
        "say --in INTERFACE", "fill in 'at' as node:interface"
    )
