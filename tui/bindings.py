"""Every key of the explorer, once: bindings, help, footer and reference are made from this table.

The ids are what `~/.config/calitop/config.toml` names; they stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType

PANES = ("routes", "links", "chains", "detail")


@dataclass(frozen=True)
class Key:
    """One thing that can be asked for by a key."""

    id: str
    keys: str
    """Keys in Textual's names, separated by commas."""
    action: str
    """Action of the explorer screen."""
    label: str
    """One or two words for the footer."""
    help: str
    """What it does, in one sentence."""
    group: str
    footer: tuple[str, ...] = ()
    """Panes in whose footer it stands."""
    above_only: bool = False
    """Whether it is a key of a screen above the explorer alone, not of the explorer."""


KEYS = (
    Key("next_pane", "tab", "pane(1)", "pane", "Go to the next pane.", "Moving", PANES),
    Key("previous_pane", "shift+tab", "pane(-1)", "pane back", "Go to the previous pane.", "Moving"),
    Key("up", "up,k", "cursor('up')", "up", "One row up.", "Moving"),
    Key("down", "down,j", "cursor('down')", "down", "One row down.", "Moving"),
    Key(
        "left",
        "left,h",
        "side('left')",
        "close",
        "Close the chain or go to its parent; else the pane to the left.",
        "Moving",
    ),
    Key(
        "right",
        "right,l",
        "side('right')",
        "open",
        "Open the chain or go inside; else the pane to the right.",
        "Moving",
    ),
    Key("page_up", "pageup", "cursor('page_up')", "page up", "One page up.", "Moving"),
    Key("page_down", "pagedown", "cursor('page_down')", "page down", "One page down.", "Moving"),
    Key("home", "home,g", "cursor('home')", "first", "The first row.", "Moving"),
    Key("end", "end,G", "cursor('end')", "last", "The last row.", "Moving"),
    Key(
        "enter",
        "enter",
        "enter",
        "jump",
        "Jump: route to interface, interface to its cali-fw and cali-tw chains in turn, rule to its chain, "
        "or to its set where it leads to none.",
        "Jumping",
        PANES,
    ),
    Key("back", "backspace,alt+left", "back", "back", "Back to where the jump came from.", "Jumping", PANES),
    Key("forward", "alt+right", "forward", "forward", "Forward again after going back.", "Jumping"),
    Key("search", "slash", "search", "search", "Search all panes as you type.", "Finding", PANES),
    Key("search_next", "n", "search_step(1)", "next", "Next place that was found.", "Finding"),
    Key("search_previous", "N", "search_step(-1)", "previous", "Previous place that was found.", "Finding"),
    Key(
        "passed_by",
        "u",
        "passed_by",
        "unmatched",
        "In the path: the rules that did not match, each with the condition that failed.",
        "Finding",
        above_only=True,
    ),
    Key(
        "palette",
        "ctrl+p",
        "app.command_palette",
        "palette",
        "Every chain, interface, route, pod and rule comment by name, and every command.",
        "Finding",
    ),
    Key(
        "baseline",
        "b",
        "baseline",
        "baseline",
        "New baseline: count from now on. The kernel's counters are left alone.",
        "Counting",
        ("links", "chains"),
    ),
    Key(
        "hits",
        "i",
        "hits",
        "hits only",
        "Only rules hit since the baseline; in the answer, only what can be of the flow.",
        "Counting",
        ("chains",),
    ),
    Key(
        "answer",
        "a",
        "answer",
        "answer",
        "The answer: what moved, in the order a packet meets it, and where packets were lost.",
        "Counting",
        PANES,
    ),
    Key(
        "probe",
        "p",
        "probe",
        "probe",
        "Send a few pings from a pod and say where they were lost; first says what it will send, and asks.",
        "Counting",
        PANES,
    ),
    Key(
        "trace",
        "t",
        "trace",
        "path",
        "Predict the path of a packet across the nodes that are loaded, and of its answer.",
        "Counting",
        PANES,
    ),
    Key(
        "checks",
        "c",
        "checks",
        "checks",
        "Look for known faults on all nodes that are loaded; what could not be checked is said.",
        "Counting",
        PANES,
    ),
    Key("pause", "space", "pause", "pause", "Hold the picture still; polling goes on.", "Counting", PANES),
    Key("faster", "plus", "faster", "faster", "Poll faster, and keep to that.", "Counting"),
    Key("slower", "minus", "slower", "slower", "Poll slower, and keep to that.", "Counting"),
    Key(
        "automatic",
        "0",
        "automatic",
        "automatic",
        "Poll each second, or as often as costs little.",
        "Counting",
    ),
    Key("poll_now", "r", "poll_now", "poll now", "Poll now; a snapshot is read again.", "Counting"),
    Key("compare", "d", "compare", "compare", "Choose which moment to count from.", "Counting"),
    Key("open_below", "o", "open_below", "open all", "Expand or collapse all below.", "Showing", ("chains",)),
    Key(
        "arrangement",
        "v",
        "arrangement",
        "view",
        "Chains by hook, in the order a packet meets them, or by chain; the answer in order, or per hook; "
        "the path forward, or of the reply.",
        "Showing",
        ("chains",),
    ),
    *(
        Key(f"node_{n}", str(n), f"node({n})", f"node {n}", f"Node {n} of the opened snapshots.", "Showing")
        for n in range(1, 10)
    ),
    Key(
        "earlier_moment",
        "left_square_bracket",
        "moment(-1)",
        "earlier",
        "The node's moment before this one.",
        "Showing",
    ),
    Key(
        "later_moment",
        "right_square_bracket",
        "moment(1)",
        "later",
        "The node's moment after this one.",
        "Showing",
    ),
    Key("files", "f", "files", "files", "Every file that was read, and its problems.", "Showing"),
    Key("save", "s", "save", "save", "Save a snapshot of the live node; a path as text.", "Other"),
    Key(
        "copy",
        "y,ctrl+y",
        "copy",
        "copy",
        "Copy the selected thing as text; ctrl+y while something is typed.",
        "Other",
    ),
    Key(
        "help",
        "question_mark,f1",
        "help",
        "help",
        "What is on screen now, then all keys; f1 while something is typed.",
        "Other",
        PANES,
    ),
    Key("quit", "q", "app.quit", "quit", "Leave calitop.", "Other", PANES),
)

BY_ID: Mapping[str, Key] = {key.id: key for key in KEYS}

_GLYPHS = {
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def bindings() -> list[BindingType]:
    """The table as bindings of the explorer screen."""
    return [
        Binding(key.keys, key.action, key.label, id=key.id, tooltip=key.help, show=False)
        for key in KEYS
        if not key.above_only
    ]


def key_names(keys: str) -> str:
    """Keys as they are printed on a keyboard, separated by blanks."""
    return " ".join(_GLYPHS.get(key.strip(), key.strip()) for key in keys.split(","))


def keys_in_use(keymap: Mapping[str, str]) -> dict[str, str]:
    """Keys of every id, printed, with the operator's own in place of ours."""
    return {key.id: key_names(keymap.get(key.id, key.keys)) for key in KEYS}


def unknown_ids(ids: Iterable[str]) -> list[str]:
    """Ids that no key has."""
    return [name for name in ids if name not in BY_ID]
