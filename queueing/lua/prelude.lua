-- The ground that every script stands on: the keys' prefix, the clock, and how a function is made known.
--
-- Rules of this folder. A script checks everything and then writes, since one that errs midway is not rolled back.
-- It touches a bounded number of keys, each in O(log n). Instants are whole milliseconds of the store's own clock
-- (law 11). All keys begin with KEYS[1], whose {hash tag} keeps them on one shard.

local P = ''  -- the prefix of all keys
local NOW = 0 -- the store's clock when the call began

local MEDIA = { 'voice', 'chat', 'message' }

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
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
