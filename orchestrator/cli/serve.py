"""The verb serve: the page of a study, live while a launch works."""

import os
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit

_NICE = 10  # steps below the launch, whose training comes first


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--insecure", is_flag=True, help="Allow an address that other machines reach; nothing is encrypted.")
@study_option
@where_option
@store_option
def serve(port: int, host: str, insecure: bool, study: str | None, where: str | None, store: Path) -> Exit:
    """Show a study in the browser while it runs.

    The page is that of report, with the running jobs, the time left and the learning curves as they come. It is
    read-only, and open to those who know the printed address with its token. Ctrl-C ends it, and not the launch.
    """
    from scalectl.orchestrator.cli.waiting import until_there
    from scalectl.orchestrator.page.library import library
    from scalectl.orchestrator.page.live import Feed
    from scalectl.orchestrator.page.server import Server, check_address, check_free

    check_address(host, insecure=insecure)
    library()
    check_free(host, port)  # before the store is waited for and read
    until_there(store)
    os.nice(_NICE)
    click.echo(f"Reading {store} ...", err=True)  # half a minute where it has 10,000 runs
    feed = Feed(store, study, where)
    try:
        with Server(feed, host, port) as server:
            click.echo(f"{server.address}\nOpen it in a browser; Ctrl-C ends this server.")
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        feed.close()
    return Exit.DONE
