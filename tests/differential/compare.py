"""What the walker predicts for one packet, beside what the kernel did with it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from calitop.model.place import Where
from calitop.path.bits import FULL, Bits
from calitop.path.flight import Connection, Flight
from calitop.path.node import Node
from calitop.path.packet import WITH_PORTS, Packet
from calitop.path.routing import STATISTICS
from calitop.path.stack import Stack
from calitop.path.steps import PathVerdict
from tests.differential.kernel_trace import Seen
from tests.differential.packets import Arrived, Sent
from tests.differential.wires import Observed

_BACKENDS = ("nft", "legacy", "native")
_RP_FILTER = "TcpExt.IPReversePathFilter"


@dataclass(frozen=True)
class Predicted:
    """One way that the walker holds possible."""

    flight: Flight
    verdict: PathVerdict
    where: Where | None
    dev: str | None = None
    """Device by which it leaves."""
    unasked: Container[object] = ()
    """Places that are not compared."""

    @property
    def rules(self) -> list[tuple[Seen, Bits]]:
        """Rules and policies that it names, with the mark that the packet has there."""
        told = [
            (
                Seen(step.backend or "native", step.table or "", step.chain or "", step.number),
                step.packet.mark,
            )
            for step in self.flight.steps()
            if step.kind in ("rule", "policy")
        ]
        return [one for one in told if one[0].place not in self.unasked]

    def __str__(self) -> str:
        where = self.where
        place = "" if where is None else f" at {where.kind} {where.name or where.chain} {where.number or ''}"
        return f"{self.verdict}{place} {self.dev or ''}".rstrip()


def predict(node: Node, sent: Sent, mac: str | None, connections: Sequence[Connection]) -> list[Predicted]:
    """Every end of the packet's way through the router."""
    stack, flight = Stack(node), Flight(sent.packet(mac), connections=tuple(connections))
    if sent.dev is None:
        stack.send([flight])
    else:
        stack.receive([flight], sent.dev)
    return [
        *(Predicted(one.flight, "left", None, one.dev) for one in stack.leaving),
        *(Predicted(one, "delivered", None) for one in stack.local),
        *(Predicted(one.flight, one.verdict, one.where) for one in stack.ended),
    ]


def differences(
    predicted: Predicted, observed: Observed, sent: Sent, vague: bool, idle: Container[object] = ()
) -> list[str]:
    """In what one predicted way is not the kernel's; nothing where it is.

    Args:
        predicted: The way.
        observed: What the kernel did.
        sent: The packet.
        vague: Whether the ruleset holds matches that nothing decides.
        idle: Places that are not compared.
    """
    predicted = replace(predicted, unasked=idle)
    in_rules = _in_gaps if vague or predicted.flight.conditions else _in_rules
    return [*in_rules(predicted, observed), *_in_outcome(predicted, observed, sent)]


# -- rules


def _in_rules(predicted: Predicted, observed: Observed) -> Iterator[str]:
    """The same rules in the same order, of each backend for itself."""
    for backend in _BACKENDS:
        told = [one for one in predicted.rules if one[0].backend == backend]
        seen = [one for one in observed.rules if one.backend == backend]
        for (rule, mark), own in zip(told, seen, strict=False):
            if rule.place != own.place:
                yield f"{backend} rules part: kernel {own}, predicted {rule}"
                break
            yield from _in_mark(own, mark)
        else:
            yield from _in_length(predicted, [rule for rule, _ in told], seen)


def _in_length(predicted: Predicted, told: list[Seen], seen: list[Seen]) -> Iterator[str]:
    if len(told) > len(seen):
        yield f"rules end: kernel without {told[len(seen)]}"
    elif len(seen) > len(told) and predicted.verdict != "undecided":
        yield f"rules end: kernel goes on with {seen[len(told)]}"


def _in_gaps(predicted: Predicted, observed: Observed) -> Iterator[str]:
    """The same where something was assumed: ways that join again keep only the rules common to all."""
    for backend in _BACKENDS:
        seen = iter([one for one in observed.rules if one.backend == backend])
        for rule, mark in (one for one in predicted.rules if one[0].backend == backend):
            own = next((one for one in seen if one.place == rule.place), None)
            if own is None:
                yield f"{backend} rules: kernel without {rule}"
                break
            yield from _in_mark(own, mark)


def _in_mark(own: Seen, mark: Bits) -> Iterator[str]:
    if own.mark is not None and mark.test(own.mark, FULL) is False:
        yield f"mark at {own}: kernel {own.mark:#x}, predicted {mark}"


# -- what becomes of it


def _in_outcome(predicted: Predicted, observed: Observed, sent: Sent) -> Iterator[str]:
    if predicted.verdict == "undecided":
        return
    if predicted.verdict not in ("left", "delivered"):
        yield from _in_loss(predicted, observed, sent)
    elif not observed.out:
        yield f"kernel lost it ({observed.refused or observed.moved}), predicted {predicted}"
    else:
        came = observed.out[0]
        if came.dev != predicted.dev:
            yield f"kernel {came}, predicted {predicted}"
        yield from _in_fields(predicted.flight.packet, came)


def _in_loss(predicted: Predicted, observed: Observed, sent: Sent) -> Iterator[str]:
    if observed.out:
        yield f"kernel {observed.out[0]}, predicted {predicted}"
    elif predicted.where is not None and predicted.where.kind == "kernel" and sent.dev is not None:
        yield from _in_counters(predicted.where.name or "", observed)


def _in_counters(name: str, observed: Observed) -> Iterator[str]:
    """The kernel's own statistic of the check that drops it, where there is one."""
    counter, is_filtered = STATISTICS.get(name), bool(observed.stats.get(_RP_FILTER))
    if is_filtered != (name == "rp_filter"):
        yield f"{name} predicted, kernel: {observed.moved}"
    elif counter is not None and not observed.stats.get(counter):
        yield f"{name} predicted, but {counter} did not move: {observed.moved}"


def _in_fields(packet: Packet, came: Arrived) -> Iterator[str]:
    for name in ("src", "dst", "ttl", "tos", *(("sport", "dport") if packet.protocol in WITH_PORTS else ())):
        told, seen = getattr(packet, name), getattr(came, name)
        if told is not None and str(told) != str(seen):
            yield f"{name}: kernel {seen}, predicted {told}"
