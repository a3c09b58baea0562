"""The command line. Nothing imports this package but the installed ``ceinms-torch`` command."""
