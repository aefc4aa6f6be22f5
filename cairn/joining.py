"""Which Cairn a command speaks to: the one its environment names, else the running local stack."""

import os


def join_local_stack() -> None:
    """Take the addresses of the running local stack into the environment, unless it names a Cairn already.

    Raises `NotRunning` where neither is there.
    """
    if "CAIRN_SECRETS_DIR" in os.environ:
        return
    # Not before: an installation for production does not hold what the local stack is made of.
    from cairn.stack import control
    from cairn.stack.layout import Home, default_home

    control.adopt(Home(default_home()))
