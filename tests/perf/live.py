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
from calitop.sources.look import legacy_tables
from calitop.sources.route_dump import RouteDump
from tests.kernel.netns import why_not
from tests.perf.generate import SIZES
from tests.perf.live_node import (
    BACKENDS,
    Backend,
    Bare,
    BareLegacy,
    BareNft,
    Node,
    OurReader,
    WholePoll,
    demand_equal,
    loaded,
    moved,
)
from tests.perf.table import Row, interleaved_ms
from tests.perf.traffic import LOADS, load_words, traffic

Works = dict[str, Callable[[], object]]
READER, WHOLE = "our reader", "all of a poll"
SAVE, LIST, NFT_JSON, PYTHON_IPTABLES = "save -c", "-nvxL filter", "nft -j", "python-iptables"
PYTHON_IPTABLES_SIZES = ("1k", "10k")
"""Its time grows faster than the rules: at 50k one reading takes many minutes."""
BARE: dict[Backend, str] = {"nft": "bare GETRULE", "legacy": "bare GET_ENTRIES"}
FIRST, AGAIN = "our route dump, first", "our route dump, again"
IP_ROUTE, PYROUTE2 = "ip -j route + json", "pyroute2 get_routes"
IP_WORDS = ["ip", "-4", "-j", "route", "show", "table", "all"]
_ONCE = frozenset({NFT_JSON, PYTHON_IPTABLES})
"""What takes seconds on a large node, and is asked for once."""


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
        reader = stack.enter_context(closing(OurReader(node)))
        poll = stack.enter_context(closing(WholePoll(node)))
        opened: Callable[[], Bare] = BareNft if node.backend == "nft" else BareLegacy
        bare = node.thread.call(opened)
        stack.callback(node.thread.call, bare.close)
        yield f"{size} {node.backend}: {_proven(node, reader, poll)}"
        works = _inside(node, {READER: reader.read}) | {WHOLE: poll.read}
        works |= _programs(size, node) | _inside(node, {BARE[node.backend]: bare.read})
        for load in LOADS:
            place = f"{size} {node.backend}, {load_words(load, SIZES[size])}"
            before = dict(reader.known())
            with traffic(load, SIZES[size], node.space, node.pods[0]):
                rows = list(_ratios(place, works, (READER, WHOLE), paced=True))
            yield f"{place}: {_proven(node, reader, poll)}, {moved(before, reader.known())} had moved"
            yield from rows


def _proven(node: Node, reader: OurReader, poll: WholePoll) -> str:
    """The words that say so.

    Raises:
        SystemExit: A counter differs.
    """
    rules = demand_equal(reader.known, node)
    demand_equal(poll.known, node)
    return f"{rules} rules, every counter and policy equal to {' '.join(node.save)}"


def _programs(size: str, node: Node) -> Works:
    """What a user would run instead."""
    commands = {SAVE: node.save, LIST: [f"iptables-{node.backend}", "-nvxL"]}
    if node.backend == "nft":
        commands[NFT_JSON] = ["nft", "-j", "list", "ruleset"]
    elif size in PYTHON_IPTABLES_SIZES:
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
        yield from _ratios(f"{size} routes", _inside(node, works), (FIRST, AGAIN))


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


def _ratios(place: str, works: Works, ours: tuple[str, ...], *, paced: bool = False) -> Iterator[Row]:
    """The yardsticks, then each of ours against every one of them."""
    took = interleaved_ms(works, _ONCE, frozenset(ours) if paced else frozenset())
    yardsticks = [name for name in works if name not in ours]
    for name in yardsticks:
        yield Row(f"{place}: {name}{' (once)' if name in _ONCE else ''}", took[name], "ms")
    for name in ours:
        yield Row(f"{place}: {name}", took[name], "ms", {other: took[other] for other in yardsticks})


def _inside(node: Node, works: Works) -> Works:
    """The same calls, made in the node's namespace."""
    return {name: partial(node.thread.call, work) for name, work in works.items()}


def _output(words: list[str]) -> bytes:
    return subprocess.run(words, capture_output=True, check=True, timeout=120).stdout
