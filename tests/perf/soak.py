"""`make soak`: a live node read for a long time while its rules change and traffic runs.

    python -m tests.perf.soak MINUTES nft|legacy

Twenty changes a second: rules appended, deleted and replaced by others of the same size, chains made,
written anew and deleted, a whole table reloaded. In the end every rule that calitop shows must be the
kernel's, with the kernel's counters; on the way memory and slow polls are printed. Root only.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from calitop.formats import iptables_save
from calitop.model.rules import ChainKey, Counter, Family
from calitop.poller import Poll, Poller
from calitop.sources.kernel import KernelSource
from lab import topology
from lab.machine import Lab, Settings

CHANGES_PER_S = 20
REPORT_EVERY_S = 60.0
SLOW_S = 2.0
CHAINS = 12
Shown = dict[ChainKey, list[tuple[str, Counter | None]]]


class Churn:
    """Changes to chains of its own below FORWARD, in front of all other rules."""

    def __init__(self, namespace: str, backend: str, seed: int) -> None:
        self._words = [
            "ip",
            "netns",
            "exec",
            namespace,
            f"iptables-{backend}-restore",
            "-w",
            "5",
            "--noflush",
        ]
        self._save = ["ip", "netns", "exec", namespace, f"iptables-{backend}-save", "-c"]
        self._random = random.Random(seed)
        self._rules: dict[int, int] = {}

    def change(self) -> None:
        """One change of a random kind."""
        number = self._random.randrange(CHAINS)
        if self._random.random() < 0.005:
            self._reload()
        elif number not in self._rules:
            self._load(self._written(number), f"-I FORWARD 1 -j SOAK-{number}")
        else:
            self._random.choice((self._append, self._replace, self._rewrite, self._delete))(number)

    def _load(self, *lines: str, words: list[str] | None = None) -> None:
        text = "\n".join(("*filter", *lines, "COMMIT", ""))
        subprocess.run(words or self._words, input=text, text=True, check=True, timeout=30)

    def _written(self, number: int) -> str:
        self._rules[number] = self._random.randint(1, 6)
        rules = [self._rule("A", number) for _ in range(self._rules[number])]
        return "\n".join((f":SOAK-{number} - [0:0]", *rules))

    def _rule(self, command: str, number: int, at: str = "") -> str:
        address = f"10.{self._random.randrange(256)}.{self._random.randrange(256)}.0/24"
        return f"-{command} SOAK-{number} {at}! -s {address} -m comment --comment soak"

    def _append(self, number: int) -> None:
        self._rules[number] += 1
        self._load(self._rule("A", number))

    def _replace(self, number: int) -> None:
        at = self._random.randint(1, self._rules[number])
        self._load(self._rule("R", number, f"{at} "))

    def _rewrite(self, number: int) -> None:
        self._load(self._written(number))

    def _delete(self, number: int) -> None:
        del self._rules[number]
        self._load(f"-D FORWARD -j SOAK-{number}", f"-F SOAK-{number}", f"-X SOAK-{number}")

    def _reload(self) -> None:
        """The whole table as it is, counters kept as far as a reload keeps them."""
        saved = subprocess.run(self._save, capture_output=True, text=True, check=True, timeout=30).stdout
        table = saved[saved.index("*filter") :]
        words = [word for word in self._words if word != "--noflush"]
        text = table[: table.index("COMMIT") + 7]
        subprocess.run([*words, "-c"], input=text, text=True, check=True, timeout=30)


@contextmanager
def traffic(machine: Lab) -> Iterator[None]:
    """A hundred pings a second between pods of both kinds, until left."""
    source = machine.namespace("cilium-python-daemon-4x7zw")
    target = topology.pod("calico-python-daemon-8p6zt").ip
    words = ["ip", "netns", "exec", source, "ping", "-q", "-i", "0.01", target]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as pings:
        try:
            yield
        finally:
            pings.terminate()


def printed(namespace: str, backend: str) -> Shown:
    """What the save program prints now."""
    words = ["ip", "netns", "exec", namespace, f"iptables-{backend}-save", "-c"]
    text = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    found: Shown = {}
    family: Family = "ipv4"
    for ruleset in iptables_save.parse(text).rulesets or ():
        for table in ruleset.tables:
            for chain in table.chains.values():
                key = ChainKey(family, ruleset.backend, table.name, chain.name)
                found[key] = [(rule.text, rule.counter) for rule in chain.rules]
    return found


def shown(poll: Poll) -> Shown:
    """What calitop shows in a poll, IPv4 rules."""
    return {
        key: [(rule.text, poll.counts.rule(key, at).now) for at, rule in enumerate(chain.rules)]
        for key, chain in poll.state.chains().items()
        if key.family == "ipv4"
    }


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(machine: Lab, minutes: float, backend: str) -> int:
    """Run it; how many chains differ in the end."""
    namespace = machine.namespace("work1")
    churn = Churn(namespace, backend, seed=int(os.environ.get("CALITOP_SEED") or 1))
    polls: list[Poll] = []
    took: list[float] = []

    def take(poll: Poll) -> None:
        polls[:] = [poll]
        took.append(poll.took_s)
        if poll.failure or poll.took_s > SLOW_S:
            print(f"  poll {poll.number}: {poll.took_s:.1f} s {poll.failure or ''}", flush=True)

    with closing(KernelSource(namespace)) as source:
        poller = Poller(source, take, interval_s=0.5)
        poller.start()
        changes = _churn_for(minutes * 60, churn, machine, took)
        poller.poll_now()
        time.sleep(5)
        poller.stop()
    there, here = printed(namespace, backend), shown(polls[0])
    wrong = [key for key in there.keys() | here.keys() if there.get(key) != here.get(key)]
    told = f"{changes} changes, {len(took)} polls, slowest {max(took):.2f} s"
    print(f"{backend}: {told}, {len(wrong)} chains differ")
    for key in wrong[:5]:
        print(f"  {key}\n    kernel {there.get(key)}\n    calitop {here.get(key)}")
    return len(wrong)


def _churn_for(seconds: float, churn: Churn, machine: Lab, took: list[float]) -> int:
    began = time.monotonic()
    changes, told = 0, 0.0
    with traffic(machine):
        while (now := time.monotonic() - began) < seconds:
            churn.change()
            changes += 1
            if now >= told:
                print(
                    f"  {now / 60:5.1f} min: {memory_mb():6.1f} MB, {changes} changes, {len(took)} polls",
                    flush=True,
                )
                told += REPORT_EVERY_S
            time.sleep(max(0.0, changes / CHANGES_PER_S - (time.monotonic() - began)))
    return changes


def main() -> int:
    """Exit status 1 when a chain differs."""
    minutes, backend = float(sys.argv[1]), sys.argv[2]
    machine = Lab(f"ct-k{os.getpid() % 100000}")
    machine.up(Settings(backend))
    try:
        return 1 if soak(machine, minutes, backend) else 0
    finally:
        machine.down()


if __name__ == "__main__":
    sys.exit(main())
