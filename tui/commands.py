"""The palette: every chain, interface, route, pod and rule comment of the node, and every command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from calitop.cni.pods import pod_name
from calitop.explain.plain_facts import chain_words, route_way
from tui.bindings import KEYS, keys_in_use
from tui.screens.explorer import Explorer
from widgets.text import plain
from widgets.view import ChainId, LinkId, RuleId, SetId, Subject, View, route_id
from widgets.wording import rule_comment

SHOWN = 60
"""Hits that are scored; who needs more types more."""


class Name(NamedTuple):
    """One thing with the name it is found by."""

    text: str
    subject: Subject
    low: str
    """The name in small letters, to be compared with."""


def names_of(view: View) -> list[Name]:
    """Everything that can be gone to by name; slow for big rulesets, so for a thread."""
    return [Name(plain(text), subject, text.lower()) for text, subject in _named(view)]


def _named(view: View) -> Iterator[tuple[str, Subject]]:
    for link in view.state.links:
        yield f"interface {link.name}", LinkId(link.name)
    for pod in view.state.pods:
        if pod.interface is not None and view.state.link(pod.interface) is not None:
            yield f"pod {pod_name(pod)} {pod.interface}", LinkId(pod.interface)
    for route in view.state.routes:
        yield f"route {route.dst} {route_way(route)} {route.dev or ''}".rstrip(), route_id(route)
    for one in view.state.sets:
        yield f"set {one.name} {one.type}", SetId(one.name)
    for key in view.chains:
        yield f"chain {chain_words(key)}", ChainId(key)
    yield from _comments(view)


def _comments(view: View) -> Iterator[tuple[str, Subject]]:
    for key, chain in view.chains.items():
        for index, rule in enumerate(chain.rules):
            if "comment" in rule.text and (comment := rule_comment(rule)):
                yield f'rule "{comment}" {chain_words(key)}', RuleId(key, index)


class NodeProvider(Provider):
    """Names of the node, and the commands of the bindings table."""

    _names: list[Name]

    @property
    def explorer(self) -> Explorer | None:
        """The explorer below the palette."""
        return self.screen if isinstance(self.screen, Explorer) else None

    async def startup(self) -> None:
        """Collect the names while the operator begins to type."""
        explorer = self.explorer
        shown = explorer.shown if explorer is not None else None
        self._names = [] if shown is None else await asyncio.to_thread(names_of, shown.view)

    async def discover(self) -> Hits:
        """The commands, before anything is typed."""
        explorer = self.explorer
        if explorer is None:
            return
        names = keys_in_use(explorer.keymap)
        for key in KEYS:
            if key.group not in ("Moving", "Jumping") and not key.above_only:
                yield DiscoveryHit(
                    f"{key.label}: {key.help}", partial(self._act, key.action), help=names[key.id]
                )

    async def search(self, query: str) -> Hits:
        """Names and commands that hold every word of the query."""
        explorer = self.explorer
        if explorer is None:
            return
        words = query.lower().split()
        matcher = self.matcher(query)
        found = [name for name in self._names if all(word in name.low for word in words)]
        for name in sorted(found, key=lambda name: len(name.text))[:SHOWN]:
            yield Hit(
                max(0.01, matcher.match(name.text)),
                matcher.highlight(name.text),
                partial(explorer.go, name.subject),
                text=name.text,
            )
        for key in KEYS:
            if key.above_only:
                continue
            text = f"{key.label}: {key.help}"
            if (score := matcher.match(text)) > 0:
                yield Hit(score / 2, matcher.highlight(text), partial(self._act, key.action))

    async def _act(self, action: str) -> None:
        explorer = self.explorer
        if explorer is not None:
            await explorer.run_action(action)
