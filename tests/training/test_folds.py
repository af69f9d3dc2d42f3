import re

import pytest
import yaml

from unet_lightning.errors import RunError
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.folds import folds_of, load_networks


def sweep(folder, *configs):
    """A sweep folder with the config of each job."""
    for number, config in enumerate(configs):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "config.yaml").write_text(yaml.safe_dump(config))
    return RunFolder(folder)


def job(fold, folds=3, **others):
    return {"seed": 0, "data": {"folds": folds, "fold": fold, "root": "x"}, "model": {"base_c": 8}} | others


def test_the_jobs_come_by_fold_whatever_their_order(tmp_path):
    found = folds_of(sweep(tmp_path, job(2), job(0), job(1)))
    assert [run.path.name for run in found] == ["1", "2", "0"]


def test_the_tenth_job_comes_after_the_ninth(tmp_path):
    jobs = sweep(tmp_path, *(job(fold, folds=11) for fold in range(11))).jobs()
    assert [run.path.name for run in jobs] == [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ([job(0), job(2)], "is no whole cross-validation of 3 folds: without fold 1. Train"),
        ([job(0), job(1), job(1)], "without fold 2, fold 1 twice"),
        ([job(0), job(1), job(2), job(7)], "with fold 7"),
        ([job(0), job(1), job(2), job(0, seed=1)], "without folds 1, 2 of seed 1"),
        ([job(1), job(1, seed=1)], "without folds 0, 2 of seed 0, without folds 0, 2 of seed 1"),
        ([job(0), job(1), job(2, model={"base_c": 16})], "differ in model.base_c: they are no single"),
        ([job(1), job(1, model={"base_c": 16})], "differ in model.base_c, all within fold 1 of 3: they are no single"),
        ([job(None, folds=None)], "is a sweep without folds, and no cross-validation"),
    ],
)
def test_what_is_no_cross_validation_is_refused(tmp_path, configs, message):
    with pytest.raises(RunError, match=re.escape(message)):
        folds_of(sweep(tmp_path, *configs))


def test_several_seeds_of_all_folds_are_one_cross_validation(tmp_path):
    jobs = [job(fold, folds=2, seed=seed) for seed in (3, 4) for fold in (1, 0)]
    assert [run.path.name for run in folds_of(sweep(tmp_path, *jobs))] == ["1", "3", "0", "2"]


def test_class_weights_from_the_labels_of_each_fold_are_one_method(tmp_path):
    jobs = [
        job(fold, folds=2, loss={"class_weights": [1.0, 2.0 + fold]}, from_data=["loss.class_weights"])
        for fold in (0, 1)
    ]
    assert len(folds_of(sweep(tmp_path, *jobs))) == 2


def test_a_folder_without_runs_is_no_run_folder(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        load_networks(tmp_path)
