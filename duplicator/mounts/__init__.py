"""Volumes into drives: by a library's robot through NDMP, or by an operator."""
