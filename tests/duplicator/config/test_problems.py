"""What is wrong with a file is said with its line, all of it at once, and without repeating secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from duplicator.config import ConfigError, load
from tests.duplicator.config.texts import SMALL, WHOLE, problems_of, write

CASES = (Path(__file__).with_name("problems.txt")).read_text(encoding="utf-8").split("\ncase\n")[1:]


def lines_of(case: str, mark: str) -> list[str]:
    """The lines of a case with this mark."""
    return [line.removeprefix(f"{mark} ") for line in case.splitlines() if line.startswith(f"{mark} ")]


@pytest.mark.parametrize("case", CASES)
def test_one_change(case: str, tmp_path: Path) -> None:
    gone, come, said = (lines_of(case, mark) for mark in "-+!")
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (gone, come))
    assert before in SMALL
    assert said
    assert problems_of(tmp_path, SMALL.replace(before, after, 1)) == said


def test_all_at_once(tmp_path: Path) -> None:
    text = SMALL
    for before, after in (
        ('address = "10.1.0.1"', "address = 1"),
        ('device = "/dev/nst0"', "devise = 1"),
        ('pool = "daily"', 'pool = "dayly"'),
        ('from = "unit1"', 'from = "unit2"'),
        ('to = "lto"', 'to = "lto"\nretries = -1'),
    ):
        text = text.replace(before, after)
    places = [problem.partition(": ")[0] for problem in problems_of(tmp_path, text)]
    assert places == ["2:1", "9:1", "11:1", "15:1", "17:1", "19:1"]
    with pytest.raises(ConfigError, match=r"ndmpdup\.toml:2:1: .* \(and 5 more: run `ndmpdup config check`\)$"):
        load(write(tmp_path, text))


def test_a_wrong_entry_hides_no_contradiction_and_makes_none(tmp_path: Path) -> None:
    pools = "[pools.a]\nprefix = 'A'\n[pools.b]\nprefix = 'A'\n"
    said = problems_of(tmp_path, SMALL.replace('user = "backup"', "user = 1") + pools)
    assert [problem.partition(": ")[0] for problem in said] == ["3:1", "22:1"]
    lines = WHOLE.splitlines()
    headers = [number for number, line in enumerate(lines, 1) if line.startswith("[")]
    assert len(headers) == 17
    for number in headers:
        (problem,) = problems_of(tmp_path, "\n".join([*lines[:number], "zzz = 1", *lines[number:]]))
        assert problem.startswith(f"{number + 1}:1: unknown key 'zzz' in {lines[number - 1]}; "), problem


def test_secrets_are_refused_and_not_repeated(tmp_path: Path) -> None:
    secret = "s3cret"
    for before, after in (
        ('user = "backup"', f'password = "{secret}"'),
        ('user = "backup"', f'Passwd = "{secret}"'),
        ('user = "backup"', f'secret = "{secret}"'),
        ("[pools.daily]", f"[agents.a.credentials.tapehost]\npassword = '{secret}'\n[pools.daily]"),
        ('user = "backup"', f'passwrd = "{secret}"'),
        ('address = "10.1.0.1"', f'address = "u:{secret}@h"'),
        ("[pools.daily]", f"[catalog]\nurl = 'postgresql://u:{secret}@h/d'\n[pools.daily]"),
        ("[pools.daily]", f"[catalog]\nurl = 'postgresql://h/d?user=u&password={secret}'\n[pools.daily]"),
    ):
        problems = problems_of(tmp_path, SMALL.replace(before, after))
        assert problems, after
        assert not any(secret in problem for problem in problems), problems
    (problem,) = problems_of(tmp_path, SMALL.replace('user = "backup"', f'password = "{secret}"'))
    assert problem.startswith("3:1: 'password': a secret does not belong in the configuration; take it out")
    assert "`password_file`" in problem
    assert "NDMPDUP_CATALOG" in problems_of(tmp_path, "[catalog]\nurl = 'postgresql://u:p@h/d'\n")[0]


def test_no_file_breaks_the_reader(tmp_path: Path) -> None:
    """Each key of a whole file with values of every other kind: only ConfigError, and always with a line."""
    lines = WHOLE.splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        for value in ("1", '"x"', "true", "[]", '["x"]', "{}", "{ x = 1 }", "1979-05-27", "0.5") if equals else ():
            text = "\n".join([*lines[:number], f"{key} = {value}", *lines[number + 1 :]])
            for problem in problems_of(tmp_path, text):
                assert problem[0] in "123456789", problem
    for section in ("agents", "hosts", "storage", "storage.disk", "libraries", "drives", "pools", "policies", "tls"):
        for value in ("1", "[]", '"x"'):
            (problem,) = problems_of(tmp_path, f"{section} = {value}\n")
            assert f"'{section.rpartition('.')[2]}' is not a table" in problem, problem
