"""``Modelfile``: how Ollama is given a release.

Ollama's templates are Go's, a model's is Jinja. A template is told by what it makes of three
conversations: one that renders like a known form gets that form in Go; any other is refused, since a
student that is asked in another form than it learnt answers badly and nobody sees why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.errors import ReleaseError
from pipelines.release.deploy.subject import Subject

ASKED = "\ue000question\ue001"
ANSWERED = "\ue000answer\ue001"
RULE = "\ue000rule\ue001"


@dataclass(frozen=True, slots=True)
class Form:
    """A way of writing conversations: before and after a turn's text, ``{role}`` its speaker."""

    before: str
    after: str
    stop: str

    def render(self, turns: list[dict[str, str]]) -> str:
        """A conversation that waits for the assistant's answer."""
        told = [self.before.format(**turn) + turn["content"] + self.after for turn in turns]
        return "".join(told) + self.before.format(role="assistant")

    @property
    def go(self) -> str:
        """The same as a template of Go's."""
        before = self.before.replace("{role}", "{{ .Role }}")
        own = self.before.format(role="assistant")
        return f"{{{{ range .Messages }}}}{before}{{{{ .Content }}}}{self.after}{{{{ end }}}}{own}"


FORMS: dict[str, Form] = {
    "tiny": Form("<|{role}|>", "<|end|>", "<|end|>"),
    "chatml": Form("<|im_start|>{role}\n", "<|im_end|>\n", "<|im_end|>"),
}


def files(subject: Subject) -> Mapping[str, str]:
    form, system = recognise(subject)
    if '"""' in system:
        raise ReleaseError(
            "The chat template's own system turn holds quotes that a Modelfile ends at."
        )
    lines = [
        f"# {subject.name}: ollama create {subject.name} -f Modelfile",
        f"FROM ./{subject.gguf}",
        f'TEMPLATE """{form.go}"""',
        *([f'SYSTEM """{system}"""'] if system else []),
        f'PARAMETER stop "{form.stop}"',
        f"PARAMETER num_ctx {int(subject.config['max_position_embeddings'])}",
        "PARAMETER temperature 0",
    ]
    return {"Modelfile": "\n".join(lines) + "\n"}


def recognise(subject: Subject) -> tuple[Form, str]:
    """The form of the model's chat template, and the system turn that it adds where none is given."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(subject.merged)

    def told(*turns: tuple[str, str]) -> tuple[list[dict[str, str]], str]:
        said = [{"role": role, "content": content} for role, content in turns]
        text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        return said, str(text)

    talk = ("user", ASKED), ("assistant", ANSWERED), ("user", ASKED)
    ruled, plain = told(("system", RULE), *talk), told(*talk)
    for form in FORMS.values():
        if form.render(ruled[0]) != ruled[1]:
            continue
        system = _added(form, *plain)
        if system is not None:
            return form, system
    known = " and ".join(FORMS)
    raise ReleaseError(
        f"This model's chat template is none that is known in Ollama's form ({known}); write the "
        "Modelfile's TEMPLATE by hand, or serve the merged weights."
    )


def _added(form: Form, turns: list[dict[str, str]], text: str) -> str | None:
    """The system turn that stands before ``turns`` in ``text``; None where it is anything else."""
    rest = form.render(turns)
    before = form.before.format(role="system")
    if text == rest:
        return ""
    added = text.removesuffix(rest)
    if added == text or not (added.startswith(before) and added.endswith(form.after)):
        return None
    return added[len(before) : len(added) - len(form.after)]
