import numpy as np
import pytest
import torch
from evaluation_folders import dice, write_evaluation, write_run

from unet_lightning.errors import RunError
from unet_lightning.inference.maps import save_probability
from unet_lightning.results.boards import board_of
from unet_lightning.results.leaderboard.tables import ranking

UNKNOWN = {"networks": [], "trained_on": None}  # maps from elsewhere


def content(*photographs, label="l"):
    """Digests of the images 01, 02, ...; one label for all."""
    return {f"{number:02}": {"photograph": one, "label": label} for number, one in enumerate(photographs, start=1)}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Makes an evaluated run, or maps from elsewhere."""
    monkeypatch.chdir(tmp_path)

    def make(name, figures, is_run=True, **protocol):
        (tmp_path / name).mkdir()
        if is_run:
            write_run(tmp_path / name, model__base_c=len(name))
        return write_evaluation(tmp_path / name, figures, **({} if is_run else UNKNOWN) | protocol)

    return make


def entries(board):
    return dict(zip(board.lines["entry"], board.lines["kind"], strict=True))


def test_photographs_are_paired_by_content_whatever_they_are_called(run):
    a = run("a", dice(0.9, 0.5, 0.7, 0.6), content=content("p", "q", "r", "s"))
    b = run("bb", dice(0.5, 0.7, 0.6, 0.9), content=content("q", "r", "s", "p"))
    board = board_of(a, b)
    assert list(board.lines["difference"].dropna()) == [0.0]
    assert set(board.lines["difference_low"].dropna()) <= {0.0}  # image by image there is none
    assert not any("names" in note for note in board.notes)


def test_intervals_are_by_group_where_images_have_one(run):
    values = dice(*(0.8 + 0.01 * number for number in range(12)))
    grouped = content(*"abcdefghijkl")
    alone = board_of(run("a", values, content=grouped))
    for number, one in enumerate(grouped.values()):
        one["group"] = f"p{number // 2}"
    by_group = board_of(run("bb", values, content=grouped))
    low, high = (board.lines["dice_low"][0] for board in (by_group, alone))
    assert low < high  # six patients tell less than twelve would
    assert any("by group" in note for note in by_group.notes) and not any("by group" in note for note in alone.notes)


def test_images_of_the_same_names_that_are_others_are_not_compared(run):
    a, b = run("a", dice(0.9, 0.5), content=content("p", "q")), run("bb", dice(0.9, 0.5), content=content("x" * 9, "y"))
    with pytest.raises(RunError, match=r"no photograph in common\. Those of the same names are others"):
        board_of(a, b)
    with pytest.raises(RunError, match=r"ccc lacks 02; a lacks 02 \(x\)|a lacks 02 \(x\); ccc lacks 02"):
        board_of(a, run("ccc", dice(0.9, 0.5), content=content("p", "x")))


def test_other_labels_of_the_same_photographs_are_not_compared(run):
    a, b = run("a", dice(0.9), content=content("p")), run("bb", dice(0.9), content=content("p", label="other"))
    with pytest.raises(RunError, match="different labels of image 01"):
        board_of(a, b)


@pytest.mark.parametrize("old", [{}, {"content": {}}, {"content": {"01": {}}}])
def test_an_earlier_version_s_photographs_go_by_name_and_it_is_said(run, old):
    board = board_of(run("a", dice(0.9, 0.5), content=content("p", "q")), run("bb", dice(0.8, 0.5), **old))
    assert entries(board) == {"a": "model", "bb": "model"}
    assert any("photographs and LEAK go by names and not by content: bb." in note for note in board.notes)


def test_unknown_training_is_marked_in_every_table(run):
    board = board_of(run("a", dice(0.8), content=content("p")), run("maps", dice(0.9), False, content=content("p")))
    assert "What they were trained on is unknown: maps." in board.notes
    assert list(ranking(board)["entry"]) == ["maps (training unknown)", "a"]


def vessels(seed):
    return torch.from_numpy(np.random.default_rng(seed).random((30, 30), dtype=np.float32))


COPIES = {
    "same": lambda one: one,
    "8 bits": lambda one: (one * 255).round() / 255,
    "stretched": lambda one: one**2,
    "mask": lambda one: (one >= 0.5).float(),
    "generous mask": lambda one: (one >= 0.3).float(),
    "strict mask": lambda one: (one >= 0.7).float(),
}


@pytest.mark.parametrize("copy", [*COPIES, "another network's"])
def test_unknown_maps_that_are_those_of_a_leak_leak_too(run, copy):
    seen = run("a", dice(0.9, 0.8), leak=["01", "02"], content=content("p", "q"))
    maps = run("maps", dice(0.99, 0.98), False, content=content("p", "q"))
    for number in (1, 2):
        own = vessels(number)
        other = COPIES[copy](own) if copy in COPIES else 0.5 * own + 0.5 * vessels(number + 2)
        for home, one in ((seen, own), (maps, other)):
            save_probability(one, home / f"evaluation/drive-test/probabilities/{number:02}.png")
    board = board_of(seen, maps)
    assert entries(board) == {"a": "leak", "maps": "leak" if copy in COPIES else "model"}
    assert ("LEAK: the maps of maps are those of a." in board.notes) == (copy in COPIES)


def test_equal_figures_tell_the_same_maps_where_the_maps_are_gone(run):
    seen = run("a", dice(0.9, 0.8), leak=["01", "02"], content=content("p", "q"))
    same, other = (run(name, dice(0.9, it), False, content=content("p", "q")) for name, it in (("s", 0.8), ("o", 0.7)))
    assert entries(board_of(seen, same, other)) == {"a": "leak", "s": "leak", "o": "model"}
