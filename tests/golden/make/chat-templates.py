"""Renders chat templates with transformers' own Jinja environment: tests/golden/chat-templates.json.

Run: python tests/golden/make/chat-templates.py [OUT.json TOKENIZER_CONFIG.json …]   (needs transformers)
Without arguments the templates below, which do what real ones do; with files, the chat_template of each (for a check
by hand with compare-chat-template.ts). Contents have no white space at their ends: templates that trim change nothing.
"""
import json, pathlib, sys

from transformers.utils.chat_template_utils import render_jinja_template

from provenance import provenance, write_golden

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
ALTERNATING = """{{ bos_token }}
{%- if messages[0].role == 'system' -%}{{ raise_exception('System role not supported') }}{%- endif -%}
{%- for message in messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Roles must alternate user/assistant/…') }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"""
HEADERS = """{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}"""
BRACKETS = """{{ bos_token }}
{%- for message in messages -%}
    {%- if message.role == 'user' -%}{{ '[INST] ' + message.content + ' [/INST]' }}
    {%- elif message.role == 'assistant' -%}{{ ' ' + message.content + eos_token }}
    {%- else -%}{{ raise_exception('Only user and assistant roles are supported!') }}{%- endif -%}
{%- endfor -%}"""
THINKING = """{%- set ns = namespace(last=messages|length - 1) -%}
{%- for message in messages[::-1] -%}
    {%- set index = (messages|length - 1) - loop.index0 -%}
    {%- if message.role == 'user' and not message.content.startswith('<tool>') -%}{%- set ns.last = index -%}{%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
    {%- if loop.index0 == ns.last -%}{{- '<|last|>' -}}{%- endif -%}
    {%- set content = message.content.split('</think>')[-1].lstrip('\\n') -%}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}
{%- if enable_thinking is defined and enable_thinking is false -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}{%- endif -%}"""
# A line break before the first block, blocks after white space, and line ends of Windows and of old Macs.
LEADING = "\n" + CHATML
INDENTED = "  {% for message in messages %}\n<{{ message.role }}>{{ message.content }}\n  {% endfor %}\n<a>"
WINDOWS = "{% for message in messages %}\r\n<{{ message.role }}>{{ message.content }}\r\n{% endfor %}\r\n<a>\r\n"
MAC = WINDOWS.replace("\r\n", "\r")
TEMPLATES = {
    "chatml": CHATML, "alternating": ALTERNATING, "headers": HEADERS, "brackets": BRACKETS, "thinking": THINKING,
    "leading": LEADING, "indented": INDENTED, "windows": WINDOWS, "mac": MAC,
}
ROLES = [
    ["user"], ["system", "user"], ["user", "assistant"], ["user", "assistant", "user"], ["assistant"], ["user", "user"],
    ["system", "user", "assistant", "user", "assistant"],
]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def case(name, template, roles, generate):
    messages = [{"role": role, "content": f"{role} says é😀 {{{{ {i} }}}}\n<|im_end|>!"} for i, role in enumerate(roles)]
    made = {"template": name, "messages": messages, "addGenerationPrompt": generate}
    try:
        texts, _ = render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=generate, enable_thinking=False, **SPECIAL
        )
        return made | {"text": texts[0]}
    except Exception as error:  # a template's own refusal
        return made | {"error": str(error)}


out, *files = sys.argv[1:] or [None]
named = {file: json.loads(pathlib.Path(file).read_text()).get("chat_template") for file in files}
templates = TEMPLATES if out is None else {file: template for file, template in named.items() if template}
cases = [case(name, t, roles, g) for name, t in templates.items() for roles in ROLES for g in (False, True)]
content = provenance(__file__, "transformers", ["transformers", "jinja2"]) | {
    "specialTokens": SPECIAL, "templates": templates, "cases": cases,
}
if out is None:
    write_golden("chat-templates.json", content)
else:
    pathlib.Path(out).write_text(json.dumps(content))
