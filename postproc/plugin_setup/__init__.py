"""The plugin and its profile in the Wiresharks of this machine: find, install, check, remove."""
