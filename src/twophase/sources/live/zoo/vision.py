"""Small classifiers of `transformers`, built from configurations. One line a family: add one here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from twophase.sources.live.zoo.recipe import Architecture, Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from twophase.training.encoding import Encoded

PIPELINE, TAG, INPUT = "image-classification", "vision", "16 x 16 RGB input"
OBJECTIVES = {"masked-image": "to fill in masked patches"}  # without labels; and what the model card says of each
MASKED_SHARE = 0.5
SIDE, PATCH = 16, 4
SPREAD = 0.1  # of the initial weights: the usual 0.02 is made for widths of 768 and hardly trains at 48
UPSTREAMS = {
    "latin": "Latin letters and digits rendered in the DejaVu typefaces (62 classes)",
    "greek": "Greek letters rendered in the DejaVu typefaces (30 classes)",
    "photographs": "colour patches of seven photographs, to tell which photograph a patch is from",
    "photo_focus": "patches of seven photographs at five depths of blur",
    "photo_degradation": "patches of seven photographs, blurred, noisy, compressed, pixelated or posterised",
    "stripes": "drawn stripes of eight angles and three widths",
}


def _transformer(width: int, depth: int, **more) -> dict:
    size = {"image_size": SIDE, "patch_size": PATCH, "hidden_size": width, "num_hidden_layers": depth}
    return size | {"num_attention_heads": 4, "intermediate_size": 2 * width, "initializer_range": SPREAD} | more


def _stages(width: int, depth: int, **more) -> dict:
    return {"hidden_sizes": [width, 2 * width], "depths": [depth, depth], **more}


def _residual(width: int, depth: int, **more) -> dict:
    return _stages(width, depth, embedding_size=width, **more)


def _swin(width: int, depth: int) -> dict:
    size = {"image_size": SIDE, "patch_size": 2, "embed_dim": width, "depths": [depth, depth], "num_heads": [2, 4]}
    return size | {"window_size": 4, "mlp_ratio": 2.0, "drop_path_rate": 0.0, "initializer_range": SPREAD}


BEIT = {"use_relative_position_bias": True, "layer_scale_init_value": 0.1, "drop_path_rate": 0.0}
POOLS = {"num_encoder_blocks": 2, "patch_sizes": [3, 3], "strides": [2, 2], "padding": [1, 1]}
POOLFORMER = POOLS | {"mlp_ratio": 2.0, "drop_path_rate": 0.0, "initializer_range": SPREAD}
CONVNEXT = {"num_stages": 2, "patch_size": 2, "layer_scale_init_value": 0.1, "image_size": SIDE}
CONVNEXT["initializer_range"] = SPREAD
ARCHITECTURES = {
    "vit": Architecture("ViT", "Vision Transformer (ViT)", _transformer),
    "deit": Architecture("DeiT", "data-efficient image transformer (DeiT)", _transformer),
    "beit": Architecture("Beit", "BEiT", partial(_transformer, **BEIT)),
    "dinov2": Architecture("Dinov2", "DINOv2 vision transformer", partial(_transformer, mlp_ratio=2)),
    "msn": Architecture("ViTMSN", "masked Siamese network vision transformer (ViT-MSN)", _transformer),
    "swin": Architecture("Swin", "Swin transformer with shifted windows", _swin),
    "poolformer": Architecture("PoolFormer", "PoolFormer (MetaFormer with pooling)", partial(_stages, **POOLFORMER)),
    "convnext": Architecture("ConvNext", "ConvNeXt convolutional network", partial(_stages, **CONVNEXT)),
    "resnet": Architecture("ResNet", "residual convolutional network (ResNet)", partial(_residual, layer_type="basic")),
    "regnet": Architecture(
        "RegNet", "RegNet convolutional network", partial(_residual, groups_width=8, layer_type="x")
    ),
}


def reads(recipe: Recipe) -> set[str]:
    """Names of the tasks that a recipe needs besides its own upstream."""
    return set()


def save_processor(recipe: Recipe, folder: Path, data: Path, parts: Path | None = None) -> None:
    """Save the image processor of every new model here."""
    from transformers import ViTImageProcessorPil

    ViTImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3
    ).save_pretrained(folder)


def new_model(recipe: Recipe, labels: int, data: Path, parts: Path | None = None) -> PreTrainedModel:
    """A classifier with random weights drawn from the recipe's seed."""
    import torch

    torch.manual_seed(recipe.seed)
    return ARCHITECTURES[recipe.architecture].new("ForImageClassification", recipe.width, recipe.depth, labels)


def masked(
    recipe: Recipe, upstream: Encoded, data: Path, parts: Path | None = None
) -> tuple[PreTrainedModel, Callable[[Tensor], Tensor], str]:
    """A ViT that learns to fill in masked patches (SimMIM, arXiv:2111.09886), its loss on some rows, and that loss's name."""
    import torch
    from transformers import ViTForMaskedImageModeling

    config = new_model(recipe, 2, data).config
    config.encoder_stride = config.patch_size
    model, pictures = ViTForMaskedImageModeling(config), upstream.inputs["train"]["pixel_values"]
    patches = (config.image_size // config.patch_size) ** 2

    def loss(rows: Tensor) -> Tensor:
        hidden = torch.rand(len(rows), patches) < MASKED_SHARE
        return model(pixel_values=pictures[rows], bool_masked_pos=hidden).loss

    return model, loss, "reconstruction_l1"
