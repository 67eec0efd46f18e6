"""What the Python contenders are asked: URL|@FILE COUNT CONNECTIONS. Each prints how many 200s it read to their end."""
import itertools
import sys


def asked():
    """The URLs in turn, as many as there are requests to make; how many at once; and how many of them to one host."""
    url, count, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if url.startswith("@"):
        with open(url[1:]) as file:
            urls = file.read().splitlines()
    else:
        urls = [url]
    return itertools.islice(itertools.cycle(urls), count), connections, 8 if len(urls) > 1 else connections
