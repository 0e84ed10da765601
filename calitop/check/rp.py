"""The kernel's reverse path check where two CNIs share a node."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link, of_route, of_setting
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Evidence, Found, Unjudged
from calitop.path.rp_filter import LOOSE, STRICT, mode

_TUNNELS = ("ipip", "vxlan")


def _on_cilium(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Strict or loose on interfaces of Cilium's pods or on cilium_*: one finding for each mode."""
    own = (link.name for link in facts.state.links if facts.index.owner_of_link(link) == "cilium")
    if unread := next((name for name in own if mode(facts.world, name) is None), None):
        yield Unjudged(facts.world.setting_name(unread, "rp_filter"))
    for wrong in (STRICT, LOOSE):
        names = [
            link.name
            for link in facts.state.links
            if facts.index.owner_of_link(link) == "cilium" and mode(facts.world, link.name) == wrong
        ]
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            settings = dict.fromkeys(one for name in names for one in _settings(facts, name))
            yield Found(f"rp_filter is {wrong} on {names[0]}{more}: Cilium needs 0", tuple(settings))


def _on_tunnel(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Strict or as good as that on Calico's tunnel, beside routes of Cilium that lead another way."""
    around = next(facts.routes_of("cilium"), None)
    for link in facts.state.links if around else ():
        is_tunnel = facts.index.role_of_link(link) in _TUNNELS and facts.index.owner_of_link(link) == "calico"
        if is_tunnel and mode(facts.world, link.name) is None:
            yield Unjudged(facts.world.setting_name(link.name, "rp_filter"))
        how = _strict(facts, link.name) if is_tunnel else None
        if how is not None and around is not None:
            title = f"rp_filter is {how}, but routes lead back by another interface"
            yield Found(title, (*_settings(facts, link.name), of_link(link), of_route(around[0])))


def _strict(facts: NodeFacts, dev: str) -> str | None:
    """In words, where the kernel takes only sources whose route back is the device; else None."""
    found = mode(facts.world, dev)
    if found == LOOSE and facts.world.addresses(dev) == ():
        return f"loose on {dev}, which has no address, and then acts as strict"
    return f"strict on {dev}" if found == STRICT else None


def _settings(facts: NodeFacts, dev: str) -> tuple[Evidence, ...]:
    names = (facts.world.setting_name(each, "rp_filter") for each in ("all", dev))
    return tuple(of_setting(name, facts.world.sysctl(name)) for name in names)


CHECKS = (
    Check(
        "rp-filter-on-cilium",
        "warning",
        ("links", "sysctls"),
        "The larger of all and the interface counts. Cilium's packets come in by other interfaces than the "
        "route back names; the kernel drops them without a trace in any rule (TcpExt.IPReversePathFilter).",
        "Set net.ipv4.conf.all.rp_filter and those of lxc* and cilium_* to 0, after systemd's own "
        "(/etc/sysctl.d/99-…; systemd 245 sets 2).",
        "cilium/cilium#10645, #19761, #20498",
        _on_cilium,
    ),
    Check(
        "rp-filter-on-tunnel",
        "warning",
        ("links", "routes", "sysctls"),
        "Packets from Cilium's addresses that come through this tunnel are dropped, for their route back "
        "leads to cilium_host.",
        "Set rp_filter of the tunnel to 2 or 0, and that of all to 0; on a tunnel without an address only 0 "
        "lets them in, so see why it has none.",
        "projectcalico/calico#4630; Linux, ip-sysctl.rst",
        _on_tunnel,
    ),
)
