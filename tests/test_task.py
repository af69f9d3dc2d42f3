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
    task, trainer = make_task(model=MODEL | {"num_classes": 3}, loss=LOSS["terms"]["dice"]), make_trainer()
    with torch.no_grad():  # class 1 everywhere
        task.network.out_conv[0].weight.zero_()
        task.network.out_conv[0].bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    target = torch.tensor([[1, 1, 2, 0, IGNORE]], dtype=torch.uint8).repeat(20, 4)
    images = DataLoader([Sample(torch.zeros(3, 20, 20), target, "")], collate_fn=collate)
    figures = trainer.validate(task, images, verbose=False)[0]
    # Of four counted pixels in a row two are of class 1: Dice 2 * 2 / (4 + 2); class 2 is never found: 0.
    assert figures["val/dice_per_image"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["val/dice_pooled"] == pytest.approx(2 * 2 / (4 + 2 + 1))


@pytest.mark.parametrize("classes", [["background"], ["background", "disc", "cup"]])
def test_a_network_of_other_classes_than_the_labels_is_refused(classes):
    with pytest.raises(ConfigError, match=f"set model.num_classes={len(classes)}"):
        make_task().rehearse(classes)


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
