"""What calitop explains as plain text: whole nodes, or the things asked about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from textwrap import wrap

from calitop.cni.rule_index import RuleRef
from calitop.explain.about import Asked
from calitop.explain.about_marks import known_by
from calitop.explain.hash_words import MORE_BROKEN, ChainHashes, HashVerdict, ipvs_words
from calitop.explain.node_summary import NodeSummary, Owners
from calitop.explain.plain_facts import chain_words, rule_place
from calitop.explain.static_chains import StaticChain
from calitop.explain.told import Told, ToldRule
from calitop.model.rules import ChainKey
from calitop.report.text import columns, plural, printable

_LISTED = 12
"""Chains and endpoints that are named in a text; all stand in the JSON."""
_VERDICTS: dict[HashVerdict, str] = {
    "untouched": "untouched and complete",
    "edited": "edited by someone else",
    "filtered": "cut by a filter such as grep",
    "unknown": "not judged",
}
_UNKNOWN = "unknown"
_NO_BPF = "nothing that was read shows that BPF decides here instead of rules"
_IDENTITY = "Cilium identity"


def summary_text(nodes: Sequence[NodeSummary], static: Sequence[StaticChain], width: int) -> str:
    """Whole nodes, and what two or more of them have in common.

    Args:
        nodes: Each node.
        static: Static chains compared; empty for a single node.
        width: Columns to wrap sentences at.
    """
    parts = [list(_node(one, width)) for one in nodes]
    if len(nodes) > 1:
        parts.append(list(_static(nodes, static)))
    return _joined(parts)


def about_text(asked: Sequence[Asked], width: int) -> str:
    """The things asked about, each under its title.

    Args:
        asked: The questions with what was found.
        width: Columns to wrap sentences at.
    """
    found = [(node, told) for one in asked for node, told in one.found]
    several = len({node for node, _ in found}) > 1
    return _joined([list(_told(node if several else None, told, width)) for node, told in found])


def _joined(parts: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(printable(line) for line in lines) for lines in parts) + "\n"


# -- things ------------------------------------------------------------------------------


def _told(node: str | None, told: Told, width: int) -> Iterator[str]:
    yield f"{told.title}" + ("" if node is None else f"  (on {node})")
    for line in told.lines:
        yield from _wrapped(line, width, "  ")
    for rule in told.rules:
        yield from _rule(rule, width)


def _rule(rule: ToldRule, width: int) -> Iterator[str]:
    number = f"{'?' if rule.number is None else rule.number:>5}  "
    for at, line in enumerate(_lines(rule.words, width - len(number))):
        yield f"{number if at == 0 else ' ' * len(number)}{line}"


def _wrapped(text: str, width: int, indent: str) -> Iterator[str]:
    for at, line in enumerate(_lines(text, width - len(indent) - 2)):
        yield f"{indent}{'  ' if at else ''}{line}"


def _lines(text: str, width: int) -> list[str]:
    return wrap(printable(text), max(width, 20), break_on_hyphens=False, break_long_words=False)


# -- whole nodes --------------------------------------------------------------------------


def _node(one: NodeSummary, width: int) -> Iterator[str]:
    state = one.index.state
    yield f"{state.name or 'a node without a name'}" + (f"  {state.captured_at}" if state.captured_at else "")
    sections = (
        ("WHO PROGRAMS WHAT", _programs(one, width)),
        ("HASHES OF FELIX", _hashes(one, width)),
        ("PACKET MARK", _marks(one, width)),
        ("OWNERS", _owners(one)),
        ("NOT KNOWN, AND WHAT WOULD TELL", _open(one, width)),
    )
    for title, lines in sections:
        told = list(lines)
        if told:
            yield title
            yield from told


def _programs(one: NodeSummary, width: int) -> Iterator[str]:
    yield from columns(
        (
            each.owner,
            each.family,
            each.backend_words,
            f"{plural(each.chains, 'chain')}, {plural(each.rules, 'rule')}",
            "in " + ", ".join(each.tables),
        )
        for each in one.programs
    )
    if one.has_calico:
        yield f"  {one.version.words()}"
        yield from (f"    {words}: {_place(one, ref)}" for words, ref in one.version.proofs)
        yield f"  {ipvs_words(one.index)}"
    if one.index.state.has_no_rules:
        yield "  no rule of iptables or nft is here"
    yield from _wrapped(_NO_BPF if one.bpf is None else str(one.bpf), width, "  ")


def _place(one: NodeSummary, ref: RuleRef | ChainKey) -> str:
    return rule_place(one.index, ref) if isinstance(ref, RuleRef) else f"chain {chain_words(ref)}"


def _hashes(one: NodeSummary, width: int) -> Iterator[str]:
    counts = one.hash_counts
    if counts:
        said = [f"{plural(counts.get('match', 0), 'rule')} verified"]
        said += [f"{counts['differs']} differ"] if counts.get("differs") else []
        said += [f"{counts['unknown']} not judged"] if counts.get("unknown") else []
        said += [f"{counts['foreign']} without a hash in Calico's chains"] if counts.get("foreign") else []
        yield f"  {', '.join(said)}"
    for verdict, words in _VERDICTS.items():
        found = [(key, told) for key, told in one.hashes.items() if told.verdict == verdict]
        if found:
            label = words if verdict != "edited" or one.judged else "not judged"
            yield f"  {label}: {plural(len(found), 'chain')}"
            if verdict == "edited" and not one.judged:
                yield f"    {MORE_BROKEN}"
            elif verdict != "untouched":
                yield from _listed(found, width)


def _listed(found: Sequence[tuple[ChainKey, ChainHashes]], width: int) -> Iterator[str]:
    for key, told in islice(found, _LISTED):
        yield from _wrapped(f"{chain_words(key)}: {told.words}", width, "    ")
    if len(found) > _LISTED:
        yield f"    and {len(found) - _LISTED} more"


def _marks(one: NodeSummary, width: int) -> Iterator[str]:
    yield from columns((f"{each.bits:#010x}", each.name, known_by(one.index, each)) for each in one.marks)
    shown = one.endpoints[:_LISTED]
    yield from columns(
        ((f"{each.mark:#010x}", each.interface, each.pod, each.how) for each in shown), indent="    "
    )
    if len(one.endpoints) > _LISTED:
        yield f"    and {len(one.endpoints) - _LISTED} more endpoint marks"
    for name, shares in _shared(one).items():
        only = "; it stands there only where Cilium's own field says so" * (name == _IDENTITY)
        yield from _wrapped(f"{name} shares bits with {', '.join(shares)}{only}", width, "  ")


def _shared(one: NodeSummary) -> dict[str, list[str]]:
    """The overlaps by the later meaning: Cilium's identity shares bits with nearly everything."""
    found: dict[str, list[str]] = {}
    for first, second, bits in one.overlaps:
        found.setdefault(second, []).append(f"{first} ({bits:#x})")
    return found


def _owners(one: NodeSummary) -> Iterator[str]:
    owners = dict.fromkeys(owner for counts in one.owners.values() for owner in counts)
    named = [*(owner for owner in owners if owner is not None), *([None] if None in owners else [])]
    if named:
        head: list[str | None] = ["made by", *(owner or _UNKNOWN for owner in named)]
        yield from columns([head, *(_owner_row(kind, each, named) for kind, each in one.owners.items())])


def _owner_row(kind: str, counts: Owners, named: Sequence[str | None]) -> list[str | None]:
    return [kind, *(str(counts[owner]) if owner in counts else None for owner in named)]


def _open(one: NodeSummary, width: int) -> Iterator[str]:
    for each in one.open:
        yield from _wrapped(f"{each.what}: needs {each.needs}", width, "  ")


# -- several nodes ------------------------------------------------------------------------


def _static(nodes: Sequence[NodeSummary], static: Sequence[StaticChain]) -> Iterator[str]:
    names = [one.index.state.name or "?" for one in nodes]
    yield f"CALICO'S STATIC CHAINS ON {', '.join(names)}"
    if not static:
        yield "  none was read"
    for is_equal, words in ((True, "equal"), (False, "different"), (None, "not comparable")):
        found = [one for one in static if one.is_equal is is_equal]
        if found:
            yield f"  {words}: {plural(len(found), 'chain')}"
            yield from (f"    {chain_words(one.key)}{_each(names, one)}" for one in found)


def _each(names: Sequence[str], one: StaticChain) -> str:
    """Per node what differs, or why it cannot be told."""
    if one.is_equal:
        return ""
    told = (
        f"{name}: {each.why or each.signature or 'no rules'}"
        for name, each in zip(names, one.nodes, strict=True)
    )
    return "  " + ", ".join(told)
