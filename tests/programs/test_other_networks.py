"""A network of torchvision's, by a file of one's own: trained, measured and put to use as any other."""

import json

import pytest
from conftest import TINY_RUN

LRASPP = """
_target_: torchvision.models.segmentation.lraspp_mobilenet_v3_large
num_classes: 2
weights_backbone: null
weights: null
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torchvision")
    (folder / "my_conf/model").mkdir(parents=True)
    (folder / "my_conf/model/lraspp.yaml").write_text(LRASPP)
    return folder


def test_a_network_of_torchvision_is_trained_by_a_file_of_ones_own(program, tiny_drive, folder):
    tiny = [word for word in TINY_RUN if not word.startswith(("model.", "trainer.max_epochs"))]
    own = ["--config-dir", "my_conf"]
    done = program("train", *own, "model=lraspp", *tiny, "trainer.max_steps=1", "hydra.run.dir=run", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "LRASPP with 3," in done.stderr + done.stdout
    done = program("evaluate", *own, "run=run", "report=false", cwd=folder)
    assert done.returncode == 0, done.stderr
    protocol = json.loads((folder / "run/evaluation/drive-test/metrics.json").read_text())["protocol"]
    assert protocol["tiles"].endswith("as the network does not say its halo")
    photo = tiny_drive / "test/images/01_test.tif"
    done = program("predict", *own, photo, "--run", "run", "--out", "out", "--tile", "40", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "the map is the mean of tiles that overlap by half" in done.stderr
    assert (folder / "out/01_test_mask.png").is_file()
