"""MEDAL, the MEDical AI Leaderboard harness."""

__version__ = "0.1.0"
