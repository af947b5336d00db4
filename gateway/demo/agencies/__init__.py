"""Seven agencies' systems, each a process of its own: `python -m gateway.demo.agencies.<name> --data DIRECTORY`.

They stand for systems that were there before Xinqiao, so they import nothing of it, and share only how a process starts
and ends. Each prints one line of JSON (`{"address": ...}`) once it answers, and ends on SIGTERM, on SIGINT, and when
its standard input is closed, which happens when its parent goes away.
"""
