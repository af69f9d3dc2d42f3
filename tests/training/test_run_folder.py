from types import SimpleNamespace

import pytest
import yaml

from unet_lightning.errors import OtherRun, UserError
from unet_lightning.training import record
from unet_lightning.training.folder import RunFolder

CONFIG = {"seed": 0, "data": {"root": "/data", "seed": 0}, "model": {"weights": None}, "trainer": {}}


def test_the_place_of_a_run_is_left_open_in_its_config(tmp_path):
    run = RunFolder(
        tmp_path / "a folder with spaces in its name, and so long that a line of YAML would be broken" / "a"
    )
    config = CONFIG | {"callbacks": {"folder": str(run.path), "dirpath": f"{run.path}/checkpoints"}}
    config["model"] = {"weights": f"{run.path}2/w.ckpt"}  # of another folder, whose name begins alike
    run.write_config(config)
    written = yaml.safe_load(run.config_file.read_text())
    here = "${hydra:runtime.output_dir}"
    assert written["callbacks"] == {"folder": here, "dirpath": f"{here}/checkpoints"}
    assert written["model"]["weights"] == f"{run.path}2/w.ckpt"


def test_the_same_configuration_may_go_on_wherever_its_data_is(tmp_path):
    run = RunFolder(tmp_path)
    run.write_config(CONFIG)
    run.check_same(CONFIG | {"data": {"root": "/elsewhere", "seed": 0}})
    with pytest.raises(OtherRun, match=r"seed, data\.seed differ"):
        run.check_same(CONFIG | {"data": {"root": "/data", "seed": 1}, "seed": 1})


def test_a_run_that_goes_on_adds_an_attempt(tmp_path):
    run = RunFolder(tmp_path)
    run.write_provenance(CONFIG, "python -m unet_lightning.train seed=0", ["seed=0"])
    run.write_provenance(CONFIG, "python -m unet_lightning.train resume=x", [])
    found = yaml.safe_load((tmp_path / "repro.yaml").read_text())
    assert [attempt["command"].split()[-1] for attempt in found["attempts"]] == ["seed=0", "resume=x"]
    assert found["repeat"] == f"python -m unet_lightning.train rerun={tmp_path}"


def test_a_run_that_cannot_be_put_back_loses_nothing(tmp_path, monkeypatch):
    def full(path):
        raise UserError(f"Cannot write {path}: No space left on device")

    run = RunFolder(tmp_path)
    run.config_file.write_text("new")
    attempt = record.Record(run, SimpleNamespace(is_global_zero=True), [], record.Present(run), goes_on=True)
    attempt.before = {run.config_file: b"old"}
    with monkeypatch.context() as patch, pytest.raises(UserError):
        patch.setattr(record, "whole_file", full)
        attempt._put_back()
    assert run.config_file.read_text() == "new"
    attempt._put_back()
    assert run.config_file.read_text() == "old"
