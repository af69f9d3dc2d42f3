"""U-Net segmentation of small 2-D medical image sets, retinal vessels on DRIVE first."""

__version__ = "0.1.0"
