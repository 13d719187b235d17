# urllib.request, one URL after the other.
import sys
import urllib.request

for url in sys.argv[1:]:
    urllib.request.urlopen(url).read()
