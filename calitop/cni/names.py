"""What names of chains, links and rules say: who made them, and what for.

Chain names: Felix `rules/rule_defs.go`, Cilium `pkg/datapath/iptables`, kube-proxy
`pkg/proxy/iptables`. A name is evidence, not proof: anybody may name a chain as they like.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

GROUPS = (
    "built-in",
    "dispatch",
    "from workload",
    "to workload",
    "policy",
    "profile",
    "host endpoint",
    "calico other",
    "cilium",
    "kube-proxy",
    "docker",
    "other",
    "orphan",
)
"""Groups of chains in the order in which the by-chain view shows them."""

CANARIES = frozenset({"KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT"})
"""Empty chains that are there to be noticed when they vanish; nobody calls them."""


class ChainRole(NamedTuple):
    """What a chain is for."""

    group: str
    """One of `GROUPS`."""
    words: str
    """In words; "" where the name tells nothing more than the group."""
    interface: str | None = None
    """The interface whose chain it is."""


class _Pattern(NamedTuple):
    start: str
    group: str
    words: str
    own_interface: bool = False


_CALICO = (
    _Pattern("from-wl-dispatch", "dispatch", "finds the sending workload's chain by -i"),
    _Pattern("to-wl-dispatch", "dispatch", "finds the receiving workload's chain by -o"),
    _Pattern("set-endpoint-mark", "dispatch", "marks packets for IPVS by -i"),
    _Pattern("from-endpoint-mark", "dispatch", "finds the sender's chain by its mark (IPVS)"),
    _Pattern("fw-", "from workload", "from the workload (egress)", True),
    _Pattern("tw-", "to workload", "to the workload (ingress)", True),
    _Pattern("sm-", "calico other", "sets the workload's endpoint mark (IPVS)", True),
    _Pattern("pi-", "policy", "a Calico policy's inbound rules"),
    _Pattern("po-", "policy", "a Calico policy's outbound rules"),
    _Pattern("gi-", "policy", "a group of Calico policies, inbound"),
    _Pattern("go-", "policy", "a group of Calico policies, outbound"),
    _Pattern("pri-", "profile", "a profile's inbound rules"),
    _Pattern("pro-", "profile", "a profile's outbound rules"),
    _Pattern("fhfw-", "host endpoint", "from the host endpoint, forwarded", True),
    _Pattern("thfw-", "host endpoint", "to the host endpoint, forwarded", True),
    _Pattern("fh-", "host endpoint", "from the host endpoint into this host", True),
    _Pattern("th-", "host endpoint", "to the host endpoint out of this host", True),
    _Pattern("from-host-endpoint", "host endpoint", "finds the chain of the host endpoint by -i"),
    _Pattern("to-host-endpoint", "host endpoint", "finds the chain of the host endpoint by -o"),
    _Pattern("from-hep-forward", "host endpoint", "the same for forwarded packets, by -i"),
    _Pattern("to-hep-forward", "host endpoint", "the same for forwarded packets, by -o"),
    _Pattern("failsafe-in", "host endpoint", "ports of this host that are always open"),
    _Pattern("failsafe-out", "host endpoint", "ports that this host may always reach"),
    _Pattern("wl-to-host", "calico other", "from a workload to this host"),
    _Pattern("forward-check", "calico other", "what IPVS takes through INPUT"),
    _Pattern("forward-endpoint-mark", "calico other", "what IPVS sends on"),
    _Pattern("nat-outgoing", "calico other", "masquerades what leaves the pools"),
    _Pattern("fip-dnat", "calico other", "floating IPs, destination"),
    _Pattern("fip-snat", "calico other", "floating IPs, source"),
    _Pattern("cidr-block", "calico other", "stops loops of unknown service addresses"),
    _Pattern("rpf-skip", "calico other", "workloads that may use other source addresses"),
    _Pattern("wireguard-incoming-mark", "calico other", "marks what WireGuard brings"),
    _Pattern("egress-dscp", "calico other", "sets DSCP on what leaves"),
    _Pattern("untracked-", "calico other", "untracked policy (eBPF mode)"),
)

_CALICO_NAME = re.compile(
    r"^(?:(?:filter|nat|mangle|raw)-)?(?:cali-|cali(?=[ft][wh]-|p[io]-)|felix-)(.*)$", re.S
)
"""With the layer's prefix of nftables mode, and the spellings of very old releases."""

_KEPT = 16_384
"""Owners kept by chain: the checks ask for each chain's several times."""
_OWNERS_BY_START = (
    ("CILIUM_", "cilium"),
    ("OLD_CILIUM_", "cilium"),
    ("KUBE-", "kube-proxy"),
    ("DOCKER", "docker"),
    ("FLANNEL-", "flannel"),
)
_OWNERS_BY_TABLE = {"calico": "calico", "kube-proxy": "kube-proxy", "cilium": "cilium"}
_OWN_TABLE_ROLES = {
    "calico": ChainRole("calico other", ""),
    "kube-proxy": ChainRole("kube-proxy", ""),
    "cilium": ChainRole("cilium", ""),
}
_ROLES_BY_OWNER = {
    "cilium": ChainRole("cilium", ""),
    "kube-proxy": ChainRole("kube-proxy", ""),
    "docker": ChainRole("docker", ""),
}


def calico_rest(chain: str) -> str | None:
    """What follows `cali-` in a Calico chain's name (`fw-cali7cd4eff55c7`); None for any other."""
    match = _CALICO_NAME.match(chain)
    return None if match is None else match[1]


@lru_cache(maxsize=_KEPT)
def chain_owner(chain: str, table: str | None = None) -> str | None:
    """Who made a chain of that name: calico, cilium, kube-proxy, docker, flannel or unknown."""
    if calico_rest(chain) is not None:
        return "calico"
    by_name = next((owner for start, owner in _OWNERS_BY_START if chain.startswith(start)), None)
    return by_name or table_owner(table)


def table_owner(table: str | None) -> str | None:
    """Who made an nft table of that name; None where the name does not tell."""
    return _OWNERS_BY_TABLE.get(table or "")


def chain_role(chain: str, table: str | None = None) -> ChainRole:
    """What a user chain of that name is for."""
    rest = calico_rest(chain)
    if rest is None:
        return _ROLES_BY_OWNER.get(chain_owner(chain) or "") or _OWN_TABLE_ROLES.get(
            table or "", ChainRole("other", "")
        )
    for pattern in _CALICO:
        if rest.startswith(pattern.start):
            interface = rest[len(pattern.start) :] if pattern.own_interface else None
            return ChainRole(pattern.group, pattern.words, interface or None)
    return ChainRole("calico other", "")


_LINK_OWNERS = (
    (re.compile(r"cali([0-9a-f]{11}|\+)"), "calico"),
    (re.compile(r"vxlan(-v6)?\.calico|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali"), "calico"),
    (re.compile(r"cilium_\w+|lxc([0-9a-f]{12}|\+)|lxc_health"), "cilium"),
    (re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}"), "docker"),
    (re.compile(r"flannel[.-].*|cni0"), "flannel"),
    (re.compile(r"kube-ipvs0"), "kube-proxy"),
    (re.compile(r"lo|gre0|gretap0|erspan0|sit0|ip6tnl0|ip6gre0|ip_vti0|ip6_vti0"), "kernel"),
)

_LINK_ROLES = (
    (re.compile(r"lo"), "loopback"),
    (re.compile(r"tunl0"), "ipip"),
    (re.compile(r"cali([0-9a-f]{11}|\+)|lxc([0-9a-f]{12}|\+)"), "workload"),
    (re.compile(r"lxc_health"), "health"),
    (re.compile(r"cilium_host|cilium_net"), "cilium host"),
    (re.compile(r"cilium_wg\d+|wireguard\.cali|wg-v6\.cali"), "wireguard"),
    (re.compile(r"cilium_vxlan|vxlan(-v6)?\.calico|flannel\.\d+"), "vxlan"),
    (re.compile(r"cilium_geneve"), "geneve"),
    (re.compile(r"kube-ipvs0"), "ipvs"),
    (re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}|cni0"), "bridge"),
    (re.compile(r"veth[0-9a-z]+"), "container"),
)

_KINDS_AS_ROLES = frozenset(
    {"ipip", "vxlan", "geneve", "wireguard", "bridge", "bond", "vlan", "dummy", "gre"}
)
_PHYSICAL = re.compile(r"(en[opsx]|eth|wl|ib|em)[0-9a-z]+(np\d+)?")


def link_owner(name: str) -> str | None:
    """Who made a link of that name; None where the name does not tell."""
    return next((owner for pattern, owner in _LINK_OWNERS if pattern.fullmatch(name)), None)


def link_role(name: str, kind: str | None) -> str | None:
    """What a link serves as, by its name before its kind: a TUN named tunl0 is `ipip`.

    Returns:
        loopback, workload, health, ipip, vxlan, geneve, wireguard, cilium host, ipvs, bridge,
        container, physical, bond, vlan, dummy, veth … or None where nothing tells.
    """
    named = next((role for pattern, role in _LINK_ROLES if pattern.fullmatch(name)), None)
    if named is not None or kind in _KINDS_AS_ROLES:
        return named or kind
    if kind is None:
        return "physical" if _PHYSICAL.fullmatch(name) else None
    return kind


_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.S)
_COMMENT = re.compile(r'--comment\s+("(?:\\.|[^"\\])*"|\S+)|(?:^|\s)comment\s+("(?:\\.|[^"\\])*")', re.S)
_COMMENT_OWNERS = (
    (re.compile(r"cali:[\w-]{16}"), "calico"),
    (re.compile(r"cilium", re.I), "cilium"),
    (re.compile(r"kubernetes|kube-proxy"), "kube-proxy"),
    (re.compile(r"flanneld"), "flannel"),
)


def unquoted(text: str) -> str:
    """A rule's text with every quoted string emptied: its words are not the rule's."""
    return _QUOTED.sub('""', text) if '"' in text else text


def comment_owner(text: str) -> str | None:
    """Who signed a rule in its comments; None for no or another signature."""
    if "comment" not in text:
        return None
    for match in _COMMENT.finditer(text):
        words = (match[1] or match[2]).strip('"')
        for pattern, owner in _COMMENT_OWNERS:
            if pattern.match(words):
                return owner
    return None
