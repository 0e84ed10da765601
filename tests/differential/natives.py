"""Random tables of nftables' own syntax, beside those of iptables."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.differential.networks import DEVICES, Furniture

_HOOKS = {"prerouting": -140, "input": 10, "forward": 10, "output": 10, "postrouting": 90}
"""A priority of their own each, since the order of equal ones is not told."""
_ENDS = ("accept", "counter", "counter", "return", "jump more", "goto more", "meta mark set 0x100", "drop")


def table(rng: random.Random, network: Furniture) -> str:
    """Input of `nft -f`."""
    return "\n".join(_lines(rng, network)) + "\n"


def _lines(rng: random.Random, network: Furniture) -> Iterator[str]:
    yield f"table {rng.choice(('ip', 'inet'))} own {{"
    yield " chain more {"
    yield from _rules(rng, network, tuple(one for one in _ENDS if not one.endswith("more")))
    yield " }"
    for hook in rng.sample(sorted(_HOOKS), 3):
        yield f" chain {hook} {{ type filter hook {hook} priority {_HOOKS[hook]}; policy accept;"
        yield from _rules(rng, network, _ENDS)
        yield " }"
    yield "}"


def _rules(rng: random.Random, network: Furniture, ends: tuple[str, ...]) -> Iterator[str]:
    for _ in range(rng.randrange(1, 6)):
        yield f"  {_condition(rng, network)} {rng.choice(ends)}"


def _condition(rng: random.Random, network: Furniture) -> str:
    sign = rng.choice(("", "!= "))
    one, other = network.address(), network.address()
    choices = (
        f"ip {rng.choice(('saddr', 'daddr'))} {sign}{one}",
        f"ip saddr {sign}{{ {', '.join(sorted({one, other}))} }}",
        f"ip daddr {sign}10.0.{rng.randrange(4)}.0/24",
        f"meta iifname {sign}{rng.choice(DEVICES)}",
        f"meta oifname {sign}{rng.choice(DEVICES)}",
        f"meta l4proto {sign}{rng.choice(('tcp', 'udp', 'icmp'))}",
        f"tcp dport {sign}{rng.choice((53, 80, 443))}",
        "udp sport { 53, 443 }",
        f"meta mark & 0xf00 {rng.choice(('==', '!='))} 0x100",
        f"ct state {rng.choice(('new', 'invalid', 'established,related', '!= new'))}",
        f"ip ttl {rng.choice(('64', '< 64', '> 64'))}",
        f"fib saddr type {sign}local",
    )
    return rng.choice(choices)
