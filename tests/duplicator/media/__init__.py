"""Bar codes, scanners and volumes by hand."""
