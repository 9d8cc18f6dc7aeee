-- One hand per live session turns its events into the next state. A fence says whose hand it is.

local function pending_key(session)
  return P .. 'effects:' .. session
end

-- A session that is closed and has nothing left to be performed is nobody's work any more.
local function settle_held(session)
  local open = redis.call('HEXISTS', journal.session_key(session), 'open') == 1
  if not open and redis.call('EXISTS', pending_key(session)) == 0 then
    node.drop(session)
  end
end

-- session, node -> {} where it is not to be had, or { snapshot ('' for none), fence, log version, effects… }
entry('claim', function(args)
  local session, name = args[1], args[2]
  local key = journal.session_key(session)
  local held = fields(key, 'node', 'open', 'fence', 'snapshot', 'snap', 'log')
  if not held.node then
    return {}
  end
  local pending = redis.call('HGETALL', pending_key(session))
  if not held.open and #pending == 0 then
    return {}
  end
  if held.node ~= name then
    if node.alive(held.node) then
      return {}
    end
    node.depart(held.node)
    node.drop(session)
    held.fence = held.fence + 1
    redis.call('HSET', key, 'node', name, 'fence', held.fence)
    if held.open and held.log ~= held.snap then
      redis.call('SADD', P .. 'unabsorbed:' .. name, session)
    end
  end
  node.take(name, session)
  return { held.snapshot or '', tonumber(held.fence), tonumber(held.log), unpack(pending) }
end)

-- session, fence, from version, version, snapshot, has it a call ('1'), its medium ('' without a leg), its assignee,
-- changes (msgpack), then name and bytes of each effect -> { 'ok', log version } | { 'fence' } | { 'conflict', log version } | { 'class', it }
entry('absorb', function(args)
  local session, fence, from, version, snapshot, call, medium, holder, packed = unpack(args, 1, 9)
  local key = journal.session_key(session)
  local held = fields(key, 'fence', 'snap', 'log', 'holder', 'node')
  if held.fence ~= fence then
    return { 'fence' }
  end
  if held.snap == version then -- the reply was lost, and this is the same commit once more
    return { 'ok', tonumber(held.log) }
  end
  if held.snap ~= from or held.log ~= version then
    return { 'conflict', tonumber(held.log) }
  end
  local changes = cmsgpack.unpack(packed)
  local missing = change.missing_class(changes)
  if missing then
    return { 'class', missing }
  end
  redis.call('HSET', key, 'snapshot', snapshot, 'snap', version, 'call', call)
  redis.call('SREM', P .. 'unabsorbed:' .. held.node, session)
  if #args > 9 then
    redis.call('HSET', pending_key(session), unpack(args, 10))
  end
  change.apply(session, changes)
  if medium ~= '' and held.holder and held.holder == holder then
    charge.weigh(holder, session, medium)
  end
  line.settle(session)
  settle_held(session)
  return { 'ok', tonumber(redis.call('HGET', key, 'log')) }
end)

-- session, fence, names… -> { 'ok' } | { 'fence' }
entry('performed', function(args)
  local session, fence = args[1], args[2]
  local held = fields(journal.session_key(session), 'fence')
  if not held.fence then
    return { 'ok' }
  end
  if held.fence ~= fence then
    return { 'fence' }
  end
  redis.call('HDEL', pending_key(session), unpack(args, 3))
  settle_held(session)
  return { 'ok' }
end)
