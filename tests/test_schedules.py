import itertools

import pytest
import torch

from unet_lightning.errors import ConfigError
from unet_lightning.schedules import onecycle, poly

PEAK = 0.5


def rates(schedule, total_steps, steps_per_epoch, beyond=0, **options):
    """Learning rates as shares of the peak: before the first step, and after each."""
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = schedule(optimizer, total_steps=total_steps, steps_per_epoch=steps_per_epoch, **options)
    shares = [optimizer.param_groups[0]["lr"] / PEAK]
    for _ in range(total_steps + beyond):
        optimizer.step()
        scheduler.step()
        shares.append(optimizer.param_groups[0]["lr"] / PEAK)
    return shares


def test_poly_warms_up_over_the_first_epoch_then_falls_to_0():
    shares = rates(poly, total_steps=24, steps_per_epoch=4, beyond=2)
    assert shares[:5] == pytest.approx([0.001, 0.25075, 0.5005, 0.75025, 1])
    assert shares[9] == pytest.approx(0.75**0.9)  # 5 of the 20 steps after the warm-up
    assert shares[14] == pytest.approx(0.5**0.9)
    assert shares[23] == pytest.approx(0.05**0.9)
    assert shares[24:] == [0, 0, 0]  # and stays there


def test_poly_takes_its_power_and_warmup():
    shares = rates(poly, total_steps=20, steps_per_epoch=5, power=2, warmup_epochs=2, warmup_start=0.1)
    assert [shares[step] for step in (0, 5, 10, 15, 20)] == pytest.approx([0.1, 0.55, 1, 0.25, 0])


def test_poly_without_warmup_begins_at_the_peak():
    assert rates(poly, total_steps=4, steps_per_epoch=2, warmup_epochs=0, power=1) == [1, 0.75, 0.5, 0.25, 0]


def test_poly_of_a_run_shorter_than_its_warmup_ends_at_the_peak():
    shares = rates(poly, total_steps=4, steps_per_epoch=10)
    assert shares == pytest.approx([0.001, 0.25075, 0.5005, 0.75025, 1])


def test_onecycle_rises_to_the_peak_and_ends_at_0():
    shares = rates(onecycle, total_steps=10, steps_per_epoch=1, warmup=0.4, start=0.04)
    assert shares[0] == pytest.approx(0.04)
    assert shares[2] == pytest.approx((1 + 0.04) / 2)  # half of the cosine flank
    assert shares[4] == pytest.approx(1)
    assert shares[7] == pytest.approx(0.5)
    assert shares[10] == pytest.approx(0)
    assert all(a < b for a, b in itertools.pairwise(shares[:5]))
    assert all(a > b for a, b in itertools.pairwise(shares[4:]))


@pytest.mark.parametrize("warmup", [-0.1, 1.1])
def test_onecycle_refuses_a_warmup_that_is_not_a_share(warmup):
    with pytest.raises(ConfigError, match=r"scheduler\.warmup must be from 0 to 1"):
        rates(onecycle, total_steps=10, steps_per_epoch=1, warmup=warmup)


@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 5, 6, 7, 10, 50])
@pytest.mark.parametrize("schedule", [poly, onecycle])
def test_a_run_of_any_length_can_be_stepped_to_its_end(schedule, total_steps):
    shares = rates(schedule, total_steps, steps_per_epoch=max(1, total_steps // 5))
    assert len(shares) == total_steps + 1
    assert all(0 <= share <= 1 + 1e-9 for share in shares)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9, 1.0])
def test_onecycle_takes_any_share_of_warmup(warmup):
    assert max(rates(onecycle, total_steps=40, steps_per_epoch=1, warmup=warmup)) == pytest.approx(1, abs=0.01)


def test_each_parameter_group_keeps_its_own_peak():
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.125)]
    for schedule in (poly, onecycle):
        optimizer = torch.optim.SGD(groups)
        scheduler = schedule(optimizer, total_steps=10, steps_per_epoch=2)
        for _ in range(6):
            optimizer.step()
            scheduler.step()
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert first == pytest.approx(4 * second)
