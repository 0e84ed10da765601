"""What the bits of the packet mark mean on a node, inferred from its rules.

The same bit means different things in different versions, and the mask is configurable, so nothing
is taken for granted: each meaning is read off a rule that uses it, and that rule is kept as proof.
Only Cilium's identity field has no rule; its place is fixed in Cilium's source.

Source: Felix, markbits/mark_bits.go and rules/epmark.go (bits are given out from the lowest up:
accept, pass, drop, scratch0, scratch1, WireGuard, endpoint); Cilium, pkg/datapath/linux/linux_defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from calitop.cni.names import calico_rest, chain_owner, chain_role
from calitop.formats.spec import spec
from calitop.model.matches import Mark
from calitop.model.network import IpRule
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Rule
from calitop.model.spec import RuleSpec
from calitop.model.targets import SetMark

CILIUM_IDENTITY = 0xFFFF00FF
"""Bits in which Cilium carries an identity where its own field says so (bpf/lib/common.h, get_identity)."""
CILIUM_IDENTITY_SIGN = 0xF00
"""What Cilium's own field holds then (MARK_MAGIC_IDENTITY)."""

_ACCEPT_COMMENTS = (
    "Return if profile accepted",
    "Return if policy accepted",
    "Policy explicitly accepted packet",
)
_PASS_COMMENTS = ("if no policies passed packet", "Start of policies", "Start of tier")
_POLICY_CHAINS = ("pi-", "po-", "pri-", "pro-", "gi-", "go-")


MEANINGS = (
    ("accept", "Calico accept"),
    ("pass_", "Calico pass"),
    ("drop", "Calico drop"),
    ("scratch0", "Calico scratch 0"),
    ("scratch1", "Calico scratch 1"),
    ("wireguard", "Calico WireGuard"),
    ("endpoint", "Calico endpoint"),
    ("kube_masquerade", "kube-proxy masquerade"),
    ("kube_drop", "kubelet drop"),
    ("cilium", "Cilium's own field"),
    ("cilium_identity", "Cilium identity"),
)
"""Each meaning's field of `MarkBits`, in words for people."""


@dataclass(frozen=True, slots=True)
class MarkBits:
    """Bits of the packet mark by meaning; None where no rule tells."""

    accept: int | None = None
    """Calico: accepted by policy."""
    pass_: int | None = None
    """Calico: passed on to the next tier or to the profiles."""
    drop: int | None = None
    """Calico: denied by policy (v3.30 and later)."""
    scratch0: int | None = None
    """Calico: came from a workload; helper of policy rules."""
    scratch1: int | None = None
    """Calico: helper of policy rules."""
    wireguard: int | None = None
    endpoint: int | None = None
    """Calico with kube-proxy in IPVS mode: the mask of the number that names the endpoint."""
    non_cali: int | None = None
    """The value within `endpoint` for "not a Calico endpoint"."""
    endpoints: tuple[tuple[int, str], ...] = ()
    """Each endpoint's value within `endpoint`, with its interface."""
    kube_masquerade: int | None = None
    kube_drop: int | None = None
    cilium: int | None = None
    """Cilium's own field, which says what else the mark carries."""
    cilium_identity: int | None = None
    """Where Cilium puts an identity; None where Cilium has no rule here."""
    proofs: tuple[tuple[str, ChainKey, int], ...] = field(default=(), repr=False)
    """For each meaning the rule it was read from: name, chain, index."""

    def interface_of(self, mark: int) -> str | None:
        """The endpoint that a mark names; None for none or an unknown one."""
        wanted = mark & (self.endpoint or 0)
        return next((name for value, name in self.endpoints if value == wanted), None) if wanted else None

    def parts(self) -> tuple[tuple[str, int], ...]:
        """Every known meaning with its bits, in words for people."""
        named = ((words, getattr(self, name)) for name, words in MEANINGS)
        return tuple((words, bits) for words, bits in named if bits)

    def meanings(self, mask: int) -> tuple[str, ...]:
        """The meanings that share a bit with the mask."""
        return tuple(words for words, bits in self.parts() if bits & mask)

    def identity_in(self, mark: int) -> int | None:
        """The Cilium identity that a mark carries; None where it carries none."""
        if self.cilium is None or mark & self.cilium != CILIUM_IDENTITY_SIGN & self.cilium:
            return None
        return (mark >> 16) | (mark & 0xFF) << 16

    @property
    def identity_meets_endpoint(self) -> int:
        """The bits in which Cilium's identity and Calico's endpoint mark collide; 0 where they do not."""
        return (self.cilium_identity or 0) & (self.endpoint or 0)


def infer(state: NodeState) -> MarkBits:
    """What the rules of a node say about the bits of its packet mark."""
    return _Inference(state).result()


@dataclass(frozen=True, slots=True)
class _Place:
    """One rule that has to do with marks."""

    key: ChainKey
    index: int
    rule: Rule
    rest: str
    """The chain's name behind `cali-`; empty for chains of others."""

    @property
    def spec(self) -> RuleSpec:
        return spec(self.rule)

    def tests(self) -> Iterator[Mark]:
        """Its tests of the packet mark."""
        return (match for match in self.spec.find(Mark) if match.of == "packet")

    def changes(self) -> Iterator[SetMark]:
        """Its changes of the packet mark."""
        for target in self.spec.targets:
            if isinstance(target.action, SetMark) and target.action.of == "packet":
                yield target.action

    def masks(self) -> Iterator[int]:
        """The masks of all its tests and changes."""
        yield from (one.mask for one in self.tests())
        yield from (one.mask for one in self.changes())

    def tested_set(self) -> int | None:
        """The bits that must all be set (`--mark M/M`)."""
        return next((one.mask for one in self.tests() if one.value == one.mask and not one.negated), None)

    def set_bits(self) -> int | None:
        """The bits that it sets and nothing else (`--set-xmark M/M`)."""
        return next((one.value for one in self.changes() if one.value and one.value == one.mask), None)

    def cleared(self) -> int | None:
        """The bits that it clears and nothing else (`--set-xmark 0/M`)."""
        return next((one.mask for one in self.changes() if not one.value and one.mask), None)


class _Inference:
    """Reads the meanings off the rules, one after the other."""

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._proofs: list[tuple[str, ChainKey, int]] = []

    def result(self) -> MarkBits:
        accept, scratch0, drop = self._accept(), self._scratch0(), self._drop()
        pass_ = self._pass(accept, scratch0, drop)
        endpoint = self._endpoint()
        cilium = self._cilium()
        return MarkBits(
            accept=accept,
            pass_=pass_,
            drop=drop,
            scratch0=scratch0,
            scratch1=self._scratch1(scratch0),
            wireguard=self._wireguard(),
            endpoint=endpoint,
            non_cali=self._non_cali(endpoint),
            endpoints=tuple(self._endpoints(endpoint)),
            kube_masquerade=self._set_in("kube_masquerade", "KUBE-MARK-MASQ", "mark-for-masquerade")
            or self._masqueraded(),
            kube_drop=self._set_in("kube_drop", "KUBE-MARK-DROP") or self._kube_dropped(),
            cilium=cilium,
            cilium_identity=CILIUM_IDENTITY if cilium is not None else None,
            proofs=tuple(self._proofs),
        )

    @cached_property
    def _places(self) -> tuple[_Place, ...]:
        """The rules with marks in them; nothing else is parsed."""
        return tuple(
            _Place(key, index, rule, calico_rest(key.chain) or "")
            for key, chain in self._state.chains().items()
            for index, rule in enumerate(chain.rules)
            if "mark" in rule.text or "MARK" in rule.text
        )

    def _first(
        self, meaning: str, fits: Callable[[_Place], bool], bits: Callable[[_Place], int | None]
    ) -> int | None:
        """The bits by the first rule that tells them, which is kept as proof."""
        for place in self._places:
            found = bits(place) if fits(place) else None
            if found is not None:
                self._proofs.append((meaning, place.key, place.index))
                return found
        return None

    def _accept(self) -> int | None:
        return self._first(
            "accept",
            lambda place: any(words in place.rule.text for words in _ACCEPT_COMMENTS),
            _Place.tested_set,
        )

    def _pass(self, accept: int | None, scratch0: int | None, drop: int | None) -> int | None:
        """Tested clear or cleared where policies begin and end; else what is left below scratch0."""
        told = self._first(
            "pass_",
            lambda place: any(words in place.rule.text for words in _PASS_COMMENTS),
            lambda place: place.cleared() or _tested_clear(place),
        )
        if told is not None:
            return told
        rest = self._own_bits & ~((accept or 0) | (drop or 0))
        below = rest & ((scratch0 & -scratch0) - 1) if scratch0 else 0
        return below if accept and _is_one(below) else None

    def _drop(self) -> int | None:
        """What a policy sets just before it drops on that bit."""
        return self._first(
            "drop",
            lambda place: place.rest.startswith(_POLICY_CHAINS) and place.rule.target in ("DROP", "REJECT"),
            _Place.tested_set,
        )

    def _scratch0(self) -> int | None:
        """Set for what comes in by a workload's interface, in table raw."""
        return self._first(
            "scratch0",
            lambda place: place.rest == "PREROUTING" and _takes_workloads(place.rule.text),
            _Place.set_bits,
        )

    def _scratch1(self, scratch0: int | None) -> int | None:
        rest = self._own_bits & ~((scratch0 << 1) - 1) if scratch0 else 0
        return rest if _is_one(rest) else None

    @cached_property
    def _own_bits(self) -> int:
        """The bits that Calico clears first in table raw: all of its low ones but drop."""
        return (
            self._first(
                "own",
                lambda place: place.rest == "PREROUTING" and place.key.table in ("raw", "calico"),
                _Place.cleared,
            )
            or 0
        )

    def _wireguard(self) -> int | None:
        told = self._first(
            "wireguard", lambda place: place.rest == "wireguard-incoming-mark", _Place.set_bits
        )
        return told or next(filter(None, map(_of_wireguard, self._state.ip_rules)), None)

    def _endpoint(self) -> int | None:
        return self._first(
            "endpoint",
            lambda place: place.rest == "from-endpoint-mark" or place.rest.startswith("sm-"),
            lambda place: next(filter(_is_wide, place.masks()), None),
        )

    def _non_cali(self, endpoint: int | None) -> int | None:
        if endpoint is None:
            return None
        return self._first(
            "non_cali",
            lambda place: "Non-Cali endpoint mark" in place.rule.text,
            lambda place: next((one.value for one in place.changes() if one.mask == endpoint), None),
        )

    def _endpoints(self, endpoint: int | None) -> Iterator[tuple[int, str]]:
        """The values by which cali-from-endpoint-mark and cali-sm-… know the endpoints."""
        found: dict[int, str] = {}
        for place in self._places if endpoint is not None else ():
            if place.rest == "from-endpoint-mark" and place.rule.target:
                name = chain_role(place.rule.target).interface
                values = [one.value for one in place.tests() if one.mask == endpoint]
            elif place.rest.startswith("sm-"):
                name = place.rest.removeprefix("sm-")
                values = [one.value for one in place.changes() if one.mask == endpoint]
            else:
                continue
            for value in values if name else ():
                found.setdefault(value, name or "")
        yield from sorted(found.items())

    def _set_in(self, meaning: str, *chains: str) -> int | None:
        """What a chain of kube-proxy sets, by its name in iptables or in kube-proxy's own table."""
        return self._first(
            meaning,
            lambda place: (
                place.key.chain in chains and chain_owner(place.key.chain, place.key.table) == "kube-proxy"
            ),
            _Place.set_bits,
        )

    def _masqueraded(self) -> int | None:
        """What KUBE-POSTROUTING masquerades by, where KUBE-MARK-MASQ is not in the text."""
        return self._first(
            "kube_masquerade",
            lambda place: place.key.chain in ("KUBE-POSTROUTING", "KUBE-FORWARD"),
            lambda place: (
                place.tested_set() or next((one.mask for one in place.tests() if not one.value), None)
            ),
        )

    def _kube_dropped(self) -> int | None:
        return self._first(
            "kube_drop",
            lambda place: place.key.chain == "KUBE-FIREWALL" and place.rule.target == "DROP",
            _Place.tested_set,
        )

    def _cilium(self) -> int | None:
        """The narrowest run of four bits that Cilium's rules test or set: its own field."""
        return self._first(
            "cilium",
            lambda place: chain_owner(place.key.chain, place.key.table) == "cilium",
            lambda place: next((mask for mask in place.masks() if mask.bit_count() == 4), None),
        )


def _tested_clear(place: _Place) -> int | None:
    """The bits that must all be clear (`--mark 0/M`)."""
    return next((one.mask for one in place.tests() if not one.value and not one.negated), None)


def _takes_workloads(text: str) -> bool:
    return " -i " in f" {text}" or "iifname" in text


def _is_one(bits: int) -> bool:
    return bits.bit_count() == 1


def _is_wide(mask: int) -> bool:
    """More than the one bit that Felix's own signs have."""
    return mask.bit_count() > 1


def _of_wireguard(rule: IpRule) -> int | None:
    """Felix sends what lacks its WireGuard mark to a table of its own (`not fwmark M/M`)."""
    is_sign = rule.inverted and rule.fwmark is not None and rule.fwmark == rule.fwmask
    return rule.fwmark if is_sign and rule.action == "lookup" else None
