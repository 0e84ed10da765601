"""/proc/net/dev read line by line tells what the format's parser tells."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calitop.formats import proc_dev
from calitop.sources.dev_counters import DevCounters

TITLE = "Inter-|   Receive  |  Transmit\n face |bytes    packets errs drop|bytes\n"
names = st.sampled_from(["lo", "cali1", "eth0.5", "br-x"])
lines = st.builds(
    lambda name, numbers: f"{name:>6}: {' '.join(map(str, numbers))}\n",
    names,
    st.lists(st.integers(0, 2**64 - 1), min_size=16, max_size=16),
)
texts = st.lists(lines | st.just("broken line\n"), unique_by=lambda line: line.split(":")[0], max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_every_reading_is_that_of_the_parser(tmp_path: Path, readings: list[list[str]]) -> None:
    path = tmp_path / "dev"
    counters = DevCounters(path)
    for reading in readings:
        path.write_text(TITLE + "".join(reading))
        found, wanted = counters.read(), proc_dev.parse(path.read_text())
        assert (found.links or ()) == (wanted.links or ()) and found.problems == wanted.problems
