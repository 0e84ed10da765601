"""Builds the machines in namespaces and sends them packets."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kernel.netns import Namespace, namespace
from tests.machines import calico

_SCRIPTS = Path(__file__).parent / "scripts"
_PRELUDE = _SCRIPTS / "prelude.sh"


@dataclass(frozen=True)
class Machine:
    """One machine that stands, with the namespace of everybody else."""

    node: Namespace
    outside: Namespace
    probed: tuple[str, ...]
    """Addresses that somebody outside tries: the machine's own, and some behind it."""

    def probe(self) -> None:
        """Send packets from outside; most of those to addresses behind the machine are refused."""
        for address in self.probed:
            self.outside.run("ping", "-c", "2", "-i", "0.01", "-W", "0.05", address, check=False)


def scripts() -> dict[str, Callable[[], str]]:
    """What builds each machine, by name."""
    files = {path.stem: path.read_text for path in _SCRIPTS.glob("*.sh") if path != _PRELUDE}
    return dict(sorted({**files, **calico.SCRIPTS}.items()))


@contextmanager
def machine(name: str) -> Iterator[Machine]:
    """The machine for the length of the block."""
    text = scripts()[name]()
    with namespace("out") as outside, namespace("machine") as node:
        outside.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        subprocess.run(
            [*node.prefix, "sh"],
            input=_PRELUDE.read_text() + text,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OUT": outside.name},
            text=True,
            check=True,
        )
        probed = tuple(re.findall(r"^# probe (\S+)$", text, re.M))
        outside.run("sh", "-e", text=_ways(node))
        yield Machine(node, outside, probed)


def _ways(node: Namespace) -> str:
    """Routes outside by which everything goes to the machine."""
    own = re.findall(r"inet (\S+)/24 .* (\S+)\n", node.ip("-4", "-o", "addr", "show"))
    first = next((address for address, _ in own if address.startswith(("192.0.2.", "172.16.189."))), None)
    return f"ip route add default via {first} 2>/dev/null || true\n" if first else ""
