"""The screen: draws a Snapshot, sends Commands. Never imports engine, wire or files.

`app.WeirApp` shows any `core.session.Session`; `python -m tui.dashboard --fd N` is the child process that
shows a run at the other end of a socket.
"""
