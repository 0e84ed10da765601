"""Calico's chains that follow from its configuration alone: whether two nodes hold the same rules in them.

Source: Felix, rules/static.go; equal last hashes are equal chains, since a hash covers all rules before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calitop.cni.felix_hash import shown_hash
from calitop.cni.index import NodeIndex
from calitop.cni.names import calico_rest
from calitop.explain.hash_words import ChainHashes, chain_hashes
from calitop.model.rules import ChainKey

_STATIC = frozenset(
    (
        "FORWARD",
        "INPUT",
        "OUTPUT",
        "PREROUTING",
        "POSTROUTING",
        "wl-to-host",
        "nat-outgoing",
        "cidr-block",
        "failsafe-in",
        "failsafe-out",
    )
)


@dataclass(frozen=True, slots=True)
class OnNode:
    """One static chain on one node."""

    signature: str | None
    """Hash of the last rule; "" for a chain without rules; None where nothing can be told."""
    why: str
    """Why nothing can be told; "" otherwise."""


@dataclass(frozen=True, slots=True)
class StaticChain:
    """One static chain on several nodes, in their order."""

    key: ChainKey
    nodes: tuple[OnNode, ...]

    @property
    def is_equal(self) -> bool | None:
        """Whether all nodes hold the same rules; None where one of them does not tell."""
        told = {one.signature for one in self.nodes}
        if len(told - {None}) > 1:
            return False
        return None if None in told else True


def is_static(key: ChainKey) -> bool:
    """Whether the chain's rules follow from the configuration, not from a node's endpoints."""
    return calico_rest(key.chain) in _STATIC


def signature(index: NodeIndex, key: ChainKey, hashes: ChainHashes | None) -> OnNode:
    """What the chain's last hash tells on one node.

    Args:
        index: The node.
        key: The chain.
        hashes: What its hashes say (`chain_hashes`).
    """
    chain = index.chains.get(key)
    if chain is None or not chain.present:
        return OnNode(None, "no such chain was read")
    if chain.complete is not True:
        return OnNode(None, "not all of it was read")
    if not chain.rules:
        return OnNode("", "")
    if hashes is None:
        return OnNode(None, "its hashes cannot be recomputed")
    if hashes.verdict != "untouched":
        return OnNode(None, hashes.words)
    return OnNode(shown_hash(chain.rules[-1].text) or "", "")


def static_chains(
    nodes: Sequence[tuple[NodeIndex, Mapping[ChainKey, ChainHashes]]],
) -> list[StaticChain]:
    """Every static chain that one of the nodes has, compared.

    Args:
        nodes: Each node with what the hashes of its chains say.
    """
    keys = dict.fromkeys(key for index, _ in nodes for key in index.chains if is_static(key))
    return [
        StaticChain(key, tuple(signature(index, key, hashes.get(key)) for index, hashes in nodes))
        for key in keys
    ]


def signed_end(index: NodeIndex, key: ChainKey) -> str | None:
    """The last hash of a static chain with rules; None where nothing can be told."""
    return signature(index, key, chain_hashes(index, key)).signature or None
