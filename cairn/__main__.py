"""`cairn`: the one command. It ends here, whatever it did, with one of the codes in `cairn.exits`."""

import os
import sys
from typing import NoReturn

import typer

# First of all: who started this process is noted when it is imported.
from cairn.stack import parent  # noqa: F401  isort: skip
from cairn.cli import app
from cairn.exits import Exit
from cairn.failing import tell


def main() -> NoReturn:
    """Run the command line and end the process."""
    code: int = Exit.OK
    try:
        # Not the standalone mode of the library: that ends the process by itself, with text where JSON was asked for.
        ended = app(standalone_mode=False, prog_name="cairn")
        code = ended if isinstance(ended, int) else Exit.OK
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else (Exit.OK if ended.code is None else Exit.FAILED)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`cairn logs | head`): nothing is left to say to it.
        os._exit(Exit.OK)
    except Exception as error:
        code = tell(error, as_json="--json" in sys.argv[1:])
    end(code)


def end(code: int) -> NoReturn:
    """Flush and leave."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # A full disk or a closed pipe behind it: what could be said was said, but it did not arrive.
            code = code or Exit.ENVIRONMENT
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(code)


if __name__ == "__main__":
    main()
