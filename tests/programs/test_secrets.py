"""What of a secret, of the person and of the machine stays in a run folder, and in what is given to others."""

import getpass
import json
import re
import socket

import pytest
import yaml
from conftest import TINY_RUN

ADDRESS = "http://someone:PASSW0RD@127.0.0.1:9"
KEY = "0123456789abcdef0123456789abcdef01234567"


def holding(folder, secret):
    """The files below a folder that hold a text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if secret.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def watched(program, tmp_path_factory):
    """A run that W&B and TensorBoard watch, evaluated and ranked."""
    cwd = tmp_path_factory.mktemp("watched")
    loggers = ["logger=[wandb,csv]", "logger.wandb.mode=offline", "logger.wandb.notes=NOTE"]
    arguments = [*TINY_RUN[:-1], f"hydra.run.dir={cwd}/run", *loggers]
    done = program("train", *arguments, cwd=cwd, anew=True, WANDB_API_KEY=KEY, MY_PASSWORD="s3cr3t-of-mine")
    assert done.returncode == 0, done.stderr
    done = program("evaluate", f"run={cwd}/run", "split=val", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done = program("leaderboard", cwd / "run", "--on", "drive-val", "--out", cwd / "board", cwd=cwd.parent)
    assert done.returncode == 0, done.stderr
    return cwd


def test_no_secret_of_the_environment_is_kept(watched):
    assert not holding(watched, KEY)
    assert not holding(watched, "s3cr3t-of-mine")


def test_what_is_given_to_others_names_no_folder_no_user_and_no_host(watched, tiny_drive):
    private = ["config.yaml", "repro.yaml", "state.json"]  # of the run folder: where its data is, and where it ran
    for place in (watched, tiny_drive.parent):
        found = [path for path in holding(watched, str(place)) if not path.endswith((".log", ".wandb", *private))]
        assert not found, (place, found)
    (sent,) = watched.glob("run/wandb/offline-run-*/*.wandb")
    content = sent.read_bytes()
    assert b"NOTE" in content  # it is the run
    # Where the upload finds the checkpoint; it is not sent.
    assert str(watched).encode() not in content.replace(str(watched / "run/checkpoints/best.ckpt").encode(), b"")
    names = {name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 5}  # shorter ones are anywhere
    assert not [name for name in names if re.search(rb"\b" + name.encode() + rb"\b", content)]


def test_a_password_in_an_address_is_used_and_not_kept(program, tmp_path):
    where = f"hydra.run.dir={tmp_path}/run"
    arguments = [*TINY_RUN, where, "logger=mlflow", f"logger.mlflow.tracking_uri={ADDRESS}"]
    done = program("train", *arguments, cwd=tmp_path, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr  # where it was looked for
    assert "PASSW0RD" not in done.stdout + done.stderr
    assert not holding(tmp_path, "PASSW0RD")
    run = tmp_path / "run"
    assert yaml.safe_load((run / "config.yaml").read_text())["logger"]["mlflow"]["tracking_uri"].startswith(
        "http://***@"
    )
    assert json.loads((run / "state.json").read_text())["state"] == "failed"
    # It goes on with the address that the environment has now.
    done = program("train", f"resume={run}", "logger=mlflow", cwd=tmp_path, MLFLOW_TRACKING_URI="sqlite:///ml.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ml.db").is_file()


def test_a_sweep_keeps_no_password_and_goes_on_where_it_is_typed_again(program, tmp_path):
    address = f"logger.mlflow.tracking_uri={ADDRESS}"
    sweep = [*TINY_RUN, f"hydra.sweep.dir={tmp_path}/sweep", "logger=mlflow", address]
    quick = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = program("train", "-m", *sweep, "seed=1", cwd=tmp_path, **quick)
    assert done.returncode == 1
    assert not holding(tmp_path, "PASSW0RD")
    assert "PASSW0RD" not in done.stdout + done.stderr
    refused = program("train", f"resume={tmp_path}/sweep", cwd=tmp_path, **quick)
    assert "a sweep keeps no password and no token. Type it again beside resume" in refused.stderr
    again = program("train", f"resume={tmp_path}/sweep", "logger=mlflow", address, cwd=tmp_path, **quick)
    assert "127.0.0.1" in again.stderr and "Type it again" not in again.stderr
    assert not holding(tmp_path, "PASSW0RD")
