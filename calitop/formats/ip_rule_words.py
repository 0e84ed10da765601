"""What the text and the JSON of policy rules share.

Source: print_rule in iproute2's ip/iprule.c; fib_nl2rule in net/core/fib_rules.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from calitop.formats.reading import family_of, with_length
from calitop.model.network import IpFamily, IpRule

FULL_MASK = 0xFFFFFFFF
"""The kernel's mask for a `fwmark` that is given without one."""

L3MDEV = "l3mdev"
"""In `other`: the table is that of the VRF the packet's device belongs to."""

ACTIONS = frozenset(("unreachable", "prohibit", "blackhole", "nop"))
_LOCAL, _MAIN, _DEFAULT = 0, 32766, 32767


def selector(word: str | None) -> str | None:
    """The prefix of a selector; None for `all`."""
    return None if word is None or word in ("all", "any", "default") else with_length(word)


def settle_family(rules: Sequence[IpRule], hint: IpFamily | None) -> list[IpRule]:
    """Give all rules of one listing their family: a listing is of one family only.

    The rules name no family. An address tells it; else the kernel's own rules do, for only
    IPv4 has one for table `default` (fib_default_rules_init, fib6_rules_net_init).
    """
    family = hint or _by_address(rules) or _by_own_rules(rules)
    return [replace(rule, family=family) for rule in rules]


def _by_address(rules: Iterable[IpRule]) -> IpFamily | None:
    words = (word for rule in rules for word in (rule.src, rule.dst) if word)
    return next((family for word in words if (family := family_of(word))), None)


def _by_own_rules(rules: Iterable[IpRule]) -> IpFamily:
    own = {(rule.priority, rule.table) for rule in rules}
    whole = {(_LOCAL, "local"), (_MAIN, "main")} <= own
    return "ipv6" if whole and (_DEFAULT, "default") not in own else "ipv4"
