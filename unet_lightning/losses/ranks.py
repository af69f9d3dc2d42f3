"""Sums over the processes that train together."""

from torch import Tensor, distributed


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a count over all processes of the run; the count itself where there is only one.

    DDP averages gradients over the processes. Where each process divides its sum by this mean count, the average is
    the total sum divided by the total count: the loss of the whole batch. Dividing by the process's own count would
    give something else, as processes have different numbers of pixels that count.

    All processes must call it at the same time, as they do in training, where they have equally many batches. Where a
    step is made of several batches (`trainer.accumulate_grad_batches`), each of them has its own count.

    Args:
        count: any shape, without gradient.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return count
    processes = distributed.get_world_size()
    if processes == 1:
        return count
    total = count.detach().clone()
    distributed.all_reduce(total)
    return total / processes
