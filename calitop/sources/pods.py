"""Which pods there are, from a list that the operator gives."""

from __future__ import annotations

from pathlib import Path

from calitop.errors import SourceUnavailable
from calitop.model.node import Pod
from calitop.snapshot.hints import Hint
from calitop.snapshot.pods import pods_of
from calitop.snapshot.recognise import decode, recognise


def listed_pods(path: Path) -> tuple[Pod, ...]:
    """The pods of a file that holds `kubectl get pods -A -o wide`, `-o json`, or `ls /var/log/pods`.

    Raises:
        SourceUnavailable: The file cannot be read, or no pods stand in it.
    """
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise SourceUnavailable(
            f"cannot read the pods in '{path}': {error.strerror}",
            "give the output of kubectl get pods -A -o wide",
        ) from error
    pods = pods_of(recognise(text or "", Hint(topic="pods", told=True)).fragment)
    if not pods:
        raise SourceUnavailable(
            f"no pods in '{path}'", "give the output of kubectl get pods -A -o wide, or of -o json"
        )
    return pods
