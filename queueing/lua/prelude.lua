-- The ground that every script stands on: the keys' prefix, the clock, and how a function is made known.
--
-- Rules of this folder. A script checks everything and then writes, since one that errs midway is not rolled back.
-- It touches a bounded number of keys, each in O(log n). Instants are whole milliseconds of the store's own clock
-- (law 11). All keys begin with KEYS[1], whose {hash tag} keeps them on one shard.

local P = ''  -- the prefix of all keys
local NOW = 0 -- the store's clock when the call began

local MEDIA = { 'voice', 'chat', 'message' }

local PACE = 0.8 -- of the machine's clock, while that is behind what we have gone by before
local machine    -- its clock at the call before this one
local ours       -- what we went by then, with parts of a millisecond

-- The store's clock: the machine's, but that it never runs back, and never stands. Where the machine's is set back (by an
-- hour, say), who waits does so a quarter longer until it has caught up. A store that starts anew goes on from when a
-- node was last heard of.
local function clock()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local before = ours or tonumber(redis.call('GET', P .. 'beaten') or 0)
  ours = math.max(now, before + PACE * math.max(0, now - (machine or now)))
  machine = now
  return math.floor(ours)
end

local function entry(name, run)
  redis.register_function(LIBRARY .. '_' .. name, function(keys, args)
    P = keys[1]
    NOW = clock()
    return run(args)
  end)
end

-- Some fields of a hash, by name; a field that is missing is false.
local function fields(key, ...)
  local names = { ... }
  local values = redis.call('HMGET', key, ...)
  local found = {}
  for i = 1, #names do
    found[names[i]] = values[i]
  end
  return found
end

local function bounded(asked)
  return math.max(1, math.min(tonumber(asked), SETTINGS.most))
end
