import pytest

from unet_lightning.results.leaderboard.scales import make_scale, tick_text


def test_a_scale_goes_from_its_start_to_its_end():
    scale = make_scale([0, 10], 100, 0, margin=0)
    assert [scale.place(value) for value in (0, 5, 10)] == [100, 50, 0]
    assert scale.labels[0] == (100, "0")


def test_values_over_several_orders_of_magnitude_are_logarithmic():
    scale = make_scale([1e-4, 1e-2], 0, 100, margin=0)
    assert scale.log and scale.place(1e-3) == pytest.approx(50)
    assert not make_scale([0, 100], 0, 1).log
    assert not make_scale([10, 100], 0, 1).log


@pytest.mark.parametrize("value", [0.0, 0.8, 5000.0])
def test_a_single_value_stands_in_the_middle(value):
    assert make_scale([value], 0, 100).place(value) == pytest.approx(50)


@pytest.mark.parametrize(("value", "text"), [(1e-5, "1e-5"), (0.02, "0.02"), (1500, "1,500"), (0, "0"), (2e6, "2e6")])
def test_ticks_are_short(value, text):
    assert tick_text(value) == text
