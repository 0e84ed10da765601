"""What every sign, column, word and colour means; docs/reference.md has the same rows.

`tui.legend_page` chooses from these tables what is painted on the screen at a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """One row of the legend."""

    name: str
    """Field of `Signs`, column title, look, part of the status line, or pattern of a word."""
    means: str


SIGNS = (
    Entry("cursor", "the row with the cursor"),
    Entry("related", "belongs to what is selected in the other pane"),
    Entry("leads", "closed; something that belongs to the selection stands below it"),
    Entry("opened", "open: its rules stand below"),
    Entry("closed", "closed: enter or right opens it; 'moved' tells how many of its rules counted"),
    Entry("jump", "jump (-j): when that chain ends, the packet comes back here"),
    Entry("goto", "goto (-g): when that chain ends, the packet does not come back here but to the caller"),
    Entry("above", "that chain is already open above; enter leads there"),
    Entry("missing", "that chain is not in this text: what it does is not known"),
    Entry("hot", "counted in the newest poll, or between the two moments"),
    Entry("alarm", "a DROP or REJECT that counted: here packets are lost"),
    Entry("still", "zero: nothing per second, or nothing since the baseline"),
    Entry("unknown", "not told by what was read; never the same as zero"),
    Entry("at_least", "at least: the counter started from zero again since the baseline"),
    Entry("cut", "text cut to its column; the detail below has it whole"),
    Entry("bpf", "a BPF program or filter sits on this interface and decides before any rule"),
    Entry("agreed", "in the path: predicted, and it counted"),
    Entry("stood", "in the path: predicted, but it did not count"),
    Entry("unforeseen", "in the path: it counted without being predicted"),
    Entry("passed", "the packets arrived"),
    Entry("part", "the bar's marks: a fifth of the packets each; in a probe, one that was answered"),
    Entry("live", "the node is polled"),
    Entry("paused", "the picture is held; polling goes on"),
    Entry("offline", "a snapshot"),
    Entry("warning", "warnings on the state as a whole; f shows them"),
)

SIGNS_OF: Mapping[str, tuple[Entry, ...]] = {
    "finding": (Entry("jump", "enter leads there"),),
    "path": (Entry("alarm", "the packet ends here"),),
}
"""What a sign means in one pane, where that is not what it means elsewhere."""

COLUMNS = (
    Entry("dst", "prefix that the route is for"),
    Entry("via", "gateway; 'on link' without one; blackhole, unreachable … for routes that lead nowhere"),
    Entry("dev", "interface that the route leaves by"),
    Entry("table", "routing table, where it is not main"),
    Entry("pod", "pod behind the interface"),
    Entry("proto", "who put the route there, in the kernel's words"),
    Entry("metric", "of equal routes the lowest wins"),
    Entry("own", "owner in three letters and its colour"),
    Entry("name", "interface"),
    Entry("kind", "what the interface serves as"),
    Entry("up", "up or down as set (IFF_UP)"),
    Entry("mtu", "largest packet in bytes"),
    Entry("addresses", "addresses of the interface"),
    Entry("rx/s tx/s", "packets received and sent per second, live"),
    Entry("rx + tx +", "packets received and sent since the baseline, between two moments"),
    Entry("rx tx", "packets received and sent in all, in a single moment"),
    Entry("drops", "packets dropped in both directions, in all; loud when more since the baseline"),
    Entry("packets bytes", "a rule's or policy's own counters in the kernel"),
    Entry("since", "packets since the baseline"),
    Entry("/s", "packets per second between the two newest readings"),
    Entry("severity", "how bad it is"),
    Entry("node", "node that it is on"),
    Entry("finding", "what is the matter"),
    Entry("check", "id of the check; docs/checks.md has them all"),
    Entry("member", "the entry in ipset's words, options included"),
    Entry(
        "belongs to",
        "pod, service, node or device of this node that has the address, else the range of Calico or Cilium "
        "it lies in, where it is known",
    ),
    Entry("hook", "hook at which the packet is, or what else happens to it there"),
    Entry("chain #", "chain, and number of the rule in it; pol is its policy"),
    Entry("action", "what the rule does"),
    Entry("rule", "the rule's conditions and its remark"),
)

HEAT = (
    Entry("hot", "counted just now"),
    Entry("warm", "bold: counted a poll or two ago"),
    Entry("plain", "counted since the baseline, longer ago"),
    Entry("dim", "has not counted since the baseline, or stands aside"),
    Entry("alarm", "packets were thrown away here"),
    Entry("accept", "ACCEPT"),
    Entry("deny", "DROP, REJECT, blackhole; down; what could not be read"),
    Entry("note", "a remark: in quotes what the rule's author says of it"),
    Entry("link", "underlined: enter leads there"),
)

LOOKS_OF: Mapping[str, tuple[Entry, ...]] = {
    "routes": (Entry("deny", "leads nowhere"), Entry("dim", "stands aside")),
    "links": (
        Entry("deny", "down"),
        Entry("alarm", "packets were dropped since the baseline"),
        Entry("dim", "stands aside"),
    ),
    "chains": (
        Entry("accept", "lets packets through: ACCEPT"),
        Entry("deny", "throws packets away: DROP or REJECT"),
    ),
    "detail": (
        Entry("warm", "worth a look"),
        Entry("accept", "as its owner wrote it"),
        Entry("dim", "stands aside"),
    ),
    "answer": (
        Entry("alarm", "packets were lost here"),
        Entry("hot", "worth a look: packets came by, or are not accounted for"),
        Entry("warm", "counted"),
        Entry("deny", "DROP, REJECT"),
        Entry("dim", "stands aside; or cannot be of this flow"),
    ),
    "path": (
        Entry("alarm", "the packet ends here"),
        Entry("accept", "delivered; ACCEPT; counted as predicted"),
        Entry("hot", "undecided, or what moved speaks against it"),
        Entry("warm", "counted as predicted"),
        Entry("deny", "DROP, REJECT; where the packet ends"),
        Entry("dim", "the rule's words; node and hook as in the row above"),
    ),
    "checks": (
        Entry("alarm", "an error"),
        Entry("hot", "a warning"),
        Entry("warm", "not known: an input was missing"),
        Entry("accept", "every check was done, and none found more than information"),
        Entry("dim", "stands aside"),
    ),
    "finding": (Entry("dim", "stands aside"),),
    "members": (Entry("dim", "whom it belongs to"),),
    "files": (
        Entry("deny", "what could not be read or understood; warnings"),
        Entry("warm", "a counter that started over"),
        Entry("dim", "the line itself"),
    ),
}
"""What a look means in one pane, where that is not what it means elsewhere."""

_CHAIN_WORDS = (
    Entry(r"^policy \w+", "what the base chain does with packets whose way no rule ended"),
    Entry(r"^\d+ moved$", "so many rules of the closed chain counted since the baseline"),
    Entry(r"^by hook$", "chains in the order in which a packet meets them; v shows them by chain"),
    Entry(r"^by chain$", "every chain once, by its role; v shows them by hook"),
    Entry(r"^hits only$", "rules that have not counted since the baseline are hidden; i shows them"),
)
_VERDICTS = (
    Entry(r"^LOST", "packets were lost; the sentence says where"),
    Entry(r"^PASSED", "the packets passed; the sentence says how far that is known"),
    Entry(r"UNDECIDED", "what was read does not tell; it says what would"),
)
_COLLECT = Entry(r"^collect$", "what would decide it, cheapest first")

WORDS: Mapping[str, tuple[Entry, ...]] = {
    "routes": (Entry(r"in other tables", "routes that stand below those of the main table"),),
    "chains": _CHAIN_WORDS,
    "answer": (
        *_VERDICTS,
        Entry(r"^proof$", "what the verdict rests on"),
        Entry(r"^could be$", "one of several ends, with what it depends on"),
        Entry(r"^missing$", "what was not read"),
        _COLLECT,
        Entry(r"^tell$", "what you can say to narrow it"),
        Entry(r"^IN ORDER", "what moved, as a packet meets it; v shows it per hook"),
        Entry(r"^PER HOOK", "what came into each hook, and what went on"),
        Entry(r"^CANNOT BE OF THIS FLOW", "it moved too, but for other packets; i hides it"),
        Entry(r"^WHAT NO RULE SHOWS", "the kernel's own counters, and what the interfaces carried"),
        Entry(r"^STARTED OVER", "counters that began from zero again since the baseline"),
        Entry(r"^routing", "route of the flow's packets, or how many packets the kernel took there"),
        Entry(r"per flow", "a nat rule: it sees the first packet of a flow only"),
        Entry(r"\d+ of \d+$", "part of the expected packets that the place counted"),
    ),
    "path": (
        Entry(r"^DELIVERED", "the packet arrives"),
        Entry(r"^DROPPED", "thrown away without an answer"),
        Entry(r"^REJECTED", "thrown away with an answer to the sender"),
        Entry(r"^LEFT", "it leaves the nodes that were read"),
        _VERDICTS[-1],
        Entry(r"^but$", "what else is to be known of it"),
        Entry(r"^could be$", "one of several ends, with what decides it; enter goes to it"),
        _COLLECT,
        Entry(r"^assumed$", "what the prediction takes for granted"),
        Entry(r"^counters$", "how many of the predicted rules moved since the baseline"),
        Entry(r"^STEPS ON EVERY WAY", "what happens whatever is undecided"),
        Entry(r"^STEPS", "what the packet meets, in order"),
        Entry(r"^MOVED, NOT PREDICTED", "rules that counted and are not on this way"),
        Entry(r"^IF", "what this end depends on; enter opens and closes its steps"),
        Entry(r"^not$", "a rule that did not take the packet, and why"),
        Entry(r"^not\?$", "the same, where that is assumed"),
        Entry(r"^established$", "it takes later packets of the flow, not the first"),
    ),
    "checks": (
        Entry(r"ERROR$", "something is broken"),
        Entry(r"WARNING$", "something may break, or hide a fault"),
        Entry(r"INFO$", "good to know"),
        Entry(r"UNCHECKED$", "not known, because an input was missing; the detail says which"),
        Entry(r"(?<!UN)CHECKED$", "how many checks of this node were done"),
    ),
    "finding": (
        Entry(r"^evidence$", "its proof; enter leads to the very place"),
        Entry(r"^why$", "what it means"),
        Entry(r"^do$", "what would mend it; calitop does nothing itself"),
        Entry(r"^source$", "where this fault is known from"),
    ),
    "probe-state": (
        Entry(r"^READY", "it says exactly what its key will send; nothing was sent yet"),
        Entry(r"^not complete", "a field is missing, or cannot be read"),
        Entry(r"^looking up", "the node is asked what would be sent"),
        Entry(r"^SENDING", "packets are on their way; a mark for each that was answered"),
        Entry(r"^WAITING", "for the ping that you send yourself"),
        Entry(r"^(BACKGROUND|BASELINE|READING)", "counters are read, before or after the packets"),
        Entry(r"^NOT POSSIBLE", "nothing can be sent so; it says why"),
        Entry(r"^STOPPED", "you stopped it; it says how far it had come"),
        Entry(r"^NO ANSWER", "it was sent, but what came of it is not known; it says why"),
        Entry(r"^A snapshot", "nothing can be sent from a snapshot; the command for the node stands below"),
    ),
    "set-answer": (Entry(r"^.{1,24}", "whether the address is in the set, as the kernel would look it up"),),
}
"""Words that a pane puts there itself, as patterns of what stands in one piece or title."""

STATUS = (
    Entry("node", "name of the node, or the prefix of `--via`"),
    Entry("backend", "backends whose rules are shown: nft, legacy, native, joined by `+`"),
    Entry("live", "the node is polled; the seconds are the interval"),
    Entry("paused", "the picture is held; polling goes on"),
    Entry("offline", "a snapshot: it does not move"),
    Entry("not read", "the last poll failed; what is shown is older"),
    Entry("reading costs …", "why the interval is longer than a second"),
    Entry("node, moment", "which of the opened snapshots"),
    Entry("read … ago in …", "age and cost of the last poll"),
    Entry("read, old", "loud: the last poll is older than three intervals"),
    Entry("baseline", "when counting began, or the moment counted from"),
    Entry("failure", "why the last poll failed"),
    Entry(
        "restarted", "counters that started from zero again, or went away, since the baseline; `f` lists them"
    ),
    Entry("warnings", "of the state as a whole; `f` or a click shows them"),
    Entry("problems", "in the files; `f` or a click shows them"),
)
