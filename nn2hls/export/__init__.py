"""A design for other people's projects: an emulator in C++ without dependencies, Verilog with what an IP core has around it."""
