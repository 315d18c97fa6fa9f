"""What each command accepts on its command line.

One module a command. They load nothing that only the work of a command needs, so that help and usage errors come at once. A parser names
the function that does the work as `module:function`, below `forwarder.cli`.
"""
