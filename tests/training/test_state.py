import json
import math
from pathlib import Path
from typing import get_args

import pytest

from unet_lightning.errors import RunError
from unet_lightning.training.state import State, Word, begun, read_state


def test_a_state_comes_back_as_it_was_written(tmp_path):
    state = State("failed", exit_code=1, seconds=2.5, overrides=["seed=1"], error="too hot")
    state.write(tmp_path)
    assert read_state(tmp_path) == state


def test_a_folder_without_state_has_none(tmp_path):
    assert read_state(tmp_path) is None


def test_a_run_that_goes_on_keeps_what_it_has_reached():
    first = State("stopped", 143, seconds=10.0, value=0.7, epoch=3, monitor="val/dice_per_image", overrides=["seed=1"])
    second = begun(first, [])
    assert (second.state, second.exit_code, second.attempts) == ("running", None, 2)
    assert (second.seconds, second.value, second.epoch, second.overrides) == (10.0, 0.7, 3, ["seed=1"])


@pytest.mark.parametrize(("before", "kept"), [(["seed=1"], ["seed=1"]), ([], ["trainer.max_epochs=9"])])
def test_a_run_that_goes_on_keeps_what_was_tried(before, kept):
    assert begun(State("stopped", overrides=before), ["trainer.max_epochs=9"]).overrides == kept


def test_an_end_keeps_the_process_that_trained():
    state = State("running", host="somewhere", pid=7).ended("done", 0, value=0.8)
    assert (state.state, state.exit_code, state.value, state.host, state.pid) == ("done", 0, 0.8, "somewhere", 7)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "glad"}', '{"state": "done", "mood": 1}', "null"])
def test_a_broken_state_is_named(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(RunError, match=r"state\.json"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "x"),
        ("seconds", None),
        ("seconds", True),
        ("seconds", math.inf),
        ("peak_memory_mb", []),
        ("exit_code", 1.5),
        ("attempts", None),
        ("epoch", {}),
        ("overrides", "seed=1"),
        ("error", ["no memory"]),
        ("host", None),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path, name, value):
    (tmp_path / "state.json").write_text(json.dumps({"state": "done", name: value}))
    with pytest.raises(RunError, match=rf"state\.json is not the state of a run: .*{name}"):
        read_state(tmp_path)


def test_a_number_beyond_a_float_is_refused(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps({"state": "done", "seconds": 10**400}))
    with pytest.raises(RunError, match=r"state\.json is not the state of a run"):
        read_state(tmp_path)


@pytest.mark.parametrize("state", [None, ["done"], {}, True])
def test_a_word_of_another_type_is_named(tmp_path, state):
    (tmp_path / "state.json").write_text(json.dumps({"state": state}))
    with pytest.raises(RunError, match=r"state\.json is not the state of a run: .*state"):
        read_state(tmp_path)


def test_fields_without_a_value_are_read(tmp_path):
    State("running", seconds=3, value=None, error=None).write(tmp_path)
    assert read_state(tmp_path).seconds == 3


def test_a_state_is_plain_json(tmp_path):
    State("done").write(tmp_path)
    assert json.loads((tmp_path / "state.json").read_text())["state"] == "done"


def test_the_page_on_sweeps_names_every_state():
    page = (Path(__file__).parents[2] / "docs/sweeps.md").read_text()
    (row,) = [line for line in page.splitlines() if "state.json" in line]
    assert [word for word in get_args(Word) if f"`{word}`" not in row] == []
