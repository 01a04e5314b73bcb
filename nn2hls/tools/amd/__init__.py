"""Vitis HLS, Vivado HLS and Vivado: how they are run, and what is read of their reports."""
