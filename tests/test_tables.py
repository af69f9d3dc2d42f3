import pytest
import torch

from unet_lightning.metrics.summary import summarise
from unet_lightning.reporting.tables import results_table, show

PROTOCOL = {
    "dataset": "DRIVE",
    "split": "test",
    "images": 2,
    "region": "field of view",
    "threshold": 0.5,
    "initial_weights": None,
    "leak": [],
}


@pytest.fixture(scope="module")
def observers():
    vessels = [torch.tensor([[True, False]]), torch.tensor([[True, True, True, False]])]
    targets = [torch.tensor([[1, 0]]), torch.tensor([[1, 0, 0, 1]])]
    probabilities = [torch.tensor([[0.9, 0.2]]), torch.tensor([[0.8, 0.7, 0.6, 0.1]])]
    return {"model": summarise(vessels, targets, probabilities), "second observer": summarise(vessels, targets)}


def text(observers, **protocol):
    return show(results_table(observers, PROTOCOL | protocol))


def cells(markdown):
    """The cells of the table, row by row, without the rule below the header."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if set(line) != {"|", "-"}]


def test_a_column_has_dice_as_mean_and_sd_and_the_rest_pooled(observers):
    # Dice 1 and 2/5; pooled TP 2, FP 2, TN 1, FN 1; vessels at 0.9, 0.8, 0.1 and background at 0.2, 0.7, 0.6.
    assert cells(text(observers)) == [
        ["", "model", "second observer"],
        ["dice_per_image", "0.7000 (0.4243)", "0.7000 (0.4243)"],
        # Two images: a resample may hold one alone.
        ["95 % interval", "0.4000 to 1.0000", "0.4000 to 1.0000"],
        ["dice_pooled", "0.5714", "0.5714"],
        ["accuracy", "0.5000", "0.5000"],
        ["sensitivity", "0.6667", "0.6667"],
        ["specificity", "0.3333", "0.3333"],
        ["precision", "0.5000", "0.5000"],
        ["auroc", "0.6667", "-"],
        ["average_precision", "0.8333", "-"],
    ]


def test_the_table_is_markdown_with_the_caption_as_a_paragraph_of_its_own(observers):
    table, caption = text(observers).split("\n\n")
    rule = table.splitlines()[1]
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in table.splitlines()} == {len(rule)}
    assert "|" not in caption


def test_the_caption_says_what_was_measured_how(observers):
    words = " ".join(text(observers).split())
    assert "DRIVE test, 2 images, inside the field of view, threshold 0.5." in words
    assert "dice_per_image is the mean (SD) over images" in words


def test_a_leak_is_marked_at_the_model_and_below(observers):
    marked = text(observers, leak=["01", "02"])
    assert cells(marked)[0] == ["", "model LEAK", "second observer"]
    assert "LEAK: the network was trained or selected on 01, 02." in " ".join(marked.split())


def test_no_leak_is_marked_where_there_is_none(observers):
    assert "LEAK" not in text(observers)


def test_the_terminal_is_shown_the_table_too(observers, capsys):
    text(observers, leak=["01"])
    assert "LEAK" in capsys.readouterr().out


@pytest.mark.parametrize("environment", [{"COLUMNS": "40"}, {"FORCE_COLOR": "1"}], ids=str)
def test_the_text_does_not_depend_on_the_terminal(observers, environment, monkeypatch):
    expected = text(observers)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert text(observers) == expected


def test_names_with_brackets_are_shown_as_they_are(observers):
    assert "set [b]" in text(observers, dataset="set [b]")
