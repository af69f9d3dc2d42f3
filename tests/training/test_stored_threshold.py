import json

import pytest

from unet_lightning.errors import ConfigError
from unet_lightning.training.threshold import FILE, chosen_threshold, store_threshold, stored_threshold

MADE_FOR = {"networks": ["0" * 64], "tta": "none", "scale": "auto"}


def test_what_is_stored_is_found(tmp_path):
    store_threshold(tmp_path, 0.42, ["25", "30"], MADE_FOR)
    assert stored_threshold(tmp_path, MADE_FOR) == 0.42
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["images"] == ["25", "30"]


def test_another_network_or_another_way_through_it_has_another_threshold(tmp_path):
    store_threshold(tmp_path, 0.42, ["25"], MADE_FOR)
    with pytest.raises(ConfigError, match="chosen with another networks, tta: give the same here"):
        stored_threshold(tmp_path, MADE_FOR | {"networks": ["1" * 64], "tta": "d4"})


def test_where_none_was_chosen_it_is_said_how_to_choose_one(tmp_path):
    with pytest.raises(ConfigError, match=r"No threshold was chosen yet.*evaluate run=.* threshold=val"):
        stored_threshold(tmp_path, MADE_FOR)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"threshold": 0.4}', '{"threshold": NaN}', '{"threshold": 2}'])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"threshold.json is broken"):
        stored_threshold(tmp_path, MADE_FOR)


def test_the_number_that_was_chosen_is_known_whatever_it_was_chosen_for(tmp_path):
    assert chosen_threshold(tmp_path) is None
    store_threshold(tmp_path, 0.42, ["25"], MADE_FOR)
    assert chosen_threshold(tmp_path) == 0.42
    (tmp_path / FILE).write_text("[]", encoding="utf-8")
    assert chosen_threshold(tmp_path) is None
