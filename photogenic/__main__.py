"""`python -m photogenic`."""

from photogenic.cli import main

main()
