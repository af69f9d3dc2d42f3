"""What a loss must know of the other processes that train with this one."""

from torch import Tensor, distributed


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a count over all processes of the run; the count itself where there is one process.

    DDP averages gradients over the processes. A loss that is a sum divided by this mean is then, averaged, the sum of
    all divided by the count of all: the loss of the whole batch in one process. Divided by the count of each process
    it would not be, as some batches have more pixels that count than others.

    All processes must call it together, as in training, where they have equally many batches. Of a step over several
    batches (`trainer.accumulate_grad_batches`) each has a count of its own.

    Args:
        count: without gradient; any shape.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return count
    processes = distributed.get_world_size()
    if processes == 1:
        return count
    total = count.detach().clone()
    distributed.all_reduce(total)
    return total / processes
