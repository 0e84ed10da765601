"""The account against a model kernel that knows every rule's true count.

The model changes rules as programs do and keeps each rule's identity. Between two readings a
text is only added or only taken away, and what is zeroed shows a fall: without a handle no
reader could tell more (see `calitop.counters.identity`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from calitop.counters.ledger import Ledger
from calitop.model.rules import Chain
from tests.counters.build import KEY, chain, sample, structure

_TEXTS = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@dataclass
class _Rule:
    text: str
    counter: int = 0
    since_baseline: int = 0
    born_after_baseline: bool = True


@dataclass
class _Kernel:
    rules: list[_Rule] = field(default_factory=list)
    buried: list[_Rule] = field(default_factory=list)
    generation: int = 1

    def chain(self) -> Chain:
        return chain("X", *((rule.text, rule.counter) for rule in self.rules))

    def count(self, at: int, packets: int) -> None:
        self.rules[at].counter += packets
        self.rules[at].since_baseline += packets

    def by_text(self, text: str) -> int:
        """All that rules of that text counted since the baseline, deleted ones too."""
        return sum(rule.since_baseline for rule in self.rules + self.buried if rule.text == text)

    def rebase(self) -> None:
        self.buried.clear()
        for rule in self.rules:
            rule.since_baseline, rule.born_after_baseline = 0, False


def _edit(kernel: _Kernel, data: st.DataObject) -> None:
    """Inserts, deletions and replacements; no text both comes and goes."""
    gone, came = set[str](), set[str]()
    for _ in range(data.draw(st.integers(0, 3))):
        if len(kernel.rules) > 0 and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(kernel.rules) - 1))
            if kernel.rules[at].text not in came:
                gone.add(kernel.rules[at].text)
                kernel.buried.append(kernel.rules.pop(at))
                kernel.generation += 1
        text = data.draw(_TEXTS)
        if text not in gone and data.draw(st.booleans()):
            came.add(text)
            kernel.rules.insert(data.draw(st.integers(0, len(kernel.rules))), _Rule(text))
            kernel.generation += 1


def _traffic(kernel: _Kernel, data: st.DataObject) -> None:
    for at in range(len(kernel.rules)):
        kernel.count(at, data.draw(st.sampled_from([0, 0, 1, 3, 50])))


def _zero(kernel: _Kernel, data: st.DataObject) -> None:
    """Zero the chain as a rewrite does; what was last read falls, so it shows."""
    shows = any(rule.counter for rule in kernel.rules)
    _traffic(kernel, data)
    for rule in kernel.rules if shows else []:
        rule.counter = 0


def _check(kernel: _Kernel, ledger: Ledger) -> None:
    for at, rule in enumerate(kernel.rules):
        count = ledger.counts.rule(KEY, at)
        delta = count.delta
        assert count.now == (rule.counter, rule.counter * 10)
        if delta.packets is None:
            assert not delta.exact
            continue
        assert delta.bytes == delta.packets * 10
        assert delta.packets >= 0
        assert delta.packets <= kernel.by_text(rule.text)
        if delta.exact:
            assert delta.packets == rule.since_baseline
        if rule.born_after_baseline:
            assert not delta.exact


@settings(max_examples=300, deadline=None)
@given(st.lists(_TEXTS, max_size=7), st.data())
def test_exact_is_the_truth_and_at_least_is_never_more(texts: list[str], data: st.DataObject) -> None:
    kernel = _Kernel([_Rule(text) for text in texts])
    _traffic(kernel, data)
    kernel.rebase()
    generation = kernel.generation
    ledger = Ledger(structure(generation, 0.0, kernel.chain()))
    for at in range(1, data.draw(st.integers(1, 6)) + 1):
        action = data.draw(st.sampled_from(["traffic", "edit", "zero", "baseline"]))
        if action == "edit":
            _edit(kernel, data)
            _traffic(kernel, data)
        elif action == "zero":
            _zero(kernel, data)
        else:
            _traffic(kernel, data)
        if kernel.generation != generation:
            generation = kernel.generation
            ledger.restructure(structure(generation, float(at), kernel.chain()))
        ledger.add(sample(generation, float(at), kernel.chain()))
        if action == "baseline":
            kernel.rebase()
            ledger.rebase()
        _check(kernel, ledger)


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXTS, min_size=1, unique=True), st.data())
def test_rules_made_again_elsewhere_never_get_more_than_their_text_counted(
    texts: list[str], data: st.DataObject
) -> None:
    kernel = _Kernel([_Rule(text) for text in texts])
    _traffic(kernel, data)
    kernel.rebase()
    ledger = Ledger(structure(1, 0.0, kernel.chain()))
    for at in range(1, 6):
        remade = data.draw(st.sets(st.sampled_from(range(len(texts)))))
        kernel.buried += [kernel.rules[place] for place in sorted(remade)]
        new = [_Rule(kernel.rules[place].text) for place in sorted(remade)]
        kernel.rules = [rule for place, rule in enumerate(kernel.rules) if place not in remade]
        for rule in new:
            kernel.rules.insert(data.draw(st.integers(0, len(kernel.rules))), rule)
        _traffic(kernel, data)
        ledger.restructure(structure(at + 1, float(at), kernel.chain()))
        ledger.add(sample(at + 1, float(at), kernel.chain()))
        for place, rule in enumerate(kernel.rules):
            packets = ledger.counts.rule(KEY, place).delta.packets
            assert packets is None or 0 <= packets <= kernel.by_text(rule.text)
