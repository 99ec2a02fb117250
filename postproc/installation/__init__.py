"""Plugin and profile in the folders of the Wiresharks on this machine: put there, taken away, looked after."""
