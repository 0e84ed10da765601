"""Policy rules and tables -> the ways a destination can be reached: fib_lookup of the kernel.

Where a rule or a route depends on what is not known, both readings are followed; every way
says on what it depends.

Source: fib_rules_lookup in net/core/fib_rules.c, fib_table_lookup in net/ipv4/fib_trie.c,
__fib6_rule_action in net/ipv6/fib6_rules.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from calitop.formats import iptables_values as read
from calitop.model.network import IpFamily, IpRule, NextHop, Route
from calitop.model.values import Address, NamePattern
from calitop.path.bits import FULL, NO_MARK, Bits
from calitop.path.devices import is_named
from calitop.path.fib import WIDTH, Fib, tos_of
from calitop.path.packet import NO_DEVICE
from calitop.path.three import Truth, every, negation
from calitop.path.world import World, table_name

LOOPBACK = "lo"
"""The input device of what this node sends itself, in the eyes of policy rules."""
THROW = "throw"
NO_ROUTE, UNKNOWN_WAY = "no_route", "unknown"
REJECTS = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
"""Types that refuse, with the error that the kernel answers (fib_props)."""
MOST_WAYS = 64
"""Ways that are kept; more cannot be told to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the kernel looks at when it chooses a way."""

    family: IpFamily
    dst: Address
    src: Address | None = None
    """None where none is chosen yet (`ip route get` without `from`)."""
    src_known: bool = True
    """False where there is a source that nobody knows."""
    iif: str | None = LOOPBACK
    """Input device, `lo` for what this node sends; None where it is not known."""
    oif: str = NO_DEVICE
    """Output device that the sender is bound to."""
    mark: Bits = NO_MARK
    tos: int | None = 0
    protocol: int | None = None
    sport: int | None = None
    dport: int | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way that a destination can be reached, or why it cannot."""

    type: str
    """As `ip route` says (unicast, local, broadcast, blackhole …), or `no_route`, or `unknown`;
    `lookup` adds what the kernel refuses before or after the tables (martian_source …)."""
    dev: str | None = None
    gateway: str | None = None
    src: str | None = None
    """Source address that the kernel would choose, where it is known."""
    table: str | None = None
    route: Route | None = None
    rule: IpRule | None = None
    error: str | None = None
    """Name of the error that `ip route get` answers; None where a packet goes on."""
    depends: tuple[str, ...] = ()
    """What must hold for this way to be the one, in words; empty for a certain one."""
    missing: tuple[str, ...] = ()
    """Commands whose output would decide."""
    because: str = ""
    """Why the kernel refuses it, where more is known than its type says."""

    @property
    def outcome(self) -> tuple[str | None, ...]:
        """What tells two ways apart for a packet."""
        return self.type, self.dev, self.gateway, self.error


def fib_ways(world: World, query: Query) -> list[Way]:
    """Every way that can be the one; a single one without `depends` is certain."""
    if not world.fibs[query.family]:
        return [_unread(query.family, None)]
    ways = list(_Walk(world, query).rules(world.rules(query.family), ()))
    if query.family == "ipv4" and world.only_own_rules("ipv4"):
        ways = _with_merged(world, query, ways)
    return distinct(ways)


def distinct(ways: Iterable[Way]) -> list[Way]:
    """Each outcome once; ways that lead to the same end do not depend on what tells them apart."""
    found: dict[tuple[str | None, ...], Way] = {}
    for way in ways:
        found.setdefault(way.outcome, way)
        if len(found) >= MOST_WAYS:
            break
    if len(found) == 1:
        return [replace(way, depends=(), missing=_kept(way)) for way in found.values()]
    return list(found.values())


def _kept(way: Way) -> tuple[str, ...]:
    return way.missing if way.type == UNKNOWN_WAY else ()


def _with_merged(world: World, query: Query, split: list[Way]) -> list[Way]:
    """Both readings of untouched rules, where they differ."""
    fib = world.merged(int(query.dst))
    if fib is None:
        return split
    nowhere = Way(NO_ROUTE, error="ENETUNREACH")
    whole = [nowhere if way.type == THROW else way for way in _Walk(world, query).table(fib, None)]
    if {way.outcome for way in whole} == {way.outcome for way in split}:
        return split
    merged, apart = "no policy rule was ever added here", "a policy rule was added here at some time"
    return [*_if(whole, merged), *_if(split, apart)]


def _if(ways: Iterable[Way], condition: str) -> Iterator[Way]:
    for way in ways:
        yield replace(way, depends=(condition, *way.depends))


def _unread(family: IpFamily, table: str | None) -> Way:
    command = "ip -6 route show table all" if family == "ipv6" else "ip route show table all"
    why = f"table {table}, which was not read, decides" if table else "the routes were not read"
    return Way(UNKNOWN_WAY, table=table, depends=(why,), missing=(command,))


def _named(rule: IpRule) -> str:
    """A policy rule by its table, which says more than its number."""
    return f"table {rule.table}" if rule.action == "lookup" and rule.table else f"rule {rule.priority}"


class _Walk:
    """One lookup through rules and tables."""

    def __init__(self, world: World, query: Query) -> None:
        self._world = world
        self._query = query

    def rules(self, rules: Sequence[IpRule], depends: tuple[str, ...]) -> Iterator[Way]:
        """The ways by these rules in order; what falls out at the end has no route."""
        place = 0
        while place < len(rules):
            rule = rules[place]
            place += 1
            fits = rule_fits(self._world, rule, self._query)
            if fits is False:
                continue
            if rule.action == "goto":
                target = _place_of(rules, place, rule.goto)
                if target is not None and fits:
                    place = target
                elif target is not None:
                    yield from self.rules(rules[target:], (*depends, f"rule {rule.priority} fits"))
                    depends = (*depends, f"rule {rule.priority} does not fit")
                continue
            found = list(self._act(rule))
            goes_on = fits is None or any(way.type == THROW for way in found)
            condition = depends if fits else (*depends, f"rule {rule.priority} fits")
            for way in found:
                if way.type != THROW:
                    yield replace(way, rule=rule, depends=(*condition, *way.depends))
            if not goes_on:
                return
            if len(found) > 1 or fits is None:
                depends = (*depends, f"{_named(rule)} does not decide")
        yield Way(NO_ROUTE, error="ENETUNREACH", depends=depends)

    def _act(self, rule: IpRule) -> Iterator[Way]:
        if rule.action == "nop":
            yield Way(THROW)
        elif rule.action in REJECTS:
            error = "ENETUNREACH" if rule.action == "unreachable" else REJECTS[rule.action]
            yield Way(rule.action, error=error)
        elif rule.action != "lookup" or any(word.startswith("l3mdev") for word in rule.other):
            yield replace(_unread(self._query.family, None), depends=(f"what '{rule.action}' does",))
        else:
            name = table_name(rule.table)
            fib = self._world.fib(self._query.family, name)
            ways = self.table(fib, rule) if fib is not None else iter((_unread(self._query.family, name),))
            yield from ways
            if fib is None:
                yield Way(THROW)

    def table(self, fib: Fib, rule: IpRule | None) -> Iterator[Way]:
        """The ways by one table; the last is `throw` where the next rule can get its turn."""
        doubts: tuple[str, ...] = ()
        tied: tuple[int, int, str] | None = None
        for length, route in fib.candidates(int(self._query.dst)):
            tie = (length, route.metric, route.dst)
            if tied is not None and tie != tied:
                return
            truth, why = _route_fits(route, self._query)
            if truth is False:
                continue
            found = list(self._route(route, length, rule))
            if not found:
                continue
            conditions = doubts if truth else (*doubts, why)
            yield from (replace(way, depends=(*conditions, *way.depends)) for way in found)
            if truth and self._is_final(route):
                tied = tie if self._query.family == "ipv6" and not _is_reject(route) else None
                if tied is None:
                    return
            elif not truth:
                doubts = (*doubts, f"not: {why}")
        if tied is None:
            yield Way(THROW, depends=doubts)

    def _is_final(self, route: Route) -> bool:
        """Whether some next hop of the route certainly takes the packet."""
        if route.type is None or _is_reject(route) or not route.nexthops:
            return True
        return any(self._hop_fits(hop) for hop in route.nexthops)

    def _route(self, route: Route, length: int, rule: IpRule | None) -> Iterator[Way]:
        table = table_name(route.table)
        kinds = route.types if route.type is None else (route.type,)
        for kind in kinds or ("unicast", *REJECTS, THROW):
            depends = () if route.type is not None else (f"the route to {route.dst} is of type {kind}",)
            for way in self._ways_of_type(route, kind):
                one = replace(way, table=table, route=route, depends=(*depends, *way.depends))
                yield from _suppressed(one, length, rule)

    def _ways_of_type(self, route: Route, kind: str) -> Iterator[Way]:
        if kind == THROW:
            yield Way(THROW)
        elif kind in REJECTS:
            yield Way(kind, error=REJECTS[kind])
        elif not route.nexthops:
            hop = NextHop(route.gateway, route.dev, None, route.flags)
            if self._hop_fits(hop) is not False:
                src = route.src or (str(self._query.dst) if kind == "local" else None)
                yield Way(kind, route.dev, route.gateway, src)
        else:
            hops = [hop for hop in route.nexthops if self._hop_fits(hop) is not False]
            depends = (f"one of {len(hops)} next hops of {route.dst}",) if len(hops) > 1 else ()
            for hop in hops:
                yield Way(kind, hop.dev, hop.gateway, route.src, depends=depends)

    def _hop_fits(self, hop: NextHop) -> Truth:
        """Whether a next hop can be used (fib_lookup_good_nhc)."""
        query = self._query
        if "dead" in hop.flags or (query.oif and hop.dev is not None and hop.dev != query.oif):
            return False
        if "linkdown" in hop.flags and hop.dev is not None:
            return negation(self._world.either(hop.dev, "ignore_routes_with_linkdown"))
        return True


def _suppressed(way: Way, length: int, rule: IpRule | None) -> Iterator[Way]:
    """The way, or `throw` where the rule does not accept such a one (fib4_rule_suppress)."""
    is_found = way.error is None and way.type != THROW
    if rule is None or not is_found:
        yield way
    elif rule.suppress_prefixlength is not None and length <= rule.suppress_prefixlength:
        yield Way(THROW)
    elif rule.suppress_ifgroup not in (None, "default", "0", "-1"):
        yield replace(way, depends=(*way.depends, f"{way.dev} is not of group {rule.suppress_ifgroup}"))
        yield Way(THROW)
    else:
        yield way


def _is_reject(route: Route) -> bool:
    return route.type in REJECTS or route.type == THROW


def _place_of(rules: Sequence[IpRule], start: int, priority: int | None) -> int | None:
    """Place of the first rule of a priority behind `start`; None where there is none."""
    return next((i for i in range(start, len(rules)) if rules[i].priority == priority), None)


def _route_fits(route: Route, query: Query) -> tuple[Truth, str]:
    """Whether a route's selectors besides the destination let the query through, and on what it hangs."""
    tos = tos_of(route)
    if tos != 0:
        if tos is not None and query.tos is not None:
            return tos & 0xFC == query.tos & 0xFC, ""
        return None, f"tos is {route.tos}"
    bound = next((words for words in route.other if words.startswith("from ")), None)
    if bound is None or bound == "from all":
        return True, ""
    return _inside(query, query.src, bound.partition(" ")[2], query.src_known), f"source is {bound}"


def rule_fits(world: World, rule: IpRule, query: Query) -> Truth:
    """Whether a policy rule's selectors fit (fib_rule_match)."""
    truth = every(_selectors(world, rule, query))
    return negation(truth) if rule.inverted else truth


def _selectors(world: World, rule: IpRule, query: Query) -> Iterator[Truth]:
    if rule.iif is not None:
        yield is_named(query.iif, (NamePattern(rule.iif),))
    if rule.oif is not None:
        yield query.oif == rule.oif
    if rule.fwmark is not None:
        mask = FULL if rule.fwmask is None else rule.fwmask
        yield query.mark.test(rule.fwmark & mask, mask)
    if rule.src is not None:
        yield _inside(query, query.src, rule.src, query.src_known)
    if rule.dst is not None:
        yield _inside(query, query.dst, rule.dst, True)
    for words in rule.other:
        yield _other(world, words, query)


def _inside(query: Query, address: Address | None, prefix: str, known: bool) -> Truth:
    """Whether an address lies in a prefix; IPv4 takes a source not yet chosen for 0.0.0.0."""
    if not known:
        return None
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return None
    if address is None:
        return query.family == "ipv4" and int(network.network_address) == 0
    shift = WIDTH[query.family] - network.prefixlen
    return int(address) >> shift == int(network.network_address) >> shift


def _other(world: World, words: str, query: Query) -> Truth:
    """A selector that stands in the source's words: tos, ipproto, sport, dport, l3mdev."""
    name, _, value = words.partition(" ")
    if name == "l3mdev":
        return None if world.has_vrf() is not False else False
    if name == "tos":
        return None if query.tos is None else _in_range(query.tos & 0xFC, value)
    if name == "ipproto":
        return _protocol_is(query.protocol, value)
    if name in ("sport", "dport"):
        port = query.sport if name == "sport" else query.dport
        return None if port is None else _in_range(port, value)
    return None


def _protocol_is(protocol: int | None, word: str) -> Truth:
    wanted = read.protocol(word)
    return None if protocol is None or wanted is None else protocol == wanted


def _in_range(number: int, words: str) -> Truth:
    first, dash, last = words.partition("-")
    try:
        return int(first, 0) <= number <= int(last if dash else first, 0)
    except ValueError:
        return None
