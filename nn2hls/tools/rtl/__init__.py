"""Verilog: cores behind scalar ports, simulation against the emulator, counts by yosys."""
