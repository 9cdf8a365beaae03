"""What Redis does in one step. Its own clock counts, so that all replicas agree on the time.

A scope is a token or a client network. Each has three keys, which expire by themselves:

    …:minute  requests in a minute that begins with the first of them
    …:day     tokens reserved and used since midnight UTC
    …:open    leases of open requests, scored with the millisecond when each runs out
"""

from __future__ import annotations

from tracemypods.coalescing.client import Script

# One round trip for all that a question needs before it is answered. The names of the keys depend
# on the token's id, which stands in its record, so the script makes them (a single Redis allows
# that; a cluster would not).
#
# ARGV: the token's id where its record is not in Redis, else nothing; the lease; tokens to reserve;
# milliseconds that the lease lasts; the network; the digest of the question, or nothing where no
# kept answer is wanted; whose answers count (nothing: the token's own); the millisecond since when
# an answer must have been kept; how many hashes the token may have, and its `lookup_keys`; then per
# scope its name (nothing: the token's own) and its limits of requests, tokens and leases. There are
# no KEYS: whoever names some must be allowed to write them, and the token's records are read only.
#
# A kept answer counts as a request only. Otherwise all limits are checked before anything is
# counted. Returns: verdict, limit, remaining, seconds until that starts anew, number of the day,
# the record's place among the keys (0 where its id was given), the record, the kept answer. A
# verdict of `ok` or `kept` speaks of the requests in a minute, of the scope that has the fewest
# left. `token` comes with what lies under the `lookup_keys`, where that says no more than that.
ENTER = Script("""
local hashes = tonumber(ARGV[9])
local stored = redis.call('MGET', unpack(ARGV, 10, 9 + 2 * hashes))
local id, place, record = ARGV[1], 0, false
for index = hashes + 1, 2 * hashes do
  if stored[index] then return {'token', stored} end
end
if id == '' then
  for index = 1, hashes do
    if stored[index] then
      place, record = index, stored[index]
      break
    end
  end
  local read, fields = pcall(cjson.decode, record or '-')
  if not read or type(fields) ~= 'table' or type(fields.id) ~= 'string' then
    return {'token', stored}
  end
  id = fields.id
end
if redis.call('EXISTS', 'ask:blocked:token:' .. id, 'ask:blocked:network:' .. ARGV[5]) > 0 then
  return {'blocked', 0, 0, 0, 0}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(time[1] / 86400)
local midnight = (day + 1) * 86400
local scopes = {}
local limit, remaining, reset
for index = 10 + 2 * hashes, #ARGV, 4 do
  local name = ARGV[index] ~= '' and ARGV[index] or 'ask:quota:token:' .. id
  local requests = tonumber(ARGV[index + 1])
  local counted = tonumber(redis.call('GET', name .. ':minute') or '0')
  local seconds = 60
  if counted > 0 then
    local left = math.max(0, redis.call('PTTL', name .. ':minute'))
    seconds = math.max(1, math.ceil(left / 1000))
  end
  if counted >= requests then return {'requests', requests, 0, seconds, day} end
  if limit == nil or requests - counted - 1 < remaining then
    limit, remaining, reset = requests, requests - counted - 1, seconds
  end
  scopes[#scopes + 1] = {name, tonumber(ARGV[index + 2]), tonumber(ARGV[index + 3])}
end
local answer = false
if ARGV[6] ~= '' then
  local whose = ARGV[7] ~= '' and ARGV[7] or 'token:' .. id
  answer = redis.call('GET', 'ask:answer:' .. whose .. ':' .. ARGV[6])
  if answer and tonumber(string.match(answer, '^%d+') or '0') <= tonumber(ARGV[8]) then
    answer = false
  end
end
if not answer then
  for _, scope in ipairs(scopes) do
    local name, most_tokens, most_open = scope[1], scope[2], scope[3]
    local used = tonumber(redis.call('GET', name .. ':day') or '0')
    if used + tonumber(ARGV[3]) > most_tokens then
      return {'tokens', most_tokens, math.max(0, most_tokens - used), midnight - time[1], day}
    end
    redis.call('ZREMRANGEBYSCORE', name .. ':open', '-inf', now)
    if redis.call('ZCARD', name .. ':open') >= most_open then
      return {'concurrent', most_open, 0, 1, day}
    end
  end
end
for _, scope in ipairs(scopes) do
  local name = scope[1]
  if redis.call('INCR', name .. ':minute') == 1 then
    redis.call('PEXPIRE', name .. ':minute', 60000)
  end
  if not answer then
    redis.call('INCRBY', name .. ':day', ARGV[3])
    redis.call('EXPIREAT', name .. ':day', midnight)
    redis.call('ZADD', name .. ':open', now + ARGV[4], ARGV[2])
    redis.call('PEXPIRE', name .. ':open', ARGV[4])
  end
end
return {answer and 'kept' or 'ok', limit, remaining, reset, day, place, record, answer}
""")

# Only a lease that is still there is settled, so that it is settled once; one that ran out keeps
# counting what it reserved. What was reserved yesterday does not change today's count.
# KEYS: per scope day and open. ARGV: the lease, tokens to add (less than 0 as a rule), its day (-1
# where that is not known, because the answer to ENTER was lost).
SETTLE = Script("""
local today = math.floor(redis.call('TIME')[1] / 86400)
local same_day = ARGV[3] == '-1' or tonumber(ARGV[3]) == today
for index = 1, #KEYS, 2 do
  local there = redis.call('ZREM', KEYS[index + 1], ARGV[1]) == 1
  if there and same_day and redis.call('EXISTS', KEYS[index]) == 1 then
    redis.call('INCRBY', KEYS[index], ARGV[2])
  end
end
return 1
""")

# KEYS: sets of leases. ARGV: milliseconds that a lease lasts, then one lease for each key.
RENEW = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for index = 1, #KEYS do
  redis.call('ZADD', KEYS[index], 'XX', now + ARGV[1], ARGV[index + 1])
  redis.call('PEXPIRE', KEYS[index], ARGV[1])
end
return 1
""")
