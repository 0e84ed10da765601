"""A probe as JSON object and as text: what was sent and answered, then as for `hits`."""

from __future__ import annotations

from calitop.probe.records import Background, ProbeResult
from calitop.report.hits import amounts_json, hits_json
from calitop.report.hits_text import answer_text
from calitop.report.text import printable

Json = dict[str, object]


def probe_json(result: ProbeResult) -> Json:
    """The object of `hits` with `probe` beside it, without the envelope."""
    return {**hits_json(result.answer), "probe": _probe(result)}


def _probe(result: ProbeResult) -> Json:
    origin, sending = result.origin, result.sending
    return {
        "source": f"{origin.address}/{origin.address.max_prefixlen}",
        "destination": f"{result.target}/{result.target.max_prefixlen}",
        "protocol": result.request.protocol,
        "port": result.request.port,
        "sent": sending.sent if sending else None,
        "answered": sending.answered if sending else None,
        "refused": sending.refused if sending else None,
        "rtt_ms": [round(each, 3) if each is not None else None for each in sending.rtt_ms]
        if sending
        else [],
        "told": list(sending.told) if sending else [],
        "seen": result.seen,
        "pod": origin.pod,
        "interface": origin.device,
        "netns": origin.space,
        "background": _background(result.background),
    }


def _background(background: Background) -> Json:
    return {
        "seconds": round(background.seconds, 3),
        "subtracted_over_s": round(background.window_s, 3),
        **amounts_json(background),
    }


def probe_text(result: ProbeResult, *, by_hook: bool = False, only_flow: bool = False) -> str:
    """The whole report, arranged as for `hits_text`."""
    report = answer_text(result.answer, by_hook=by_hook, only_flow=only_flow)
    return "\n".join([account(result), "", report])


def account(result: ProbeResult, arrow: str = "→") -> str:
    """One line: what was sent, from where to where, and what came back."""
    return printable(_account(result, arrow))


def _account(result: ProbeResult, arrow: str) -> str:
    what = result.request.protocol.upper() if result.request.port else "PING"
    port = f" port {result.request.port}" if result.request.port else ""
    ends = f"{what}  {result.origin}  {arrow}  {result.target}{port}"
    if result.sending is None:
        return f"{ends}      your own: {result.seen} seen"
    rtts = [each for each in result.sending.rtt_ms if each is not None]
    fastest = f", {min(rtts):.2f} to {max(rtts):.2f} ms" if rtts else ""
    return f"{ends}      {result.sending.sent} sent, {result.sending.answered} answered{fastest}"
