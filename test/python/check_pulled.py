"""Whether Python's tools find what Espalier has pulled, and the other way round, in one cache.

    check_pulled.py offline REPOSITORY       prints the ids that the model generates, with HF_HUB_OFFLINE=1
    check_pulled.py scan CACHE               prints what huggingface_hub's scan of the cache finds, and warns of

transformers and huggingface_hub read where the cache is from the environment.
"""

import json
import os
import sys

what, name = sys.argv[1:3]

if what == "offline":
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    ids = tokenizer("Once upon a time", return_tensors="pt").input_ids
    out = model.generate(ids, max_new_tokens=8, do_sample=False)
    print(json.dumps({"text": tokenizer.decode(out[0][ids.shape[1] :])}))
else:
    from huggingface_hub import scan_cache_dir

    found = scan_cache_dir(name)
    repositories = {
        repository.repo_id: sorted(file.file_name for revision in repository.revisions for file in revision.files)
        for repository in found.repos
    }
    print(json.dumps({"repositories": repositories, "warnings": [str(each) for each in found.warnings]}))
