"""From a core in Verilog to a board with open tools, and what is said over its serial port."""
