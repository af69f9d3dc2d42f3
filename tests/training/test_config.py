from unet_lightning.training.config import differences


def test_values_that_differ_are_named_by_their_dotted_keys():
    one = {"model": {"base_c": 8, "norm": "batch"}, "seed": 0, "losses": [1, 2]}
    other = {"model": {"base_c": 4, "norm": "batch"}, "seed": 0, "losses": [1, 3]}
    assert list(differences(one, other)) == ["model.base_c", "losses"]
    assert list(differences(one, one)) == []


def test_what_one_of_them_lacks_is_a_difference_also_where_it_is_empty_or_none():
    assert list(differences({"logger": {}, "x": None}, {})) == ["logger", "x"]
    assert list(differences({}, {"logger": {"wandb": {"mode": "offline"}}})) == ["logger"]
    assert list(differences({"logger": {"wandb": {}}}, {"logger": None})) == ["logger"]
