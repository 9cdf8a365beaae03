"""Stand-ins for what is paid or hosted elsewhere; see `[sandboxes.…]` in fleet.toml."""
