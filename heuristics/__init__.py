"""What rstorigin looks for: observables, the rulebook and the verdict. It reads no capture and runs no Wireshark.

It imports nothing of the other packages.
"""
