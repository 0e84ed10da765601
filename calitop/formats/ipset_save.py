"""`ipset save`: commands that make the sets; they are replayed, so an `ipset restore` script reads as well.

Source: ipset(8); the old one-letter commands (`-N`, `-A`) are those of ipset 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from calitop.formats.fragment import Fragment
from calitop.formats.ipset_words import TYPE, options_of, words_of
from calitop.formats.reading import Problems, head_lines, split_lines, told
from calitop.model.node import IpSet

KIND = "ipset save"

_OLD_TYPES = "iphash|nethash|ipporthash|ipportiphash|ipportnethash|ipmap|macipmap|portmap|iptree|setlist"
_OLD_TYPES = "iphash|nethash|ipporthash|ipportiphash|ipportnethash|ipmap|macipmap|portmap|iptree|setlist"
_CREATE = re.compile(rf"\s*(?:create|-N|-n|--create)\s+\S+\s+(?:{TYPE}|{_OLD_TYPES})\b")
_ADD = re.compile(r"\s*(?:add|-A)\s+\S+\s+[0-9a-fA-F.:]*[.:][0-9a-fA-F.:,/\-a-z]*(?:\s|$)")
_EXIST = frozenset(("-exist", "--exist", "-!", "-q", "--quiet"))


def looks_like(text: str) -> bool:
    """Whether a set is created in the first lines, or all of them add members."""
    lines = head_lines(text)
    return any(_CREATE.match(line) for line in lines) or (
        bool(lines) and all(_ADD.match(line) for line in lines)
    )


def parse(text: str) -> Fragment:
    """The sets after all commands, in the order in which they were created."""
    replay = _Replay()
    for number, line in enumerate(split_lines(text), 1):
        if line.startswith("add ") and replay.add_plain(line):
            continue
        replay.run(number, line)
    return replay.fragment()


@dataclass
class _Set:
    """A set while its commands are read."""

    type: str
    options: Sequence[tuple[str, str]] = ()
    members: dict[str, str] = field(default_factory=dict)
    """The whole words of a member by the element itself."""


class _Replay:
    """Runs the commands of a script on sets in memory."""

    def __init__(self) -> None:
        self._sets: dict[str, _Set] = {}
        self._problems = Problems()
        self._strangers: dict[str, tuple[int, str, int]] = {}

    def fragment(self) -> Fragment:
        """The sets that are there now."""
        for name, (line, text, count) in self._strangers.items():
            why = f"set '{name}' is not created in this text; {count} members of it are left out"
            self._problems.add(line, text, why)
        sets = [
            IpSet(name, one.type, tuple(one.members.values()), tuple(one.options))
            for name, one in self._sets.items()
        ]
        return Fragment(self._problems.all(), sets=told(sets, self._problems), richness=8)

    def add_plain(self, line: str) -> bool:
        """Run `add SET MEMBER`, the line that a set has by the hundred thousand; False for any other."""
        _, name, member = line.split(" ", 2) if line.count(" ") > 1 else ("", "", "")
        one = self._sets.get(name)
        if one is None or not member or member[0] in " -" or '"' in member or "-exist" in member:
            return False
        member = member.rstrip()
        one.members[member.partition(" ")[0]] = member
        return True

    def run(self, number: int, line: str) -> None:
        """Run one command; what cannot be run is a problem."""
        words = [word for word in words_of(line) if word not in _EXIST]
        if not words or words[0] == "COMMIT" or words[0].startswith("#"):
            return
        command = _COMMANDS.get(words[0])
        why = command(self, words[1:], number) if command else "is not a command of ipset"
        if why:
            self._problems.add(number, line.strip(), why)

    def _create(self, words: Sequence[str], number: int) -> str | None:
        if len(words) < 2:
            return "the line is cut: a set needs a name and a type"
        name, kind = words[0].strip('"'), words[1]
        before = self._sets.get(name)
        if before is not None and before.type == kind:
            return None
        self._sets[name] = _Set(kind, tuple(options_of(words[2:])))
        return None if before is None else f"set '{name}' is created again with another type; this one counts"

    def _add(self, words: Sequence[str], number: int) -> str | None:
        if len(words) < 2:
            return "the line is cut: it names no member"
        name = words[0].strip('"')
        one = self._sets.get(name)
        if one is not None:
            one.members[words[1]] = " ".join(words[1:])
            return None
        line, text, count = self._strangers.get(name, (number, " ".join(("add", *words)), 0))
        self._strangers[name] = (line, text, count + 1)
        return None

    def _delete(self, words: Sequence[str], number: int) -> str | None:
        if len(words) < 2:
            return "the line is cut: it names no member"
        one = self._sets.get(words[0].strip('"'))
        if one is None or one.members.pop(words[1], None) is None:
            return "there is no such member to delete"
        return None

    def _swap(self, words: Sequence[str], number: int) -> str | None:
        names = [name for name in words if name in self._sets]
        if len(words) != 2 or len(names) != 2:
            return "names a set that is not created in this text"
        first, second = names
        self._sets[first], self._sets[second] = self._sets[second], self._sets[first]
        return None

    def _rename(self, words: Sequence[str], number: int) -> str | None:
        if len(words) != 2 or words[0] not in self._sets or words[1] in self._sets:
            return "cannot be renamed: there is no such set, or the new name is taken"
        self._sets[words[1]] = self._sets.pop(words[0])
        return None

    def _destroy(self, words: Sequence[str], number: int) -> str | None:
        if not words:
            self._sets.clear()
            return None
        return None if self._sets.pop(words[0].strip('"'), None) else "there is no such set to destroy"

    def _flush(self, words: Sequence[str], number: int) -> str | None:
        for name in words[:1] or list(self._sets):
            one = self._sets.get(name.strip('"'))
            if one is None:
                return "there is no such set to flush"
            one.members.clear()
        return None


_Command = Callable[[_Replay, Sequence[str], int], "str | None"]
_NAMES: dict[_Command, str] = {
    _Replay._create: "create n -N -n --create",
    _Replay._add: "add -A -a --add",
    _Replay._delete: "del -D -d --del",
    _Replay._swap: "swap -W -w --swap",
    _Replay._rename: "rename -E -e --rename",
    _Replay._destroy: "destroy x -X -x --destroy",
    _Replay._flush: "flush -F -f --flush",
}
_COMMANDS: dict[str, _Command] = {name: run for run, names in _NAMES.items() for name in names.split()}
