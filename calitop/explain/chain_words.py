"""What a chain is: its role, the pod, policy or profile behind it, who calls it, and from which hook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.names import ChainRole, calico_rest
from calitop.cni.pods import pod_name
from calitop.explain.control import is_cut
from calitop.formats.spec import comments
from calitop.model.rules import ChainKey
from calitop.report.text import plural, printable

_CLEAR_NAME = re.compile(r"(?:cali:[\w-]{16};\s*)?([A-Z]\w*) (\S+) (ingress|egress)")
"""What Felix writes into the first rule of a policy or profile (v3.22 and later)."""
_NAMED = re.compile(r"((?:filter-|raw-|mangle-)?cali-(?:pri|pro|pi|po)-)(.+)", re.S)
_DIRECTIONS = {"from workload": "leaves the pod", "to workload": "enters the pod"}
_MOST = 4


@dataclass(frozen=True, slots=True)
class ChainWords:
    """One chain in words, each a line of plain text; "" where nothing is known."""

    role: str
    """What it is for (`to the pod default/web (ingress)`)."""
    behind: str
    """The pod, policy or profile (`the profile of the namespace default`)."""
    called: str
    """The rules that lead here."""
    way: str
    """From which hooks a packet gets here."""

    def lines(self) -> tuple[str, ...]:
        """What is known, line by line."""
        return tuple(line for line in (self.role, self.behind, self.called, self.way) if line)


def explain_chain(index: NodeIndex, key: ChainKey) -> ChainWords:
    """The chain in words.

    Raises:
        KeyError: No such chain.
    """
    role = index.role_of_chain(key)
    told = (role.words or role.group, _behind(index, key), _called(index, key), _way(index, key))
    return ChainWords(*map(printable, told))


def clear_name(index: NodeIndex, key: ChainKey) -> str | None:
    """The policy's or profile's name behind a chain; None for other chains and where it is not known.

    Told by the first rule's comment; else by the chain's name; where that is a hash, by the profile of
    a namespace or service account that is known here and has this hash.
    """
    named = _NAMED.fullmatch(key.chain)
    if named is None:
        return None
    rules = index.chains[key].rules
    for text in comments(rules[0]) if rules else ():
        told = _CLEAR_NAME.fullmatch(text)
        if told is not None:
            return told[2]
    start, rest = named.groups()
    return (
        index.profiles_by_chain.get(f"{start[start.index('cali-') :]}{rest}")
        if rest.startswith("_")
        else rest
    )


def _behind(index: NodeIndex, key: ChainKey) -> str:
    role = index.role_of_chain(key)
    if role.interface:
        return _workload(index, role) if _is_workloads(key) else f"interface {role.interface}"
    name = clear_name(index, key)
    if name is not None:
        return _profile(name) if "-pr" in key.chain else f"the policy {name}"
    return "the name behind the hash is not known here" if _NAMED.fullmatch(key.chain) else ""


def _workload(index: NodeIndex, role: ChainRole) -> str:
    """A workload's interface, with its pod where the role does not name it, and the packets that come by."""
    pod = index.pod_of_interface(role.interface or "")
    owner = " whose pod is not known" if pod is None else f" of the pod {pod_name(pod)}"
    direction = _DIRECTIONS.get(role.group)
    if direction is None:
        return f"interface {role.interface}{owner}"
    return f"interface {role.interface}{owner if pod is None else ''}: what {direction}"


def _is_workloads(key: ChainKey) -> bool:
    return (calico_rest(key.chain) or "").startswith(("fw-", "tw-", "sm-"))


def _profile(name: str) -> str:
    kind, _, rest = name.partition(".")
    if kind == "kns" and rest:
        return f"the profile of the namespace {rest}"
    space, dot, account = rest.partition(".")
    if kind == "ksa" and dot:
        return f"the profile of the service account {account} in the namespace {space}"
    return f"the profile {name}"


def _called(index: NodeIndex, key: ChainKey) -> str:
    if index.chains[key].builtin:
        return ""
    refs = index.callers(key)
    if not refs:
        return "no rule in the text calls it" if is_cut(index, key) else "no rule calls it"
    told = ", ".join(_caller(index, ref, key) for ref in islice(refs, _MOST))
    rest = len(refs) - _MOST
    return f"called by {told}" + (f" and {plural(rest, 'more rule')}" if rest > 0 else "")


def _caller(index: NodeIndex, ref: RuleRef, to: ChainKey) -> str:
    rule = index.chains[ref.key].rules[ref.index]
    verb = index.maps.verb_to(ref.key, rule, to.chain)
    number = "" if is_cut(index, ref.key) else f" rule {ref.index + 1}"
    return f"{ref.key.chain}{number}{' (goto)' if verb == 'goto' else ''}"


def _way(index: NodeIndex, key: ChainKey) -> str:
    """The built-in chains from which rules lead here."""
    hooks = [index.chains[base].hook or base.chain for base in index.rules.bases_above.get(key, ())]
    table = f" of table {key.table}" if key.table else ""
    if hooks:
        return f"reached from {', '.join(dict.fromkeys(hooks))}{table}"
    return "" if is_cut(index, key) else "no packet gets here"
