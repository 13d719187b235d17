# redis_calls.py URL: python3-redis: single commands, pipelines with and without a transaction, pub/sub, a script.
import sys
import redis

r = redis.Redis.from_url(sys.argv[1], ssl_cert_reqs=None) if sys.argv[1].startswith("rediss") else redis.Redis.from_url(sys.argv[1])
r.delete("p", "q", "l")
print(r.set("p", "secret"), r.get("p"), r.mget("p", "q"))
pipe = r.pipeline(transaction=False)
for i in range(5):
    pipe.rpush("l", "secret%d" % i)
print(pipe.execute())
pipe = r.pipeline(transaction=True)
pipe.set("q", 1).incr("q").incr("q")
print(pipe.execute())
try:
    r.incr("p")
except redis.ResponseError as error:
    print(error)
print(r.register_script("return ARGV[1]")(args=["secret"]))
sub = r.pubsub()
sub.subscribe("news")
print(sub.get_message(timeout=5)["type"])
r.publish("news", "secret")
print(sub.get_message(timeout=5)["data"])
print(r.lrange("l", 0, -1))
