import subprocess
import sys

from unet_lightning.inference.memory import return_large_blocks


def test_prediction_does_not_import_torchvision():
    # It would take 2 s and 170 MB, an eighth of what a photograph of 8000 x 8000 pixels may take.
    code = (
        "import sys, unet_lightning.inference.predictor, unet_lightning.inference.maps, "
        "unet_lightning.reporting.overlay; print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_allocator_takes_its_setting_or_is_left_alone():
    return_large_blocks()
    return_large_blocks()
