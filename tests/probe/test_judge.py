"""What the counters say, weighed against what the sender saw."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calitop.model.place import Where
from calitop.probe.judge import quiet, weigh
from calitop.probe.records import Background, Request, Sending
from calitop.verdict.records import Outcome, Verdict

SILENT = Background(1.0)
PING = Request("pod", "10.0.0.2")
LOST = Verdict(
    "lost",
    "on n the kernel dropped 5",
    Where(node="n", kind="kernel"),
    5,
    ("n: TcpExt.IPReversePathFilter +5",),
)
PASSED = Verdict("passed", "5 packets went through", None, 5)
OPEN = Verdict("undecided", "nothing is known of the other node")
verdicts = st.sampled_from([LOST, PASSED, OPEN])


def sending(sent: int, answered: int, refused: int = 0) -> Sending:
    return Sending(sent, (1.0,) * answered + (None,) * (sent - answered), refused)


@given(verdicts, st.integers(1, 100))
def test_all_answered_is_passed_whatever_else_moved(found: Verdict, count: int) -> None:
    verdict = weigh(found, PING, sending(count, count), SILENT)
    assert (verdict.outcome, verdict.where, verdict.packets) == ("passed", None, count)


@given(verdicts, st.integers(1, 100), st.data())
def test_missing_replies_never_pass(found: Verdict, count: int, data: st.DataObject) -> None:
    answered = data.draw(st.integers(0, count - 1))
    assert weigh(found, PING, sending(count, answered), SILENT).outcome != "passed"


@given(verdicts)
def test_nothing_sent_decides_nothing(found: Verdict) -> None:
    told = Sending(0, told=("not sent: Network is unreachable",))
    verdict = weigh(found, PING, told, SILENT)
    assert verdict.outcome == "undecided" and "Network is unreachable" in verdict.because


def test_a_loss_that_the_counters_prove_is_told_with_the_sender_s_account() -> None:
    verdict = weigh(LOST, PING, sending(5, 0), SILENT)
    assert (verdict.outcome, verdict.where, verdict.packets) == ("lost", LOST.where, 5)
    assert "5 sent, 0 answered" in verdict.evidence[0]


def test_a_statistic_that_also_moves_by_itself_proves_no_loss() -> None:
    noisy = Background(1.0, stats={"TcpExt.IPReversePathFilter": 2})
    verdict = weigh(LOST, PING, sending(5, 0), noisy)
    assert (verdict.outcome, verdict.where, verdict.packets) == ("undecided", None, None)
    assert "TcpExt.IPReversePathFilter" in verdict.because
    assert quiet(LOST, SILENT) is LOST


def test_a_closed_udp_port_of_the_target_proves_the_way() -> None:
    request = Request("pod", "10.0.0.2", "udp", 81)
    outcomes: dict[int, Outcome] = {5: "passed", 4: "undecided"}
    for refused, outcome in outcomes.items():
        assert weigh(OPEN, request, sending(5, 0, refused), SILENT).outcome == outcome


def test_a_refused_tcp_connection_proves_nothing() -> None:
    """A REJECT rule on the way refuses as the target does."""
    request = Request("pod", "10.0.0.2", "tcp", 81)
    assert weigh(OPEN, request, sending(5, 0, 5), SILENT).outcome == "undecided"
