"""The catalogue as a shell script, and its answers out of one stream."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.sources import capture
from calitop.sources.capture import LIVE, WHOLE, Capture, Part
from calitop.sources.shell_words import preamble, script, unframe

SEPARATOR = "calitop-0123456789abcdef"
SHELLS = [words for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(words[0])]


def run(shell: list[str], text: str) -> str:
    done = subprocess.run(shell, input=text.encode(), capture_output=True, timeout=60)
    assert not done.stderr, done.stderr.decode()
    output = done.stdout.decode("utf-8", "surrogateescape")
    return output.removeprefix(f"{SEPARATOR}\n").removesuffix(f"{SEPARATOR}!\n")


def some(*words: str) -> Capture:
    return Capture("x.txt", words, Part.SAVED)


@pytest.mark.parametrize("captures", [LIVE, WHOLE])
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_every_shell_can_read_the_script(shell: list[str], captures: tuple[Capture, ...]) -> None:
    subprocess.run([*shell, "-n"], input=(preamble("x") + script(captures)).encode(), check=True, timeout=30)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_output_errors_and_status_come_apart(shell: list[str]) -> None:
    asked = [
        some("printf", "no newline"),
        some("sh", "-c", "echo out; echo 'not good' >&2; exit 7"),
        some("no-such-program-here"),
        some("cat"),
    ]
    frames = unframe(run(shell, preamble(SEPARATOR) + script(asked)), SEPARATOR, asked)
    assert frames is not None
    assert (frames[0].status, frames[0].text, frames[0].errors) == ("0", "no newline", "")
    assert (frames[1].status, frames[1].text, frames[1].errors) == ("7", "out\n", "not good")
    assert frames[2].status == "!"
    assert frames[3].text == "", "a program cannot eat the script"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_settings_are_those_of_sysctl(shell: list[str]) -> None:
    frames = unframe(run(shell, preamble(SEPARATOR) + script([capture.SYSCTL])), SEPARATOR, [capture.SYSCTL])
    assert frames is not None
    assert "net.ipv4.conf.all.rp_filter = " in frames[0].text
    assert all(" = " in line for line in frames[0].text.splitlines())
    assert "_key" not in frames[0].text


def test_tables_that_only_nft_prints_are_not_held_back() -> None:
    assert "ip/filter" in script([capture.NFT_NATIVE])
    assert "ip/filter" not in script([capture.NFT_NATIVE], ["ip/filter"]).splitlines()[0]


output = st.text().filter(lambda text: SEPARATOR not in text)


@given(st.lists(st.tuples(output, st.integers(0, 255), output.map(lambda text: text.rstrip("\n")))))
def test_any_output_survives_the_frames(answers: list[tuple[str, int, str]]) -> None:
    data = "".join(
        f"{text}\n{SEPARATOR}:{status}\n{errors}\n{SEPARATOR}.\n" for text, status, errors in answers
    )
    frames = unframe(data, SEPARATOR, [some("x")] * len(answers))
    assert frames is not None
    assert [(f.text, int(f.status), f.errors) for f in frames] == answers


@given(st.text(alphabet=f":.\n0{SEPARATOR}"))
def test_any_stream_gives_an_answer(data: str) -> None:
    unframe(data, SEPARATOR, [some("x")])
