import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms.v2.functional import to_image

from unet_lightning.data.content import digest
from unet_lightning.data.own import GivenImages, Item, data_of, items_of
from unet_lightning.errors import ConfigError, DataError


def photo(seed=0, size=(20, 24)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def label(size=(20, 24)):
    made = np.zeros(size, np.uint8)
    made[4:10, 5:12] = 1
    return made


def dataset_of(*pairs, **named):
    return GivenImages([*items_of(pairs)], **named)


@pytest.mark.parametrize(
    "given",
    [
        lambda: (photo(), label()),
        lambda: [photo(), label() > 0],
        lambda: (torch.from_numpy(photo()).permute(2, 0, 1), torch.from_numpy(label())),
        lambda: (torch.from_numpy(photo()).permute(2, 0, 1) / 255, torch.from_numpy(label()).float()[None]),
        lambda: (Image.fromarray(photo()), Image.fromarray(label())),
        lambda: {"image": to_image(photo()), "mask": label()},
        lambda: {"image": photo(), "label": label(), "unused": 1},
    ],
    ids=["numpy", "bool", "torch", "float", "pillow", "mapping", "label"],
)
def test_a_pair_of_any_kind_is_a_sample_with_the_same_digests(given):
    found = dataset_of(given())
    image, target, image_id = found[0]
    assert image_id == "image_0"
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, 20, 24))
    assert torch.equal(image.as_subclass(torch.Tensor), torch.from_numpy(photo()).permute(2, 0, 1))
    assert torch.equal(target.as_subclass(torch.Tensor), torch.from_numpy(label()))
    assert found.content(0)["photograph"] == digest(torch.from_numpy(photo()).permute(2, 0, 1))
    assert found.content(0)["label"] == digest(torch.from_numpy(label()))


def test_files_are_read_as_those_of_any_data_set_and_may_stand_beside_arrays(tmp_path):
    Image.fromarray(photo()).save(tmp_path / "a.png")
    Image.fromarray(label() * 255).save(tmp_path / "mask.png")
    found = dataset_of((tmp_path / "a.png", str(tmp_path / "mask.png")), (photo(), tmp_path / "mask.png"))
    assert found.content(0) == found.content(1)
    assert found[0].target.sum() == 6 * 7


def test_a_data_set_is_asked_by_number_and_a_generator_once():
    class Mine(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index >= 2:
                raise KeyError(index)  # not the IndexError by which iteration would end
            return photo(index), label(), f"mine {index}"

    assert [one.image_id for one in items_of(Mine())] == ["mine 0", "mine 1"]
    assert [one.image_id for one in items_of(((photo(), label()) for _ in range(2)), "val")] == ["val_0", "val_1"]


def test_names_people_and_fields_of_view_come_along():
    fov = np.zeros((20, 24), bool)
    fov[2:18] = True
    rows = [
        {"image": photo(number), "mask": label(), "fov": fov, "image_id": number, "group": "ABA"[number]}
        for number in range(3)
    ]
    found = dataset_of(*rows)
    assert found.image_ids == ["0", "1", "2"]
    assert found.groups == ["A", "B", "A"]
    assert (found[0].target == 255).sum() == 4 * 24
    assert found.region.endswith("masks of the data set")
    assert found.subset(["2"]).groups is None and found.subset(["2"])[0].image_id == "2"


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((photo(), label(), 3, 4), r"image_0 of the data set is a tuple of 4, expected \(image, label\)"),
        ({"image": photo(), "masks": label()}, r"is a mapping of image, masks, expected"),
        (photo(), "is a ndarray, expected"),
        ((photo().astype(np.int64), label()), "The photograph of image image_0: This array is no photograph"),
        ((photo() / 255 * 2 - 1, label()), r"found \(20, 24, 3\) float64 from -1 to 1"),
        ((photo(), label() * 3), r"The label of image image_0: A label holds 0 to 1 \(background, foreground\)"),
        ({"image": photo(), "mask": label(), "fov": np.zeros((20, 24))}, "The field-of-view mask of image image_0: "),
    ],
)
def test_what_is_no_pair_is_said_at_once(pair, said):
    with pytest.raises(ConfigError, match=said):
        dataset_of(pair)


def test_sizes_that_differ_are_said_with_the_image():
    with pytest.raises(DataError, match=r"image image_0 differ in size: 20 x 24 .* 20 x 20 .* in <label image_0>"):
        _ = dataset_of((photo(), label((20, 20))))[0]


def test_sizes_are_looked_at_before_training():
    with pytest.raises(DataError, match="image train_0 differ in size"):
        data_of([(photo(), label((20, 20)))]).setup("fit")


def test_random_transforms_of_the_data_set_itself_are_refused():
    class Random(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.random.randint(0, 256, (20, 24, 3), np.uint8), label()

    with pytest.raises(ConfigError, match="another image 0 each time: leave its random transforms out"):
        list(items_of(Random()))


def test_parts_that_are_given_are_the_parts_of_the_data_module():
    pairs = [(photo(seed), label()) for seed in range(5)]
    data = data_of(pairs[:3], val=pairs[3:4], test=pairs[4:], crop=16, batch_size=3)
    assert data.photographs("train").image_ids == ["train_0", "train_1", "train_2"]
    assert data.photographs("val").image_ids == ["val_0"]
    assert data.photographs("test").image_ids == ["test_0"]
    assert len(data.photographs("all")) == 5
    data.setup("fit")
    assert next(iter(data.train_dataloader())).image.shape == (3, 3, 16, 16)
    state = data.state_dict()
    assert (state["val_ids"], state["classes"], state["fov"]) == (["val_0"], ["background", "foreground"], "none")
    assert len(state["contents"]) == 4


def test_validation_images_may_be_named_or_folded():
    pairs = [(photo(seed), label(), "abcd"[seed]) for seed in range(4)]
    assert data_of(pairs, val_ids=["b"]).photographs("val").image_ids == ["b"]
    assert data_of(pairs, folds=2, fold=1).photographs("val").image_ids == ["b", "d"]
    with pytest.raises(ConfigError, match="No test images were given"):
        data_of(pairs).photographs("test")
    with pytest.raises(DataError, match="given twice: a"):
        data_of([*pairs, pairs[0]])


def test_several_classes_are_named():
    made = label()
    made[0, 0] = 2
    found = data_of([(photo(), made)], classes=["background", "cell", "border"]).photographs("train")
    assert int(found[0].target.max()) == 2
    with pytest.raises(ConfigError, match=r"holds 0 to 1 .* found 0, 1, 2"):
        data_of([(photo(), made)])


@pytest.mark.parametrize(("shape", "channels"), [((5, 20, 24), 5), ((20, 24, 4), 4), ((1, 20, 24), 1), ((20, 24), 3)])
def test_arrays_of_other_channels_stay_so_and_grey_stands_for_three(shape, channels):
    found = dataset_of((np.random.default_rng(0).random(shape), label()))
    assert found.found_form.channels == channels
    assert (found.photo(0).dtype, tuple(found.photo(0).shape)) == (torch.float32, (channels, 20, 24))
    with pytest.raises(ConfigError, match="The photograph of image image_1: This array is no photograph"):
        dataset_of((np.zeros(shape), label()), (np.zeros((2, 20, 24)), label()))


def test_an_item_without_a_label_can_be_shown_and_not_trained_on():
    found = GivenImages([Item(photo(), None, "x")])
    assert found.photo(0).shape == (3, 20, 24)
    with pytest.raises(DataError, match="No label for image x of images"):
        _ = [*found]
