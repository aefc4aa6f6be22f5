"""`cairn`: the one command. It ends here, whatever it did, with one of the codes in `cairn.exits`."""

import os
import sys
from typing import NoReturn

from cairn.cli import app
from cairn.exits import Exit, Fault
from cairn.output import complain
from contracts.errors import CairnError


def main() -> NoReturn:
    """Run the command line and end the process."""
    code: int = Exit.OK
    try:
        app(standalone_mode=True, prog_name="cairn")
    except Fault as fault:
        complain("--json" in sys.argv, fault.code, str(fault))
        code = fault.exit_code
    except CairnError as refused:
        complain("--json" in sys.argv, refused.code, str(refused))
        code = Exit.FAILED
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else (Exit.OK if ended.code is None else Exit.FAILED)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output has gone (`cairn logs | head`): nothing is left to say to it.
        os._exit(Exit.OK)
    except Exception:
        import traceback

        traceback.print_exc()
        code = Exit.FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    # A process that used temporalio can abort while the interpreter takes itself apart.
    os._exit(code)


if __name__ == "__main__":
    main()
