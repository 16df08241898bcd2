"""The stack as plain processes, for machines without a Docker engine: `python -m deploy.stack up`.

In the order in which they are used:

    programs.py    which four programs, in which versions, out of which Go modules
    build.py       makes the missing ones and keeps them outside the checkout
    services.py    how each is started: arguments, variables, port, health check
    processes.py   starts them in order of health, stops them, says which died
    __main__.py    the command line

The tests in tests/stack use the same code, with other ports and temporary folders.
"""
