import base64
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from traitlets import default

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"
TOUR = [
    ("SIZE = (384, 372)", "SIZE = (192, 186)"),
    (
        '"trainer.max_epochs=3", "trainer.check_val_every_n_epoch=3"',
        '"trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"',
    ),
]


class OwnKernel(AsyncKernelManager):
    """This interpreter, whatever kernels the machine has, reached through files instead of network ports."""

    @default("transport")
    def _transport_default(self):
        return "ipc"

    @default("connection_file")
    def _connection_file_default(self):  # in full: the names of the sockets begin with it
        return os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], "kernel.json")

    @default("kernel_spec_manager")
    def _kernel_spec_manager_default(self):
        return KernelSpecManager(kernel_dirs=[])  # leaves ipykernel's own, which names sys.executable


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs a notebook from top to bottom in a folder; a failing cell raises with its traceback and what it printed.

    What makes it `shorter` is written in the place of what it says.
    """
    for name in [name for name in os.environ if name.startswith(("WANDB", "SLURM", "JUPYTER", "IPYTHON"))]:
        monkeypatch.delenv(name)
    for name in ("DRIVE_ROOT", "CHASE_DB1_ROOT", "STARE_ROOT", "HRF_ROOT", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    # The path of a socket has at most 107 characters: tmp_path alone may have as many.
    sockets = tempfile.TemporaryDirectory(prefix="nb")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", sockets.name)

    def run(name, folder, shorter=()):
        notebook = nbformat.read(next(path for path in NOTEBOOKS if path.stem == name), as_version=4)
        for long, short in shorter:
            (cell,) = (cell for cell in notebook.cells if long in cell.source)
            cell.source = cell.source.replace(long, short)
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, timeout=600, resources=resources, kernel_manager_class=OwnKernel)
        client.execute()
        assert client.km is None  # the kernel has ended
        return [output for cell in notebook.cells for output in cell.get("outputs", [])]

    yield run
    sockets.cleanup()


def pictures(outputs):
    found = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [picture for picture in map(base64.b64decode, found) if picture.startswith(PNG)]


def said(outputs, stream="stdout"):
    return "".join(output["text"] for output in outputs if output.get("name") == stream)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_without_traces_of_a_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }, "restore the metadata: an editor has added its own"
    for cell in notebook.cells:
        assert cell.metadata == {}, f"cell {cell.id} has metadata"
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, f"clear the outputs of {path.name} and save it"


def test_the_tour_runs_and_leaves_nothing(execute, tmp_path):
    folder = tmp_path / "anywhere"
    folder.mkdir()
    outputs = execute("tour", folder, shorter=TOUR)
    assert said(outputs, "stderr") == ""
    assert len(pictures(outputs)) == 6
    trained, *_ = re.findall(r"Best val/dice_per_image: (\S+)", said(outputs))
    assert float(trained) > 0.3  # something was learnt: calling all of it vessels gives 0.2
    assert "4 jobs: 4 done" in said(outputs)
    assert "2 seeds" in said(outputs)  # the leaderboard of the sweep
    assert list(folder.iterdir()) == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_results_are_drawn_with_the_figures_of_the_studies(execute):
    outputs = execute("results", NOTEBOOKS[0].parent)
    assert said(outputs, "stderr") == ""
    assert len(pictures(outputs)) == 7
    assert "quick/results.csv: 20 images; model, second observer" in said(outputs)


def test_a_study_of_another_form_is_named_and_left_alone(execute, tmp_path):
    study = tmp_path / "experiments" / "other"
    study.mkdir(parents=True)
    (study / "results.csv").write_text("trial,lr,value\n1,0.1,0.7\n")
    (study / "twice.csv").write_text("observer,image_id,dice\nmodel,01,0.7\nmodel,01,0.8\n")
    (study / "new.csv").write_text("observer,image_id,leak,dice\nmodel,01,True,0.7\nmodel,02,False,0.8\n")
    (study / "empty.csv").write_text("")
    outputs = execute("results", tmp_path / "experiments")
    assert "other/results.csv: left alone: it has no rows with observer, image_id, dice" in said(outputs)
    assert "other/twice.csv: left alone: several rows an image and observer" in said(outputs)
    assert "other/empty.csv: left alone" in said(outputs)
    assert "other/new.csv: 2 images; model; LEAK in 1 rows" in said(outputs)
    assert "Not drawn: no figures of quick, folds" in said(outputs)
    assert len(pictures(outputs)) == 1  # the overview, of the study that it knows


def test_the_kernel_is_this_interpreter():
    assert OwnKernel(kernel_name="python3").kernel_spec.argv[0] == sys.executable
