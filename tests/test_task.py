import math

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from unet_lightning.data.labels import IGNORE, Sample, collate
from unet_lightning.errors import ConfigError
from unet_lightning.task import SegmentationTask

# Samples of tens of pixels are loaded in this process.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' does not have many workers")

MODEL = {"_target_": "unet_lightning.models.unet.UNet", "base_c": 2}
LOSS = {
    "_target_": "unet_lightning.losses.combined.WeightedSum",
    "terms": {
        "cross_entropy": {
            "_target_": "unet_lightning.losses.cross_entropy.CrossEntropyLoss",
            "class_weights": [1.0, 2.0],
        },
        "dice": {"_target_": "unet_lightning.losses.dice.DiceLoss"},
    },
    "weights": {"cross_entropy": 1.0, "dice": 1.0},
}
OPTIMIZER = {"_target_": "torch.optim.SGD", "lr": 0.01, "momentum": 0.9}
POLY = {"_target_": "unet_lightning.schedules.poly"}


def samples(*sizes):
    generator = torch.Generator().manual_seed(0)
    made = []
    for number, (height, width) in enumerate(sizes):
        target = (torch.rand(height, width, generator=generator) < 0.2 + 0.2 * number).to(torch.uint8)
        target[:, :3] = IGNORE
        made.append(Sample(torch.randn(3, height, width, generator=generator), target, f"{number:02d}"))
    return made


def loader(*sizes, batch_size=2):
    return DataLoader(samples(*sizes), batch_size=batch_size, collate_fn=collate)


def make_task(**options):
    torch.manual_seed(0)
    return SegmentationTask(**{"model": MODEL, "loss": LOSS, "optimizer": OPTIMIZER} | options)


def make_trainer(**options):
    return L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def fit(trainer, task, data, **options):
    trainer.fit(task, data, data, **options)  # Lightning warns where there is nothing to validate on


class RatesOfSteps(L.Callback):
    """The learning rate that each optimizer step is taken with."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append(optimizer.param_groups[0]["lr"])


def test_a_checkpoint_is_plain_data_and_gives_the_same_network(tmp_path):
    task, trainer = make_task(scheduler=POLY), make_trainer(max_epochs=2)
    new = {name: value.clone() for name, value in task.network.state_dict().items()}
    fit(trainer, task, loader((32, 32), (32, 32), (32, 32), (32, 32)))
    assert any(not torch.equal(value, new[name]) for name, value in task.network.named_parameters())
    trainer.save_checkpoint(tmp_path / "last.ckpt")

    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    expected = {"model": MODEL, "loss": LOSS, "optimizer": OPTIMIZER, "scheduler": POLY, "channels_last": True}
    assert checkpoint["hyper_parameters"] == expected
    assert checkpoint["planned_steps"] == 4
    assert set(checkpoint["state_dict"]) == {f"network.{name}" for name in new}

    loaded = SegmentationTask.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True).eval()
    image = torch.randn(1, 3, 20, 24)
    with torch.inference_mode():
        assert torch.equal(loaded(image)["out"], task.eval()(image)["out"])


@pytest.mark.parametrize("split", ["val", "test"])
def test_dice_per_image_is_a_mean_over_images_and_dice_pooled_one_over_pixels(split):
    task, trainer = make_task(), make_trainer()
    batches = loader((20, 31), (33, 18), (24, 24))  # two images padded to 33 x 31, then one alone
    figures = (trainer.validate if split == "val" else trainer.test)(task, batches, verbose=False)[0]

    task.eval()
    pairs, losses = [], []
    with torch.inference_mode():
        for batch in batches:
            logits = task(batch.image)["out"]
            losses += [task.loss(logits, batch.target).item()] * len(batch.target)
            pairs += zip(logits[:, 1] > logits[:, 0], batch.target, strict=True)
    # 2 TP, and 2 TP + FP + FN, as sums over the counted pixels.
    doubled = [2 * int((vessels & (target == 1)).sum()) for vessels, target in pairs]
    total = [int((vessels & (target != IGNORE)).sum() + (target == 1).sum()) for vessels, target in pairs]
    per_image = sum(a / b for a, b in zip(doubled, total, strict=True)) / 3
    assert per_image != pytest.approx(sum(doubled) / sum(total), abs=1e-3)
    assert figures[f"{split}/dice_per_image"] == pytest.approx(per_image, abs=1e-6)
    assert figures[f"{split}/dice_pooled"] == pytest.approx(sum(doubled) / sum(total), abs=1e-6)
    assert figures[f"{split}/loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_an_image_without_vessels_in_which_none_is_found_has_dice_1():
    task, trainer = make_task(), make_trainer()
    torch.nn.init.constant_(task.network.out_conv[0].weight, 0)
    task.network.out_conv[0].bias.data = torch.tensor([1.0, 0.0])  # background everywhere
    empty = [Sample(sample.image, sample.target * (sample.target == IGNORE), "") for sample in samples((16, 20))]
    figures = trainer.validate(task, DataLoader(empty, collate_fn=collate), verbose=False)[0]
    assert (figures["val/dice_per_image"], figures["val/dice_pooled"]) == (1, 1)


def test_with_more_classes_dice_is_the_mean_over_classes_one_against_the_rest():
    # Of four counted pixels in a row two are of class 1: Dice 2 * 2 / (4 + 2); class 2 is never found: 0.
    figures = validated([1, 1, 2, 0, IGNORE], everywhere=1)
    assert figures == pytest.approx(((2 / 3 + 0) / 2, (2 / 3 + 0) / 2))


def test_a_class_in_neither_label_nor_prediction_is_left_out_of_the_images_mean():
    # Dice of classes 1, 2 and 3: 2/3, 0 and none; 8/9, none and none; 2/5, 0 and 0.
    figures = validated([1, 1, 2, 0], [1, 1, 1, 1, 0], [1, 2, 3, 3], everywhere=1, classes=4)
    per_image = ((2 / 3 + 0) / 2 + 8 / 9 + (2 / 5 + 0 + 0) / 3) / 3
    # Of the 60 columns of all images 10 + 16 + 5 are of class 1, and all are called so.
    assert figures == pytest.approx((per_image, (2 * 31 / (60 + 31) + 0 + 0) / 3))


def test_an_image_of_background_alone_in_which_no_class_is_found_is_left_out():
    assert validated([1, 2, 0, 0], [0, 0], everywhere=0) == (0, 0)
    # In label 1 is found everywhere: the class is in the prediction, and counts.
    assert validated([1, 1], [0, 0], everywhere=1) == pytest.approx(((1 + 0) / 2, 2 * 20 / (40 + 20)))


def test_without_any_class_but_the_background_there_is_no_dice_and_a_word_on_it(caplog):
    dice = validated([0, 0], [IGNORE, IGNORE], everywhere=0)
    assert all(math.isnan(one) for one in dice)
    assert "No val image of epoch 0 has a class but the background" in caplog.text


def validated(*rows, everywhere, classes=3):
    """Dice per image and pooled of images whose label repeats a row over 20 x 20 pixels, all called one class."""
    task, trainer = make_task(model=MODEL | {"num_classes": classes}, loss=LOSS["terms"]["dice"]), make_trainer()
    with torch.no_grad():
        task.network.out_conv[0].weight.zero_()
        task.network.out_conv[0].bias.copy_(2 * torch.eye(classes)[everywhere])
    targets = [torch.tensor([row], dtype=torch.uint8).repeat(20, 20)[:, :20] for row in rows]
    images = [Sample(torch.zeros(3, 20, 20), target, "") for target in targets]
    figures = trainer.validate(task, DataLoader(images, batch_size=2, collate_fn=collate), verbose=False)[0]
    return figures["val/dice_per_image"], figures["val/dice_pooled"]


@pytest.mark.parametrize("classes", [["background"], ["background", "disc", "cup"]])
def test_a_network_of_other_classes_than_the_labels_is_refused(classes):
    with pytest.raises(ConfigError, match=f"set model.num_classes={len(classes)}"):
        make_task().rehearse(classes)


def test_a_network_that_fails_on_odd_sides_is_told_to_say_its_stride_and_then_takes_them():
    class Halving(torch.nn.Sequential):
        def forward(self, image):
            return super().forward(image) + torch.nn.functional.interpolate(image[:, :2, ::2, ::2], scale_factor=2)

    with pytest.raises(ConfigError, match=r"Halving does not take images of any size: of 65 x 63 .* as `stride`"):
        make_task(model=Halving(torch.nn.Conv2d(3, 2, 1))).rehearse(["background", "vessel"])
    network = Halving(torch.nn.Conv2d(3, 2, 1))
    network.stride = 2
    make_task(model=network).rehearse(["background", "vessel"])


def test_figures_of_a_validation_do_not_carry_over_to_the_next():
    task, trainer = make_task(), make_trainer()
    first, second = loader((20, 31)), loader((33, 18), (40, 20))
    trainer.validate(task, first, verbose=False)
    after, alone = (trainer.validate(task, second, verbose=False)[0] for _ in range(2))
    assert after == alone


@pytest.mark.parametrize("length", [{"max_epochs": 3}, {"max_steps": 6}, {"max_epochs": 100, "max_steps": 6}], ids=str)
def test_the_schedule_is_stepped_with_the_optimizer_and_ends_with_the_run(length):
    rates = RatesOfSteps()
    trainer = make_trainer(callbacks=[rates], **length)
    fit(trainer, make_task(scheduler=POLY), loader((16, 20), (20, 16), (16, 20), (16, 18)))
    # An epoch of two steps of warm-up, then four down.
    assert rates.seen == pytest.approx([0.00001, 0.005005, *(0.01 * (1 - t / 4) ** 0.9 for t in range(4))])
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0


def test_without_a_scheduler_the_learning_rate_stays():
    trainer = make_trainer(max_steps=3)
    fit(trainer, make_task(), loader((16, 20), (20, 16)))
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.01


def test_a_scheduler_needs_an_end():
    with pytest.raises(ConfigError, match=r"set trainer\.max_epochs or trainer\.max_steps, or scheduler=none"):
        fit(make_trainer(max_epochs=-1), make_task(scheduler=POLY), loader((16, 20), (20, 16)))


def test_a_run_goes_on_only_over_the_steps_it_was_planned_for(tmp_path):
    data = loader((16, 20), (20, 16))
    trainer = make_trainer(max_epochs=4)
    fit(trainer, make_task(scheduler=POLY), data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match=r"planned over 4 optimizer steps, now there are 6.*model\.weights"):
        fit(make_trainer(max_epochs=6), make_task(scheduler=POLY), data, ckpt_path=tmp_path / "last.ckpt")


def test_memory_format_follows_channels_last():
    for channels_last in (True, False):
        weight = make_task(channels_last=channels_last).network.in_conv[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
