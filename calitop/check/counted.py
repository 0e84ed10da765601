"""What only traffic shows: rules and statistics that count packets which Calico or the kernel refuse.

They look at what was counted between two moments; one moment alone cannot tell whether a count is old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from calitop.check.evidence import of_policy, of_rule, of_statistic
from calitop.check.facts import NodeFacts, drops_spoofed
from calitop.check.links import all_dispatched
from calitop.check.records import Check, Found, Severity, Unjudged
from calitop.cni.names import calico_rest, chain_owner
from calitop.model.rules import ChainKey, Rule

_NO_COUNTERS = "the counters of rules in both moments (iptables-save -c)"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Rules that count packets of one fault."""

    id: str
    severity: Severity
    words: str
    """What happened to the packets, behind their number."""
    is_it: Callable[[ChainKey, Rule], bool]
    explain: str
    fix: str
    source: str
    is_passing: Callable[[NodeFacts], bool] = lambda facts: False
    """Whether nothing else shows the fault any more: then it is information."""

    def check(self) -> Check:
        """The check that tells of them."""
        find = partial(_refused, self)
        return Check(self.id, self.severity, ("rules", "counts"), self.explain, self.fix, self.source, find)


def _refused(refusal: _Refusal, facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One finding with all rules that counted, the most first."""
    if not facts.has_counters:
        yield Unjudged(_NO_COUNTERS)
        return
    counted = [
        (packets, of_rule(key, at, rule))
        for key, at, rule, packets in _moved(facts)
        if refusal.is_it(key, rule)
    ]
    if counted:
        counted.sort(key=lambda each: -each[0])
        title = f"{sum(packets for packets, _ in counted)} packets {refusal.words}"
        severity: Severity | None = "info" if refusal.is_passing(facts) else None
        yield Found(title, tuple(evidence for _, evidence in counted), severity)


def _moved(facts: NodeFacts) -> Iterator[tuple[ChainKey, int, Rule, int]]:
    """Rules that counted, and how many packets."""
    for key, at, delta in facts.counts.moved() if facts.counts is not None else ():
        if at is not None and delta.packets:
            yield key, at, facts.index.chains[key].rules[at], delta.packets


def _policy_drops(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Where pods of Calico or Cilium are forwarded; a router or a Docker host means its policy so."""
    if not (facts.has_calico or facts.has_cilium):
        return
    if not facts.has_counters:
        yield Unjudged(_NO_COUNTERS)
    for key, at, delta in facts.counts.moved() if facts.counts is not None else ():
        chain = facts.index.chains[key]
        if at is None and delta.packets and chain.policy == "DROP" and chain.hook == "FORWARD":
            title = f"{delta.packets} packets were dropped by the policy of {key.chain}"
            yield Found(title, (of_policy(key, "DROP"),))


def _statistic(name: str, words: str, facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """A statistic of the kernel that rose."""
    rose = facts.counts.stats.get(name) if facts.counts is not None else None
    if rose is None:
        yield Unjudged(f"{name} in both moments")
    elif rose > 0:
        yield Found(f"{rose} packets {words}", (of_statistic(name, facts.state.stats.get(name)),))


def _says(words: str) -> Callable[[ChainKey, Rule], bool]:
    return lambda key, rule: words in rule.text and calico_rest(key.chain) is not None


def _is_unknown_mark(key: ChainKey, rule: Rule) -> bool:
    rest = calico_rest(key.chain)
    return rest == "from-endpoint-mark" and rule.target in ("DROP", "REJECT")


def _is_unknown_interface(key: ChainKey, rule: Rule) -> bool:
    rest = calico_rest(key.chain) or ""
    return rest.startswith(("from-wl-dispatch", "to-wl-dispatch")) and "Unknown interface" in rule.text


def _is_pod_invalid(key: ChainKey, rule: Rule) -> bool:
    rest = calico_rest(key.chain) or ""
    return rest.startswith(("fw-", "tw-")) and "INVALID" in rule.text.upper() and rule.target == "DROP"


def _is_kube_invalid(key: ChainKey, rule: Rule) -> bool:
    is_kube = chain_owner(key.chain, key.table) == "kube-proxy"
    return is_kube and "INVALID" in rule.text.upper() and rule.target == "DROP"


_REFUSALS = (
    _Refusal(
        "spoofed-sources-counted",
        "warning",
        "from pods had a source that is not routed back to them",
        drops_spoofed,
        "Calico's own reverse path test in table raw drops what a pod sends with a source whose route back "
        "is not the pod's interface; the settings rp_filter do not change it.",
        "If the pod may send such sources (a VPN, a router in a pod), allow it (annotation "
        "cni.projectcalico.org/allowedSourcePrefixes with workloadSourceSpoofing: Any); else see which route "
        "its address has.",
        "projectcalico/calico#4630",
    ),
    _Refusal(
        "foreign-ipip-counted",
        "warning",
        "of IPIP came from hosts that Calico does not know",
        _says("Drop IPIP packets from non-Calico hosts"),
        "Calico drops all IPIP whose outer source is not in its set of hosts, other users' tunnels too.",
        "If they come from a node, see which address Calico knows it by; if from others, add their ranges "
        "(FELIX_EXTERNALNODESCIDRLIST), or disable IPIP where it is not used.",
        "projectcalico/calico#4456, #3665; projectcalico/felix#1943",
    ),
    _Refusal(
        "unknown-endpoint-counted",
        "error",
        "had a mark that names no endpoint of Calico",
        _is_unknown_mark,
        "With kube-proxy in IPVS mode Calico reads the sender's endpoint from the packet mark and drops what "
        "it does not know. Cilium writes its identity into the same bits, and a tunnel copies the mark to "
        "its outer packet.",
        "Give Calico's mark mask bits that Cilium's identity does not use (FelixConfiguration "
        "iptablesMarkMask), or let Cilium leave the mark (enable-identity-mark: false).",
        "cilium/cilium#12185; felix rules/epmark.go",
    ),
    _Refusal(
        "unknown-interface-counted",
        "error",
        "came from or went to interfaces that Calico does not know",
        _is_unknown_interface,
        "The dispatch chain drops what its rules do not know: Felix has not made chains for these "
        "interfaces, or stale chains of another backend are still there. Where every interface has its "
        "chains by now this is info: a new pod's first packets may come before them.",
        "See which interfaces have no chains (interface-without-chains), that Felix runs and which backend "
        "it writes.",
        "projectcalico/calico#8243, #5760",
        is_passing=all_dispatched,
    ),
    _Refusal(
        "pod-invalid-counted",
        "info",
        "of pods were INVALID to conntrack and dropped by Calico",
        _is_pod_invalid,
        "Conntrack calls a packet INVALID that fits no connection: late ones after a close, one half of an "
        "asymmetric path, or bad checksums. Some are normal; most of a flow's packets are not.",
        "If a flow hangs: trace --reply shows whether both ways pass this node; ethtool -K … tx off where "
        "checksums are bad.",
        "projectcalico/calico#4511",
    ),
    _Refusal(
        "kube-invalid-counted",
        "info",
        "were INVALID to conntrack and dropped by kube-proxy",
        _is_kube_invalid,
        "kube-proxy drops what fits no connection, so that a late packet does not reset one. It also drops "
        "TCP of which this node sees only one way: pings pass, connections hang.",
        "Mend the asymmetric path. With net.netfilter.nf_conntrack_tcp_be_liberal=1 newer releases of "
        "kube-proxy leave this rule out.",
        "projectcalico/calico#7434; kubernetes/kubernetes#94861, #74839, #120412",
    ),
)

CHECKS = (
    *(refusal.check() for refusal in _REFUSALS),
    Check(
        "forward-policy-counted",
        "warning",
        ("rules", "counts"),
        "No rule of FORWARD has accepted these packets; Docker sets its policy to DROP.",
        "See forward-drop, and trace one of the flows.",
        "projectcalico/calico#2230; kubernetes/kubernetes#39823, #108718",
        _policy_drops,
    ),
    Check(
        "rp-filter-counted",
        "info",
        ("counts",),
        "The kernel's reverse path check has dropped packets whose route back is another interface. No rule "
        "shows it. On a node with an outside address some are only noise of the internet.",
        "See rp-filter-on-tunnel and rp-filter-on-cilium; calitop trace for the flow that fails.",
        "cilium/cilium#10645; Linux, ip-sysctl.rst",
        partial(_statistic, "TcpExt.IPReversePathFilter", "failed the kernel's reverse path check"),
    ),
    Check(
        "conntrack-insert-counted",
        "info",
        ("counts",),
        "Conntrack could not enter these connections: their first packets were dropped. Some are normal "
        "where programs ask DNS twice at once from one port.",
        "See conntrack -S; a full table needs a larger net.netfilter.nf_conntrack_max, clashes of equal "
        "ports --random-fully.",
        "projectcalico/calico#8676; conntrack(8)",
        partial(_statistic, "Conntrack.insert_failed", "could not be entered into conntrack"),
    ),
)
