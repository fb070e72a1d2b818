"""The live camera: sources, the loop that reads them, and where its answers go.

`frames` is what the parts pass on. A source is opened and read in a thread of its own (`capture`),
judged by `health`, and left behind when it hangs; `loop` takes the newest frame, `tracking` says
who is who, and `outputs` carry the records away. Nothing here prints or ends the process.
"""
