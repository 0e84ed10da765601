"""What reading, outlining and searching cost without a terminal."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from time import thread_time

from calitop.check.catalogue import check
from calitop.cni.index import NodeIndex
from calitop.explain.chain_words import explain_chain
from calitop.explain.hash_words import chain_hashes
from calitop.explain.rule_words import explain_rule
from calitop.formats import iptables_save
from calitop.garbage import no_collections
from calitop.model.node import NodeState
from calitop.outline import Outline
from calitop.outline.content import View
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.trace import Request, trace
from calitop.search import search
from calitop.snapshot.open import open_snapshots
from tests.perf.generate import SIZES, pod_address, service_address
from tests.perf.generate import iptables_save as save_text
from tests.perf.table import Row, median_ms
from tui.app import COLLECT_RARELY


def engine_rows(size: str, folder: Path) -> Iterator[Row]:
    """Reading, outlining and searching without a terminal."""
    text = save_text(SIZES[size])
    lines = median_ms(text.splitlines)
    yield Row(f"{size}: split the text into lines", lines, "ms")
    yield Row(
        f"{size}: parse it", median_ms(partial(iptables_save.parse, text)), "ms", {"of splitlines": lines}
    )
    yield Row(f"{size}: open the snapshot folder", median_ms(partial(open_snapshots, [str(folder)])), "ms")
    state = open_snapshots([str(folder)])[0].moments[0]
    index = NodeIndex(state)
    yield from path_rows(size, state)
    yield from outline_rows(size, state, index)
    yield from meaning_rows(size, state)
    search(state, index, "warm up")
    for words in ("cali", "KUBE-SEP", "no such thing at all"):
        yield Row(f"{size}: search {words!r}", median_ms(partial(search, state, index, words)), "ms")


def path_rows(size: str, state: NodeState) -> Iterator[Row]:
    """A packet's predicted way from one pod to another, and to a service; the first one makes the indexes."""
    network = Network([Node("n", state)])
    to_pod = Request(src=ip_address(pod_address(0)), dst=ip_address(pod_address(1)))
    to_service = replace(to_pod, dst=ip_address(service_address(1)), protocol="tcp", dport=80)
    yield Row(f"{size}: first path", median_ms(partial(trace, network, to_pod), rounds=1), "ms")
    yield Row(f"{size}: path to a pod", median_ms(partial(trace, network, to_pod)), "ms")
    yield Row(f"{size}: path to a service", median_ms(partial(trace, network, to_service)), "ms")


def meaning_rows(size: str, state: NodeState) -> Iterator[Row]:
    """Explaining every rule and chain, recomputing every signature, and all checks of the node.

    Each begins on an index of its own, so that the first one pays for what the others share. Garbage
    is collected as in the explorer; the slowest line with and without a collection that falls into it.
    """
    fresh = partial(NodeIndex, state)
    with collecting_rarely():
        yield Row(f"{size}: explain all rules and chains", median_ms(lambda: _explain_all(fresh())), "ms")
        yield Row(f"{size}: recompute all signatures", median_ms(lambda: _recompute_all(fresh())), "ms")
        yield Row(f"{size}: all checks", median_ms(partial(check, [state])), "ms")
        yield Row(f"{size}: explain all and all checks", median_ms(partial(_all_meaning, state)), "ms")
        collected = max(_each_rule_ms(fresh().prepare()))
        with no_collections():
            each = sorted(_each_rule_ms(fresh().prepare()))
            chains = max(_each_chain_ms(fresh().prepare()))
    yield Row(f"{size}: explain a rule, median", each[len(each) // 2], "ms")
    yield Row(f"{size}: explain the slowest rule", each[-1], "ms")
    yield Row(f"{size}: explain the slowest chain", chains, "ms")
    yield Row(f"{size}: the slowest rule with garbage collection", collected, "ms")


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """The garbage collector as in the explorer, which has also left out what was opened."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*COLLECT_RARELY)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def _explain_all(index: NodeIndex) -> None:
    for key, chain in index.chains.items():
        explain_chain(index, key)
        for at in range(len(chain.rules)):
            explain_rule(index, key, at)


def _all_meaning(state: NodeState) -> None:
    """As in the explorer: the checks share the index of the rules that are explained."""
    index = NodeIndex(state)
    _explain_all(index)
    check([state], indexes=[index])


def _recompute_all(index: NodeIndex) -> None:
    for key in index.chains:
        chain_hashes(index, key)


def _each_rule_ms(index: NodeIndex) -> Iterator[float]:
    """Processor time, which other programs of the machine do not stretch."""
    for key, chain in index.chains.items():
        for at in range(len(chain.rules)):
            begun = thread_time()
            explain_rule(index, key, at)
            yield (thread_time() - begun) * 1000


def _each_chain_ms(index: NodeIndex) -> Iterator[float]:
    for key in index.chains:
        begun = thread_time()
        explain_chain(index, key)
        yield (thread_time() - begun) * 1000


def outline_rows(size: str, state: NodeState, index: NodeIndex) -> Iterator[Row]:
    """Making the two views, and opening and closing everything in them."""
    views: tuple[View, ...] = ("chain", "hook")
    for view in views:
        yield Row(f"{size}: outline by {view}", median_ms(partial(Outline, state, view, index)), "ms")
        outline = Outline(state, view, index)
        expand = median_ms(partial(outline.open_below, None, True), rounds=1)
        yield Row(f"{size}: open all by {view}, {len(outline)} lines", expand, "ms")
