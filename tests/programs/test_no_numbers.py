"""Networks whose weights, or whose answers, are NaN."""

import shutil

import pytest
import torch


@pytest.fixture
def spoilt(tiny_run, tmp_path):
    """Changes one number of the best checkpoint; the run folder."""

    def spoil(name, number):
        run = shutil.copytree(tiny_run, tmp_path / "run")
        checkpoint = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
        value = checkpoint["state_dict"][f"network.{name}"]
        value[(0,) * value.ndim] = number
        torch.save(checkpoint, run / "checkpoints/best.ckpt")
        return run

    return spoil


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("up4.conv.0.weight", float("nan"), "best.ckpt holds NaN or infinite numbers, in up4.conv.0.weight"),
        ("in_conv.1.running_var", -1.0, "answers this photograph with NaN or infinite numbers"),  # of its square root
    ],
)
def test_such_a_network_is_refused_and_nothing_of_it_kept(in_process, spoilt, tiny_drive, tmp_path, name, number, said):
    run, photo = spoilt(name, number), tiny_drive / "test/images/07_test.tif"
    assert said in in_process("predict", photo, "--run", run, "--out", "out")
    assert not list(tmp_path.glob("out/*.png"))
    assert said in in_process("evaluate", f"run={run}", "threshold=val")
    assert not (run / "evaluation").exists() and not (run / "threshold.json").exists()
