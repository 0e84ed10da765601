"""What is asked of a probe and what comes of it. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from calitop.errors import CalitopError

if TYPE_CHECKING:
    # A verdict is long in loading, and the explorer needs the rest at its start.
    from calitop.hits.moved import Moved
    from calitop.model.network import LinkCounters
    from calitop.model.values import Address
    from calitop.verdict.answer import Answer

Protocol = Literal["icmp", "tcp", "udp"]
Stage = Literal["background", "baseline", "waiting", "sending", "answered", "reading"]

MOST = 100
"""Packets that one probe sends at most."""
INTERVAL_S = 0.2
"""Between two packets."""
DATA_BYTES = 56
"""Of an echo request, as ping(8) has it."""


class ProbeCancelled(CalitopError):
    """The operator stopped the probe."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asks for."""

    source: str
    """Pod, interface or address that sends."""
    target: str
    """Address, or a pod whose address is known."""
    protocol: Protocol = "icmp"
    port: int | None = None
    """Of tcp and udp."""
    count: int = 5
    wait_s: float = 60.0
    """How long the operator's own ping is waited for, where the source is not on this node."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the packets come from."""

    address: Address
    here: bool
    """On this node; otherwise the operator sends."""
    space: str | None = None
    """File of the network namespace; None for the node's own, or when not here."""
    device: str | None = None
    """Host end of the pod's link."""
    pod: str | None = None

    def __str__(self) -> str:
        return f"{self.address} ({self.pod})" if self.pod else str(self.address)


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of the packets, as the sender sees it."""

    sent: int
    rtt_ms: tuple[float | None, ...] = ()
    """One for each packet sent, None for an unanswered one."""
    refused: int = 0
    """Answered by a refusal of the target's own address (closed port)."""
    told: tuple[str, ...] = ()
    """Errors heard while sending, each once."""

    @property
    def answered(self) -> int:
        """Packets that were answered."""
        return sum(each is not None for each in self.rtt_ms)


@dataclass(frozen=True, eq=False)
class Background:
    """What moved in a moment in which nothing was sent."""

    seconds: float
    moved: tuple[Moved, ...] = ()
    stats: dict[str, int] = field(default_factory=dict)
    links: dict[str, LinkCounters] = field(default_factory=dict)
    window_s: float = 0.0
    """Length of the time over which it was subtracted."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a running probe."""

    stage: Stage
    words: str
    done: int = 0
    """Packets answered, or seen."""
    total: int = 0


OnProgress = Callable[[Progress], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What was sent, what came back, what moved, and the answer."""

    request: Request
    origin: Origin
    target: Address
    sending: Sending | None
    """None where the operator sent."""
    seen: int | None
    """Packets of the operator that were seen; None where calitop sent."""
    background: Background
    answer: Answer
