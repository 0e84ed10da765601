"""Rulesets back to text that iptables-restore loads."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.model.rules import Chain, Rule, Ruleset, Table


def rule_line(rule: Rule) -> str:
    """The rule's line: `[packets:bytes] -A …`, or without counters where the source had none."""
    if rule.counter is None:
        return rule.text
    return f"[{rule.packets}:{rule.bytes}] {rule.text}"


def print_save(ruleset: Ruleset) -> str:
    """A text for iptables-restore with every chain that the ruleset holds.

    Tables without a name cannot be loaded and are left out; a chain that is only jumped
    to is declared, since iptables refuses a jump to nowhere.
    """
    return "".join(f"{line}\n" for table in ruleset.tables if table.name for line in _table_lines(table))


def _table_lines(table: Table) -> Iterator[str]:
    yield f"*{table.name}"
    for chain in table.chains.values():
        yield _declaration(chain)
    for chain in table.chains.values():
        for rule in chain.rules:
            yield rule_line(rule)
    yield "COMMIT"


def _declaration(chain: Chain) -> str:
    policy = chain.policy or ("ACCEPT" if chain.builtin else "-")
    return f":{chain.name} {policy} [{chain.packets or 0}:{chain.bytes or 0}]"
