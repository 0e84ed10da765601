"""Network namespaces for tests: made under a unique name, deleted afterwards.

Every kernel test works inside these and never in the namespace it was started in.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

PREFIX = "ct-"
PROGRAMS = (
    "ip",
    "iptables-nft-save",
    "iptables-nft-restore",
    "iptables-legacy-save",
    "iptables-legacy-restore",
    "ip6tables-nft-restore",
    "ip6tables-legacy-restore",
    "nft",
    "ipset",
    "conntrack",
    "ping",
)


def why_not() -> str | None:
    """Why kernel tests cannot run here, or None when they can."""
    if os.geteuid() != 0:
        return "kernel tests need root to make network namespaces"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"kernel tests need these programs: {', '.join(missing)}"
    return None


@dataclass(frozen=True)
class Namespace:
    """One network namespace, by its name under /run/netns."""

    name: str

    @property
    def prefix(self) -> list[str]:
        """Words that run a command inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str, text: str | None = None, check: bool = True) -> str:
        """Standard output of a command run inside, fed with `text`."""
        return run([*self.prefix, *command], text, check)

    def ip(self, *words: str) -> str:
        """Output of `ip -n NAME …`."""
        return run(["ip", "-n", self.name, *words])

    def load(self, rules: str, backend: str = "nft", family: str = "ip") -> None:
        """Load an iptables-save text with `iptables-<backend>-restore` (family: ip or ip6)."""
        self.run(f"{family}tables-{backend}-restore", text=rules)

    @contextmanager
    def process(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that lives inside for the length of the block."""
        process = subprocess.Popen(
            [*self.prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def run(command: Sequence[str], text: str | None = None, check: bool = True) -> str:
    """Standard output of a command; its standard error is in the failure message."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def namespace(purpose: str = "test") -> Iterator[Namespace]:
    """A fresh namespace with its loopback up; deleted at the end."""
    made = Namespace(f"{PREFIX}{purpose}-{secrets.token_hex(4)}")
    run(["ip", "netns", "add", made.name])
    try:
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        with suppress(AssertionError):
            run(["ip", "netns", "del", made.name])


def wire(left: Namespace, left_link: str, right: Namespace, right_link: str) -> None:
    """A veth pair between two namespaces, both ends up and without IPv6 noise."""
    left.ip("link", "add", left_link, "type", "veth", "peer", "name", right_link, "netns", right.name)
    for space, link in ((left, left_link), (right, right_link)):
        space.run("sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=1")
        space.ip("link", "set", link, "up")


def attach_pod(node: Namespace, pod: Namespace, gateway: str, address: str) -> None:
    """Wire a pod behind the node's `cali0`; its gateway is an address of the node's loopback."""
    wire(node, "cali0", pod, "eth0")
    node.ip("addr", "add", f"{gateway}/32", "dev", "lo")
    node.ip("route", "add", f"{address}/32", "dev", "cali0")
    pod.ip("addr", "add", f"{address}/32", "dev", "eth0")
    pod.ip("route", "add", f"{gateway}/32", "dev", "eth0")
