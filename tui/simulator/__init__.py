"""A provider on a real socket: what the demo talks to, and what the tests hold the client against.

It imports nothing of the rest but core values, and the rest knows it by three names: `SimulatorSettings`,
`SimulatorProcess` (tui/simulator/process.py, its own process) and `Simulator` (tui/simulator/server.py, in the
caller's event loop).
"""
