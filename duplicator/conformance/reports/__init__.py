"""A run as JSON, JUnit and HTML, and beside an earlier run."""
