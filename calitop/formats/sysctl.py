"""`sysctl -a`: kernel settings as `key = value`; and the same out of /proc/sys by `grep .`.

Source: sysctl(8); it prints a dot inside a name (`eth0.5`) as a slash.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered

KIND = "sysctl"

_SETTING = re.compile(r"([A-Za-z0-9_][^\s=:]*[./][^\s=:]*|[a-z]+\.[^\s=]+?) ?= ?(.*)")
_KNOWN = re.compile(r"(?:net|kernel|vm|fs|dev|user|abi|debug|crypto|sunrpc)[./][^\s=]+ ?= ?")
_PROC = re.compile(r"/proc/sys/([^:\s]+):(.*)")
_MESSAGE = re.compile(r'(?:sysctl|error|warning): |"?[\w./]+"? is an unknown key')


def looks_like(text: str) -> bool:
    """Whether most of the first lines are settings of the kernel."""
    lines = head_lines(text)
    settings = sum(1 for line in lines if _KNOWN.match(line) or _PROC.match(line))
    messages = sum(1 for line in lines if _MESSAGE.match(line))
    return settings > 0 and 2 * (settings + messages) > len(lines)


def parse(text: str) -> Fragment:
    """The settings by their dotted names, values without the blanks around them."""
    problems = Problems()
    found: dict[str, str] = {}
    for number, line in numbered(text):
        if line.startswith("/proc/sys/") and (proc := _PROC.fullmatch(line)):
            found[_dotted(proc[1])] = proc[2].strip()
        elif not _MESSAGE.match(line) and (setting := _SETTING.fullmatch(line.strip())):
            found[setting[1]] = setting[2].strip()
        else:
            problems.add(number, line.strip(), "is not 'key = value'")
    return Fragment(problems.all(), sysctls=found if found or not len(problems) else None, richness=6)


def _dotted(path: str) -> str:
    """The name of a file below /proc/sys, as sysctl prints it."""
    return path.translate({ord("/"): ".", ord("."): "/"})
