"""Small classifiers of `transformers`, built from configurations. One line a family: add one here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SIDE, PATCH = 16, 4
SPREAD = 0.1  # of the initial weights: the usual 0.02 is made for widths of 768 and hardly trains at 48


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


def new_model(architecture: str, width: int, depth: int, labels: int, seed: int) -> PreTrainedModel:
    """A classifier with random weights drawn from `seed`."""
    import torch

    torch.manual_seed(seed)
    return ARCHITECTURES[architecture](width, depth, labels)
