"""Temporary."""


def score_best(run, trainer):
    from unet_lightning.results.networks import NetworkSource, Passing
    from unet_lightning.results.results import protocol_of, write_evaluation
    from unet_lightning.results.scores import evaluate_maps
    from unet_lightning.training.loggers import publish

    device = "cpu" if trainer.strategy.root_device.type == "cpu" else "auto"
    source = NetworkSource(run.path, {}, "best", Passing(device=device))
    maps = source.maps("val")
    evaluation = evaluate_maps(maps, source.threshold(maps, None))
    write_evaluation(evaluation, source, report=False, shown=False)
    publish(trainer, evaluation, protocol_of(evaluation, source), run)
