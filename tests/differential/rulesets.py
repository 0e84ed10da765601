"""Random rulesets of iptables: trees of chains with every match and target that this kernel has."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.differential.networks import DEVICES
from tests.kernel import test_match_truth as matches
from tests.kernel.test_routing_truth import Maker as NetworkMaker

TABLES: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_MARKS = (
    "--set-xmark 0x10000/0x10000",
    "--set-xmark 0x2b500000/0xfff00000",
    "--set-xmark 0x0/0xf0000",
    "--set-xmark 0x100/0xf00",
    "--or-mark 0x200",
    "--and-mark 0xffff0fff",
    "--xor-mark 0x10100",
    "--set-mark 0xd9b00000",
)
_CONNECTION_MARKS = (
    "--save-mark",
    "--restore-mark",
    "--save-mark --nfmask 0xf00 --ctmask 0xf00",
    "--restore-mark --nfmask 0xfff00000 --ctmask 0xfff00000",
    "--set-xmark 0x1/0x1",
    "--set-xmark 0x10000/0xf0000",
)
_REFUSALS = (
    "icmp-port-unreachable",
    "icmp-host-unreachable",
    "icmp-net-unreachable",
    "icmp-admin-prohibited",
)
_CHAINS = 3


class Rules(matches.Maker):
    """Random rules whose values meet those of a network."""

    devices = (*DEVICES, "other")
    prefixes = ("v+", "cali+")

    def __init__(self, rng: random.Random, network: NetworkMaker, mac: str) -> None:
        super().__init__(rng)
        self.network_maker = network
        self.mac = mac

    def address(self) -> str:
        return self.network_maker.address()

    def rule(self, receiving: bool) -> str:
        found = super().rule(receiving)
        # Which of two `-m conntrack` asks for the state is left open (docs/known-differences.md).
        return self.rule(receiving) if found.count("-m conntrack") > 1 else found

    def match(self, receiving: bool) -> str:
        found = super().match(receiving)
        # Whether an answer makes its connection ASSURED is left open (docs/known-differences.md).
        return self.match(receiving) if "ASSURED" in found else found

    def text(self, without: tuple[str, str] | None = None) -> str:
        """A ruleset for `iptables-restore`; `without` names the table and base chain that gets no rules."""
        tables = [table for table in TABLES if self.rng.random() < 0.8]
        return "".join("\n".join(self._table(table, without)) + "\n" for table in tables)

    def _table(self, table: str, without: tuple[str, str] | None) -> Iterator[str]:
        yield f"*{table}"
        rules: list[str] = []
        for hook in TABLES[table]:
            policy = "DROP" if table == "filter" and self.rng.random() < 0.05 else "ACCEPT"
            yield f":{hook} {policy} [0:0]"
            chains = [f"{hook.lower()}-{number}" for number in range(_CHAINS)]
            yield from (f":{chain} - [0:0]" for chain in chains)
            for depth, chain in enumerate((hook, *chains) if (table, hook) != without else ()):
                rules += self._chain(table, hook, chain, chains[depth:])
        yield from rules
        yield "COMMIT"

    def _chain(self, table: str, hook: str, chain: str, below: Sequence[str]) -> Iterator[str]:
        for _ in range(self.rng.randrange(2, 9)):
            yield f"-A {chain} {self._whole(table, hook, below)}"

    def _whole(self, table: str, hook: str, below: Sequence[str]) -> str:
        target = self._target(table, hook, below)
        if target.startswith("-p "):
            return target
        condition = "" if self.rng.random() < 0.15 else self._condition(table, hook)
        return f"{condition} {target}".strip()

    def _condition(self, table: str, hook: str) -> str:
        receiving = hook in ("PREROUTING", "INPUT", "FORWARD")
        if hook == "PREROUTING" and table in ("raw", "mangle") and self.rng.random() < 0.15:
            return self.rng.choice(self.arriving(self.mac))
        found = self.rule(receiving)
        if hook == "FORWARD" and self.rng.random() < 0.2:
            found = f"-o {self.rng.choice(self.devices)} {found}" if "-o " not in found else found
        return found

    def _target(self, table: str, hook: str, below: Sequence[str]) -> str:
        pick = self.rng.choice
        kind = self.rng.random()
        if kind < 0.25 and below:
            return f"-{pick('jjg')} {pick(below)}"
        if kind < 0.40:
            return pick(("-j RETURN", "-j ACCEPT", ""))
        if kind < 0.43 and table != "nat":
            return "-j DROP"
        if kind < 0.60:
            return f"-j MARK {pick(_MARKS)}" if table != "nat" else self._nat(hook)
        if kind < 0.70:
            return f"-j CONNMARK {pick(_CONNECTION_MARKS)}"
        return pick(self._of_table(table, hook))

    def _of_table(self, table: str, hook: str) -> tuple[str, ...]:
        """Targets that only one table may use, and those that change nothing."""
        telling = ("-j NFLOG --nflog-group 5", "-j LOG --log-prefix told", "")
        if table == "raw":
            return (*telling, "-j CT --notrack", "-j NOTRACK")
        if table == "mangle":
            return (*telling, *self._fields(hook))
        if table == "nat":
            return (self._nat(hook),)
        return (*telling, f"-j REJECT --reject-with {self.rng.choice(_REFUSALS)}")

    def _fields(self, hook: str) -> tuple[str, ...]:
        # A SYN without data would get the option that it lacks, and so be longer; real ones have it.
        syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN -m length --length 41:65535 -j TCPMSS"
        clamp = "--set-mss 1300" if hook in ("PREROUTING", "INPUT") else "--clamp-mss-to-pmtu"
        return (
            "-j TOS --set-tos 0x10/0xff",
            "-j TOS --set-tos 0x08/0x3f",
            "-j DSCP --set-dscp 0x0a",
            "-j TTL --ttl-set 33",
            "-j TTL --ttl-inc 1",
            "-j TTL --ttl-dec 1",
            f"{syn} {clamp}",
            f"{syn} --set-mss 1200",
            "-p udp -j CHECKSUM --checksum-fill",
        )

    def _nat(self, hook: str) -> str:
        pick = self.rng.choice
        proto = f"-p {pick(('tcp', 'udp'))}"
        if hook == "PREROUTING" or hook == "OUTPUT":
            return pick((
                f"-j DNAT --to-destination {self.address()}",
                f"{proto} -j DNAT --to-destination {self.address()}:{self.port()}",
                f"{proto} -j DNAT --to-destination :{self.port()}",
                "-j REDIRECT",
                f"{proto} -j REDIRECT --to-ports {self.port()}",
                "-j NETMAP --to 10.0.2.0/24",
            ))  # fmt: skip
        choices = [
            f"-j SNAT --to-source {self.address()}",
            f"{proto} -j SNAT --to-source {self.address()}:{self.port()}",
            "-j NETMAP --to 10.0.3.0/24",
        ]
        if hook == "POSTROUTING":
            choices += [
                "-j MASQUERADE",
                f"{proto} -j MASQUERADE --to-ports 20000",
                "-j MASQUERADE --random-fully",
            ]
        return pick(choices)
