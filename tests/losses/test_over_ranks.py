"""Losses of processes that train together; each process is one of its own."""

import pytest
import torch
from torch import distributed, multiprocessing

from unet_lightning.data.labels import IGNORE
from unet_lightning.losses.combined import WeightedSum, loss_of_outputs
from unet_lightning.losses.cross_entropy import CrossEntropyLoss, mean_over_ranks
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.losses.focal import FocalLoss
from unet_lightning.losses.tversky import TverskyLoss

RANKS = 2


def batch(ignored):
    """Two images for each of the ranks, of which some pixels, or all of the first rank's, are ignored."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 2, 9, 7, generator=generator) * 3
    target = (torch.rand(4, 9, 7, generator=generator) < 0.2).long()
    target[0, :5] = IGNORE
    if ignored == "all of one rank":
        target[:2] = IGNORE
    return logits, target


def gradient(logits, target):
    """A sum of all losses, with class weights and an auxiliary output, and its gradient."""
    terms = {
        "ce": CrossEntropyLoss([1, 2]),
        "dice": DiceLoss(),
        "focal": FocalLoss(2, [1, 3]),
        "tversky": TverskyLoss(),
    }
    loss = WeightedSum(terms, dict.fromkeys(terms, 1.0))
    logits = logits.clone().requires_grad_()
    value = loss_of_outputs(loss, {"out": logits, "aux": 0.5 * logits}, target)
    value.backward()
    return value.detach(), logits.grad


def one_rank(rank, folder):
    """What a process does; what it finds is left in a file."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    found = {"count": mean_over_ranks(torch.tensor([1.0 + 4 * rank, 10.0]))}
    for ignored in ("some", "all of one rank"):
        logits, target = (part[2 * rank : 2 * rank + 2] for part in batch(ignored))
        found[ignored] = gradient(logits, target)
    if rank == 0:  # where one process has more images than the others nobody waits
        found["alone"] = CrossEntropyLoss([1, 2]).eval()(*batch("some"))
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(one_rank, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


def test_alone_a_count_is_its_own_mean():
    count = torch.tensor(7.0)
    assert mean_over_ranks(count) is count


def test_a_count_is_averaged_over_the_processes(found):
    assert [rank["count"].tolist() for rank in found] == [[3, 10], [3, 10]]


@pytest.mark.parametrize("ignored", ["some", "all of one rank"])
def test_the_mean_over_processes_is_the_loss_and_the_gradient_of_the_whole_batch(found, ignored):
    values, gradients = zip(*(rank[ignored] for rank in found), strict=True)
    loss, whole = gradient(*batch(ignored))
    assert float(sum(values)) / RANKS == pytest.approx(float(loss), abs=1e-6)
    # DDP averages the gradients of a weight, to which each process adds those of its own images.
    assert torch.allclose(torch.cat(gradients) / RANKS, whole, atol=1e-7)


def test_in_evaluation_each_process_has_its_own_mean(found):
    assert torch.equal(found[0]["alone"], CrossEntropyLoss([1, 2])(*batch("some")))
