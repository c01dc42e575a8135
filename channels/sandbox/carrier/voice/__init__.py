"""Calls of the test carrier: lines, the switch that connects them, and the scripts they follow."""
