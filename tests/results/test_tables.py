import math
import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from evaluation_folders import protocol_of

from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.results.published import write_matrix
from unet_lightning.results.scores import Evaluation
from unet_lightning.results.tables import (
    markdown,
    markdown_text,
    mean_and_sd,
    readable,
    readable_name,
    results_table,
    show,
    words_of,
)

PROTOCOL = {
    "dataset": "DRIVE",
    "split": "test",
    "images": 2,
    "reference": "first observer",
    "region": "field of view, masks of the data set",
    "resolution": "the photographs' own",
    "threshold": 0.42,
    "threshold_source": "given",
    "tta": "flips",
    "scale": "auto",
    "tiles": "whole photographs",
    "networks": [{"checkpoint": "run/checkpoints/best.ckpt", "sha256": "0123456789abcdef", "epoch": 7, "seed": 3}],
    "trained_on": "DRIVE",
    "initial_weights": None,
    "initial_weights_saw": {},
    "commit": "abc",
    "versions": {"torch": "2.6"},
    "leak": [],
    "leak_reasons": {},
}


@pytest.fixture(scope="module")
def observers():
    vessels = [torch.tensor([[True, False]]), torch.tensor([[True, True, True, False]])]
    targets = [torch.tensor([[1, 0]]), torch.tensor([[1, 0, 0, 1]])]
    probabilities = [torch.tensor([[0.9, 0.2]]), torch.tensor([[0.8, 0.7, 0.6, 0.1]])]
    return {"model": summarise(vessels, targets, probabilities), "second observer": summarise(vessels, targets)}


def text(observers, **protocol):
    changed = protocol_of(PROTOCOL | protocol)
    return markdown(results_table(observers, changed.mark), words_of(changed))


def cells(markdown):
    """The cells of the table, row by row, without the rule below the header."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if set(line) != {"|", "-"}]


def test_a_column_has_dice_as_mean_and_sd_and_the_rest_pooled(observers):
    rows = {name: values for name, *values in cells(text(observers))}
    # Dice 1 and 2/5; pooled TP 2, FP 2, TN 1, FN 1; vessels at 0.9, 0.8, 0.1 and background at 0.2, 0.7, 0.6.
    expected = {
        "": ["model", "second observer"],
        "dice_per_image": ["0.7000 (0.4243)", "0.7000 (0.4243)"],
        "dice_pooled": ["0.5714", "0.5714"],
        "iou": ["0.4000", "0.4000"],
        "accuracy": ["0.5000", "0.5000"],
        "sensitivity": ["0.6667", "0.6667"],
        "specificity": ["0.3333", "0.3333"],
        "precision": ["0.5000", "0.5000"],
        "mcc": ["0.0000", "0.0000"],
        "auroc": ["0.6667", "-"],
        "average_precision": ["0.8333", "-"],
        "ece": ["0.4500", "-"],  # each probability has a bin of its own
        "brier": ["0.2917", "-"],
        "component_error": ["0.5 (0.7)", "0.5 (0.7)"],  # 0 and 1
    }
    assert {name: rows[name] for name in expected} == expected
    few, none = "none: fewer than 6 images", "-"
    labels, *others = zip(*cells(text(observers)), strict=True)
    below = {labels[n - 1]: [one[n] for one in others] for n, label in enumerate(labels) if label == "95 % interval"}
    assert below == {
        "dice_per_image": [few, few],
        "dice_pooled": [few, few],
        "auroc": [few, none],
        "average_precision": [few, none],
    }
    assert list(rows)[-6:-2] == ["cldice", "component_error", "hd95", "nsd_2px"]
    # The first map is its target; in the second an outline of 3 and one of 2 pixels, all within 2 of the other.
    assert rows["nsd_2px"] == ["1.0000 (0.0000)"] * 2


def test_the_table_is_markdown_with_the_caption_as_a_paragraph_of_its_own(observers):
    table, caption = text(observers).split("\n\n")
    rule = table.splitlines()[1]
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in table.splitlines()} == {len(rule)}
    assert "|" not in caption


def test_the_stamp_says_what_was_measured_how(observers):
    words = " ".join(text(observers).split())
    for said in (
        "DRIVE test, 2 images; against the first observer; field of view, masks of the data set; resolution: the "
        "photographs' own; threshold 0.42 (given); TTA flips; scale auto; whole photographs.",
        "dice_per_image, cldice, component_error, hd95 (pixels) and nsd are the mean (SD) over images",
        "Network: run/checkpoints/best.ckpt (0123456789ab), epoch 7, seed 3, trained on DRIVE.",
        "Commit abc; torch 2.6.",
    ):
        assert said in words
    assert "Training began from tutorial.pth: the file does not say what they saw." in " ".join(
        text(observers, initial_weights="tutorial.pth").split()
    )


def test_what_labels_hold_and_what_is_doubtful_about_them_is_said(observers):
    words = " ".join(text(observers, labels="background 90 %, vessel 10 %", label_doubts=["Is it inverted?"]).split())
    assert "Labels: background 90 %, vessel 10 %." in words and words.endswith("Is it inverted?")


def test_a_leak_is_marked_at_the_model_and_below(observers):
    marked = text(observers, leak=["01", "02"], leak_reasons={"trained": ["01"], "epoch": ["02"]})
    assert cells(marked)[0] == ["", "model LEAK", "second observer"]
    assert "LEAK: trained on 01; the epoch was selected on 02." in " ".join(marked.split())


def test_an_image_that_leaks_under_another_name_is_named_as_the_network_knows_it(observers):
    marked = text(observers, leak=["a"], leak_reasons={"trained": ["a"]}, seen_as={"a": "21 of drive"})
    assert "LEAK: trained on a (21 of drive)." in " ".join(marked.split())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"near_duplicates": {"a": "21 of drive"}},
            "Look like copies of images that the network has seen, .*a \\(21 of",
        ),
        ({"leak_by_names": True}, "what it has seen is known by names, not by content"),
    ],
)
def test_what_may_be_a_leak_is_said_and_not_marked(observers, changed, said):
    found = text(observers, **changed)
    assert re.search(said, " ".join(found.split()))
    assert cells(found)[0] == ["", "model", "second observer"]


@pytest.mark.parametrize(
    "changed", [{"networks": []}, {"unknown_training": ["what plain.pth was trained on is unknown"]}], ids=str
)
def test_unknown_training_is_marked_and_said(observers, changed):
    found = text(observers, **changed)
    assert cells(found)[0] == ["", "model (training unknown)", "second observer"]
    assert re.search("What .* trained on is unknown", " ".join(found.split()))


def test_validation_images_are_marked_where_they_did_not_choose_the_checkpoint_too(observers):
    marked = text(observers, watched=["01", "02"])
    assert cells(marked)[0] == ["", "model (validation)", "second observer"]
    assert "Validation images, which did not choose this checkpoint: 01, 02." in " ".join(marked.split())


def test_maps_of_another_program_have_a_sentence_too(observers):
    elsewhere = dict.fromkeys(("tta", "scale", "tiles"), "-")
    said = " ".join(text(observers, **elsewhere, predictions="their maps").split())
    assert "(given); maps of another program, read from their maps. dice_per_image" in said
    assert "TTA" not in said and " -" not in said.split("|")[-1]


def test_no_leak_is_marked_where_there_is_none(observers):
    assert "LEAK" not in text(observers)


def test_the_terminal_is_shown_the_table_too(observers, capsys):
    changed = protocol_of(PROTOCOL | {"leak": ["01"], "leak_reasons": {"trained": ["01"]}})
    show(results_table(observers, changed.mark), words_of(changed))
    assert "LEAK" in capsys.readouterr().out


@pytest.mark.parametrize("environment", [{"COLUMNS": "40"}, {"FORCE_COLOR": "1"}], ids=str)
def test_the_text_does_not_depend_on_the_terminal(observers, environment, monkeypatch):
    expected = text(observers)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert text(observers) == expected


def test_names_with_brackets_are_shown_as_they_are(observers):
    assert "set [b]" in text(observers, dataset="set [b]")


def test_a_wide_table_keeps_a_row_a_line():
    row = {f"data set {number} test": "0.8177 [0.8101 to 0.8254]" for number in range(12)}
    rows = cells(markdown(pd.DataFrame([row], ["outputs/quick/2026-01-31_12-00-00"]), "what it is"))
    assert [len(line) for line in rows] == [13, 13]
    assert rows[1][0] == "outputs/quick/2026-01-31_12-00-00"


@pytest.mark.parametrize(("width", "tables"), [(60, 3), (90, 2), (200, 1)])
def test_a_terminal_gets_as_many_tables_as_it_takes_and_no_figure_is_broken(width, tables, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    row = {f"data set {number} test": "0.8177 [0.8101, 0.8254]" for number in range(3)}
    show(pd.DataFrame([row], ["outputs/2026-01-31"]), "what it is")
    out = capsys.readouterr().out
    assert out.count("\n|--") == tables
    assert out.count("0.8177 [0.8101, 0.8254]") == 3
    assert out.count("…") == 0
    assert max(map(len, out.splitlines())) <= width


def test_runs_are_down_and_data_sets_across(tmp_path, monkeypatch):
    def evaluation(data_set, dice):
        summary = Summary([], {"dice": dice}, {}, {"dice": (0.5, 1.0)}, {})
        protocol = protocol_of(PROTOCOL | {"dataset": data_set})
        return Evaluation(None, {"model": []}, {"model": summary}, protocol, None, {})

    monkeypatch.chdir(tmp_path)
    one, two, three = evaluation("a", 0.75), evaluation("b", 0.625), evaluation("b", 0.875)
    write_matrix({Path("one"): [one, two], Path("two"): [three]})
    for run in ("one", "two"):
        assert cells(Path(run, "evaluation/matrix.md").read_text(encoding="utf-8")) == [
            ["", "a test", "b test"],
            ["one", "0.7500 [0.5000 to 1.0000]", "0.6250 [0.5000 to 1.0000]"],
            ["two", "-", "0.8750 [0.5000 to 1.0000]"],
        ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("dice", "Dice"), ("average_precision", "Average precision"), ("auroc", "AUROC"), ("dataset", "Data set")],
)
def test_a_name_reads_as_a_reader_knows_it(name, shown):
    assert readable_name(name) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.81234, "0.8123"), (-0.5, "-0.5000"), (None, "-"), (math.nan, "-")])
def test_a_figure_has_four_decimals_or_is_a_dash(value, shown):
    assert readable(value) == shown


def test_mean_and_sd_have_the_decimals_of_their_figure():
    summary = Summary([], {"dice": 0.75, "component_error": 3.5}, {"dice": math.nan, "component_error": 0.7071}, {}, {})
    said = [mean_and_sd(summary, name) for name in ("dice", "component_error", "auroc")]
    assert said == ["0.7500 (-)", "3.5 (0.7)", "-"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x>", "&lt;img src=x>"),
        ("[x](http://y)", r"[x\](http://y)"),
        ("0.81 [0.80, 0.82]", "0.81 [0.80, 0.82]"),
        ("dice_per_image", "dice_per_image"),
        ("_x_ *y* `z` ~w~ $v$", r"\_x\_ \*y\* \`z\` \~w\~ \$v\$"),
        ("p < 0.05 &amp; \x1b", r"p < 0.05 \&amp; \\x1b"),
    ],
)
def test_markdown_shows_a_name_as_it_is(name, written):
    assert markdown_text(name) == written
