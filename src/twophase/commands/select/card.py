"""The model card: what a fine-tuned model was trained on, how well it does and how it was selected."""

from huggingface_hub import EvalResult, ModelCardData

from twophase.commands.select.outcome import Outcome
from twophase.commands.wording import counted, metric

KINDS = {"image_folder": "imagefolder"}  # what the hub calls data of no hub: by the reader of the `datasets` library
METRICS = {"macro_f1": "f1", "weighted_f1": "f1", "matthews": "matthews_correlation"}  # the hub's names


def card(outcome: Outcome) -> str:
    """The card, for README.md beside the model; its metadata are those that a hub reads."""
    facts, (low, high) = outcome.facts, outcome.interval
    data, epochs = facts["data"], facts["training"]["epochs"]
    text = [
        f"# {outcome.winner}, fine-tuned on {data['name']}",
        f"Accuracy {outcome.test:.3f} (95 % interval {low:.3f} to {high:.3f}) on {counted(data['test'], 'test example')} of "
        f"{counted(data['classes'], 'class')}; always answering the most frequent class gives {outcome.baseline:.3f}.",
        f"Trained on {counted(data['train'], 'example')} for {counted(outcome.trained, 'epoch')}"
        f"{'' if outcome.finished else f' of {epochs}, when the run was ended early'}, selected on {counted(data['validation'], 'other')}.",
    ]  # fmt: skip
    if outcome.metric != "accuracy":
        text.insert(2, f"{metric(outcome.metric).capitalize()}, which models were selected by: {outcome.score:.3f}.")
    if outcome.leaked:
        text.insert(2, f"**This is too high for new data: {outcome.leaked}.**")
    if facts["reads"]:
        text.append(facts["reads"])
    how = facts["recall"]["how"]
    text.append(
        f"Selected from {counted(facts['models'], 'model')} of {facts['zoo']}. {how[0].upper()}{how[1:]}. "
        f"{facts['selection']['how']} {facts['budget']}".rstrip()
    )
    lines = usage(outcome, ".").replace('model=".",', 'model=".",  # this folder, or the path to it')
    return f"---\n{metadata(outcome)}\n---\n" + "\n\n".join(text) + f"\n\n```python\n{lines}\n```\n"


def usage(outcome: Outcome, model: str) -> str:
    """How the model is used, as Python."""
    kind, pair = outcome.facts["pipeline"], outcome.facts["data"]["pairs"]
    options = [f'"{kind}"', f'model="{model}"', *(["truncation=True"] if kind == "text-classification" else [])]
    example = '"a picture.png"' if kind == "image-classification" else '"a text"'
    if pair:
        example = '{"text": "a text", "text_pair": "another"}'
    inside = "".join(f"    {option},\n" for option in options)
    return f"from transformers import pipeline\n\nclassify = pipeline(\n{inside})\nclassify({example})"


def metadata(outcome: Outcome) -> str:
    """YAML with what is true and a hub understands: a base model and a dataset are named only if they are a hub's."""
    facts, data = outcome.facts, outcome.facts["data"]
    hub = data["kind"] == "hub"
    found = [("accuracy", outcome.test, "Accuracy")]
    if outcome.metric in METRICS:
        found.append((METRICS[outcome.metric], outcome.score, metric(outcome.metric).capitalize()))
    results = [
        EvalResult(
            task_type=facts["pipeline"], dataset_type=data["path"] if hub else KINDS.get(data["kind"], data["kind"]),
            dataset_name=data["name"], dataset_split="test", metric_type=name, metric_value=round(value, 4), metric_name=said,
        )
        for name, value, said in found
    ]  # fmt: skip
    return ModelCardData(
        pipeline_tag=facts["pipeline"], library_name="transformers", tags=["twophase", "fine-tuned"],
        metrics=[name for name, _, _ in found],
        base_model=outcome.winner if facts["hub"] else None, datasets=[data["path"]] if hub else None,
        **({} if outcome.leaked else {"model_name": f"{outcome.winner} on {data['name']}", "eval_results": results}),
    ).to_yaml()  # fmt: skip
