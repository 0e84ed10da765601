"""What a live reading costs against the programs that a user would run instead; counters are proven first."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from pyroute2 import IPRoute

from calitop.formats import ip_route_json
from calitop.sources.iproute_names import read_names
from calitop.sources.kernel import KernelSource
from calitop.sources.look import legacy_tables
from calitop.sources.route_dump import RouteDump
from calitop.sources.source import Wanted
from tests.kernel.netns import why_not
from tests.perf.generate import SIZES
from tests.perf.live_node import BACKENDS, BareLegacy, Node, demand_equal, loaded, reader_of, whole
from tests.perf.table import Row, interleaved_ms

Works = dict[str, Callable[[], object]]
READER, WHOLE = "our reader, quiet", "all of a poll, quiet"
NFT_JSON, PYTHON_IPTABLES = "nft -j list ruleset", "python-iptables in a process"
BARE = "bare GET_ENTRIES"
FIRST, AGAIN = "our route dump, first", "our route dump, again"
IP_ROUTE, PYROUTE2 = "ip -j route + json", "pyroute2 get_routes"
IP_WORDS = ["ip", "-4", "-j", "route", "show", "table", "all"]
_ONCE = {"50k": frozenset({NFT_JSON})}
"""What takes seconds, by size."""


def live_rows(size: str, _folder: Path) -> Iterator[Row | str]:
    """Counters and routes of a namespace that holds the node; a reason instead where there can be none."""
    if reason := why_not():
        yield f"{size}: live rows skipped: {reason}"
        return
    for backend in BACKENDS:
        with loaded(SIZES[size], backend) as node:
            yield from _counter_rows(size, node)
            if backend == "nft":
                yield from _route_rows(size, node)


def _counter_rows(size: str, node: Node) -> Iterator[Row | str]:
    with ExitStack() as stack:
        source = stack.enter_context(closing(KernelSource(node.space.name)))
        reader, known = stack.enter_context(reader_of(node))
        rules = demand_equal("our reader", known, node)
        demand_equal("a whole poll", whole(node, source), node)
        yield f"{size} {node.backend}: {rules} rules, every counter and policy equal to {' '.join(node.save)}"
        works = _inside(node, {READER: lambda: reader.read(Wanted())})
        works[WHOLE] = partial(_poll, source)
        works |= _programs(size, node)
        if node.backend == "legacy":
            bare = node.thread.call(BareLegacy)
            stack.callback(bare.close)
            works |= _inside(node, {BARE: bare.read})
        yield from _ratios(f"{size} {node.backend}", works, (READER, WHOLE), _ONCE.get(size, frozenset()))


def _poll(source: KernelSource) -> None:
    """One poll as the poller has it: when something changed, that is read too."""
    if source.counters(Wanted()) is None:
        source.structure()


def _programs(size: str, node: Node) -> Works:
    """What a user would run instead."""
    commands = {" ".join(node.save): node.save}
    commands["iptables -nvxL (filter only)"] = [f"iptables-{node.backend}", "-nvxL"]
    if node.backend == "nft":
        commands[NFT_JSON] = ["nft", "-j", "list", "ruleset"]
    elif size == "1k":
        tables = node.thread.call(lambda: legacy_tables("ip_tables_names"))
        program = [sys.executable, "-m", "calitop.sources.legacy_program", "ipv4", *tables]
        commands[PYTHON_IPTABLES] = program
    return _inside(node, {name: partial(_output, words) for name, words in commands.items()})


def _route_rows(size: str, node: Node) -> Iterator[Row | str]:
    with ExitStack() as stack:
        peer = node.thread.call(IPRoute)
        stack.callback(node.thread.call, peer.close)
        known = RouteDump("ipv4", read_names())
        works: Works = {
            AGAIN: known.read,
            FIRST: lambda: RouteDump("ipv4", read_names()).read(),
            IP_ROUTE: lambda: json.loads(_output(IP_WORDS)),
            PYROUTE2: lambda: list(peer.get_routes(family=socket.AF_INET)),
        }
        yield f"{size} routes: {_demand_same_routes(node)} routes, every one as ip -j route has it"
        yield from _ratios(f"{size} routes", _inside(node, works), (FIRST, AGAIN), frozenset())


def _demand_same_routes(node: Node) -> int:
    """How many routes were compared.

    Raises:
        SystemExit: The two listings differ.
    """
    told = node.thread.call(lambda: RouteDump("ipv4", read_names()).read())
    text = node.thread.call(lambda: _output(IP_WORDS)).decode()
    if told != (ip_route_json.parse(text, family="ipv4").routes or ()):
        raise SystemExit(f"our route dump and {' '.join(IP_WORDS)} differ")
    return len(told)


def _ratios(place: str, works: Works, ours: tuple[str, ...], once: frozenset[str]) -> Iterator[Row]:
    """The yardsticks, then each of ours against every one of them."""
    took = interleaved_ms(works, once)
    yardsticks = [name for name in works if name not in ours]
    for name in yardsticks:
        yield Row(f"{place}: {name}{' (once)' if name in once else ''}", took[name], "ms")
    for name in ours:
        for against in yardsticks:
            yield Row(f"{place}: {name}", took[name], "ms", against, took[against])


def _inside(node: Node, works: Works) -> Works:
    """The same calls, made in the node's namespace."""
    return {name: partial(node.thread.call, work) for name, work in works.items()}


def _output(words: list[str]) -> bytes:
    return subprocess.run(words, capture_output=True, check=True, timeout=60).stdout
