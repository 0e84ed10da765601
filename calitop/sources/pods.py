"""Which pods a node has: from a list that the operator gives, or from the kubelet's log folders."""

from __future__ import annotations

from pathlib import Path

from calitop.errors import SourceUnavailable
from calitop.model.node import Pod
from calitop.snapshot.hints import Hint
from calitop.snapshot.recognise import decode, recognise


def listed_pods(path: Path) -> tuple[Pod, ...]:
    """The pods of a file that holds `kubectl get pods -A -o wide` or `-o json`.

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
    pods = recognise(text or "", Hint(topic="pods", told=True)).fragment.pods
    if not pods:
        raise SourceUnavailable(
            f"no pods in '{path}'", "give the output of kubectl get pods -A -o wide, or of -o json"
        )
    return pods


def pods_of_log_folders(listing: str, node: str | None) -> tuple[Pod, ...]:
    """The pods of a node by the names of their log folders.

    Args:
        listing: `ls /var/log/pods`, one `NAMESPACE_POD_UID` a line.
        node: The node whose folders these are.
    """
    named = (line.strip().split("_") for line in listing.splitlines())
    return tuple(Pod(parts[0], parts[1], node=node) for parts in named if len(parts) == 3 and all(parts))
