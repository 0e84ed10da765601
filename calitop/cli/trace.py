"""`calitop trace`: predict a packet's way across nodes, from their snapshots alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calitop.cli.arguments import Arguments
from calitop.cli.width import text_width
from calitop.errors import UsageError
from calitop.hits.asked import both_ends
from calitop.path.moved import Between, Prediction, prediction
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import PathVerdict
from calitop.path.trace import Request, Traced, trace
from calitop.report.envelope import json_text
from calitop.report.trace import Told, trace_json
from calitop.report.trace_text import trace_text
from calitop.snapshot.moments import NodeMoments
from calitop.snapshot.open import open_snapshots
from calitop.snapshot.paths import split_name

STATUS: dict[PathVerdict, int] = {"delivered": 0, "dropped": 1, "rejected": 1, "undecided": 6, "left": 6}
"""Exit status by verdict (interface.md)."""
_WORST = (1, 6, 0)


def run(arguments: Arguments) -> int:
    """Print the predicted path, and that of the answer.

    Returns:
        Exit status: 0 delivered, 1 dropped or rejected, 6 undecided or left; with the answer the worse.

    Raises:
        UsageError: The nodes, the ends or the place it starts do not fit together.
    """
    moments = _opened(arguments)
    network = Network([Node(each.name or "node", each.moments[0]) for each in moments])
    request = _request(arguments, moments, network)
    told = _told(network, request, moments)
    if arguments.json:
        print(json_text(trace_json(told, not_matching=arguments.not_matching)))
    else:
        width = text_width()
        print(trace_text(told, width, not_matching=arguments.not_matching), end="")
    return _status(told.traced)


def _opened(arguments: Arguments) -> list[NodeMoments]:
    for word in arguments.traced:
        name, path = split_name(word)
        if name is None and "=" not in word and not path.exists():
            raise UsageError(f"no snapshot '{word}'", "give each node as --node NAME=SNAPSHOT")
    return open_snapshots(arguments.traced, arguments.pods)


def _request(arguments: Arguments, moments: Sequence[NodeMoments], network: Network) -> Request:
    assert arguments.source is not None and arguments.target is not None
    pods = (pod for each in moments for pod in each.moments[0].pods)
    src, dst = both_ends(pods, arguments.source, arguments.target)
    _check_device(arguments, network)
    return Request(
        src=src,
        dst=dst,
        protocol=arguments.protocol,
        sport=arguments.sport,
        dport=arguments.dport,
        mark=arguments.mark,
        length=arguments.length,
        on=arguments.on,
        dev=arguments.dev,
        reply=arguments.reply,
    )


def _check_device(arguments: Arguments, network: Network) -> None:
    """Refuse an interface that no node has; where no interfaces were read any name may be right."""
    nodes = network.nodes if arguments.on is None else (network.node(arguments.on),)
    known = [node.world.links for node in nodes]
    if arguments.dev is not None and all(known) and not any(arguments.dev in links for links in known):
        named = ", ".join(node.name for node in nodes)
        raise UsageError(f"no interface '{arguments.dev}' on {named}", "calitop show lists the interfaces")


def _told(network: Network, request: Request, moments: Sequence[NodeMoments]) -> Told:
    """The prediction, beside what counted where a node has two moments."""
    between = {
        node.name: Between.moments(each.moments[0], each.moments[-1])
        for node, each in zip(network.nodes, moments, strict=True)
        if len(each.moments) > 1
    }
    traced = trace(network, request)
    return Told(network, request, traced, _compared(network, request, traced, between) if between else None)


def _compared(network: Network, request: Request, traced: Traced, between: dict[str, Between]) -> Prediction:
    """Answers have counted, too, whether they were asked for or not."""
    whole = traced if request.reply else trace(network, replace(request, reply=True))
    return prediction([path for path in (traced.forward, whole.reply) if path is not None], between)


def _status(traced: Traced) -> int:
    found = [STATUS[path.verdict] for path in (traced.forward, traced.reply) if path is not None]
    return next(status for status in _WORST if status in found)
