"""What a contender is asked for in one run. Pure."""
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Ask:
    urls: tuple  # one, or one a request
    count: int
    connections: int
    scratch: Path  # for files that list URLs
    streams: int = 0  # requests at once on each connection, over HTTP/2; 0: HTTP/1.1
    fresh: bool = False  # a new connection for each request
    seconds: int = 1  # for those who can't be told a number of requests
    ca: str = ""  # the certificate to trust

    @property
    def url(self):
        return self.urls[0]

    @property
    def listed(self):
        return len(self.urls) > 1

    @property
    def at_once(self):
        return self.connections * (self.streams or 1)

    @property
    def per_host(self):
        """Requests at once on a host: all of them where there is only one."""
        return 8 if self.listed else self.at_once

    def every(self):
        """A URL for each request."""
        return self.urls if self.listed else self.urls * self.count

    def file(self, name, lines):
        """The path of a file of these lines."""
        path = self.scratch / name
        with open(path, "w") as file:
            file.writelines(f"{line}\n" for line in lines)
        return str(path)

    @cached_property
    def url_file(self):
        return self.file("urls", self.every())

    @property
    def url_or_file(self):
        """As our own programs take it: URL|@FILE COUNT CONNECTIONS."""
        first = f"@{self.url_file}" if self.listed else self.url
        return [first, str(self.count), str(self.connections)]
