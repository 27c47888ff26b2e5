"""Players of gvideo streams. `web/` is the page: static files that any web server can serve."""
