-- Who is enlisted, and what they chose. Which classes an assignee serves is reckoned by the caller, in Python, from the
-- classes or the roster at a version; that version is checked here, so that no class and no assignee is missed.

local roster = {}

-- profile's facts: who, kind, profile, queues, voice, chat, message, classes' version, then (medium, class, bonus)…
-- -> { 'ok' } | { 'stale' }
entry('enlist', function(args)
  local who, kind, profile, queues, voice, chat, message, version = unpack(args, 1, 8)
  if (redis.call('GET', P .. 'classes_version') or '0') ~= version then
    return { 'stale' }
  end
  local key = assignee.key(who)
  if assignee.enlisted(who) then
    assignee.leave_classes(who)
  end
  redis.call('HSETNX', key, 'presence', 'off')
  redis.call('HSETNX', key, 'idle', NOW)
  redis.call('HSET', key, 'kind', kind, 'profile', profile, 'queues', queues, 'cap:voice', voice, 'cap:chat', chat,
    'cap:message', message)
  redis.call('SADD', P .. 'roster', who)
  redis.call('INCR', P .. 'roster_version')
  for queue in string.gmatch(queues, '[^\n]+') do
    redis.call('SADD', P .. 'queues', queue)
    redis.call('HINCRBY', P .. 'members', queue, 1)
  end
  for i = 9, #args, 3 do
    redis.call('HSET', P .. 'classes_of:' .. who .. ':' .. args[i], args[i + 1], args[i + 2])
  end
  assignee.refresh(who)
  return { 'ok' }
end)

-- class, medium, roster version, token of this attempt, first chunk ('1'), last chunk ('1'), then (who, bonus)…
-- -> { 'ok' } | { 'open' } already | { 'stale' }: begin again
entry('open_class', function(args)
  local class, medium, version, token, first, last = unpack(args, 1, 6)
  if redis.call('SISMEMBER', P .. 'classes', class) == 1 then
    return { 'open' }
  end
  if (redis.call('GET', P .. 'roster_version') or '0') ~= version then
    return { 'stale' }
  end
  if first == '1' then
    redis.call('HSET', P .. 'opening', class, token)
    redis.call('DEL', P .. 'ready:' .. class, P .. 'tally:' .. class)
  elseif redis.call('HGET', P .. 'opening', class) ~= token then
    return { 'stale' }
  end
  for i = 7, #args, 2 do
    assignee.join_class(args[i], class, medium, tonumber(args[i + 1]))
  end
  if last == '1' then
    redis.call('SADD', P .. 'classes', class)
    redis.call('INCR', P .. 'classes_version')
    redis.call('HDEL', P .. 'opening', class)
  end
  return { 'ok' }
end)

-- Take back what is offered to somebody and `holds` says so; at most as many as one script may.
local function rescind(who, reason, holds)
  for _, session in ipairs(redis.call('SRANDMEMBER', P .. 'offers:' .. who, SETTINGS.most)) do
    local medium = redis.call('HGET', journal.session_key(session), 'medium')
    if not holds or holds(medium) then
      offer.rescind(session, reason)
    end
  end
end

local function seen(who)
  local a = fields(assignee.key(who), 'profile', 'presence', 'reason', 'routing', 'since', 'reach')
  if not a.profile then
    return { 'unknown' }
  end
  return { 'ok', a.profile, a.presence, a.reason or '', a.routing, a.since, a.reach or '',
    unpack(redis.call('HGETALL', P .. 'charges:' .. who)) }
end

-- who -> { 'ok', profile, presence, reason, routing, since, reach, (session, medium:state)… } | { 'unknown' }
entry('view', function(args)
  return seen(args[1])
end)

-- who, presence, reason -> as view
entry('present', function(args)
  local who, presence, reason = args[1], args[2], args[3]
  if not assignee.enlisted(who) then
    return { 'unknown' }
  end
  local key = assignee.key(who)
  redis.call('HSET', key, 'presence', presence, 'reason', reason)
  if presence == 'ready' then
    redis.call('HDEL', key, 'silent')
  end
  assignee.refresh(who)
  if presence ~= 'ready' then
    rescind(who, presence)
  end
  return seen(who)
end)

-- Devices ---------------------------------------------------------------------------------------------------------

local BETWEEN = '\n'

local function devices_key(who)
  return P .. 'devices_of:' .. who
end

-- What they can still be reached by; offers of any other medium are taken back.
local function reached(who)
  local media = {}
  for _, of_one in ipairs(redis.call('HVALS', devices_key(who))) do
    for medium in string.gmatch(of_one, '[^,]+') do
      media[medium] = true
    end
  end
  local held = {}
  for _, medium in ipairs(MEDIA) do
    if media[medium] then
      held[#held + 1] = medium
    end
  end
  redis.call('HSET', assignee.key(who), 'reach', table.concat(held, ','))
  assignee.refresh(who)
  if redis.call('HGET', assignee.key(who), 'kind') == 'agent' then
    rescind(who, 'unreachable', function(medium) return not media[medium] end)
  end
end

function roster.lose_device(who, via)
  redis.call('HDEL', devices_key(who), via)
  redis.call('ZREM', P .. 'devices', who .. BETWEEN .. via)
  if assignee.enlisted(who) then
    reached(who)
  end
end

function roster.parse_device(member)
  return string.match(member, '^([^\n]+)\n(.*)$')
end

-- who, via, media ('' takes the device away), ttl -> as view | { 'full' }
entry('reach', function(args)
  local who, via, media, ttl = unpack(args)
  if not assignee.enlisted(who) then
    return { 'unknown' }
  end
  local key = devices_key(who)
  if media == '' then
    roster.lose_device(who, via)
    return seen(who)
  end
  local before = redis.call('HGET', key, via)
  if not before and redis.call('HLEN', key) >= SETTINGS.devices then
    return { 'full' }
  end
  redis.call('ZADD', P .. 'devices', NOW + ttl, who .. BETWEEN .. via)
  if before ~= media then
    redis.call('HSET', key, via, media)
    reached(who)
  end
  return seen(who)
end)

-- who -> how many offers were left to take back; ask again until 0
entry('discharge', function(args)
  local who = args[1]
  if not assignee.enlisted(who) then
    return 0
  end
  redis.call('HSET', assignee.key(who), 'presence', 'off', 'reason', '')
  assignee.refresh(who)
  rescind(who, 'discharged')
  local left = redis.call('SCARD', P .. 'offers:' .. who)
  if left > 0 then
    return left
  end
  assignee.leave_classes(who)
  for _, via in ipairs(redis.call('HKEYS', devices_key(who))) do
    redis.call('ZREM', P .. 'devices', who .. BETWEEN .. via)
  end
  redis.call('DEL', devices_key(who))
  redis.call('ZREM', P .. 'pauses', who)
  redis.call('SREM', P .. 'roster', who)
  redis.call('INCR', P .. 'roster_version')
  if redis.call('EXISTS', P .. 'charges:' .. who) == 1 then
    redis.call('HDEL', assignee.key(who), 'profile', 'queues', 'routing', 'rank', 'silent', 'paused', 'reach')
  else
    redis.call('DEL', assignee.key(who))
  end
  return 0
end)
