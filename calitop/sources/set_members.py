"""One ipset with its members, read when somebody looks at it: polls read the headers only."""

from __future__ import annotations

from calitop.errors import NeedPrivilege, SourceUnavailable
from calitop.formats import ipset_save
from calitop.model.node import IpSet
from calitop.sources.capture import Capture, Need, Part, Runner


def read_set(runner: Runner, name: str) -> IpSet:
    """The set as it is now.

    Args:
        runner: The way to the node.
        name: The set's name.

    Raises:
        NeedPrivilege: This user may not read sets.
        SourceUnavailable: There is no such set, no ipset program, or the way to the node is gone.
    """
    if name.startswith("-"):
        raise SourceUnavailable(f"cannot read the set '{name}': ipset would take its name for an option")
    wanted = Capture("ipset-save.txt", ("ipset", "save", name), Part.SAVED, Need.IP_SET)
    answer = runner.run([wanted])[0]
    if answer.denied:
        raise NeedPrivilege(f"cannot read the set '{name}': {answer.error}", "run as root")
    if not answer.ok:
        raise SourceUnavailable(
            f"cannot read the set '{name}': {answer.error}", "ipset list -n lists the sets"
        )
    for found in ipset_save.parse(answer.text).sets or ():
        if found.name == name:
            return found
    raise SourceUnavailable(f"cannot read the set '{name}': ipset printed another one")
