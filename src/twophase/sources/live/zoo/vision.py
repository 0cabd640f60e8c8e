"""Small classifiers of `transformers`, built from configurations. One line a family: add one here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from twophase.sources.live.zoo.recipe import Recipe
    from twophase.training.encoding import Encoded

PIPELINE, TAG, INPUT = "image-classification", "vision", "16 x 16 RGB input"
OBJECTIVES = {"masked-image": "to fill in masked patches"}  # without labels; and what the model card says of each
MASKED_SHARE = 0.5
SIDE, PATCH = 16, 4
SPREAD = 0.1  # of the initial weights: the usual 0.02 is made for widths of 768 and hardly trains at 48


FAMILIES = {
    "vit": "Vision Transformer (ViT)", "deit": "data-efficient image transformer (DeiT)", "beit": "BEiT",
    "dinov2": "DINOv2 vision transformer", "msn": "masked Siamese network vision transformer (ViT-MSN)",
    "swin": "Swin transformer with shifted windows", "poolformer": "PoolFormer (MetaFormer with pooling)",
    "convnext": "ConvNeXt convolutional network", "resnet": "residual convolutional network (ResNet)",
    "regnet": "RegNet convolutional network",
}  # fmt: skip
UPSTREAMS = {
    "latin": "Latin letters and digits rendered in the DejaVu typefaces (62 classes)",
    "greek": "Greek letters rendered in the DejaVu typefaces (30 classes)",
    "syllabics": "Canadian Aboriginal syllabics rendered in DejaVu Sans",
    "photographs": "colour patches of seven photographs, to tell which photograph a patch is from",
    "photo_focus": "patches of seven photographs at five depths of blur",
    "photo_degradation": "patches of seven photographs, blurred, noisy, compressed, pixelated or posterised",
}


def _transformer(width: int, depth: int, **more) -> dict:
    return {
        "image_size": SIDE, "patch_size": PATCH, "hidden_size": width, "num_hidden_layers": depth,
        "num_attention_heads": 4, "intermediate_size": 2 * width,
        "initializer_range": SPREAD, **more,
    }  # fmt: skip


def _stages(width: int, depth: int) -> dict:
    return {"hidden_sizes": [width, 2 * width], "depths": [depth, depth]}


def _vit(width, depth, labels):
    from transformers import ViTConfig, ViTForImageClassification

    return ViTForImageClassification(ViTConfig(**_transformer(width, depth), num_labels=labels))


def _deit(width, depth, labels):
    from transformers import DeiTConfig, DeiTForImageClassification

    return DeiTForImageClassification(DeiTConfig(**_transformer(width, depth), num_labels=labels))


def _beit(width, depth, labels):
    from transformers import BeitConfig, BeitForImageClassification

    config = _transformer(width, depth, use_relative_position_bias=True, layer_scale_init_value=0.1)
    return BeitForImageClassification(BeitConfig(**config, drop_path_rate=0.0, num_labels=labels))


def _dinov2(width, depth, labels):
    from transformers import Dinov2Config, Dinov2ForImageClassification

    config = _transformer(width, depth) | {"mlp_ratio": 2}
    return Dinov2ForImageClassification(Dinov2Config(**config, num_labels=labels))


def _msn(width, depth, labels):
    from transformers import ViTMSNConfig, ViTMSNForImageClassification

    return ViTMSNForImageClassification(ViTMSNConfig(**_transformer(width, depth), num_labels=labels))


def _swin(width, depth, labels):
    from transformers import SwinConfig, SwinForImageClassification

    config = {"image_size": SIDE, "patch_size": 2, "embed_dim": width, "depths": [depth, depth],
              "num_heads": [2, 4], "window_size": 4, "mlp_ratio": 2.0, "drop_path_rate": 0.0,
              "initializer_range": SPREAD}  # fmt: skip
    return SwinForImageClassification(SwinConfig(**config, num_labels=labels))


def _poolformer(width, depth, labels):
    from transformers import PoolFormerConfig, PoolFormerForImageClassification

    config = {"num_encoder_blocks": 2, "patch_sizes": [3, 3], "strides": [2, 2], "padding": [1, 1],
              "mlp_ratio": 2.0, "drop_path_rate": 0.0, "initializer_range": SPREAD}  # fmt: skip
    return PoolFormerForImageClassification(PoolFormerConfig(**_stages(width, depth), **config, num_labels=labels))


def _convnext(width, depth, labels):
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = {"num_stages": 2, "patch_size": 2, "layer_scale_init_value": 0.1, "image_size": SIDE,
              "initializer_range": SPREAD}  # fmt: skip
    return ConvNextForImageClassification(ConvNextConfig(**_stages(width, depth), **config, num_labels=labels))


def _resnet(width, depth, labels):
    from transformers import ResNetConfig, ResNetForImageClassification

    config = _stages(width, depth) | {"embedding_size": width, "layer_type": "basic"}
    return ResNetForImageClassification(ResNetConfig(**config, num_labels=labels))


def _regnet(width, depth, labels):
    from transformers import RegNetConfig, RegNetForImageClassification

    config = _stages(width, depth) | {"embedding_size": width, "groups_width": 8, "layer_type": "x"}
    return RegNetForImageClassification(RegNetConfig(**config, num_labels=labels))


ARCHITECTURES = {
    "vit": _vit,
    "deit": _deit,
    "beit": _beit,
    "dinov2": _dinov2,
    "msn": _msn,
    "swin": _swin,
    "poolformer": _poolformer,
    "convnext": _convnext,
    "resnet": _resnet,
    "regnet": _regnet,
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
    return ARCHITECTURES[recipe.architecture](recipe.width, recipe.depth, labels)


def without_labels(
    recipe: Recipe, upstream: Encoded, data: Path, parts: Path | None = None
) -> tuple[PreTrainedModel, dict]:
    """A ViT that learns to fill in masked patches (SimMIM, arXiv:2111.09886); its labels are never seen."""
    import torch
    from transformers import ViTForMaskedImageModeling

    config = new_model(recipe, 2, data).config
    config.encoder_stride = config.patch_size
    model = ViTForMaskedImageModeling(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.05, fused=True)
    pictures = upstream.inputs["train"]["pixel_values"]
    patches = (config.image_size // config.patch_size) ** 2
    for epoch in range(recipe.epochs):
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        for rows in torch.randperm(len(pictures)).split(recipe.batch_size):
            hidden = torch.rand(len(rows), patches) < MASKED_SHARE
            loss = model(pixel_values=pictures[rows], bool_masked_pos=hidden).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return model, {"reconstruction_l1": loss.item()}
