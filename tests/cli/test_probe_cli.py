"""`calitop probe` from outside, as far as nothing is sent: words, refusals, exit status."""

from __future__ import annotations

import pytest

from calitop.cli.main import main

FROM = ("--from", "10.0.0.1")


def status(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["probe", *words])
    told = capsys.readouterr()
    assert told.out == "", "data goes out only with an answer"
    return code, told.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        FROM,
        ("--to", "10.0.0.2"),
        (*FROM, "--to", "10.0.0.2", "--count", "0"),
        (*FROM, "--to", "10.0.0.2", "--count", "101"),
        (*FROM, "--to", "10.0.0.2", "--count", "five"),
        (*FROM, "--to", "10.0.0.2", "--tcp", "0"),
        (*FROM, "--to", "10.0.0.2", "--udp", "65536"),
        (*FROM, "--to", "10.0.0.2", "--tcp", "80", "--udp", "53"),
        (*FROM, "--to", "10.0.0.2", "a-snapshot"),
    ],
)
def test_words_that_make_no_sense_are_wrong_usage(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = status(capsys, *words)
    assert code == 2 and err and "Traceback" not in err


def test_a_missing_namespace_is_a_missing_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = status(capsys, "--netns", "ct-there-is-none", *FROM, "--to", "10.0.0.2")
    assert code == 3 and "ct-there-is-none" in err


def test_a_missing_list_of_pods_is_a_missing_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = status(capsys, "--pods", "/nowhere/pods", *FROM, "--to", "10.0.0.2")
    assert code == 3 and "/nowhere/pods" in err
