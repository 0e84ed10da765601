"""iptables rules being put together: tables, chains and rules in order, printed for iptables-restore."""

from __future__ import annotations

from collections.abc import Iterable

from calitop.cni.felix_hash import rule_hashes

KERNEL_CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class Tables:
    """The rules of one node, filled by the programs in the order in which they start."""

    def __init__(self, forward_policy: str = "ACCEPT") -> None:
        self._chains: dict[str, dict[str, list[str]]] = {
            table: {chain: [] for chain in chains} for table, chains in KERNEL_CHAINS.items()
        }
        self._forward_policy = forward_policy

    def add(self, table: str, chain: str, *rules: str) -> None:
        """Appends rules to a chain, which is declared where it is new; no rules declare only."""
        self._chains[table].setdefault(chain, []).extend(rules)

    def add_felix(self, table: str, chain: str, written: Iterable[str], run: str | None = None) -> None:
        """Appends rules as Felix writes them, each with its hash.

        Args:
            table: Name of the table.
            chain: Name of the chain.
            written: Felix's form of each rule: comments, matches, target.
            run: The name under which the chain is hashed, where it is not its own.
        """
        rules = list(written)
        hashes = rule_hashes(run or chain, rules)
        commented = (
            f'-m comment --comment "cali:{hash_}" {rule}' for hash_, rule in zip(hashes, rules, strict=True)
        )
        self.add(table, chain, *commented)

    def chains(self, table: str) -> dict[str, list[str]]:
        """Chains of a table with their rules."""
        return self._chains[table]

    def restore_text(self, tables: Iterable[str] = KERNEL_CHAINS) -> str:
        """Input of iptables-restore that replaces these tables."""
        return "".join(self._table_text(table) for table in tables)

    def _table_text(self, table: str) -> str:
        chains = self._chains[table]
        heads = [f":{name} {self._policy(table, name)} [0:0]" for name in chains]
        rules = [f"-A {name} {rule}" for name, rules in chains.items() for rule in rules]
        return "\n".join([f"*{table}", *heads, *rules, "COMMIT", ""])

    def _policy(self, table: str, chain: str) -> str:
        if chain not in KERNEL_CHAINS[table]:
            return "-"
        return self._forward_policy if (table, chain) == ("filter", "FORWARD") else "ACCEPT"
