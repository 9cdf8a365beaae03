"""What Redis does in one step. Its own clock counts, so that all replicas agree on the time.

A scope is a token or a client network. Each has three keys, which expire by themselves:

    …:minute  requests in a minute that begins with the first of them
    …:day     tokens reserved and used since midnight UTC
    …:open    leases of open requests, scored with the millisecond when each runs out
"""

from __future__ import annotations

# All limits are checked before anything is counted. KEYS: the block of the token, the block of the
# network, then per scope minute, day and open. ARGV: the lease, tokens to reserve, milliseconds
# that the lease lasts, then per scope the limits of requests, tokens and leases.
# Returns: verdict, limit, remaining, seconds until that starts anew, number of the day. A verdict
# of `ok` speaks of the requests in a minute, of the scope that has the fewest left.
ENTER = """
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return {'blocked', 0, 0, 0, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
local midnight = (day + 1) * 86400
local tokens = tonumber(ARGV[2])
local scopes = (#KEYS - 2) / 3
local limit, remaining, reset, again
for scope = 1, scopes do
  local minute, spent, open = KEYS[3 * scope], KEYS[3 * scope + 1], KEYS[3 * scope + 2]
  local requests = tonumber(ARGV[3 * scope + 1])
  local most_tokens = tonumber(ARGV[3 * scope + 2])
  local most_open = tonumber(ARGV[3 * scope + 3])
  redis.call('ZREMRANGEBYSCORE', open, '-inf', now)
  -- A client library may send a command again when its connection broke: count it once.
  again = again or redis.call('ZSCORE', open, ARGV[1])
  local counted = tonumber(redis.call('GET', minute) or '0')
  local left = math.max(0, redis.call('PTTL', minute))
  local seconds = counted == 0 and 60 or math.max(1, math.ceil(left / 1000))
  if not again then
    if counted >= requests then return {'requests', requests, 0, seconds, day} end
    local used = tonumber(redis.call('GET', spent) or '0')
    if used + tokens > most_tokens then
      return {'tokens', most_tokens, math.max(0, most_tokens - used), midnight - time[1], day}
    end
    if redis.call('ZCARD', open) >= most_open then return {'concurrent', most_open, 0, 1, day} end
    counted = counted + 1
  end
  if limit == nil or requests - counted < remaining then
    limit, remaining, reset = requests, requests - counted, seconds
  end
end
for scope = 1, again and 0 or scopes do
  local minute, spent, open = KEYS[3 * scope], KEYS[3 * scope + 1], KEYS[3 * scope + 2]
  if redis.call('INCR', minute) == 1 then redis.call('PEXPIRE', minute, 60000) end
  redis.call('INCRBY', spent, ARGV[2])
  redis.call('EXPIREAT', spent, midnight)
  redis.call('ZADD', open, now + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', open, ARGV[3])
end
return {'ok', limit, remaining, reset, day}
"""

# Only a lease that is still there is settled, so that it is settled once; one that ran out keeps
# counting what it reserved. What was reserved yesterday does not change today's count.
# KEYS: per scope day and open. ARGV: the lease, tokens to add (less than 0 as a rule), its day (-1
# where that is not known, because the answer to ENTER was lost).
SETTLE = """
local today = math.floor(redis.call('TIME')[1] / 86400)
local same_day = ARGV[3] == '-1' or tonumber(ARGV[3]) == today
for index = 1, #KEYS, 2 do
  local there = redis.call('ZREM', KEYS[index + 1], ARGV[1]) == 1
  if there and same_day and redis.call('EXISTS', KEYS[index]) == 1 then
    redis.call('INCRBY', KEYS[index], ARGV[2])
  end
end
return 1
"""

# KEYS: sets of leases. ARGV: milliseconds that a lease lasts, then one lease for each key.
RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for index = 1, #KEYS do
  redis.call('ZADD', KEYS[index], 'XX', now + ARGV[1], ARGV[index + 1])
  redis.call('PEXPIRE', KEYS[index], ARGV[1])
end
return 1
"""
