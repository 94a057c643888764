"""`ndmpdup`: the table of its commands."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from duplicator.cli.command import configure_logging
from duplicator.cli.lazy import PLAIN, Group, Table, Verb, group_of
from duplicator.garbage import collect_seldom

__all__ = ["COMMANDS", "app", "main"]

# Else a negative count would be taken for an option.
_NEGATIVE_NUMBERS: Final = {"ignore_unknown_options": True}

_TAPE_VERBS: Final[Table] = {
    "status": Verb("tape_drive:status"),
    "inquiry": Verb("tape_drive:inquiry"),
    "alerts": Verb("tape_drive:alerts"),
    "rewind": Verb("tape_drive:rewind"),
    "space": Verb("tape_drive:space", _NEGATIVE_NUMBERS),
    "locate": Verb("tape_drive:locate"),
    "read": Verb("tape_blocks:read"),
    "write": Verb("tape_blocks:write"),
    "weof": Verb("tape_blocks:weof"),
    "erase": Verb("tape_blocks:erase"),
    "verify": Verb("tape_verify:verify"),
    "memory": Verb("tape_memory:memory"),
    "load": Verb("tape_drive:load"),
    "unload": Verb("tape_drive:unload"),
    "create": Verb("tape:create"),
    "map": Verb("tape:show_map"),
    "export": Verb("tape:export_cartridge"),
    "import": Verb("tape:import_cartridge"),
}
_CHANGER_VERBS: Final[Table] = {
    "inventory": Verb("changer:inventory"),
    "load": Verb("changer:load"),
    "unload": Verb("changer:unload"),
    "move": Verb("changer:move"),
    "exchange": Verb("changer:exchange"),
    "initialize": Verb("changer:initialize"),
    "create": Verb("changer:create"),
}
_CONFIG_VERBS: Final[Table] = {
    "check": Verb("config:check"),
    "show": Verb("config:show"),
    "example": Verb("config:example"),
}
_MEDIA_VERBS: Final[Table] = {
    "add": Verb("media:add"),
    "list": Verb("media:list_volumes"),
    "label": Verb("media_label:label"),
    "scan": Verb("media_scan:scan"),
    "export": Verb("media_moves:export_volumes"),
    "import": Verb("media_moves:import_volumes"),
    "suspend": Verb("media:suspend"),
    "forget": Verb("media:forget"),
}
_XBSA_VERBS: Final[Table] = {
    "put": Verb("xbsa_put:put"),
    "get": Verb("xbsa_get:get"),
    "ls": Verb("xbsa_list:ls"),
    "rm": Verb("xbsa_rm:rm"),
    "history": Verb("xbsa_list:history"),
    "serve": Verb("xbsa_serve:serve"),
    "import": Verb("xbsa_import:import_objects"),
}
COMMANDS: Final[Table] = {
    "demo": Verb("demo:demo"),
    "duplicate": Verb("duplicate:duplicate"),
    "verify": Verb("verify:verify"),
    "restore": Verb("restore:restore"),
    "jobs": Verb("jobs:jobs"),
    "run": Verb("queue:run"),
    "cancel": Verb("queue:cancel"),
    "suspend": Verb("queue:suspend"),
    "resume": Verb("queue:resume"),
    "copies": Verb("copies:copies"),
    "expire": Verb("expire:expire"),
    "import": Verb("tape_import:rebuild"),
    "images": Verb("images:images"),
    "probe": Verb("probe:probe"),
    "serve": Verb("serve:serve"),
    "agent": Verb("agent:agent"),
    "decode": Verb("decode:decode"),
    "status": Verb("status:status"),
    "conformance": Verb("conformance:conformance"),
    "tape": Group("tape:cartridge", _TAPE_VERBS),
    "changer": Group("changer:changer", _CHANGER_VERBS),
    "media": Group("media:media", _MEDIA_VERBS),
    "config": Group("config:config", _CONFIG_VERBS),
    "xbsa": Group("xbsa:xbsa", _XBSA_VERBS),
}

app = typer.Typer(
    name="ndmpdup",
    cls=group_of(COMMANDS),
    no_args_is_help=True,
    rich_markup_mode=PLAIN,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ndmpdup {version('ndmpdup')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more, to standard error.")] = False,
) -> None:
    """Copies backup images from a disk appliance straight to tape, host to host over NDMP, and proves the copies.

    \b
    See it run, on this machine alone:
      ndmpdup demo
    The main job, and what became of it:
      ndmpdup duplicate IMAGE --from ndmp://USER@APPLIANCE/UNIT --to ndmp://USER@TAPEHOST/TAPE
      ndmpdup jobs
      ndmpdup copies
    Bring a copy back:
      ndmpdup restore COPY --to DIR

    Passwords come from a file (--password-file and its like, mode 600), from the environment
    (NDMPDUP_FROM_PASSWORD, NDMPDUP_TO_PASSWORD, NDMPDUP_PASSWORD), or from the keyring
    (keyring set ndmpdup USER@HOST:PORT). They are never an argument.

    \b
    Exit codes: 0 success (of a duplication: every copy is validated), 1 a job failed,
      2 the command was given wrongly, 130 ended by Ctrl-C, 143 ended by SIGTERM.
    """
    configure_logging(verbose=verbose)


def main() -> None:
    """Run the command line; ends the process."""
    collect_seldom()
    app(prog_name="ndmpdup")


if __name__ == "__main__":
    main()
