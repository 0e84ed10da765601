"""The configuration file: what it sets, and what is said of a broken one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bindings import BY_ID, KEYS, key_names
from tui.config import BadConfig, Config, config_path, load_config


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file with that text."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_no_file_is_no_setting(tmp_path: Path) -> None:
    """Without a file everything is as it comes."""
    assert load_config(tmp_path / "none.toml") == Config()


def test_keys_and_settings(tmp_path: Path) -> None:
    """Keys by id, theme, interval and signs."""
    text = '[keys]\npause = "p"\n[ui]\ntheme = "calitop-light"\ninterval = 2\nsigns = "ascii"\n'
    config = load_config(written(tmp_path, text))
    assert config == Config({"pause": "p"}, "calitop-light", 2.0, "ascii")


def test_unknown_ids_are_reported_and_left_out(tmp_path: Path) -> None:
    """A key that calitop does not have is named, the others count."""
    config = load_config(written(tmp_path, '[keys]\nfly = "x"\npause = "p"\n[ui]\ncolor = 1\n[other]\n'))
    assert config.keys == {"pause": "p"}
    assert [remark.split()[1] for remark in config.remarks] == ["is", "fly", "color"]


@pytest.mark.parametrize(
    "text",
    [
        "[keys",
        "keys = 1",
        "[keys]\npause = 1",
        "[ui]\ninterval = 'x'",
        "[ui]\ninterval = 0",
        "[ui]\nsigns = 'x'",
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    """The message names the file and says what to do; exit status 2."""
    with pytest.raises(BadConfig, match=r"config\.toml.*mend it") as caught:
        load_config(written(tmp_path, text))
    assert caught.value.exit_code == 2 and "\n" not in caught.value.message.split(": ")[0]


@given(st.binary(max_size=80))
def test_any_file_is_settings_or_one_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """No file makes a traceback."""
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_bytes(raw)
    with suppress(BadConfig):
        load_config(path)


def test_where_the_file_is() -> None:
    """XDG_CONFIG_HOME, else ~/.config."""
    assert config_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/calitop/config.toml")
    assert config_path({"HOME": "/home/a"}) == Path("/home/a/.config/calitop/config.toml")


def test_ids_and_keys_are_unique() -> None:
    """No key does two things."""
    keys = [key.strip() for row in KEYS for key in row.keys.split(",")]
    assert len(BY_ID) == len(KEYS) and len(set(keys)) == len(keys)


def test_key_names_are_those_on_the_keyboard() -> None:
    """Textual's names become what is printed on the keys."""
    assert key_names("slash") == "/" and key_names("up,k") == "up k"
