"""What runs beside a program: the back ends' configuration, and ``stack``, which runs the four programs.

Nothing here imports otel_kit, nor anything but the standard library: `python -m deploy.stack` works in a bare
checkout.
"""
