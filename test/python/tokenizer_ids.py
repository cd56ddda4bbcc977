"""What transformers makes of texts with the tokenizers of folders.

    tokenizer_ids.py QUESTION.json

QUESTION holds `folders`, `texts` (files, each a text) and `strings` (a file with a JSON array). Prints for each folder the
number of ids and the SHA-256 of ids (int32) and of the decoded text, for each text and for all strings one after another.
"""
import array
import hashlib
import json
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import AutoTokenizer


def digests(tokenizer, texts):
    ids, decoded = hashlib.sha256(), hashlib.sha256()
    count = 0
    for one in tokenizer(texts, add_special_tokens=False)["input_ids"]:
        count += len(one)
        ids.update(array.array("i", one).tobytes() + b";")
        decoded.update(tokenizer.decode(one).encode() + b";")
    return {"nIds": count, "ids": ids.hexdigest(), "text": decoded.hexdigest()}


question = json.load(open(sys.argv[1], encoding="utf-8"))
texts = [open(name, encoding="utf-8", newline="").read() for name in question["texts"]]
strings = json.load(open(question["strings"], encoding="utf-8"))
answers = []
for folder in question["folders"]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers.append([digests(tokenizer, [text]) for text in texts] + [digests(tokenizer, strings)])
print(json.dumps(answers))
