"""Tests of volumes coming into drives, over NDMP, from hosts that are processes of their own."""
