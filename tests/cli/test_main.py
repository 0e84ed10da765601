"""The command from outside: output, exit status, and no traceback for anything an operator can cause."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitop import __version__
from calitop.cli.main import main
from tests.snapshot.texts import NODE, PODS, ROUTES, SAVE, folder, tar

COMMAND = [sys.executable, "-m", "calitop"]


def run(*words: str | bytes, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *map(os.fsdecode, words)], capture_output=True, check=False, env=env)


def status(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_show_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = status(capsys, "show", str(folder(tmp_path / "n", NODE)), "--json")
    found = json.loads(out)
    assert (code, err, found["calitop"]) == (0, "", {"schema": 1, "version": __version__})
    assert (found["node"]["name"], len(found["routes"])) == ("n", 4)


SETS = "create some hash:net family inet\nadd some 10.0.0.0/8\nadd some 10.1.0.0/16 nomatch\n"


@pytest.mark.parametrize(("element", "found"), [("10.2.0.1", True), ("10.1.0.1", False), ("x", None)])
def test_show_answers_whether_an_address_is_in_a_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], element: str, found: bool | None
) -> None:
    root = str(folder(tmp_path / "n", {**NODE, "sets": SETS}))
    code, out, _err = status(capsys, "show", root, "--set", "some", "--has", element, "--json")
    told = json.loads(out)
    assert (code, told["asked"]["in"]) == (0, found) and element in told["asked"]["because"]
    assert [each["member"] for each in told["set"]["members"]] == ["10.0.0.0/8", "10.1.0.0/16 nomatch"]
    _code, out, _err = status(capsys, "show", root, "--set", "some")
    assert out.splitlines() == [
        "set some  hash:net  2 members",
        "  each member is an address or range (hash:net)",
        "  no rule names it",
        "  members:",
        "    10.0.0.0/8",
        "    10.1.0.0/16 nomatch",
    ]


def test_a_set_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(folder(tmp_path / "n", {**NODE, "sets": SETS}))
    assert status(capsys, "show", root, "--set", "other")[0] == 3
    assert status(capsys, "show", root, "--has", "10.0.0.1")[0] == 2


def test_show_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = status(capsys, "show", str(folder(tmp_path / "n", NODE)))
    assert (code, err, out.splitlines()[0]) == (0, "", "node n")


def test_options_stand_before_or_after_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(folder(tmp_path / "n", NODE))
    pods = str(folder(tmp_path, {"pods": PODS}) / "pods")
    for words in (["--pods", pods, "show", root, "--json"], ["show", "--json", root, "--pods", pods]):
        _, out, _ = status(capsys, *words)
        assert len(json.loads(out)["pods"]) == 2


def test_a_name_is_given_to_the_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = status(capsys, "show", f"mine={folder(tmp_path / 'n', NODE)}", "--json")
    assert json.loads(out)["node"]["name"] == "mine"


def test_of_several_moments_one_is_shown_and_the_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("a/before", "a/after", "b/before"):
        folder(
            tmp_path / path,
            {"routes": ROUTES if path == "a/after" else ROUTES + ROUTES.replace("10.0.1", "10.9.1")},
        )
    code, out, err = status(capsys, "show", str(tmp_path), "--json")
    found = json.loads(out)
    assert (code, found["node"]["name"], len(found["routes"])) == (0, "a", 4)
    assert [(each["name"], each["moment"]) for each in found["others"]] == [("a", 1), ("b", 1)]
    assert "--node b --moment 1" in err
    _, out, _ = status(capsys, "show", str(tmp_path), "--json", "--node", "a", "--moment", "1")
    assert len(json.loads(out)["routes"]) > 4
    for wrong in (["--node", "c"], ["--moment", "3"], ["--moment", "0"]):
        assert status(capsys, "show", str(tmp_path), *wrong)[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense"],
        ["show", "a", "b"],
        ["show", "--moment", "x", "a"],
        ["save"],
        ["save", "a", "b"],
        ["show", "--netns", "x", "--via", "y"],
        ["show", "a", "--via", "y"],
        ["show", "a", "--netns", "y"],
        ["--interval", "0"],
        ["--interval", "nan"],
        ["--interval", "often"],
        ["--interval", "1", "a"],
        ["show", "--interval", "1"],
        ["--pods"],
        [],
    ],
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = status(capsys, *words)
    assert (code, out) == (2, "")
    assert "calitop" in err


def test_a_missing_snapshot_is_told_before_a_missing_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(capsys, str(tmp_path / "absent"))[0] == 3
    assert status(capsys, str(tmp_path))[0] == 2


@pytest.mark.parametrize(
    "words", [["--help"], ["show", "--help"], ["save", "-h"], ["--version"], ["show", "--version"]]
)
def test_help_and_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = status(capsys, *words)
    assert (code, err) == (0, "")
    assert "calitop" in out


def test_inputs_that_cannot_be_read_are_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, {"prose": "hello\n", "cut.tar.gz": tar(NODE)[:99], "evil.tar": tar({"../x": SAVE}, "w")})
    (tmp_path / "void").mkdir()
    good = str(folder(tmp_path / "n", NODE))
    names = (
        "missing",
        "prose",
        "cut.tar.gz",
        "evil.tar",
        "void",
        "x=missing",
        "n\0ul",
        "/dev/null",
        "n" * 5000,
    )
    for name in names:
        code, out, err = status(capsys, "show", str(tmp_path / name))
        assert (code, out) == (3, ""), name
        assert err.startswith("calitop: ") and err.count("\n") == 1, name
    assert status(capsys, "show", good, "--pods", str(tmp_path / "missing"))[0] == 3
    assert status(capsys, "show", good, "--pods", str(tmp_path / "prose"))[0] == 3
    assert status(capsys, "save", good)[0] == 3
    assert status(capsys, "save", str(tmp_path / "no/where"))[0] == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path, {"rules": SAVE}) / "rules"
    path.chmod(0)
    assert status(capsys, "show", str(path))[0] == 3


def test_messages_carry_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = status(capsys, "show", str(tmp_path / "\x1b[31m"))
    assert "\x1b" not in err
    root = folder(
        tmp_path / "n\x1b[2J", {"rules\x07": SAVE.replace("-i lo", '-m comment --comment "\x1b[2J"')}
    )
    _, out, _ = status(capsys, "show", str(root))
    assert all(line.isprintable() for line in out.splitlines())


def test_names_and_words_that_are_no_utf8(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/n\xff"
    Path(os.fsdecode(root)).mkdir()
    Path(os.fsdecode(root), "rules").write_bytes(SAVE.encode().replace(b"cali:abc", b"cali:\xe9bc"))
    for locale in ("C", "C.UTF-8"):
        environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        text, found = run("show", root, env=environment), run("show", root, "--json", env=environment)
        assert (text.returncode, text.stderr, found.returncode, found.stderr) == (0, b"", 0, b"")
        assert json.loads(found.stdout)["rulesets"]
        missing = run("show", root + b"x", env=environment)
        assert (missing.returncode, b"Traceback" in missing.stderr) == (3, False)


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "n", {**NODE, "more": SAVE.replace("COMMIT", "-A INPUT -j ACCEPT\n" * 9999 + "COMMIT")}
    )
    shell = f"{' '.join(COMMAND)} show {root} | head -1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"node n\n", b"")


def test_a_full_disk_is_3(tmp_path: Path) -> None:
    root = folder(tmp_path / "n", NODE)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "show", str(root)], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith(b"calitop: ") and b"Traceback" not in done.stderr


def test_light_commands_do_not_load_heavy_libraries(tmp_path: Path) -> None:
    root = folder(tmp_path / "n", NODE)
    script = (
        "import sys; from calitop.cli.main import main; main(sys.argv[1:]); "
        "heavy = ('textual', 'rich', 'pyroute2', 'watchfiles'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    for words in (["--help"], ["--version"], ["show", str(root)]):
        done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, check=False)
        assert done.stderr == b"[]\n"


def test_a_path_called_like_a_command_is_given_with_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "show", NODE)
    monkeypatch.chdir(tmp_path)
    _, out, _ = status(capsys, "show", "show", "--json")
    assert json.loads(out)["node"]["name"] == "show"
    code, _, err = status(capsys, "./show")
    assert (code, "terminal" in err) == (2, True)


words = st.sampled_from(
    [
        "show",
        "save",
        "trace",
        "--from",
        "--to",
        "--json",
        "--node",
        "--moment",
        "1",
        "--",
        "-",
        "",
        "x=y",
        "=",
        "--version",
        "-h",
    ]
)


@settings(deadline=None)
@given(st.lists(st.one_of(words, st.text(max_size=5)), max_size=5))
def test_any_words_end_with_a_status(tmp_path_factory: pytest.TempPathFactory, argv: Sequence[str]) -> None:
    live = argv and "show" in argv[:1] and not any(word and not word.startswith("-") for word in argv[1:])
    if live or "save" in argv:
        return
    os.chdir(tmp_path_factory.getbasetemp())
    assert main(list(argv)) in (0, 2, 3)
