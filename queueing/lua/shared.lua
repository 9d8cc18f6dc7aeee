-- Small state that all nodes share.

local FIELDS = 64

local shared = {}

local function shared_key(name)
  return P .. 'shared:' .. name
end

-- What a thread is, where that is not what the caller takes it for ('' for none); else, and without a name, false.
function shared.moved(name, taken_for)
  local held = name ~= '' and (redis.call('GET', shared_key(name)) or '')
  return held and held ~= taken_for and held
end

function shared.keep(name, value, ttl)
  redis.call('SET', shared_key(name), value, 'PX', ttl)
end

-- From the n-th on: name, value, ttl of each value that goes with a commit.
function shared.note(args, n)
  for i = n, #args, 3 do
    shared.keep(args[i], args[i + 1], args[i + 2])
  end
end

-- key, what is kept there ('' for nothing), value, ttl -> 1, or 0 where something else is
entry('put_if', function(args)
  if shared.moved(args[1], args[2]) then
    return 0
  end
  shared.keep(args[1], args[3], args[4])
  return 1
end)

-- key, value -> 1, or 0 where it is not that one
entry('delete_if', function(args)
  local key, value = shared_key(args[1]), args[2]
  return redis.call('GET', key) == value and redis.call('DEL', key) or 0
end)

-- key, field, value, ttl -> 1, or 0 where the map is full
entry('put_field', function(args)
  local key, name, value, ttl = shared_key(args[1]), args[2], args[3], tonumber(args[4])
  if redis.call('HEXISTS', key, name) == 0 and redis.call('HLEN', key) >= FIELDS then
    return 0
  end
  redis.call('HSET', key, name, value)
  if redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
  return 1
end)

-- bucket, rate per second, burst -> 1, or 0 where it is empty
entry('take', function(args)
  local key, rate, burst = P .. 'bucket:' .. args[1], tonumber(args[2]), tonumber(args[3])
  local b = fields(key, 'tokens', 'at')
  local tokens = math.min(burst, tonumber(b.tokens or burst) + (NOW - tonumber(b.at or NOW)) * rate / 1000)
  local taken = tokens >= 1
  if taken then
    tokens = tokens - 1
  end
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', NOW)
  redis.call('PEXPIRE', key, math.min(math.ceil(burst / rate * 1000) + 1000, 24 * 3600 * 1000))
  return taken and 1 or 0
end)

-- -> the clock by which all scripts go, in ms
entry('now', function()
  return NOW
end)

-- name, holder, ttl -> the fencing number, or 0 where another holds it
entry('lease', function(args)
  local key, holder, ttl = P .. 'lease:' .. args[1], args[2], tonumber(args[3])
  local held = fields(key, 'holder', 'until', 'fence')
  local live = held.holder and tonumber(held['until']) > NOW
  if live and held.holder ~= holder then
    return 0
  end
  local fence = tonumber(held.fence or 0)
  if not live then
    fence = fence + 1
  end
  redis.call('HSET', key, 'holder', holder, 'until', NOW + ttl, 'fence', fence)
  return fence
end)
