"""What a leaderboard says of folds."""

import pytest
from evaluation_folders import dice, write_evaluation, write_run

from unet_lightning.results.boards import board_of


def measured(folder, *jobs):
    """A sweep whose jobs, (seed, fold) of three, are measured on the two images of their fold."""
    for number, (seed, fold) in enumerate(jobs):
        run = write_run(folder / str(number), seed=seed, data__folds=3, data__fold=fold)
        values = {"dice": {f"{2 * fold + one}": 0.7 + 0.01 * number for one in (0, 1)}}
        write_evaluation(run, values, split="val")
    return folder


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([(0, 0), (0, 1), (0, 2)], None),
        ([(seed, fold) for seed in (0, 1) for fold in (0, 1, 2)], None),
        ([(0, 0), (0, 2)], "Incomplete cross-validation, of 3 folds without 1: 0,1."),
        ([(0, 0), (0, 1), (0, 2), (1, 1)], "Incomplete cross-validation, of 3 folds without 0, 2 of seed 1: 0,1,2,3."),
        ([(0, 1), (1, 1)], "Of fold 1 of 3 alone, and no cross-validation: 0,1."),
    ],
)
def test_folds_that_are_no_whole_cross_validation_are_named(tmp_path, jobs, said):
    board = board_of(measured(tmp_path, *jobs))
    assert len(board.ranked) == 1
    assert ([said] if said else []) == [note for note in board.notes if "cross-validation" in note]


def test_a_sweep_within_one_fold_is_called_no_cross_validation(tmp_path):
    for number, size in enumerate((8, 16)):
        run = write_run(tmp_path / str(number), data__folds=3, data__fold=0, model__base_c=size)
        write_evaluation(run, dice(0.7 + number / 10, 0.8), split="val")
    notes = [note for note in board_of(tmp_path).notes if "cross-validation" in note]
    assert notes == [f"Of fold 0 of 3 alone, and no cross-validation: {number}." for number in (1, 0)] or notes == [
        f"Of fold 0 of 3 alone, and no cross-validation: {number}." for number in (0, 1)
    ]
