"""Chat templates as transformers 5.24 renders them (utils/chat_template_utils.py): the same sandbox, extensions, filters and
changes to messages. Two things differ: the day stands still, and what a template may use is limited. Runs in Pyodide."""

import json
from datetime import datetime

import jinja2.exceptions
import jinja2.ext
import jinja2.nodes
import jinja2.utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

# A run that is resumed tomorrow has to see the same ids. It is the day that Llama 3's templates name by themselves.
DAY = datetime(2024, 7, 26)

# Far beyond every context; what is longer comes from a template that does not end.
MOST_CHARACTERS = 1 << 25


class AssistantTracker(jinja2.ext.Extension):
    """{% generation %}: what stands between the marks is an answer."""

    tags = {"generation"}
    tracking = None

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_generation_support"), [], [], body).set_lineno(lineno)

    @jinja2.pass_eval_context
    def _generation_support(self, context, caller):
        rv = caller()
        blocks, spans = AssistantTracker.tracking
        start = len("".join(blocks))
        spans.append((start, start + len(rv)))
        return rv


class TemplateDict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class TemplateNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attrs = dict(*args, **kwargs)
        for name in attrs:
            TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(
                f"Chat templates cannot store underscore-prefixed attributes on a namespace, but got {name!r}."
            )


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(format):
    return DAY.strftime(format)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[AssistantTracker, jinja2.ext.loopcontrols]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = strftime_now
environment.globals["dict"] = TemplateDict()
environment.globals["namespace"] = TemplateNamespace

templates = {}


def compiled(source):
    if source not in templates:
        templates[source] = environment.from_string(source)
    return templates[source]


REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")


def as_template_sees(message):
    message = {key: value for key, value in message.items() if value is not None}
    reasoning = next((message[key] for key in REASONING_FIELDS if key in message), None)
    return message if reasoning is None else {"thinking": reasoning, **message, "reasoning_content": reasoning}


# exactJson.ts: what JavaScript's objects and numbers would change.
NUMBER, KEY = "\0number", "\0key"


def exact(pairs):
    if len(pairs) == 1 and pairs[0][0] == NUMBER:
        return json.loads(pairs[0][1])
    return {key.removeprefix(KEY): value for key, value in pairs}


def utf16(text, place):
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def written(template, values):
    blocks, spans = [], []
    AssistantTracker.tracking = (blocks, spans)
    length = 0
    for block in template.generate(**values):
        blocks.append(block)
        length += len(block)
        if length > MOST_CHARACTERS:
            raise MemoryError
    text = "".join(blocks)
    return {"text": text, "generated": [[utf16(text, start), utf16(text, end)] for start, end in spans]}


def reason(error):
    if isinstance(error, MemoryError):
        return "it needs more memory than a template may have"
    if isinstance(error, RecursionError):
        return "it calls itself without an end"
    said = " ".join(str(error).split())
    return said if isinstance(error, jinja2.exceptions.TemplateError) else f"{type(error).__name__}: {said}"


def render_all(request):
    """JSON in, JSON out: { source, variables, jobs } to a list of { text, generated }, { error } or { syntax }."""
    request = json.loads(request, object_pairs_hook=exact)
    results = []
    for job in request["jobs"]:
        values = {
            "messages": [as_template_sees(message) for message in job["messages"]],
            "tools": job["tools"],
            "documents": None,
            "add_generation_prompt": job["addGenerationPrompt"],
            **request["variables"],
            **job["variables"],
        }
        try:
            template = compiled(request["source"])
        except Exception as error:
            results.append({"syntax": reason(error)})
            continue
        try:
            results.append(written(template, values))
        except Exception as error:
            results.append({"error": reason(error)})
    return json.dumps(results)
