import xml.etree.ElementTree as ElementTree

import torch

from unet_lightning.inference.colours import class_colours, in_colours, legend


def test_255_classes_have_255_colours_and_fewer_have_the_same_first_ones():
    assert len({*class_colours(255)}) == 255
    assert class_colours(12) == class_colours(255)[:12]
    assert class_colours(3) == ["#000000", "#56B4E9", "#E69F00"]


def test_a_map_of_numbers_becomes_a_picture():
    assert in_colours(torch.tensor([[0, 2]], dtype=torch.uint8), class_colours(3))[:, 0].T.tolist() == [
        [0, 0, 0],
        [0xE6, 0x9F, 0x00],
    ]


def test_a_legend_names_each_class_whatever_its_letters():
    names = ["background", "<b>&disc", "血管", "a\x1bb"]
    drawn = ElementTree.fromstring(legend(names))
    shown = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert shown == [
        "0 background (#000000)",
        "1 <b>&disc (#56B4E9)",
        "2 血管 (#E69F00)",
        "3 a\N{REPLACEMENT CHARACTER}b (#009E73)",
    ]
