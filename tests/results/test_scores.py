import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.folder import FolderDataset
from unet_lightning.errors import DataError
from unet_lightning.results.decided import Maps
from unet_lightning.results.scores import evaluate_maps, labels_of, protocol_of
from unet_lightning.results.tables import words_of
from unet_lightning.training.origin import Origin

RIGHT = np.array([[0, 0, 0, 255], [0, 0, 255, 0], [0, 255, 0, 0]], dtype=np.uint8)


@pytest.fixture
def dataset(tmp_path):
    """Makes two photographs with labels, and those of a second observer."""

    def make(first, second, mask=None):
        for name in "ab":
            files = {"images": RIGHT, "labels": first, "labels2": second} | ({} if mask is None else {"masks": mask})
            for folder, values in files.items():
                (tmp_path / folder).mkdir(exist_ok=True)
                Image.fromarray(values).save(tmp_path / folder / f"{name}.png")
        return FolderDataset(tmp_path, "train")

    return make


def test_a_protocol_says_what_the_labels_hold(dataset):
    assert labels_of(dataset(RIGHT, RIGHT)) == ("background 75.00 %, foreground 25.00 % of the counted pixels", [])


def test_a_protocol_doubts_labels_of_either_observer(dataset):
    (doubt,) = labels_of(dataset(255 - RIGHT, RIGHT))[1]
    assert doubt.startswith("foreground covers 75.0% of the counted pixels: are the labels inverted?")
    (doubt,) = labels_of(dataset(RIGHT, RIGHT * 0))[1]
    assert doubt.startswith("Of the second annotator: No label holds foreground")


def test_a_share_that_was_said_to_be_right_is_not_doubted(dataset):
    photographs = dataset(255 - RIGHT, 255 - RIGHT)
    photographs.most_foreground = 0.8
    assert labels_of(photographs)[1] == []


def test_a_label_without_a_pixel_that_counts_is_not_measured(dataset):
    photographs = dataset(RIGHT, RIGHT, np.full_like(RIGHT, 255))
    photographs[1].target.fill_(255)
    with pytest.raises(DataError, match="No pixel counts in the label of image b"):
        labels_of(photographs)


def maps_of(photographs, thresholds):
    """Maps that call all vessels but the first photograph's last, each with its threshold."""
    truth = torch.from_numpy(RIGHT > 0).float()[None]
    missing = truth.clone()
    missing[0, 2, 1] = 0.3
    origin = Origin(networks=[], tta="none", scale="none", tiles="-")
    return Maps(photographs, "val", [missing, truth], origin, thresholds=thresholds, threshold_source="other folds")


def test_objects_are_matched_where_asked_and_the_protocol_says_how(dataset):
    photographs = dataset(RIGHT, RIGHT)
    evaluation = evaluate_maps(maps_of(photographs, [0.5, 0.5]), instances=True)
    rows = evaluation.observers["model"].per_image
    assert [row["pq"] for row in rows] == pytest.approx([2 / 3, 1])  # a line of three pixels lacks one
    assert evaluation.observers["model against second annotator"].pooled["pq"] == pytest.approx(5 / 6)
    assert "matched where their IoU is above 0.5" in words_of(evaluation.protocol)
    plain = evaluate_maps(maps_of(photographs, [0.5, 0.5]))
    assert "pq" not in plain.observers["model"].mean and plain.protocol.instances is None


def test_thresholds_that_differ_stand_in_the_protocol_by_image(dataset):
    photographs = dataset(RIGHT, RIGHT)
    assert protocol_of(maps_of(photographs, [0.2, 0.5])).thresholds == {"a": 0.2, "b": 0.5}
    assert protocol_of(maps_of(photographs, [0.5, 0.5])).thresholds is None
