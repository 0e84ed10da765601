"""When what is read again, and which changes ask for a new structure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from calitop.cni.pods import interface_name
from calitop.errors import NeedPrivilege, SourceUnavailable
from calitop.model.rules import ChainKey, Counter
from calitop.sources import capture
from calitop.sources.answers import Asked, not_asked, not_installed
from calitop.sources.capture import Capture, Captured
from calitop.sources.live import LiveReading
from calitop.sources.source import Wanted

SAVE = "*filter\n:INPUT ACCEPT [0:0]\n[{packets}:84] -A INPUT -s {source} -j DROP\nCOMMIT\n"
LINKS = '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"operstate":"UNKNOWN"}]'
KEY = ChainKey("ipv4", "nft", "filter", "INPUT")


class FakeRunner:
    """Answers from a table of texts; everything else is empty."""

    def __init__(self) -> None:
        self.texts: dict[Capture, str] = {
            capture.NFT_IPV4: SAVE.format(packets=1, source="10.0.0.1/32"),
            capture.LINK: LINKS,
            capture.HOSTNAME: "node-a\n",
        }
        self.failures: dict[Capture, str] = {}
        self.asked: list[Capture] = []

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        self.asked = list(captures)
        return [self._answer(wanted) for wanted in captures]

    def close(self) -> None:
        pass

    def _answer(self, wanted: Capture) -> Captured:
        if wanted in self.failures:
            return Asked().answer(wanted, 1, "", self.failures[wanted])
        return Asked().answer(wanted, 0, self.texts.get(wanted, ""))


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def reading(runner: FakeRunner) -> LiveReading:
    return LiveReading(runner, None, ())


def test_counters_alone_keep_the_generation(runner: FakeRunner, reading: LiveReading) -> None:
    structure = reading.structure()
    runner.texts[capture.NFT_IPV4] = SAVE.format(packets=9, source="10.0.0.1/32")
    sample = reading.counters(Wanted())
    assert sample is not None and sample.generation == structure.generation
    assert sample.chains[KEY].rules == (Counter(9, 84),)


def test_a_new_rule_raises_the_generation_and_is_not_read_twice(
    runner: FakeRunner, reading: LiveReading
) -> None:
    first = reading.structure()
    runner.texts[capture.NFT_IPV4] = SAVE.format(packets=9, source="10.0.0.2/32")
    assert reading.counters(Wanted()) is None
    runner.asked.clear()
    second = reading.structure()
    assert second.generation == first.generation + 1
    assert capture.NFT_IPV4 not in runner.asked
    assert second.state.chains()[KEY].rules[0].text == "-A INPUT -s 10.0.0.2/32 -j DROP"
    assert reading.counters(Wanted()) is not None


def test_a_new_link_keeps_the_generation(runner: FakeRunner, reading: LiveReading) -> None:
    first = reading.structure()
    runner.texts[capture.LINK] = LINKS.replace("65536", "1480")
    assert reading.counters(Wanted()) is None
    second = reading.structure()
    assert second.generation == first.generation
    assert second.state.links[0].mtu == 1480


def test_a_lifetime_that_runs_down_is_no_change(runner: FakeRunner, reading: LiveReading) -> None:
    runner.texts[capture.LINK] = '[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","valid_life_time":9}]}]'
    reading.structure()
    runner.texts[capture.LINK] = runner.texts[capture.LINK].replace(":9}", ":8}")
    assert reading.counters(Wanted()) is not None


def test_a_backend_that_vanishes_raises_the_generation(runner: FakeRunner, reading: LiveReading) -> None:
    first = reading.structure()
    runner.texts[capture.NFT_IPV4] = ""
    assert reading.counters(Wanted()) is None
    second = reading.structure()
    assert second.generation > first.generation and KEY not in second.state.chains()


def test_what_failed_is_told_beside_what_did_not(runner: FakeRunner, reading: LiveReading) -> None:
    runner.failures[capture.NFT_IPV4] = "Permission denied (you must be root)"
    state = reading.structure().state
    assert state.links and not state.rulesets
    assert state.warnings == (
        "cannot read the nft rules: permission denied; run as root, or open a snapshot: calitop PATH",
    )
    files = {file.file: file for file in state.files}
    assert files["iptables-nft-save -c"].problems[0].why == "Permission denied (you must be root)"


def test_nothing_readable_at_all_is_an_error(runner: FakeRunner, reading: LiveReading) -> None:
    runner.failures = dict.fromkeys(capture.LIVE, "Operation not permitted")
    with pytest.raises(NeedPrivilege):
        reading.structure()
    runner.failures = dict.fromkeys(capture.LIVE, "not found")
    with pytest.raises(SourceUnavailable):
        LiveReading(runner, None, ()).structure()


def test_the_name_is_the_given_one_then_hostname_then_the_prefix(runner: FakeRunner) -> None:
    assert LiveReading(runner, "ns", ()).structure().state.name == "ns"
    assert LiveReading(runner, None, (), "ssh x").structure().state.name == "node-a"
    runner.texts.pop(capture.HOSTNAME)
    assert LiveReading(runner, None, (), "ssh x").structure().state.name == "ssh x"


def test_pods_come_from_the_log_folders(runner: FakeRunner, reading: LiveReading) -> None:
    runner.texts[capture.LINK] = LINKS.replace('"lo"', f'"{interface_name("default", "a-1")}"')
    runner.texts[capture.LOG_PODS] = "default_a-1_1234\nkube-system_b-2_99\nnonsense\n"
    pods = reading.structure().state.pods
    assert [(pod.namespace, pod.name, pod.node) for pod in pods] == [
        ("default", "a-1", "node-a"),
        ("kube-system", "b-2", "node-a"),
    ]
    assert [pod.interface for pod in pods] == [interface_name("default", "a-1"), None]


def test_neighbours_alone_do_not_ask_for_the_structure(runner: FakeRunner, reading: LiveReading) -> None:
    structure = reading.structure()
    assert reading.refresh() is structure
    runner.texts[capture.NEIGHBOURS] = (
        '[{"dst":"10.0.0.9","dev":"lo","lladdr":"02:00:00:00:00:01","state":["STALE"]}]'
    )
    reading._settings_due = 0.0
    assert reading.counters(Wanted()) is not None
    refreshed = reading.refresh()
    assert [each.mac for each in refreshed.state.neighbours] == ["02:00:00:00:00:01"]
    assert refreshed.generation == structure.generation


def test_answers_say_why_they_are_empty() -> None:
    missing = not_installed(capture.LEGACY_IPV4)
    assert missing.asked and "'iptables-legacy-save'" in (missing.error or "")
    assert "calitop[iptables]" in (missing.error or "")
    absent = not_asked(capture.SET_HEADERS, "ip_set is not loaded: not asked")
    assert not absent.asked and absent.status is None
