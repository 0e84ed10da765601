"""What the tests of iptables text share: ways to the corpus, and rule lines for Hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from calitop.formats.iptables_save import parse
from calitop.formats.words import quote
from calitop.model.rules import Chain, Rule, Ruleset, Table

SHARED = Path(__file__).parents[3] / "shared"
CORPUS = SHARED / "corpus"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not on this machine")


def rulesets(text: str) -> tuple[Ruleset, ...]:
    """The rulesets of a text, () where it tells none."""
    return parse(text).rulesets or ()


def only(text: str) -> Ruleset:
    """The one ruleset of a text."""
    (found,) = rulesets(text)
    return found


def corpus(name: str) -> Ruleset:
    """The one ruleset of a file of the corpus."""
    return only((CORPUS / name).read_text())


def table(ruleset: Ruleset, name: str | None) -> Table:
    """A table that must be there."""
    found = ruleset.table(name)
    assert found is not None
    return found


def chain(ruleset: Ruleset, table_name: str | None, name: str) -> Chain:
    """A chain that must be there."""
    return table(ruleset, table_name).chains[name]


def all_rules(ruleset: Ruleset) -> list[Rule]:
    """Every rule, in the order of the text."""
    rules = [rule for one in ruleset.tables for chain in one.chains.values() for rule in chain.rules]
    return sorted(rules, key=lambda rule: rule.line or 0)


_name = st.from_regex(r"[A-Za-z][A-Za-z0-9_~-]{0,20}", fullmatch=True)
_free = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30).map(quote)
_bang = st.sampled_from(["", "! "])
_match = st.one_of(
    st.builds("{}-s 10.{}.0.0/16".format, _bang, st.integers(0, 255)),
    st.builds("{}-i {}".format, _bang, st.sampled_from(["cali+", "eth0", "+"])),
    st.builds("-m comment --comment {}".format, _free),
    st.builds("-m mark {}--mark 0x{:x}/0xf0000".format, _bang, st.integers(0, 2**32 - 1)),
    st.builds("-m set {}--match-set {} src,dst".format, _bang, _name),
    st.builds("-p tcp -m tcp {}--tcp-flags FIN,SYN,RST,ACK SYN".format, _bang),
    st.builds("-p tcp -m multiport --dports {}".format, st.sampled_from(["80", "80,443:445"])),
    st.just("-m rpfilter --validmark --invert"),
    st.just("-m unheard --of it -m of"),
)
_target = st.one_of(
    st.just(""),
    st.builds("-j {}".format, _name),
    st.builds("-g {}".format, _name),
    st.builds("-j LOG --log-prefix {} --log-level 5".format, _free),
    st.just("-j MARK --set-xmark 0x0/0xf0000"),
)

rule_texts = st.builds(
    lambda chain, matches, target: " ".join(word for word in ("-A", chain, *matches, target) if word),
    _name,
    st.lists(_match, max_size=5),
    _target,
).filter(lambda text: text == text.rstrip(" \t\r"))
"""Rule lines as iptables-save may print them."""

counters = st.one_of(st.none(), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)))
