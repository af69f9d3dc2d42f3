"""What people know of Lightning and Hydra works, or is refused with one error."""

import re

import pytest
from conftest import TINY_RUN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["+trainer.overfit_batches=1"], "trainer.overfit_batches is not for a run here, found 1: .*data.val_ids"),
        (["+trainer.default_root_dir=x"], "the folder of a run is hydra.run.dir="),
        (["+trainer.logger=true"], "loggers are entries of logger"),
        (["~optimizer"], "Training needs optimizer: choose a file, such as optimizer=<file>"),
        (["logger=null"], "logger=null: a group takes the name of a file. Without any: ~logger, or logger=csv"),
        (["data.batch_size=1", "data.augment.crop=16"], "BatchNorm has a single value a channel.*model.norm=group"),
    ],
)
def test_what_cannot_work_is_one_error(in_process, given, said):
    assert re.search(said, in_process("train", *TINY_RUN, *given))


@pytest.mark.parametrize(
    "given",
    [
        ["~scheduler", "~logger", "trainer.num_sanity_val_steps=2", "trainer.limit_train_batches=2"],
        ["+trainer.fast_dev_run=true", "trainer.limit_val_batches=1"],
    ],
    ids=["no scheduler and no logger", "fast_dev_run"],
)
def test_what_can_work_works_and_a_log_gets_a_line_an_epoch(program, tmp_path, given):
    done = program("train", *TINY_RUN, f"hydra.run.dir={tmp_path}/run", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    epochs = 1 if "fast" in given[0] else 2
    figures = [rf"{name} \d\.\d{{4}}" for name in ("train/loss", "val/loss", "val/dice_per_image")]
    line = rf"Epoch (\d) of {epochs}: {', '.join(figures)}, [\d.]+ s"
    assert re.findall(line, done.stdout) == [str(number + 1) for number in range(epochs)]
    assert ("No checkpoint was kept" in done.stdout) == (epochs == 1)
    assert ("Evaluate it" in done.stdout) == (epochs == 2)


def test_a_sweep_says_how_far_it_is(program, tmp_path):
    done = program("train", "-m", *TINY_RUN, f"hydra.sweep.dir={tmp_path}/sweep", "seed=1,2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^Job .*", done.stdout, re.MULTILINE) == ["Job 1 of 2", "Job 2 of 2"]
