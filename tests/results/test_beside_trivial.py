"""Maps that look at no photograph: beside those of a network, never the best, never compared."""

import math

import pytest
import torch
from evaluation_folders import write_evaluation, write_run

from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.results.boards import board_of
from unet_lightning.results.leaderboard.formats import markdown, page, terminal
from unet_lightning.results.trivial import OF_THESE, OF_TRAINING, WORDS, trivial_maps, trivial_table, words_of_trivial


class Drawn:
    """Labels of two images."""

    image_ids, groups = ("1", "2"), None

    def __init__(self, *classes):
        self.classes = classes
        targets = ([0, 0, 0, 1, IGNORE], [0, 0, 1, 1, len(classes) - 1])
        labels = [torch.tensor([one], dtype=torch.uint8) for one in targets]
        self.samples = [Sample(None, label, name) for label, name in zip(labels, "12", strict=True)]

    def __iter__(self):
        return iter(self.samples)


def test_with_two_classes_all_of_either_stand_beside_the_network():
    data = Drawn("background", "cell")
    found = trivial_maps(data, None)
    assert list(found) == ["all background", "all cell"]
    table = trivial_table({"model": found["all cell"]}, found)
    assert list(table.index) == ["model", "all background", "all cell"]
    assert table.attrs["dim"] == ["all background", "all cell"]
    row = dict(table.loc["all background"])
    assert (row["accuracy"], row["dice_pooled"], row["precision"]) == ("0.5556", "0.0000", "-")
    assert words_of_trivial(data, None) == WORDS


@pytest.mark.parametrize(("frequent", "name", "said"), [(2, "all b", OF_TRAINING), (None, "all background", OF_THESE)])
def test_with_several_classes_it_is_the_most_frequent_of_training_where_that_is_known(frequent, name, said):
    data = Drawn("background", "a", "b")
    assert list(trivial_maps(data, frequent)) == [name]
    assert words_of_trivial(data, frequent).endswith(said)


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


@pytest.fixture
def board(tmp_path):
    """Two runs below what all vessel reaches."""
    for number, mean in enumerate((0.10, 0.15)):
        figures = {
            "model": {"dice": images(*(mean + 0.01 * one for one in range(8))), "precision": images(*[0.5] * 8)},
            "all background": {"dice": images(*[0.0] * 8), "precision": images(*[None] * 8)},
            "all vessel": {"dice": images(*[0.2] * 8), "precision": images(*[0.1] * 8)},
        }
        figures["all background"].pop("precision")
        write_evaluation(write_run(tmp_path / str(number), model__base_c=8 * (number + 1)), figures)
    return board_of(tmp_path / "0", tmp_path / "1")


def test_they_are_rows_without_rank_below_all_others_however_good(board):
    assert list(board.lines["kind"]) == ["model", "model", "trivial", "trivial"]
    assert list(board.lines["rank"].fillna(0)) == [1, 2, 0, 0]
    assert list(board.lines["entry"][2:]) == ["all vessel", "all background"]
    assert list(board.lines["dice_per_image"][2:]) == pytest.approx([0.2, 0.0])
    assert math.isnan(board.human_mean)


def test_no_difference_and_no_correction_counts_them(board):
    assert board.lines["difference"][2:].isna().all()
    assert any("for 1 pair, of which" in note for note in board.notes)
    assert "Without rank or comparison, as they look at no photograph: all vessel, all background." in board.notes


def test_every_form_of_the_leaderboard_has_them(board):
    for text in (markdown(board), page(board)):
        assert "all vessel" in text and "all background" in text
    assert '<tr class="trivial">' in page(board)
    assert terminal(board, 100)
