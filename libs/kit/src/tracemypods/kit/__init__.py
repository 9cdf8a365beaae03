"""What every TraceMyPods service shares: start-up, settings, errors, health, logs, clients.

Import the module that is named for what you need (`tracemypods.kit.errors`); this package
re-exports nothing, so that a service loads only what it uses.
"""
