"""Which chains count as touched, by recorded events."""

from __future__ import annotations

from collections.abc import Iterable

from calitop.model.rules import ChainKey, TableKey
from calitop.sources.nfnetlink import Message, NfEvents, messages
from calitop.sources.nft_changes import NftChanges, Scope
from tests.sources.nft_bytes import GENERATION_3, GENERATION_4, NEW_RULE, RENAMED

OWN = TableKey("inet", "native", "own")
NATIVE = Scope("native", frozenset({"inet", "ipv4"}), left_out=frozenset({"filter"}))
IPTABLES = Scope("nft", frozenset({"ipv4"}), named=frozenset({"filter"}))


class FakeEvents(NfEvents):
    """Events that come one answer at a time; None stands for lost ones."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.waited = 0

    def take(self, *, wait: bool = False) -> list[Message] | None:
        self.waited += wait
        if not self.answers:
            return []
        answer = self.answers.pop(0)
        return None if answer is None else list(messages(memoryview(answer)))


def changes(
    events: FakeEvents, known: Iterable[ChainKey] = (), scope: Scope = NATIVE, generation: int = 2
) -> NftChanges:
    return NftChanges(events, generation, scope, set(known), {OWN})


def test_a_new_rule_touches_its_chain() -> None:
    seen = changes(FakeEvents(NEW_RULE + GENERATION_3), [OWN.chain("d")])
    seen.take()
    assert seen.chains == {OWN.chain("d")} and not seen.more
    seen.forget()
    assert not seen.any


def test_another_listings_tables_are_not_looked_at() -> None:
    seen = changes(FakeEvents(NEW_RULE + GENERATION_3), scope=IPTABLES)
    seen.take()
    assert not seen.any


def test_a_renamed_chain_cannot_be_told_by_its_old_name() -> None:
    seen = changes(FakeEvents(RENAMED), [OWN.chain("d")])
    seen.saw_handle(OWN, 5)
    seen.take()
    assert seen.more


def test_a_chain_with_a_higher_handle_is_new() -> None:
    seen = changes(FakeEvents(RENAMED), [OWN.chain("d")])
    seen.saw_handle(OWN, 1)
    seen.take()
    assert seen.chains == {OWN.chain("e")} and not seen.more


def test_lost_events_are_more_than_can_be_named() -> None:
    seen = changes(FakeEvents(None))
    seen.take()
    assert seen.more


def test_it_waits_for_the_events_of_a_generation_in_force() -> None:
    events = FakeEvents(NEW_RULE, GENERATION_3, RENAMED + GENERATION_4)
    seen = changes(events)
    seen.take_until(3)
    assert events.waited == 2 and seen.chains == {OWN.chain("d")}
    seen.take_until(3)
    assert events.waited == 2


def test_events_that_never_come_count_as_lost() -> None:
    seen = changes(FakeEvents())
    seen.take_until(3)
    assert seen.more


def test_generations_wrap_around() -> None:
    events = FakeEvents()
    changes(events, generation=1).take_until((1 << 32) - 1)
    assert not events.waited


def test_iptables_tables_belong_to_native_nft_only_once_printed_there() -> None:
    assert NATIVE.key(2, "filter", ()) is None
    printed = {TableKey("ipv4", "native", "filter")}
    assert NATIVE.key(2, "filter", printed) == TableKey("ipv4", "native", "filter")
    assert NATIVE.key(2, "other", ()) == TableKey("ipv4", "native", "other")
    assert NATIVE.key(99, "other", ()) is None
    assert IPTABLES.key(2, "own", ()) is None
