"""What a batch asks, from its flags: the form of answers, and how answers about parts become one. Sends nothing."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.core.documents import Messages
    from tui.core.structured import Judge
    from tui.files.corpus import CorpusPlan


@dataclass(frozen=True, slots=True)
class Question:
    """The form that answers must have."""

    judge: "Judge | None" = None
    form: dict[str, Any] = field(default_factory=dict)
    """Fields of the request."""
    instruction: str | None = None
    """The same in words, for a system message; None: nothing need be said."""

    @property
    def structured(self) -> bool:
        """Answers are JSON."""
        return self.judge is not None

    def formed(self, messages: "Messages") -> "Messages":
        """The messages of a call, with what is said of the form."""
        if self.instruction is None:
            return messages
        first = messages[0]
        if first.get("role") == "system":
            return ({**first, "content": f"{first['content']}\n\n{self.instruction}"}, *messages[1:])
        return ({"role": "system", "content": self.instruction}, *messages)


def question_of(args: argparse.Namespace) -> Question:
    """The form that `--json` or `--schema` ask for; UsageError for a schema that is none."""
    if args.schema is None and not args.json:
        if args.no_response_format:
            raise UsageError("--no-response-format", "says nothing without --json or --schema", "leave it out")
        return Question()
    from tui.core.structured import instruction_for, judge_json, params_for

    judge: Judge = judge_json
    if args.schema is not None:
        from tui.files.answer_schema import AnswerSchema

        judge = AnswerSchema(args.schema, "--schema").judge
    if args.no_response_format:
        return Question(judge, {}, instruction_for(args.schema))
    # OpenAI refuses to answer with a JSON object where no message speaks of JSON.
    said = "json" in f"{args.prompt or ''} {args.system or ''}".lower()
    instruction = None if said or args.schema is not None else instruction_for(None)
    return Question(judge, params_for(args.schema), instruction)


def reduction_of(args: argparse.Namespace, corpus: "CorpusPlan") -> "Callable[[str], Messages] | None":
    """What renders the question that reduces joined answers about parts; None where documents are not split."""
    if args.reduce_prompt is not None and args.long != "split":
        raise UsageError("--reduce-prompt", "says nothing without --long split", "add --long split")
    if args.long != "split":
        return None
    from tui.core.reduction import DEFAULT_REDUCE_PROMPT
    from tui.core.template import Template

    asked = Template.parse(corpus.prompt, corpus.prompt_from)
    instruction = asked.render({name: f"({'the document' if name == 'text' else name})" for name in asked.names})
    template = Template.parse(args.reduce_prompt or DEFAULT_REDUCE_PROMPT, "--reduce-prompt")
    template.check(frozenset({"text", "instruction"}), "--reduce-prompt")
    if "text" not in template.names:
        raise UsageError("--reduce-prompt", "has no {text}", "put {text} where the answers about the parts go")
    system = corpus.system

    def render(answers: str) -> "Messages":
        messages: Messages = (
            {"role": "user", "content": template.render({"text": answers, "instruction": instruction})},
        )
        return messages if system is None else ({"role": "system", "content": system}, *messages)

    return render


def check_bounded(params: dict[str, Any]) -> None:
    """UsageError when a request with these parameters may cost any amount."""
    from tui.core.budget import most_completion_tokens
    from tui.core.calls import CallPlan

    most_completion_tokens(CallPlan(0, "", (), params))
