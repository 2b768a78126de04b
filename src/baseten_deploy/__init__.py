"""Put a Truss into production on Baseten from CI, and prove that it got there."""

__version__ = "0.1.0"
