"""What every sign, column and colour on screen means; docs/reference.md has the same rows."""

from __future__ import annotations

from typing import NamedTuple

from widgets.facts import Fact
from widgets.signs import Signs
from widgets.wording import OWNER_SIGNS


class Entry(NamedTuple):
    """One row of the legend."""

    name: str
    """Field of `Signs`, column title, or look."""
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
    Entry("still", "zero per second"),
    Entry("unknown", "not told by what was read; never the same as zero"),
    Entry("at_least", "at least: the counter started from zero again since the baseline"),
    Entry("cut", "text cut to its column; the detail below has it whole"),
    Entry("bpf", "a BPF program or filter sits on this interface and decides before any rule"),
    Entry("agreed", "in the path: predicted, and it counted"),
    Entry("stood", "in the path: predicted, but it did not count"),
    Entry("unforeseen", "in the path: it counted without being predicted"),
    Entry("live", "the node is polled"),
    Entry("paused", "the picture is held; polling goes on"),
    Entry("offline", "a snapshot"),
    Entry("warning", "warnings on the state as a whole; f shows them"),
)

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
)

HEAT = (
    Entry("hot", "counted just now"),
    Entry("warm", "bold: counted a poll or two ago"),
    Entry("plain", "counted since the baseline, longer ago"),
    Entry("dim", "has not counted since the baseline, or stands aside"),
    Entry("alarm", "packets were thrown away here"),
    Entry("accept", "ACCEPT"),
    Entry("deny", "DROP, REJECT, blackhole; down; what could not be read"),
)


def legend(signs: Signs, *, live: bool) -> list[Fact]:
    """Lines of the first help page, with the signs in use and the columns of this kind of view."""
    facts = [Fact("Signs", "strong")]
    facts += [Fact(f"  {getattr(signs, entry.name):<4} {entry.means}") for entry in SIGNS]
    facts += [Fact(""), Fact("Columns", "strong")]
    skipped = ("rx + tx +", "rx tx") if live else ("rx/s tx/s", "/s")
    facts += [Fact(f"  {entry.name:<14} {entry.means}") for entry in COLUMNS if entry.name not in skipped]
    facts += [Fact(""), Fact("Owners", "strong")]
    facts += [Fact(f"  {sign}  {owner}", owner) for owner, sign in OWNER_SIGNS.items()]
    facts += [Fact("  others by their first three letters", "other")]
    facts += [Fact(""), Fact("Looks", "strong")]
    facts += [
        Fact(f"  {entry.name:<8} {entry.means}", "" if entry.name == "plain" else entry.name)
        for entry in HEAT
    ]
    return facts
