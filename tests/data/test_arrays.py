import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.arrays import as_mask, as_target
from unet_lightning.errors import ConfigError

THREE = ("background", "disc", "cup")


@pytest.mark.parametrize(
    "label",
    [
        np.array([[0, 1], [255, 0]], np.uint8),
        np.array([[[0, 1], [255, 0]]], np.int64),  # (1, H, W)
        np.array([[[0], [1]], [[255], [0]]], np.int32),  # (H, W, 1)
        torch.tensor([[0.0, 1.0], [255.0, 0.0]]),
        torch.tensor([[0, 1], [255, 0]]),
        Image.fromarray(np.array([[0, 1], [255, 0]], np.uint8)),
    ],
    ids=["numpy", "one channel first", "one channel last", "float", "int64", "pillow"],
)
def test_a_label_is_the_classes_of_pixels_in_any_array(label):
    found = as_target(label)
    assert found.dtype == torch.uint8
    assert found.tolist() == [[0, 1], [255, 0]]


def test_a_bool_label_is_of_the_second_class():
    assert as_target(np.array([[True, False]])).tolist() == [[1, 0]]
    assert as_target(np.array([[0, 255, 2]]), THREE).tolist() == [[0, 255, 2]]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.zeros((2, 3, 3)), r"A label is \(H, W\), found \(2, 3, 3\) float64"),
        (np.zeros((0, 3)), r"A label is \(H, W\), found \(0, 3\)"),
        (np.array([[0, 255]]), r"found 0, 255\. A mask of 0 and 255 is meant as label > 0"),
        (np.array([[0, 0.5]]), r"holds 0 to 1 \(background, foreground\) .* found 0, 0\.5"),
        (np.array([[0, np.nan]]), r"found 0, nan"),
        (np.arange(9)[None], r"found 0, 1, 2, 3, 4, \.\.\."),
    ],
)
def test_what_is_no_label_is_said(label, said):
    with pytest.raises(ConfigError, match=said):
        as_target(label)


def test_a_field_of_view_has_two_values():
    assert as_mask(np.array([[0, 255]], np.uint8)).tolist() == [[False, True]]
    assert as_mask(torch.tensor([[True, False]])).tolist() == [[True, False]]
    assert as_mask(np.ones((1, 2))).tolist() == [[True, True]]
    for wrong in (np.array([[0, 1, 2]]), np.array([[1, 2]]), np.zeros((2, 2))):
        with pytest.raises(ConfigError, match="0 and one other value"):
            as_mask(wrong)
