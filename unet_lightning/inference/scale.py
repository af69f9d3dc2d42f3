"""Photographs of another resolution than those of training: made alike before the network, and the map made back."""

from torch import Tensor
from torch.nn.functional import interpolate

from unet_lightning.data.fov import diameter, doubt, find_field_of_view
from unet_lightning.errors import ConfigError, DataError

SLACK = 0.05  # within it a photograph stays as it is: resampling would cost more than it gains
FURTHEST = 16.0  # a greater factor, or a smaller one than 1 / 16, is a mistake
MOST_PIXELS = 100_000_000  # after scaling; a photograph of more would be a mistake too


def scale_for(photo: Tensor, fov: Tensor | None, trained_diameter: int | None) -> tuple[float, str | None]:
    """The factor that brings a photograph's field of view to the diameter of those in training, and a doubt in words.

    It is 1 where either has no field of view, or the two differ by 5 % at most. A field of view that is no disc tells
    no scale: the factor is 1, and the doubt says so.

    Args:
        photo: `(C, H, W)` uint8, or float32 in [0, 1].
        fov: `(H, W)` bool; None: it is found in the photograph.
        trained_diameter: pixels; None where the training photographs have no field of view.

    Raises:
        UserError: an empty field of view, or one that differs more than any two cameras.
    """
    if trained_diameter is None:
        return 1.0, None
    fov = find_field_of_view(photo) if fov is None else fov
    if not fov.any():
        raise DataError("The field-of-view mask is empty: its diameter, to which the photograph is scaled, is 0.")
    found = diameter(fov)
    if found is None:
        return 1.0, f"{doubt(fov)}, by which to scale it"
    factor = trained_diameter / found
    if not 1 / FURTHEST <= factor <= FURTHEST:
        raise ConfigError(
            f"The field of view is {found} pixels wide, that of the training photographs {trained_diameter}: a factor "
            f"of {factor:.3g}, expected 1/16 to 16. Check the field-of-view mask, or set scale to a factor or none."
        )
    return (1.0 if abs(factor - 1) <= SLACK else factor), None


def scaled(photo: Tensor, factor: float) -> Tensor:
    """The photograph `(C, H, W)` with its sides times `factor`, each at least 2 pixels; antialiased bilinear."""
    if factor == 1:
        return photo
    height, width = (max(2, round(side * factor)) for side in photo.shape[1:])
    if height * width > MOST_PIXELS:
        raise ConfigError(
            f"A scale of {factor:.3g} makes {width} x {height} pixels (width x height) of this photograph, at most "
            f"{MOST_PIXELS:,} pixels are expected. Set scale to a smaller factor or none."
        )
    # In its own type: of uint8 no full-size copy in float.
    return interpolate(photo[None], (height, width), mode="bilinear", antialias=True)[0]


def scaled_back(probability: Tensor, height: int, width: int) -> Tensor:
    """A map `(C, h, w)` at the size of the photograph, `(C, height, width)`; bilinear, in [0, 1]."""
    if probability.shape[1:] == (height, width):
        return probability
    return interpolate(probability[None], (height, width), mode="bilinear", antialias=True)[0].clamp_(0, 1)
