import subprocess
import sys


def test_prediction_does_not_import_torchvision():
    # It would take 2 s and 170 MB, an eighth of what a photograph of 8000 x 8000 pixels may take.
    code = (
        "import sys, unet_lightning.inference.predictor, unet_lightning.inference.maps; "
        "print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
