from types import SimpleNamespace

import pytest
import torch

from unet_lightning.data.labels import IGNORE, Batch, Sample
from unet_lightning.errors import ConfigError
from unet_lightning.training.callbacks.panels import Panels
from unet_lightning.training.trackers.tracker import Picture, Tracker

IDS = ["21", "22", "23"]


class Screen(Tracker):
    """Keeps what it is shown."""

    name = version = "screen"

    def __init__(self):
        self.shown = []

    def show(self, pictures, step):
        self.shown.append((pictures, step))

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass


class Photographs:
    """Three photographs of 4 x 6: a vessel in the first column, no pixel of the last one counts."""

    image_ids, classes = IDS, ("background", "vessel")

    def __init__(self, size=(4, 6)):
        target = torch.zeros(size, dtype=torch.uint8)
        target[:, 0], target[:, -1] = 1, IGNORE
        photo = torch.full((3, *size), 200, dtype=torch.uint8)
        self.sample = Sample(photo, target, None)

    def __getitem__(self, index):
        return self.sample._replace(image_id=IDS[index])

    def photo(self, index):
        return self[index].image


def trainer(*loggers, epoch=0, every=1, photographs=None):
    return SimpleNamespace(
        loggers=list(loggers),
        current_epoch=epoch,
        check_val_every_n_epoch=every,
        sanity_checking=False,
        world_size=1,
        is_global_zero=True,
        global_step=10 * (epoch + 1),
        datamodule=SimpleNamespace(val=photographs or Photographs()),
    )


def validate(panels, trainer, order=IDS):
    """A validation that finds a vessel everywhere."""
    panels.on_validation_epoch_start(trainer, None)
    for number, image_id in enumerate(order):
        sample = trainer.datamodule.val[IDS.index(image_id)]
        logits = torch.stack([torch.zeros(sample.target.shape), torch.ones(sample.target.shape)])[None]
        batch = Batch(sample.image[None].float(), sample.target[None].long(), [image_id])
        panels.on_validation_batch_end(trainer, None, {"logits": logits}, batch, number)
    panels.on_validation_epoch_end(trainer, None)


def test_the_first_photographs_are_shown_whatever_their_order_in_validation():
    screen = Screen()
    validate(Panels(count=2), trainer(screen), order=["23", "22", "21"])
    ((pictures, step),) = screen.shown
    assert [one.image_id for one in pictures] == ["21", "22"]
    assert step == 9  # as Lightning counts the figures of that validation


def test_of_a_validation_of_some_photographs_those_are_shown():
    screen = Screen()  # as with trainer.limit_val_batches
    validate(Panels(count=2), trainer(screen), order=["22"])
    ((pictures, _),) = screen.shown
    assert [one.image_id for one in pictures] == ["22"]


def test_where_none_of_the_first_photographs_was_validated_nothing_is_shown():
    screen = Screen()
    validate(Panels(count=2), trainer(screen), order=["23"])
    assert screen.shown == []


def test_masks_are_small_integers_and_the_photograph_is_uint8():
    screen = Screen()
    validate(Panels(), trainer(screen))
    picture = screen.shown[0][0][0]
    assert (picture.photo.dtype, picture.photo.shape) == (torch.uint8, (3, 4, 6))
    assert picture.truth.tolist() == [[1, 0, 0, 0, 0, 2]] * 4
    assert picture.prediction.tolist() == [[1, 1, 1, 1, 1, 2]] * 4


def test_large_photographs_are_made_smaller():
    screen = Screen()
    validate(Panels(side=32), trainer(screen, photographs=Photographs((96, 64))))
    picture = screen.shown[0][0][0]
    assert picture.photo.shape == (3, 32, 21)
    assert picture.truth.shape == picture.prediction.shape == (32, 21)


def test_without_a_logger_that_shows_pictures_nothing_is_kept():
    panels = Panels()
    validate(panels, trainer(SimpleNamespace()))
    assert panels.found == {}


def test_zero_photographs_is_off():
    screen = Screen()
    validate(Panels(count=0), trainer(screen))
    assert screen.shown == []


@pytest.mark.parametrize(
    ("every", "validated", "shown"), [(1, range(25), [0, 10, 20]), (4, [3, 7, 11, 15, 19], [3, 11])]
)
def test_the_first_validation_of_so_many_epochs_is_shown(every, validated, shown):
    screen, panels = Screen(), Panels(every_n_epochs=10)
    for epoch in validated:
        validate(panels, trainer(screen, epoch=epoch, every=every))
    assert [step for _, step in screen.shown] == [10 * (epoch + 1) - 1 for epoch in shown]


def test_a_strip_is_photograph_truth_and_prediction_side_by_side():
    photo = torch.full((3, 1, 2), 9, dtype=torch.uint8)
    truth, prediction = torch.tensor([[0, 1]]), torch.tensor([[1, 2]])
    strip = Picture("21", photo, truth, prediction, ("background", "vessel")).strip()
    assert strip.tolist() == [[[9, 9, 0, 255, 255, 64]]] * 3


def test_of_several_classes_a_strip_has_the_colours_of_masks():
    photo, numbers = torch.zeros(3, 1, 1, dtype=torch.uint8), torch.tensor([[2]])
    strip = Picture("21", photo, numbers, numbers + 1, ("background", "disc", "cup")).strip()
    assert strip[:, 0].T.tolist() == [[0, 0, 0], [0xE6, 0x9F, 0x00], [64, 64, 64]]


@pytest.mark.parametrize("values", [{"count": -1}, {"every_n_epochs": 0}, {"side": 1.5}])
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match=f"callbacks.panels.{next(iter(values))} must be a whole number from"):
        Panels(**values)
