"""`ndmpdup`: the table of its commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import typer

from duplicator.cli import changer as library
from duplicator.cli import config as configuration
from duplicator.cli import media as volumes
from duplicator.cli import tape_blocks as blocks
from duplicator.cli import tape_drive as drive
from duplicator.cli.agent import agent
from duplicator.cli.command import command, configure_logging
from duplicator.cli.conformance import conformance
from duplicator.cli.copies import copies
from duplicator.cli.decode import decode
from duplicator.cli.demo import demo
from duplicator.cli.duplicate import duplicate
from duplicator.cli.expire import expire
from duplicator.cli.grouped import GroupedCommand
from duplicator.cli.images import images
from duplicator.cli.jobs import jobs
from duplicator.cli.media_label import label
from duplicator.cli.media_moves import export_volumes, import_volumes
from duplicator.cli.media_scan import scan
from duplicator.cli.probe import probe
from duplicator.cli.queue import cancel, resume, run, suspend
from duplicator.cli.restore import restore
from duplicator.cli.serve import serve
from duplicator.cli.status import status
from duplicator.cli.tape import cartridge, create, export_cartridge, import_cartridge, show_map
from duplicator.cli.tape_import import rebuild
from duplicator.cli.tape_memory import memory
from duplicator.cli.tape_verify import verify as verify_tape
from duplicator.cli.verify import verify
from duplicator.cli.xbsa import xbsa
from duplicator.cli.xbsa_get import get
from duplicator.cli.xbsa_import import import_objects
from duplicator.cli.xbsa_list import history, ls
from duplicator.cli.xbsa_put import put
from duplicator.cli.xbsa_rm import rm
from duplicator.cli.xbsa_serve import serve as serve_xbsa
from duplicator.garbage import collect_seldom

__all__ = ["app", "main"]

# Plain help: it keeps the examples as they are written, and needs no start-up time for rich.
_STYLE: Final = None

app = typer.Typer(
    name="ndmpdup", no_args_is_help=True, rich_markup_mode=_STYLE, pretty_exceptions_enable=False, add_completion=True
)
_tape = typer.Typer(no_args_is_help=True, rich_markup_mode=_STYLE, callback=cartridge)
_changer = typer.Typer(no_args_is_help=True, rich_markup_mode=_STYLE, callback=library.changer)
_media = typer.Typer(no_args_is_help=True, rich_markup_mode=_STYLE, callback=volumes.media)
_config = typer.Typer(no_args_is_help=True, rich_markup_mode=_STYLE, callback=configuration.config)
_xbsa = typer.Typer(no_args_is_help=True, rich_markup_mode=_STYLE, callback=xbsa)

_COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "demo": demo,
    "duplicate": duplicate,
    "verify": verify,
    "restore": restore,
    "jobs": jobs,
    "run": run,
    "cancel": cancel,
    "suspend": suspend,
    "resume": resume,
    "copies": copies,
    "expire": expire,
    "import": rebuild,
    "images": images,
    "probe": probe,
    "serve": serve,
    "agent": agent,
    "decode": decode,
    "status": status,
    "conformance": conformance,
}
_TAPE_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "status": drive.status,
    "inquiry": drive.inquiry,
    "alerts": drive.alerts,
    "rewind": drive.rewind,
    "space": drive.space,
    "locate": drive.locate,
    "read": blocks.read,
    "write": blocks.write,
    "weof": blocks.weof,
    "erase": blocks.erase,
    "verify": verify_tape,
    "memory": memory,
    "load": drive.load,
    "unload": drive.unload,
    "create": create,
    "map": show_map,
    "export": export_cartridge,
    "import": import_cartridge,
}
_CHANGER_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "inventory": library.inventory,
    "load": library.load,
    "unload": library.unload,
    "move": library.move,
    "exchange": library.exchange,
    "initialize": library.initialize,
    "create": library.create,
}
_CONFIG_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "check": configuration.check,
    "show": configuration.show,
    "example": configuration.example,
}
_MEDIA_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "add": volumes.add,
    "list": volumes.list_volumes,
    "label": label,
    "scan": scan,
    "export": export_volumes,
    "import": import_volumes,
    "suspend": volumes.suspend,
    "forget": volumes.forget,
}
_XBSA_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "put": put,
    "get": get,
    "ls": ls,
    "rm": rm,
    "history": history,
    "serve": serve_xbsa,
    "import": import_objects,
}
# Else a negative count would be taken for an option.
_NEGATIVE_NUMBERS: Final = {"ignore_unknown_options": True}

for _name, _function in _COMMANDS.items():
    app.command(_name, cls=GroupedCommand)(command(_function))
for _name, _function in _TAPE_VERBS.items():
    _tape.command(_name, context_settings=_NEGATIVE_NUMBERS if _name == "space" else None)(command(_function))
for _name, _function in _CHANGER_VERBS.items():
    _changer.command(_name)(command(_function))
for _name, _function in _CONFIG_VERBS.items():
    _config.command(_name)(command(_function))
for _name, _function in _MEDIA_VERBS.items():
    _media.command(_name, cls=GroupedCommand)(command(_function))
for _name, _function in _XBSA_VERBS.items():
    _xbsa.command(_name)(command(_function))
app.add_typer(_tape, name="tape")
app.add_typer(_changer, name="changer")
app.add_typer(_media, name="media")
app.add_typer(_config, name="config")
app.add_typer(_xbsa, name="xbsa")


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
