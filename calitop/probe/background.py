"""What moves although nobody sends: measured before the baseline, subtracted from what moved.

The subtraction is an estimate, so a place with background is never exact afterwards and
proves no loss by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

from calitop.cni.index import NodeIndex
from calitop.counters.compare import compare
from calitop.counters.counts import ChainCounts, Counts
from calitop.counters.identity import align
from calitop.hits.moved import NodeHits, hits_of, node_hits
from calitop.hits.statistics import TELLING
from calitop.model.network import LinkCounters
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Counter
from calitop.probe.node import Reading
from calitop.probe.records import Background
from calitop.report.text import plural

_LINK_FIELDS = tuple(each.name for each in fields(LinkCounters))
Noise = Mapping["int | None", Counter]
"""Of one chain, by rule index; None is the policy."""


def measure(name: str, first: Reading, baseline: Reading) -> Background:
    """What moved between two readings in which nothing was sent."""
    moved = node_hits(name, first.state, baseline.state)
    return Background(baseline.at - first.at, moved.moved, moved.stats, moved.links)


def hits_without(name: str, background: Background, baseline: Reading, now: Reading) -> NodeHits:
    """What moved on the node since the baseline, less what goes on by itself."""
    counts = compare(baseline.state, now.state)
    seconds, window_s = background.seconds, now.at - baseline.at
    share = window_s / seconds if seconds > 0 else 0.0
    stats, links = background.stats, background.links
    quiet = replace(
        counts,
        chains=_chains(counts, background, baseline.state, now.state, share),
        stats={name: _less(value, stats.get(name, 0), share) for name, value in counts.stats.items()},
        links={name: _link(value, links.get(name), share) for name, value in counts.links.items()},
    )
    return hits_of(name, baseline.state, now.state, quiet, NodeIndex(now.state))


def doubtful(background: Background, facts: Iterable[str]) -> list[str]:
    """Telling statistics among the facts that also move when nobody sends."""
    text = " ".join(facts)
    return [name for name, value in background.stats.items() if value and name in TELLING and name in text]


def remark(background: Background) -> tuple[str, ...]:
    """That something was subtracted, in words; nothing where nothing moved by itself."""
    telling = [f"{name} +{value}" for name, value in background.stats.items() if name in TELLING]
    if not (background.moved or telling):
        return ()
    places = plural(len(background.moved), "rule or policy", "rules and policies")
    named = f" and {', '.join(telling)}" if telling else ""
    return (
        f"background: {places}{named} moved in {background.seconds:.1f} s before anything was sent; "
        "an estimate of it is subtracted, so these prove no loss by themselves",
    )


def _chains(
    counts: Counts, background: Background, before: NodeState, after: NodeState, share: float
) -> dict[ChainKey, ChainCounts]:
    noise: dict[ChainKey, dict[int | None, Counter]] = defaultdict(dict)
    for each in background.moved:
        noise[each.key][each.index] = Counter(each.delta.packets or 0, each.delta.bytes or 0)
    old, new = before.chains(), after.chains()
    chains = dict(counts.chains)
    for key, moved in noise.items():
        if key in chains and key in old and key in new:
            origin = align(old[key], new[key])
            chains[key] = _quieter(chains[key], moved, origin, share)
    return chains


def _quieter(chain: ChainCounts, noise: Noise, origin: list[int | None], share: float) -> ChainCounts:
    """The chain counting from a base that the background has reached meanwhile."""
    base, last = list(chain.base), len(chain.values) - 1
    noisy = set()
    for place in range(len(chain.values)):
        was = None if place == last else origin[place]
        sound = noise.get(was) if place == last or was is not None else None
        delta, start = chain.delta(place), base[place]
        if sound is None or start is None or delta.packets is None or delta.bytes is None:
            continue
        noisy.add(place)
        base[place] = Counter(
            start.packets + min(delta.packets, round(sound.packets * share)),
            start.bytes + min(delta.bytes, round(sound.bytes * share)),
        )
    loose = {place for place in range(len(chain.values)) if place in chain.loose}
    return replace(chain, base=tuple(base), loose=frozenset(loose | noisy))


def _less(value: int, noise: int, share: float) -> int:
    return max(0, value - round(noise * share))


def _link(value: LinkCounters, noise: LinkCounters | None, share: float) -> LinkCounters:
    if noise is None:
        return value
    return LinkCounters(
        **{name: _field(getattr(value, name), getattr(noise, name), share) for name in _LINK_FIELDS}
    )


def _field(value: int | None, noise: int | None, share: float) -> int | None:
    return value if value is None or noise is None else _less(value, noise, share)
