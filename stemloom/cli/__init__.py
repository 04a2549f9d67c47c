"""The command line: one module for each group of commands, loaded only when it is called."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import NoReturn

import click

from .. import __version__
from ..ground.visible import visible_text
from .console import one_line, suit_console
from .output import Console, fail, notes_of

_COMMANDS = {
    "demo": ("demo", "Build a demo vault, render a piece, check its ledger, pay its holders."),
    "check": ("script", "List the problems of a script."),
    "format": ("script", "Write a script in its canonical form."),
    "plan": ("plan", "Show the next bars of a piece."),
    "play": ("play", "Play a piece on an audio device, and log what is heard."),
    "replay": ("play", "Play a take again, and prove that it sounds the same."),
    "render": ("render", "Render a piece to a file, and log what is heard."),
    "mix": ("mix", "Listen to a piece, and tell what may be wrong in its mix, by line."),
    "vault": ("vault", "Stems, holders, consent and splits."),
    "user": ("user", "Users: their sessions, and how to erase them."),
    "ledger": ("ledger", "Show, verify and prove what was heard."),
    "why": ("why", "Say what sounds at a moment of a session, and under whose consent."),
    "doctor": ("doctor", "Check whether this machine can play, and say what is missing."),
    "benchmark": ("benchmark", "Measure how long blocks take, and compare with before."),
    "royalty": ("royalty", "Income, settlements and statements."),
}
"""For each command its module and its line in `--help`."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is called, not for `--help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{_COMMANDS[cmd_name][0]}", __name__)
        command = getattr(module, cmd_name if cmd_name != "format" else "format_")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ..ground.typo import nearest

            near = nearest(args[0], _COMMANDS)
            hint = f" Did you mean '{near}'?" if near else " 'stemloom --help' lists all commands."
            raise click.UsageError(error.message + hint, error.ctx) from error


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the vault and the ledger. Else STEMLOOM_HOME, else the platform's data folder.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no notes: results and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more; an internal fault shows its traceback.")
@click.version_option(__version__, prog_name="stemloom")
@click.pass_context
def main(ctx: click.Context, home: Path | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Stemloom: generative music from stems, with rights built in."""
    ctx.obj = Console(home=home, json=as_json, quiet=quiet, verbose=verbose)


def run() -> NoReturn:
    """The program `stemloom`: reports every mistake of a user in one sentence and an exit code.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 script rejected, 4 not in the vault or not cleared,
    5 verification failed, 130 on Ctrl-C. `--json`, `-q` and `-v` may stand anywhere on the line.
    """
    suit_console()
    arguments = _global_flags_first(sys.argv[1:])
    # SIGTERM ends a command as Ctrl-C does, so that it cleans up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main.main(args=arguments, prog_name="stemloom", standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.Abort as error:
        click.echo("; ".join(("stemloom: stopped", *notes_of(error.__cause__))), err=True)
        code = 130
    except click.ClickException as error:
        with StringIO() as words:
            error.show(words)
            click.echo(visible_text(words.getvalue()), err=True, nl=False)
        code = error.exit_code
        if "--json" in arguments:
            click.echo(one_line({"ok": False, "exit": code, "error": error.format_message()}))
    except KeyboardInterrupt:
        click.echo("stemloom: stopped", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (Exception, ExceptionGroup) as error:  # noqa: BLE001  the one place that words a fault for a person
        verbose = "-v" in arguments or "--verbose" in arguments
        code = fail(error, verbose=verbose, as_json="--json" in arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _global_flags_first(arguments: list[str]) -> list[str]:
    """The arguments with global flags in front, wherever they stood before `--`."""
    stop = arguments.index("--") if "--" in arguments else len(arguments)
    moved: list[str] = []
    kept: list[str] = []
    index = 0
    while index < stop:
        word = arguments[index]
        if word in ("--json", "-q", "--quiet", "-v", "--verbose") or word.startswith("--home="):
            moved.append(word)
        elif word == "--home" and index + 1 < stop:
            moved += [word, arguments[index + 1]]
            index += 1
        else:
            kept.append(word)
        index += 1
    return moved + kept + arguments[stop:]
