# resource.py PORT: a call, and one of a forked child's.
import os, sys, time, urllib.request

urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/1k").read()
# Our thread rests then: a sanitizer's allocator, unlike libc's, stays locked in a child forked in the midst of a call.
time.sleep(0.5)
pid = os.fork()
if pid == 0:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/1k").read()
    os._exit(0)
os.waitpid(pid, 0)
print(os.getpid(), pid, os.times()[4])
