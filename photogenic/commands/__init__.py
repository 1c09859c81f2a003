"""One file per command that is no stage; `cli.py` registers them."""
