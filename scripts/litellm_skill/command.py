"""What the scripts share on the command line: flags, the one place where faults are caught, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from litellm_skill import host, screen, settings
from litellm_skill.answer import error_envelope
from litellm_skill.console import Console, standard
from litellm_skill.faults import BadInput, Fault, Interrupted
from litellm_skill.prompt import Inputs
from litellm_skill.quantity import count, number, seconds, share, usd, whole
from litellm_skill.settings import Settings

EXIT_CODES = """exit codes:
  0 a usable answer   2 bad input           3 not set up (key, software)   4 unknown model
  5 prompt too long   6 refused by policy   7 rate limit, quota, budget    8 provider or network
  9 deadline         10 incomplete: text so far is kept     11 still running
 12 a secret was found      13 forbidden by policy      14 findings at or above --fail-on
130 interrupted              1 a bug"""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_anything(_: Any) -> bool:
    return True


# Generation parameters by LiteLLM's names, and what each may be. Never an address, a key or a header: those would
# redirect a call; nor a service tier, whose prices are not known here.
PARAMETERS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "top_k", "top_logprobs"), _is_count),
    **dict.fromkeys(("frequency_penalty", "min_p", "presence_penalty", "repetition_penalty"), _is_number),
    **dict.fromkeys(("temperature", "top_p"), _is_number),
    "seed": lambda value: isinstance(value, int) and not isinstance(value, bool),
    **dict.fromkeys(("logprobs", "parallel_tool_calls", "store"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("reasoning_effort", "verbosity"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("logit_bias", "stop", "thinking"), _is_anything),
}


class Parser(argparse.ArgumentParser):
    """Bad arguments become a ``BadInput`` like any other, so that they are told in the same two lines."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(message, f"see: python3 {sys.argv[0]} --help")


def parser(description: str, examples: str) -> Parser:
    return Parser(
        description=description,
        epilog=f"{examples}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_prompt(
    flags: argparse.ArgumentParser, file: str = "attach a text, an image, a PDF or a quoted glob (repeatable)"
) -> None:
    """``file``: the help of ``--file``."""
    group = flags.add_argument_group("what to send")
    group.add_argument("prompt", nargs="?", metavar="PROMPT", help="the prompt; - reads it from stdin")
    group.add_argument("--prompt-file", metavar="F", help="read the prompt from a file")
    group.add_argument("-s", "--system", metavar="TEXT", help="system prompt")
    group.add_argument("--system-file", metavar="F", help="read the system prompt from a file")
    group.add_argument("-f", "--file", action="append", default=[], metavar="PATH", help=file)
    group.add_argument("--allow-secrets", action="store_true", help="send what looks like a secret")
    group.add_argument(
        "--allow-path", action="append", default=[], metavar="PATH", help="attach this file although it is refused"
    )
    group.add_argument("--diff", action="store_true", help="attach git diff: uncommitted changes")
    group.add_argument("--diff-base", metavar="REF", help="attach what changed since REF")


def add_model(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("whom to ask")
    group.add_argument(
        *("-m", "--model"),
        metavar="NAME",
        help="provider/model, an alias (gpt, gemini …) or a role (openai:best); default: LLM_MODEL, else the best of "
        "a vendor other than the host agent's",
    )
    group.add_argument(
        "--fallback", action="append", default=[], metavar="NAME", help="ask this one when the model fails (repeatable)"
    )
    _add_access(group)


def add_models(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("whom to ask")
    group.add_argument(
        *("-m", "--model"),
        action="append",
        default=[],
        metavar="NAME",
        help="provider/model, an alias or a role (repeatable); default: the best of up to three vendors other than the "
        "host agent's",
    )
    group.add_argument("--models", metavar="A,B,C", help="the same, separated by commas")
    group.add_argument("--repeat", type=count, default=1, metavar="N", help="ask each so often, to see it vary")
    group.add_argument("-j", "--jobs", type=count, default=8, metavar="N", help="so many at a time (default 8)")
    group.add_argument("--sequential", action="store_true", help="one after the other")
    _add_access(group)


def add_judging(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("what to make of the answers")
    group.add_argument("--judge", metavar="MODEL", help="let this model score them, anonymously and in both orders")
    group.add_argument("--rubric", metavar="TEXT_OR_FILE", help="what the judge scores by: a criterion a line")
    group.add_argument("--council", action="store_true", help="let each model rank the others' answers")
    group.add_argument("--synthesize", metavar="MODEL", help="let this model merge them, and say where they differ")
    group.add_argument("--html", metavar="FILE", help="write a page that shows them side by side")
    group.add_argument("--md", metavar="FILE", help="the same as Markdown")


def add_candidates(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("whom to ask")
    group.add_argument(
        *("-m", "--model"),
        action="append",
        default=[],
        metavar="NAME",
        help="a model to choose from (repeatable); default: what models.toml says for the task",
    )
    group.add_argument("--strong", metavar="NAME", help="asked when the check fails (default: the best you have)")
    group.add_argument("--baseline", metavar="NAME", help="what savings are measured by (default: the strong one)")
    group.add_argument("--task", metavar="T", help="in place of the rules: code, math, choice, extract, writing …")
    group.add_argument("--needs", metavar="A,B", help="abilities: vision, tools, schema, pdf, reasoning")
    _add_access(group)
    checks = flags.add_argument_group("how to check")
    checks.add_argument(
        "--check", metavar="C", help="agree, parse, schema or none; default: agree for short answers, else parse"
    )
    checks.add_argument("--check-cmd", metavar="CMD", help="your own test: the answer's code on stdin and as {file}")
    checks.add_argument("--check-judge", metavar="MODEL", help="let this model say whether the answer will do")
    checks.add_argument("--explain", action="store_true", help="say why, for every model, on stderr")
    checks.add_argument(
        "--audit",
        type=share,
        metavar="P",
        help="ask the strong model, too, for this share (0 to 1; with --max-loss .05)",
    )
    checks.add_argument(
        "--max-loss",
        type=share,
        metavar="L",
        help="audit all until at most this share is lost, then --audit P; off when more is",
    )
    checks.add_argument("--audit-report", action="store_true", help="what the audits have shown; asks nobody")


def _add_access(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--env-file", metavar="F", help="read this .env and no other")
    group.add_argument("--config", metavar="F", help="a LiteLLM model_list (YAML): its model_names are models to name")
    group.add_argument(
        "--no-proxy", action="store_true", help="ask providers themselves, although LITELLM_PROXY_API_BASE is set"
    )
    group.add_argument("--demo", action="store_true", help="call no model: try the whole path without a key")
    group.add_argument(
        "--dry-run", action="store_true", help="say what would be sent where and what it may cost; send nothing"
    )
    group.add_argument(
        "--timeout", type=seconds, metavar="S", help="wall clock for the call (default 100; local models 600)"
    )
    group.add_argument(
        "--idle-timeout", type=seconds, metavar="S", help="give up when no content has come for this long (default 60)"
    )
    group.add_argument(
        "--retries", type=whole, default=2, metavar="N", help="tries after a passing failure (default 2)"
    )
    group.add_argument(
        "--max-cost", type=usd, metavar="USD", help="limit the answer to what this buys; refuse if that is too little"
    )


def add_generation(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("how to answer")
    group.add_argument("--reasoning-effort", metavar="LEVEL", help="minimal, low, medium, high …, as the model has it")
    group.add_argument("--max-tokens", type=count, metavar="N", help="output limit")
    group.add_argument("--temperature", type=number, metavar="T")
    group.add_argument(
        *("-o", "--option"),
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="any other: " + ", ".join(PARAMETERS),
    )
    group.add_argument("--strict-params", action="store_true", help="fail when the model does not take one of these")


def add_output(
    flags: argparse.ArgumentParser,
    out: str = "also write the full answer to a file",
    files: str = "--out",
    verbose: str = "tool calls and tracebacks",
) -> argparse._ArgumentGroup:
    """The group, for flags of the script's own. ``out`` and ``verbose``: their help; ``files``: all flags that write
    one."""
    group = flags.add_argument_group("what to print")
    group.add_argument("--json", action="store_true", help="one JSON document on stdout")
    group.add_argument("-u", "--usage", action="store_true", help="tokens, cost and time, one line on stderr")
    group.add_argument("--out", metavar="FILE", help=out)
    group.add_argument("--force", action="store_true", help=f"let {files} overwrite")
    group.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr")
    group.add_argument("-v", "--verbose", action="store_true", help=verbose)
    return group


def add_shape(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("tools, and the shape of the answer")
    group.add_argument(
        "--functions", action="append", default=[], metavar="FILE.py", help="its functions become tools (repeatable)"
    )
    group.add_argument("--max-tool-rounds", type=count, default=8, metavar="N", help="default 8")
    group.add_argument("--tools", metavar="FILE.json", help="tools that are only offered: the calls are the answer")
    group.add_argument("--schema", metavar="JSON_OR_FILE", help="JSON Schema that the answer must fit")


def add_extract(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("code alone")
    group.add_argument("-x", "--extract", action="store_true", help="print the first fenced code block alone")
    group.add_argument("--extract-lang", metavar="L", help="the first one in this language")


def add_history(flags: argparse.ArgumentParser, *, talks: bool = False) -> None:
    """``talks``: whether a conversation can be gone on with; where not, the flags are there to be refused by name."""
    group = flags.add_argument_group("what was asked before, and what takes long")
    last, named = "go on with the last conversation of this folder", "go on with this conversation, or begin it"
    group.add_argument("-c", "--continue", action="store_true", dest="go_on", help=last if talks else argparse.SUPPRESS)
    group.add_argument("--thread", metavar="ID", help=named if talks else argparse.SUPPRESS)
    group.add_argument("--no-save", action="store_true", help="keep nothing of this call")
    group.add_argument("--background", action="store_true", help="print the run's id at once, and work on")
    group.add_argument("--no-relay", action="store_true", help="under an agent: no worker that outlives this command")
    group.add_argument("--wait", metavar="ID", help="print that run's answer when it is there; last: the newest run")
    group.add_argument(
        "--wait-timeout", type=seconds, default=100.0, metavar="S", help="wait no longer than this (default 100)"
    )
    group.add_argument("--cancel", metavar="ID", help="stop that run; what came so far is kept")
    group.add_argument("--result", metavar="ID", help="print that run's answer again, for nothing; last: the newest")
    group.add_argument("--list-results", action="store_true", help="the newest runs, and what was spent today")
    group.add_argument("--query", metavar="TERM", help="the newest runs in which TERM was asked or answered")


def inputs(args: argparse.Namespace) -> Inputs:
    return Inputs(
        argument=args.prompt,
        prompt_file=args.prompt_file,
        system=args.system,
        system_file=args.system_file,
        files=tuple(args.file),
        diff=args.diff,
        diff_base=args.diff_base,
        allow_paths=tuple(args.allow_path),
    )


def generation(args: argparse.Namespace) -> Mapping[str, Any]:
    """The generation parameters that were asked for; none is sent unasked."""
    named = {name: getattr(args, name) for name in ("reasoning_effort", "max_tokens", "temperature")}
    asked = [(name, value) for name, value in named.items() if value is not None]
    asked += [_option(key, text) for key, text in args.option]
    names = [name for name, _ in asked]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadInput(f"{twice[0]} is given twice", "give it once")
    return dict(asked)


def _option(key: str, text: str) -> tuple[str, Any]:
    """The parameter, its value read as JSON where it is, else as text. OpenAI's two names of the limit are one."""
    if key not in PARAMETERS:
        raise BadInput(f"-o {key}: not a generation parameter", "take one of: " + ", ".join(PARAMETERS))
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if not PARAMETERS[key](value):
        raise BadInput(f"-o {key} {text}: not a value it can have", "see the provider's documentation")
    return ("max_tokens" if key == "max_completion_tokens" else key), value


def run(
    flags: Callable[[], Parser],
    work: Callable[[argparse.Namespace, Settings, Console], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse, load the settings, do the work; turn what went wrong into two lines and an exit code, and with ``--json``
    also into an envelope, so that stdout is one document whatever happens."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = standard(json="--json" in arguments, host=host.detect(os.environ))

    def whole() -> int:
        nonlocal console
        _stop_on_signals()
        args = flags().parse_args(arguments)
        at_hand = settings.load(os.environ, _folder(), Path(args.env_file) if args.env_file else None)
        secrets = screen.secrets(at_hand)
        console = replace(console, json=args.json, quiet=args.quiet, verbose=args.verbose, secrets=secrets)
        return work(args, at_hand, console)

    return guarded(whole, lambda: console)


def _folder() -> Path:
    """Raises BadInput."""
    try:
        return Path.cwd()
    except OSError as error:
        raise BadInput(f"the working directory: {error.strerror}", "change to one that is there") from error


def guarded(work: Callable[[], int], console: Callable[[], Console]) -> int:
    """The one place where faults are caught: the exit code of ``work``, or of what it raised, which is told."""
    try:
        return work()
    except SystemExit as leaving:  # argparse, after --help
        return int(leaving.code or 0)
    except Fault as fault:
        return _tell(fault, console())
    except KeyboardInterrupt:
        return _tell(Interrupted("interrupted before anything came"), console())
    except Exception as error:
        console().trace(error)
        what = f"a bug in this skill: {type(error).__name__}: {error}"
        return _tell(Fault(what, "repeat with -v and report what it shows"), console())


def _stop_on_signals() -> None:
    """SIGTERM and SIGHUP end like SIGINT: by an exception, which is told. The gateway has its own way while it runs."""
    import signal
    import threading

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)


def _tell(fault: Fault, console: Console) -> int:
    console.fault(fault)
    if console.json:
        console.document(error_envelope(fault))
    return fault.exit_code
