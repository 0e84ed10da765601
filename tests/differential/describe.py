"""A disagreement as text: the packet, what the kernel did, what was predicted, and in what they part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from calitop.model.rules import Chain
from calitop.path.node import Node
from tests.differential.compare import Predicted
from tests.differential.kernel_trace import Seen
from tests.differential.packets import Sent
from tests.differential.wires import Observed

_MOST_WAYS = 4


def described(
    node: Node, seed: str, sent: Sent, observed: Observed, found: Sequence[tuple[Predicted, list[str]]]
) -> str:
    """The whole case; its seed makes the router again."""
    return "\n".join(_lines(node, seed, sent, observed, found))


def _lines(
    node: Node, seed: str, sent: Sent, observed: Observed, found: Sequence[tuple[Predicted, list[str]]]
) -> Iterator[str]:
    came = "; ".join(map(str, observed.out)) or observed.refused or f"lost, {observed.moved}"
    yield f"router {seed}: {sent}"
    yield f"  kernel: {came}"
    yield from _rules(node, observed.rules)
    for one, wrong in found[:_MOST_WAYS]:
        conditions = " and ".join(each.words for each in one.flight.conditions)
        yield f"  predicted: {one}{f' if {conditions}' if conditions else ''}"
        yield from _rules(node, (rule for rule, _mark in one.rules))
        yield from (f"    ! {line}" for line in wrong)


def _rules(node: Node, seen: Iterable[Seen]) -> Iterator[str]:
    chains = {(key.backend, key.table, key.chain): chain for key, chain in node.chains.items()}
    for one in seen:
        yield f"    {one.backend} {_text(chains[one.backend, one.table, one.chain], one)}"


def _text(chain: Chain, one: Seen) -> str:
    if one.number is None:
        return f"{one.table} {one.chain} policy"
    return f"{one.table} [{one.number}] {chain.rules[one.number - 1].text}"
