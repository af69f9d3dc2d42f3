import os
import sys

import pytest
from rich.console import Console

from unet_lightning.program import explain, nearest, one_line_errors

KNOWN = ["model.base_c", "model.bilinear", "trainer.max_epochs", "trainer.max_steps", "seed", "optimizer.lr"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.basec", "model.base_c"),
        ("base_c", "model.base_c"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("max_epochs", "trainer.max_epochs"),
        ("optimiser.lr", "optimizer.lr"),
        ("sed", "seed"),
    ],
)
def test_the_field_that_was_meant_is_among_the_near_ones(typed, meant):
    assert meant in nearest(typed, KNOWN)


def test_a_field_like_no_other_has_no_near_one():
    assert nearest("xyzzy", KNOWN) == []


def test_an_error_is_one_line():
    assert explain(ValueError("first\n  second\n\nthird"), "train") == "first second third"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.bas_c=3"], "No field model.bas_c in the config. Near: model.base_c."),
        (["-m", "model.basec=3,4"], "No field model.basec in the config. Near: model.base_c."),
        (["model=unett"], "Could not find 'model/unett' Available options in 'model': unet unet_paper"),
        (["modle=unet"], "No field modle in the config. Near: model"),
        (["model.base_c=[3"], "no viable alternative"),
        (["-m", "model.base_c=1,2", "sweep=nowhere"], "Could not find 'sweep/nowhere'"),
        (
            ["-m", "loss=focal,tversky", "loss.gamma=2"],
            "No field loss.gamma before loss=focal,tversky is taken, job by",
        ),
    ],
)
def test_a_wrong_override_ends_at_once_with_one_line(in_process, arguments, message):
    assert message in in_process("train", *arguments)


def test_near_fields_are_those_of_the_chosen_files():
    error = ValueError("Could not override 'sweep.trialz'.")
    given = ["-m", "sweep=optuna", "sweep.trialz=3", "model.base_c=4,8", "trainer=cpu,gpu"]
    assert "Near: sweep.n_trials" in explain(error, "train", given)


@pytest.mark.parametrize("say", [print, lambda text: Console().print(text), lambda text: print(text, flush=True)])
def test_a_program_that_nobody_reads_ends_as_by_sigpipe(say, monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        with pytest.raises(SystemExit) as ended:
            one_line_errors(one_line_errors(say))("a line")  # as the programs that Hydra calls
    assert ended.value.code == 141
    assert capsys.readouterr().err == "Stopped by SIGPIPE: nobody reads what it prints.\n"


def test_a_program_without_an_output_works(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert one_line_errors(lambda: print("a line") or 3)() == 3
