"""What rstorigin looks for: observables, the rulebook and the verdict. It knows neither captures nor Wireshark.

It imports nothing of the other packages.
"""
