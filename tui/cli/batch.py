"""`weir batch`: one prompt over many documents, each a live stream, with results that survive whatever happens."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.batch_question import check_bounded, question_of, reduction_of
from tui.cli.batch_settings import check_headers, check_no_secret, forget_defaults, kept, read_texts, settle
from tui.cli.goals import add_goals
from tui.cli.parsing import Parser, whole
from tui.cli.target import add_target
from tui.core.errors import UsageError

if TYPE_CHECKING:
    from tui.cli.batch_earlier import Earlier
    from tui.cli.batch_running import Batch

EXAMPLES = """examples:
  weir batch notes/ -m gpt-4o-mini --max-tokens 200 --out summaries.jsonl
  weir batch docs/ --glob '**/*.rst' -m llama3 --base-url http://localhost:11434 --concurrency 4
  weir batch tickets.jsonl --field body --id-field ticket -m gpt-4o-mini --schema triage.json --out triage.csv
  weir batch books/ -m gpt-4o-mini --max-input-tokens 6000 --long split --prompt-file ask.txt
  weir batch notes/ -m gpt-4o-mini --max-tokens 200 --rpm 500 --budget 2.50 --dry-run
  psql -Atc "select row_to_json(t) from t" | weir batch - -m gpt-4o-mini --prompt 'Translate to French: {text}'
  weir batch --resume last
  weir batch --resume last --retry-failed
  weir results last --format csv > summaries.csv

A run that was interrupted, by Ctrl-C, kill -9 or a power cut, goes on with --resume: no answer that was recorded is
asked for again. Results come in the order of the documents; of one that failed, its row says why.

exit codes: 0 every document done · 1 some failed · 2 usage error · 3 a --fail-if condition holds ·
            4 the budget was reached · 130 interrupted; after 1, 4 and 130 --resume goes on
"""
RUNS = Path("weir-runs")
DEFAULT_CONCURRENCY = 8
DEFAULT_RETRIES = 5


def add_batch(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """The verb and its flags."""
    parser = verbs.add_parser("batch", help="run a prompt over many documents, and lose nothing", epilog=EXAMPLES)
    what = parser.add_argument_group("documents")
    what.add_argument(
        "documents",
        nargs="*",
        default=[],
        metavar="DOCS",
        help="files, folders, .jsonl or .csv files of rows, or - for JSONL on stdin",
    )
    what.add_argument(
        "--glob",
        action="append",
        metavar="PATTERN",
        help="which files of a folder, repeatable (default: **/*.md, **/*.txt and **/*.rst)",
    )
    what.add_argument("--field", default="text", metavar="NAME", help="of a row: its text (default: text)")
    what.add_argument("--id-field", metavar="NAME", help="of a row: its id (default: id, where there is one)")
    ask = parser.add_argument_group("question")
    ask.add_argument(
        "--prompt",
        metavar="TEMPLATE",
        help="with {text}, {name}, {id} and fields of rows; {{ for a brace (default: summarise in three bullet points)",
    )
    ask.add_argument("--prompt-file", type=Path, metavar="FILE", help="the prompt, from a file")
    ask.add_argument(
        "--max-input-tokens", type=whole(1), metavar="N", help="of a document's text in one request, by tiktoken"
    )
    ask.add_argument(
        "--long",
        choices=("cut", "split"),
        default="cut",
        help="of a longer document: cut its end, or ask about its parts and reduce their answers (default: cut)",
    )
    ask.add_argument(
        "--reduce-prompt", metavar="TEMPLATE", help="how answers about parts become one: with {text} and {instruction}"
    )
    ask.add_argument("--json", action="store_true", help="answers must be JSON; one that is not is asked for again")
    ask.add_argument(
        "--schema", metavar="FILE", help="the same, and valid by this JSON Schema; the reason is sent back with it"
    )
    ask.add_argument(
        "--no-response-format",
        action="store_true",
        help="for servers that do not know response_format: ask for JSON in words only",
    )
    add_target(parser, retries=False)
    pace = parser.add_argument_group("pace")
    pace.add_argument(
        "--concurrency", type=whole(1), default=DEFAULT_CONCURRENCY, metavar="N", help="streams at once (default: 8)"
    )
    pace.add_argument("--rpm", type=whole(1), metavar="N", help="most attempts in any 60 s (default: no limit)")
    pace.add_argument("--tpm", type=whole(1), metavar="N", help="most tokens a minute (default: no limit)")
    pace.add_argument("--burst", type=whole(1), metavar="N", help="attempts that may go at once (default: rpm / 600)")
    pace.add_argument(
        "--retries",
        type=whole(0),
        default=DEFAULT_RETRIES,
        metavar="N",
        help=f"per call, rejected answers included (default: {DEFAULT_RETRIES}; 0: none)",
    )
    add_goals(parser)
    again = parser.add_argument_group("going on")
    again.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run (its name, its folder or last); flags that are given change it",
    )
    again.add_argument("--retry-failed", action="store_true", help="with --resume: ask again about what failed")
    result = parser.add_argument_group("result")
    result.add_argument("--price", metavar="RATES", help="USD per million tokens: in=2.5,out=10,cached=1.25")
    result.add_argument(
        "--out", type=Path, metavar="FILE", help=".jsonl, .csv or .parquet (default: results.jsonl in the run's folder)"
    )
    result.add_argument(
        "--runs",
        type=Path,
        default=RUNS,
        metavar="DIR",
        help="where run folders go (default: weir-runs)",
    )
    result.add_argument(
        "--ui", choices=("dashboard", "plain", "none"), help="default: dashboard on a terminal, else plain"
    )
    result.add_argument(
        "--summary", choices=("text", "json"), default="text", help="how the summary is printed (default: text)"
    )
    defaults = forget_defaults(parser)
    parser.set_defaults(run=lambda args: run_batch(args, defaults))


def run_batch(args: argparse.Namespace, defaults: dict[str, Any]) -> int:
    """Settle what was asked for; then estimate it, run it, or go on with it."""
    from tui.cli.batch_earlier import as_before, resumed, same_unfinished
    from tui.cli.batch_running import run_to_its_end

    read_texts(args)
    if args.retry_failed and args.resume is None:
        raise UsageError("--retry-failed", "says nothing without --resume", "add --resume last")
    earlier = resumed(args)
    at_hand, named_here = RUNS.absolute(), bool(args.documents)
    settle(args, None if earlier is None else earlier.settings, defaults)
    if earlier is None and not args.dry_run:
        earlier = same_unfinished(args, at_hand)
    if earlier is not None:
        as_before(args, earlier, named_here)
    batch = _batch(args, earlier, at_hand)
    if args.dry_run:
        from tui.cli.batch_estimate import estimate

        return estimate(batch, args.summary == "json")
    if args.out is not None:
        from tui.files.results_writers import check_results_path

        its_own = earlier is not None and earlier.settings.get("out") == str(args.out.absolute())
        check_results_path(args.out, may_exist=its_own)
    return run_to_its_end(batch, args.ui, args.summary == "json")


def _batch(args: argparse.Namespace, earlier: "Earlier | None", at_hand: Path) -> "Batch":
    """Everything that a batch needs, checked, before anything is sent."""
    import asyncio

    from msgspec.structs import replace

    from tui.cli.batch_running import Batch
    from tui.cli.goals import goals_from
    from tui.cli.target import endpoint_from, limits_from, params_from
    from tui.core.money import parse_price
    from tui.core.retry import RetryPolicy
    from tui.engine.models import only_model
    from tui.files.corpus import DEFAULT_GLOBS, DEFAULT_PROMPT, CorpusPlan, check_corpus

    check_headers(args)
    question = question_of(args)
    if args.burst is not None and args.rpm is None:
        raise UsageError("--burst", "says nothing without --rpm", "add --rpm N")
    if args.long == "split" and args.max_input_tokens is None:
        raise UsageError("--long", "split says nothing without --max-input-tokens", "add --max-input-tokens 6000")
    corpus = CorpusPlan(
        inputs=tuple(args.documents),
        globs=tuple(args.glob or DEFAULT_GLOBS),
        field=args.field,
        id_field=args.id_field,
        prompt=args.prompt if args.prompt is not None else DEFAULT_PROMPT,
        prompt_from="--prompt-file" if args.prompt_file is not None else "--prompt",
        system=args.system,
        max_input_tokens=args.max_input_tokens,
        long=args.long,
    )
    check_corpus(corpus)
    endpoint, params, settings = endpoint_from(args), params_from(args), kept(args)
    check_no_secret(settings, endpoint.secrets)
    goals = goals_from(args)
    price = parse_price(args.price) if args.price is not None else None
    if goals.budget_usd is not None:
        check_bounded(params)
    model = args.model if args.model is not None else asyncio.run(only_model(endpoint))
    return Batch(
        corpus=replace(corpus, model=model),
        question=question,
        reduction=reduction_of(args, corpus),
        model=model,
        endpoint=endpoint,
        params=params,
        limits=limits_from(args),
        policy=RetryPolicy(attempts=args.retries + 1, patient=True),
        concurrency=args.concurrency,
        rpm=args.rpm,
        tpm=args.tpm,
        burst=args.burst,
        price=goals.price_of(price, model, endpoint.base_url),
        goals=goals,
        runs=args.runs,
        at_hand=at_hand,
        out=args.out,
        settings=settings,
        earlier=earlier,
        retry_failed=args.retry_failed,
    )
