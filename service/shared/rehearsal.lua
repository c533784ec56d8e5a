-- Runs each command that the gateway's scripts use once, on keys that nobody else has.
-- First what a full Redis refuses: it lets a script go on that has written something.
local text, hash, sorted = KEYS[1], KEYS[2], KEYS[3]
redis.call('SET', text, '', 'PX', 1000)
redis.call('DEL', hash, sorted)
redis.call('PEXPIRE', text, 1000)
redis.call('PTTL', text)
redis.call('GET', text)
redis.call('GETRANGE', text, 0, 0)
redis.call('TIME')

redis.call('HSET', hash, 'field', 1)
redis.call('HINCRBY', hash, 'field', 1)
redis.call('HGET', hash, 'field')
redis.call('HGETALL', hash)
redis.call('HEXISTS', hash, 'field')
redis.call('HLEN', hash)
redis.call('HDEL', hash, 'field')

redis.call('ZADD', sorted, 1, 'member')
redis.call('ZCARD', sorted)
redis.call('ZSCORE', sorted, 'member')
redis.call('ZRANGEBYSCORE', sorted, '-inf', 1)
redis.call('ZREM', sorted, 'member')
redis.call('ZREMRANGEBYSCORE', sorted, '-inf', 1)

return redis.call('DEL', text, hash, sorted)
