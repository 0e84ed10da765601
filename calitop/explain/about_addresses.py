"""What is told of an address and of an ipset."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from calitop.cni.index import NodeIndex
from calitop.explain.about_rules import called_lines, limited
from calitop.explain.address_words import explain_address
from calitop.explain.plain_facts import rule_place
from calitop.explain.set_words import explain_set, use_words
from calitop.explain.told import Told
from calitop.report.text import plural


def find_addresses(index: NodeIndex, what: str) -> Iterator[Told]:
    """An address without a length: there is always something to tell, be it that nobody is known."""
    try:
        address = ip_address(what)
    except ValueError:
        return
    words = explain_address(index, address)
    lines = (*words.lines(), *called_lines(index, words.rules, "named by"))
    yield Told("address", str(address), f"address {address}", lines)


def find_sets(index: NodeIndex, what: str) -> Iterator[Told]:
    """The ipset of that name, also where only rules name it."""
    if not index.sets.users(what) and all(one.name != what for one in index.state.sets):
        return
    words = explain_set(index, what)
    size = () if words.size is None else (plural(words.size, "member"),)
    uses = (f"{rule_place(index, use.ref)}: {use.words}" for use in words.uses)
    lines = (*words.lines(), *size, use_words(words), *limited(uses, words.users, "rule"))
    yield Told("set", what, f"set {what}", lines)
