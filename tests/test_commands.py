"""What is printed can be pasted, whatever folders are called."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from unet_lightning.commands import command, shell_path, value_path
from unet_lightning.text import at_home, shown

PACKAGE = Path(__file__).parents[1] / "unet_lightning"
ODD = [
    *("a b", "it's", 'say "x"', "both ' and \"", "'quoted'", "[a,b]", "{a: 1}", "(a)", "x=1", "a:b", "null", "007"),
    *("-x", "--run", "~x", "a,~b", "a,~/b", "$HOME", "${x}", "$(x)", "`x`", "back\\slash", "end\\", "!x", "#x"),
    *("a;b", "a&b", "*", "%s", "眼 é", "two\nlines", "a\tb", "\x1b]0;x", "\u202ereversed"),
    b"M\xfcller".decode("utf-8", "surrogateescape"),
]
WHERE_PRINTED = {
    *("data/drive.py", "importing/bring.py", "prepare.py", "request.py"),
    *("sweeps/record.py", "sweeps/search/summary.py", "sweeps/sweeper.py"),
    *("training/attempt.py", "training/folder.py", "training/folds.py", "training/measurable.py"),
}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def pasted(line):
    """The words that a program gets of a line that is pasted into a shell."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "HOME": "/"},
    )
    return [word.decode("utf-8", "surrogateescape") for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("inside", [True, False], ids=["in the working folder", "elsewhere"])
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_folder_of_any_name_comes_through_the_shell_and_hydra(name, inside, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here" if not inside else tmp_path)
    folder = tmp_path / name
    line = command("evaluate", f"run={value_path(folder)}", "split=val")
    assert shown(line) == line  # a terminal shows it as it is
    python, flag, module, word, split = pasted(line)
    assert (python, flag, module, split) == ("python", "-m", "unet_lightning.evaluate", "split=val")
    (override,) = OverridesParser.create().parse_overrides(at_home([word]))
    found = OmegaConf.create({"run": override.value()}).run
    assert (Path.cwd() / str(found)).resolve() == folder.resolve()


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_folder_of_any_name_comes_through_the_shell_as_an_argument(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = command("leaderboard", shell_path(tmp_path / name))
    assert shown(line) == line
    (word,) = at_home(pasted(line)[3:])
    assert not word.startswith("-")
    assert (tmp_path / word).resolve() == (tmp_path / name).resolve()


def test_commands_are_put_together_in_one_module_and_each_place_is_known():
    places = set()
    for path in PACKAGE.rglob("*.py"):
        name, tree = path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("command", "commands.command"):
                places.add(name)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                usage = node.value == f"python -m unet_lightning.{path.stem}"  # in --help
                assert "python -m unet_lightning" not in node.value or usage or name == "commands.py", name
    # A new place has a test that pastes what it prints: see tests/programs/test_pasted.py.
    assert places == WHERE_PRINTED
