-- Nodes and what they hold. A node is dead when its lease has run out; it is taken for dead, and must fence itself, when
-- another has claimed a session of its.

local node = {}

local DAY = 24 * 3600 * 1000
local MAIL_KEPT = 1000 -- letters, about: a node that is so far behind is not reached by them any more
local MAIL_MS = 60 * 1000
local FIRST_LEASE = 5000 -- a node that opens a session before its first beat

function node.held_key(name)
  return P .. 'held:' .. name
end

function node.alive(name)
  local lease = redis.call('ZSCORE', P .. 'nodes', name)
  return lease and tonumber(lease) >= NOW and not redis.call('ZSCORE', P .. 'departed', name)
end

function node.take(name, session)
  if not redis.call('ZSCORE', P .. 'departed', name) then
    redis.call('ZADD', P .. 'nodes', 'NX', NOW + FIRST_LEASE, name)
  end
  redis.call('SADD', node.held_key(name), session)
end

function node.depart(name)
  redis.call('ZADD', P .. 'departed', NOW, name)
end

-- Nothing more is to be done for this session by the node that has it.
function node.drop(session)
  local name = redis.call('HGET', journal.session_key(session), 'node')
  redis.call('SREM', node.held_key(name), session)
  redis.call('SREM', P .. 'unabsorbed:' .. name, session)
end

-- Where nobody has beaten for a whole lease the store was away, not the nodes: those that lived then get one more.
local function forgive(ttl)
  local last = tonumber(redis.call('GET', P .. 'beaten') or NOW)
  if NOW - last <= ttl then
    return
  end
  local names = redis.call('ZRANGEBYSCORE', P .. 'nodes', last, NOW, 'LIMIT', 0, SETTINGS.most)
  for _, name in ipairs(names) do
    redis.call('ZADD', P .. 'nodes', NOW + ttl, name)
  end
end

-- name, ttl -> 1, or 0, once, where it was taken for dead meanwhile
entry('beat', function(args)
  local name, ttl = args[1], tonumber(args[2])
  forgive(ttl)
  redis.call('SET', P .. 'beaten', NOW)
  redis.call('ZADD', P .. 'nodes', NOW + ttl, name)
  return 1 - redis.call('ZREM', P .. 'departed', name)
end)

-- name
entry('leave', function(args)
  node.depart(args[1])
  redis.call('ZREM', P .. 'nodes', args[1])
  return 1
end)

-- -> the nodes that died or left within a day
entry('dead_nodes', function()
  local dead = redis.call('ZRANGEBYSCORE', P .. 'nodes', NOW - DAY, '(' .. NOW, 'LIMIT', 0, 1000)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. 'departed', NOW - DAY, '+inf', 'LIMIT', 0, 1000)) do
    dead[#dead + 1] = name
  end
  return dead
end)

-- It lived when a node was last heard of. Where none has been since, the store was away: whoever comes back first may
-- write to the others before they have beaten again.
local function reachable(name)
  local lease = redis.call('ZSCORE', P .. 'nodes', name)
  local heard = math.min(tonumber(redis.call('GET', P .. 'beaten') or NOW), NOW)
  return lease and tonumber(lease) >= heard and not redis.call('ZSCORE', P .. 'departed', name)
end

-- name -> 1 while it lives
entry('lives', function(args)
  return reachable(args[1]) and 1 or 0
end)

-- name, letter -> 1, or 0 where that node is dead
entry('mail', function(args)
  local name, letter = args[1], args[2]
  if not reachable(name) then
    return 0
  end
  local key = P .. 'mail:' .. name
  redis.call('XADD', key, 'MAXLEN', '~', MAIL_KEPT, '*', 'l', letter)
  redis.call('PEXPIRE', key, MAIL_MS)
  return 1
end)

-- Forget, a few at a time, the nodes that are a day dead and hold nothing.
function node.forget()
  for _, registry in ipairs({ 'nodes', 'departed' }) do
    local old = redis.call('ZRANGEBYSCORE', P .. registry, '-inf', NOW - DAY, 'LIMIT', 0, 10)
    for _, name in ipairs(old) do
      if redis.call('EXISTS', node.held_key(name)) == 0 then
        redis.call('ZREM', P .. registry, name)
      else -- look again tomorrow
        redis.call('ZADD', P .. registry, NOW - 1, name)
      end
    end
  end
end
