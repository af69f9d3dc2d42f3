import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPOSE = """
from pathlib import Path
from hydra import compose, initialize_config_dir
from unet_lightning.program import CONF
assert Path(CONF).is_relative_to({site!r}), CONF
with initialize_config_dir(CONF, version_base="1.3"):
    for path in sorted(Path(CONF).rglob("*.yaml")):
        group, name = path.relative_to(CONF).parent, path.stem
        if str(group) == ".":
            compose(name)
        elif group.parts[0] != "hydra" and name != "as_trained":
            compose("train", overrides=[f"{{group}}={{name}}"])
        print(group, name)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder outside the clone with the wheel installed in it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder / "site", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return folder / "site"


def python(*arguments, site, cwd):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_config_composes_from_the_installed_wheel(site, tmp_path):
    done = python("-c", COMPOSE.format(site=str(site)), site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list((ROOT / "conf").rglob("*.yaml")))


def test_the_installed_program_runs_from_another_folder(site, tmp_path):
    done = python("-m", "unet_lightning.train", "--cfg", "job", "experiment=tutorial", site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "scale_flip_crop" in done.stdout


def test_users_add_configs_of_their_own(site, tmp_path):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/ours.yaml").write_text("# @package _global_\nname: ours\n")
    arguments = ["--config-dir", "mine", "experiment=ours", "--cfg", "job"]
    done = python("-m", "unet_lightning.train", *arguments, site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "name: ours" in done.stdout


def test_the_wheel_holds_no_data_and_no_tests(site):
    suffixes = {path.suffix for path in (site / "unet_lightning").rglob("*") if path.is_file()}
    assert suffixes <= {".py", ".yaml", ".typed", ".pyc", ".j2", ".css", ".js", ".mplstyle"}
    assert not (site / "tests").exists()
