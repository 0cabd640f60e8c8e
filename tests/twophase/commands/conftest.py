"""Two small zoos in folders, one with records and one without, and a task for each."""

import pandas as pd
import pytest
import small_zoo

from twophase.training import finetuning, tasks

CONFIG = finetuning.TrainingConfig(epochs=2, learning_rate=2e-3, batch_size=8)
SIZES = {"train": 64, "validation": 32, "test": 32}
TEXTS = {
    "card": "my {} card was lost and the bank must send a new one to {}",
    "transfer": "the {} transfer to {} has not arrived on the account",
    "rate": "which exchange rate applies to {} when I pay in {}",
}
FILLS = [
    (a, b) for a in ("red", "blue", "first", "second", "old", "new") for b in ("Rome", "Oslo", "Lima", "Bonn", "Cork")
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Proxy scores and other kept results stay inside the test."""
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TWOPHASE_WORKERS", "1")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """(zoo with records.csv, folder of pictures by class): four vision models, three benchmark datasets."""
    root = tmp_path_factory.mktemp("pictures")
    small_zoo.draw(root / "data", ("photographs", "degradation", "surfaces", "focus", "tissue"), SIZES)
    small_zoo.build(root / "zoo", small_zoo.RECIPES, root / "data")
    rows = []
    for model in small_zoo.RECIPES:
        for dataset in ("degradation", "surfaces", "focus"):
            for row in finetuning.train_cell(root / "zoo" / model, root / "data" / dataset, CONFIG):
                rows.append({"model": model, "dataset": dataset, "role": "benchmark", "seed": 0, **row})
    pd.DataFrame(rows).to_csv(root / "zoo" / "records.csv", index=False)
    task = tasks.load(root / "data" / "tissue")
    names = task["train"].features["label"].names
    for split in ("train", "test"):
        for number, row in enumerate(task[split]):
            folder = root / "photos" / split / names[row["label"]]
            folder.mkdir(parents=True, exist_ok=True)
            row["image"].save(folder / f"{number}.png")
    return root / "zoo", root / "photos"


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """(zoo without records, csv): three small BERTs with a tokenizer trained on the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, set_seed

    root = tmp_path_factory.mktemp("texts")
    rows = [(text.format(a, b), label) for label, text in TEXTS.items() for a, b in FILLS]
    pd.DataFrame(rows, columns=["message", "intent"]).to_csv(root / "messages.csv", index=False)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        [text for text, _ in rows], trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
    for number, width in enumerate((16, 24, 32)):
        set_seed(number)
        config = BertConfig(
            vocab_size=len(fast), hidden_size=width, num_hidden_layers=1, num_attention_heads=2, intermediate_size=2 * width,
            max_position_embeddings=64, num_labels=4,
        )  # fmt: skip
        BertForSequenceClassification(config).save_pretrained(root / "zoo" / f"bert-{width}")
        fast.save_pretrained(root / "zoo" / f"bert-{width}")
    return root / "zoo", root / "messages.csv"
