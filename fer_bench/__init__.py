"""fer_bench: compare training methods for facial-expression recognition fairly."""

__version__ = "0.1.0"
