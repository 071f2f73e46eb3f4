"""One file with everything that cannot be made again, taken while the service runs, and the way back."""
