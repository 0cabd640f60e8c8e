"""A tiny model of every architecture that transformers can build as a classifier of texts or of pictures."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from datasets import ClassLabel, Dataset, DatasetDict
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CONFIG_MAPPING,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    ImageGPTImageProcessorPil,
    PreTrainedTokenizerFast,
    Siglip2ImageProcessorPil,
    ViTImageProcessorPil,
    set_seed,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as OF_IMAGES
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as OF_TEXTS

from twophase.training import features, finetuning, heads, loading, tasks
from twophase.training.config import TrainingConfig

PAGE = Path(__file__).parents[1] / "docs" / "architectures.md"
AUTO = {"text": AutoModelForSequenceClassification, "image": AutoModelForImageClassification}
NAMES = {"text": OF_TEXTS, "image": OF_IMAGES}
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "red", "green", "blue", "card", "coin", "note", "is", "lost", "found", "old"]
SIDE = 32  # pixels
SMALL = {  # of any configuration and of those within it
    8: "head_dim d_kv d_head attention_head_size qk_nope_head_dim qk_rope_head_dim v_head_dim kv_lora_rank q_lora_rank "
    "kv_channels linear_key_head_dim linear_value_head_dim index_head_dim mamba_dt_rank attention_head_dim "
    "intra_bottleneck_size true_hidden_size sliding_window mamba_d_state adapter_rank projection_dim ",
    16: "hidden_size d_model n_embd dim embedding_size emb_dim word_embed_proj_dim attention_hidden_size projection_size "
    "entity_emb_size pronunciation_embed_dim shape_embed_dim xpath_unit_hidden_size d_latents cross_attention_hidden_size",
    24: "intermediate_size ffn_dim d_ff d_inner encoder_ffn_dim decoder_ffn_dim n_inner hidden_dim moe_intermediate_size dff "
    "shared_expert_intermediate_size ffn_hidden_size feed_forward_size prediction_head_size",
    2: "num_hidden_layers n_layer n_layers num_layers num_attention_heads n_head n_heads num_heads encoder_attention_heads "
    "decoder_attention_heads num_key_value_heads num_experts_per_tok n_mamba_heads linear_num_key_heads num_latents "
    "linear_num_value_heads index_n_heads n_group num_feedforward_networks",
    1: "encoder_layers decoder_layers num_decoder_layers topk_group n_shared_experts first_k_dense_replace",
    4: "num_experts n_routed_experts num_local_experts index_topk num_self_attends_per_block",
    64: "vocab_size max_position_embeddings n_positions max_seq_len entity_vocab_size pronunciation_vocab_size "
    "shape_vocab_size num_hash_buckets max_2d_position_embeddings",
    SIDE: "image_size",
}
SIZES = {name: size for size, names in SMALL.items() for name in names.split()}
IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
SLIM = {"hidden_sizes": [8, 16], "depths": [1, 1]}
FOUR = {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}
WINDOWS = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}
PYRAMID = FOUR | {"num_attention_heads": [1, 1, 2, 2]}
HEADS = {"head_dim": 8}
OWN = {  # what an architecture needs beyond that
    "xmod": {"default_language": "en_XX"},
    "t5": {"decoder_start_token_id": 1},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"]},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"]},
    "mistral4": {"head_dim": 16},
    "lilt": {"hidden_size": 24},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 0},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "num_hidden_layers": 2},
    "gptj": {"rotary_dim": 8},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "bit": FOUR | {"num_groups": 4, "embedding_size": 8},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4},
                                                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}},
    "convnext": FOUR, "convnextv2": FOUR,
    "cvt": {"embed_dim": [8, 8, 16], "num_heads": [1, 1, 2], "depth": [1, 2, 3]},
    "donut-swin": WINDOWS, "swin": WINDOWS, "swinv2": WINDOWS,
    "efficientnet": {"width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128},
    "esm": {"vocab_size": 64, "mask_token_id": 3, "pad_token_id": 1},
    "focalnet": {"embed_dim": 8, "hidden_sizes": [16, 16], "depths": [1, 1], "focal_levels": [1, 1], "focal_windows": [3, 3]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "hgnet_v2": {"stem_channels": [3, 8, 8], "stage_in_channels": [8, 8, 8, 8], "stage_mid_channels": [8, 8, 8, 8],
                 "stage_out_channels": [8, 8, 8, 16], "stage_num_blocks": [1, 1, 1, 1], "stage_numb_of_layers": [1, 1, 1, 1],
                 "hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]},
    "hiera": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "image_size": [SIDE, SIDE], "num_query_pool": 1,
              "masked_unit_size": [4, 4], "masked_unit_attention": [True, False]},
    "hunyuan_v1_dense": HEADS, "hunyuan_v1_moe": HEADS, "ministral": HEADS, "nemotron": HEADS | {"num_key_value_heads": 2},
    "levit": {"hidden_sizes": [16, 16, 16], "num_attention_heads": [1, 1, 2], "depths": [1, 1, 1], "key_dim": [8, 8, 8]},
    "mobilenet_v1": {"depth_multiplier": 0.1}, "mobilenet_v2": {"depth_multiplier": 0.1},
    "mobilevit": {"hidden_sizes": [8, 8, 16], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16]},
    "mobilevitv2": {"base_attn_unit_dims": [8, 8, 8], "width_multiplier": 0.25, "n_attn_blocks": [1, 1, 1]},
    "poolformer": FOUR, "pp_lcnet": {"scale": 0.25, "class_expand": 16}, "pvt": PYRAMID, "pvt_v2": PYRAMID | {"image_size": SIDE},
    "reformer": {"axial_pos_shape": [8, 8], "axial_pos_embds_dim": [8, 8], "attn_layers": ["local", "local"],
                 "local_attn_chunk_length": 8, "hidden_size": 16},
    "regnet": SLIM | {"groups_width": 8, "embedding_size": 8}, "resnet": SLIM | {"embedding_size": 8}, "segformer": PYRAMID,
    "swiftformer": {"depths": [1, 1], "embed_dims": [8, 16]},
    "textnet": {"stem_out_channels": 8, "hidden_sizes": [8, 8, 8, 8, 16], "image_size": [SIDE, SIDE]},
    "zamba": {"num_hidden_layers": 3, "layers_block_type": ["linear_attention", "hybrid", "hybrid"], "attention_hidden_size": 32, "attention_head_dim": 16},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"], "mamba_headdim": 16, "attention_hidden_size": 32, "attention_head_dim": 16},
}  # fmt: skip


def small(name, **given):
    """The tiny configuration of an architecture."""
    return CONFIG_MAPPING[name](**_sizes(CONFIG_MAPPING[name]().to_dict()) | OWN.get(name, {}) | given)


def _sizes(known):
    found = {}
    for key, value in known.items():
        if isinstance(value, dict) and "model_type" in value:
            found[key] = {"model_type": value["model_type"]} | _sizes(value) | OWN.get(value["model_type"], {})
        elif key in SIZES and isinstance(value, int):
            found[key] = SIZES[key]
        elif key in IDS and value is not None:
            found[key] = IDS[key]
    return found


def save(kind, name, folder, seed=0, **given):
    """Save the tiny model with a tokenizer or an image processor; what reads texts pads only where its kind does.

    Raises whatever transformers says where the architecture cannot be built here.
    """
    config, own = small(name, **given), NAMES[kind][name]
    config.architectures = [own if isinstance(own, str) else own[0]]
    set_seed(seed)
    AUTO[kind].from_config(config).save_pretrained(folder)
    if kind == "image":
        processor(name).save_pretrained(folder)
    else:
        tokenizer(getattr(config.get_text_config(), "pad_token_id", None) is not None).save_pretrained(folder)


def processor(name):
    """The image processor of an architecture, for pictures of the tiny size."""
    if name == "imagegpt":
        corners = [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        return ImageGPTImageProcessorPil(clusters=corners, size={"height": 8, "width": 8})
    if name == "siglip2":
        return Siglip2ImageProcessorPil(patch_size=16, max_num_patches=4)
    side = 2 * SIDE if name == "mobilevitv2" else SIDE
    return ViTImageProcessorPil(size={"height": side, "width": side})


def tokenizer(pads=True, **given):
    """A tokenizer that knows ten words and puts <s> before and </s> behind a text."""
    words = {word: number for number, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"}
    names |= {"pad_token": "<pad>"} if pads else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, **names, model_input_names=["input_ids", "attention_mask"], **given
    )


def task(kind):
    """Twenty-four texts or pictures of two classes, a third of them in each split; one text of a split is longer than is read."""
    random = np.random.default_rng(0)
    if kind == "text":
        items = [f"{WORDS[4 + i % 6]} is {WORDS[11 + i % 2]} " * (100 if i < 3 else 1 + i % 2) for i in range(24)]
    else:
        items = [
            Image.fromarray(random.integers(100 * (i % 2), 100 + 100 * (i % 2), (SIDE, SIDE, 3), "uint8"))
            for i in range(24)
        ]
    rows = Dataset.from_dict({kind: items, "label": [i % 2 for i in range(24)]}).cast_column(
        "label", ClassLabel(names=["a", "b"])
    )
    return DatasetDict({split: rows.select(range(i, 24, 3)) for i, split in enumerate(("train", "validation", "test"))})


def tried(kind, name, folder, data):
    """What ends the head of an architecture, and "yes" if it is selected from and fine-tuned, else why it is left out.

    Args:
        folder: to save its model in.
        data: folder of a saved task of its kind.
    """
    try:
        save(kind, name, folder)
    except ImportError as error:
        return "", f"no: {str(error).split()[3]} is not installed, which it needs"
    except Exception as error:
        return "", f"no: transformers cannot build it ({type(error).__name__})"
    try:
        ends = ", ".join(heads.ends(loading.load_classifier(folder)))
        rows = features.score_cell(folder, data, ["leep", "logme"])
        curve = finetuning.train_cell(folder, data, TrainingConfig(epochs=1, batch_size=4))
    except Exception as error:
        return "", f"no: {' '.join(str(error).split()).partition('. ')[0]}"
    assert len(rows) == 2 and all(np.isfinite([row["score"] for row in rows])) and 0 <= curve[0]["test"] <= 1
    return ends, "yes"


def table(root):
    """What becomes of every architecture, as the rows of a table."""
    for kind, names in NAMES.items():
        data = tasks.save(task(kind), root / kind)
        for name in names:
            ends, said = tried(kind, name, root / name, data)
            shutil.rmtree(root / name, ignore_errors=True)
            yield f"| {kind} | `{name}` | {f'`{ends}`' if ends else ''} | {said} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        head, _, _ = PAGE.read_text().partition("\n| text |")
        PAGE.write_text("\n".join([head, *table(Path(folder))]) + "\n")
