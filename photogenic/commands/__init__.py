"""One file per command that is no stage; `cli.py` registers them. What they need is imported when they run."""
