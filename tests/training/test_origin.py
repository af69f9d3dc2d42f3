import json
from dataclasses import replace

import pytest
import torch

from unet_lightning.data.seen import Findings, Leak, Seen
from unet_lightning.inference.maps import read_probability, save_probability
from unet_lightning.training.origin import MadeBy, Origin, read_made_by
from unet_lightning.training.trained import Stamp

NETWORK = {"checkpoint": "run/checkpoints/best.ckpt", "sha256": "0", "epoch": 3, "seed": 0}
ORIGIN = Origin(
    networks=[Stamp(**NETWORK)],
    trained_on="drive",
    initial_weights_saw={},
    unknown_training=[],
    tta="none",
    scale="auto",
    tiles="whole",
)
LEARNED = Seen("drive", "21", {"photograph": "a", "drawing": "b", "group": "p1"})
WATCHED = Seen("drive", "25", {"photograph": "c"})
SAID = MadeBy(ORIGIN, "22 of drive", learned=[LEARNED], watched=[WATCHED])


def saved(text, path):
    save_probability(torch.tensor([[0.0, 0.5], [0.75, 1.0]]), path, text)
    return path


def test_a_map_keeps_what_made_it_wherever_it_is_copied(tmp_path):
    path = saved(SAID.written(), tmp_path / "map.png")
    assert read_made_by(path.rename(tmp_path / "other.png")) == SAID
    assert read_probability(tmp_path / "other.png").flatten().tolist() == pytest.approx([0.0, 0.5, 0.75, 1.0], abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"networks": [{}]},
        {"networks": [NETWORK | {"epoch": "3"}]},
        {"networks": {}},
        {"learned": [["drive", "21"]]},
        {"learned": [["drive", 21, "", ""]]},
        {"watched": 5},
        {"near": 5},
        {"unknown_training": [None]},
        {"tta": None},
    ],
    ids=str,
)
def test_what_we_would_not_have_written_says_nothing(tmp_path, change):
    text = json.dumps(json.loads(SAID.written()) | change)
    assert read_made_by(saved(text, tmp_path / "map.png")) is None


@pytest.mark.parametrize("text", [None, "", "{", "[]", "5", '{"networks": []}', "[" * 100_000])
def test_a_map_of_another_program_says_nothing(tmp_path, text):
    assert read_made_by(saved(text, tmp_path / "map.png")) is None
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert read_made_by(tmp_path / "broken.png") is None


def test_a_map_of_an_earlier_version_says_no_groups(tmp_path):
    said = json.loads(SAID.written())
    said |= {name: [row[:4] for row in said[name]] for name in ("learned", "watched")}
    learned = [Seen("drive", "21", {"photograph": "a", "drawing": "b"})]
    assert read_made_by(saved(json.dumps(said), tmp_path / "map.png")) == replace(SAID, learned=learned)


def test_another_image_of_a_patient_who_was_seen_is_told_in_the_same_data_set_alone():
    found = Findings()
    for dataset, name, group in (
        ("drive", "q", "p1"),
        ("drive", "r", "p2"),
        ("stare", "s", "p1"),
        ("drive", "t", None),
    ):
        found.look(
            Seen(dataset, name, {"photograph": name} | ({"group": group} if group else {})), [SAID], lambda: None
        )
    found.look(replace(LEARNED, image_id="u"), [SAID], lambda: None)  # leaks, which says more
    assert found.same_patient == {"q": "21 of drive"} and found.leak_reasons == {Leak.TRAINED: ["u"]}


@pytest.mark.parametrize(
    ("selected", "chose_threshold", "reason"),
    [(True, True, Leak.EPOCH), (False, True, Leak.THRESHOLD), (False, False, None)],
)
def test_a_mask_tells_that_validation_images_chose_its_threshold(tmp_path, selected, chose_threshold, reason):
    given = replace(SAID, selected=selected, chose_threshold=chose_threshold)
    said = read_made_by(saved(given.written(), tmp_path / "mask.png"))
    assert said == given
    found = Findings()
    found.look(WATCHED, [said], lambda: None)
    assert found.leak_reasons == ({reason: ["25"]} if reason else {})
    assert found.watched == ([] if reason else ["25"])


def test_findings_tell_what_leaks_from_what_is_only_like_it():
    found = Findings()
    for name, content in {
        "p": {"photograph": "a"},
        "q": {"photograph": "x", "drawing": "b"},
        "25": {"photograph": "c"},
        "21": {"photograph": "y"},
    }.items():
        found.look(Seen("drive", name, content), [SAID], lambda: SAID.near)
    assert found.leak_reasons == {Leak.TRAINED: ["p", "q"], Leak.EPOCH: ["25"]}
    assert found.seen_as == {"p": "21 of drive", "q": "21 of drive"}
    assert found.near_duplicates == {"21": "22 of drive"}
