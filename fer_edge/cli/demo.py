"""`fer-edge demo`: the browser demo, served by this machine for itself."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def demo(
    *,
    port: Annotated[
        int | None,
        typer.Option(help="Port.", min=0, max=65535, show_default="8000, or a free one"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    page: Annotated[
        Path | None,
        typer.Option(
            help="The folder `web` of an export: the demo of another model.",
            show_default="the demo of small",
        ),
    ] = None,
) -> None:
    """Open the demo in the browser: faces in an image or before the camera. Ctrl-C ends it.

    All is computed in the browser; this machine only hands it the page's files.

    Example: `fer-edge demo`

    Your own model: `fer-edge export runs/mine --web`, and then
    `fer-edge demo --page runs/mine/export/web`
    """
    from fer_edge.site import check_page, find_page, serve_page, url_of, warning_of

    folder = check_page(page) if page else find_page()
    with serve_page(folder, host, port, _say) as server:
        address = str(server.server_address[0])
        typer.echo(url := url_of(address, server.server_port))
        if warning := warning_of(address, server.server_port):
            _say(warning)
        if not no_open:  # beside the server: a browser in a terminal returns when it is left
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
        server.serve_forever()


def _say(text: str) -> None:
    typer.echo(text, err=True)
