-- Assignees: what each can take now. `refresh` is the only hand that moves them in and out of the classes' ready sets,
-- so those always agree with the assignee's own state.

local assignee = {}

function assignee.key(who)
  return P .. 'assignee:' .. who
end

function assignee.enlisted(who)
  return redis.call('HEXISTS', assignee.key(who), 'profile') == 1
end

local FACTS = { 'profile', 'kind', 'presence', 'silent', 'paused', 'reach', 'queues', 'routing', 'idle', 'rank', 'offered',
  'engaged', 'wrapping', 'cap:voice', 'cap:chat', 'cap:message', 'has:voice', 'has:chat', 'has:message', 'why:voice',
  'why:chat', 'why:message' }

function assignee.reaches(a, medium)
  return a.kind == 'bot' or string.find(a.reach or '', medium, 1, true) ~= nil
end

local function count(a, name)
  return tonumber(a[name] or 0)
end

-- `policy.has_room`
function assignee.has_room(a, medium)
  if a.kind == 'agent' and count(a, 'has:voice') > 0 then
    return false
  end
  return count(a, 'has:' .. medium) < count(a, 'cap:' .. medium)
end

-- `policy.exclusion`; 'ready' where there is none.
local function standing(a, medium)
  if a.presence ~= 'ready' then
    return 'off'
  elseif a.silent then
    return 'not_responding'
  elseif not assignee.reaches(a, medium) then
    return 'unreachable'
  elseif a.paused then
    return 'paused'
  elseif not assignee.has_room(a, medium) then
    return 'busy'
  end
  return 'ready'
end

-- `policy.routing`
local function routing(a)
  if count(a, 'engaged') > 0 then
    return 'engaged'
  elseif count(a, 'wrapping') > 0 then
    return 'wrapping'
  elseif count(a, 'offered') > 0 then
    return 'offered'
  elseif a.kind == 'agent' and (a.reach or '') == '' then
    return 'unreachable'
  elseif a.silent then
    return 'not_responding'
  elseif a.presence ~= 'ready' then
    return 'off'
  end
  return 'ready'
end

-- Put an assignee in its place in one class, whose explanation counts everybody by their standing.
local function place(who, class, before, after, key)
  if before ~= after then
    if before then
      redis.call('HINCRBY', P .. 'tally:' .. class, before, -1)
    end
    if after then
      redis.call('HINCRBY', P .. 'tally:' .. class, after, 1)
    end
  end
  if after == 'ready' then
    redis.call('ZADD', P .. 'ready:' .. class, key, who)
  elseif before == 'ready' then
    redis.call('ZREM', P .. 'ready:' .. class, who)
  end
  line.touch(class)
end

local function ready_in_queues(a, change)
  if change ~= 0 then
    for queue in string.gmatch(a.queues, '[^\n]+') do
      redis.call('HINCRBY', P .. 'ready_count', queue, change)
    end
  end
end

local IDLE_AGAIN = { off = true, unreachable = true, not_responding = true }

function assignee.refresh(who)
  local key = assignee.key(who)
  local a = fields(key, unpack(FACTS))
  if not a.profile then
    return
  end
  local now_routing = routing(a)
  if now_routing ~= a.routing then
    redis.call('HSET', key, 'routing', now_routing, 'since', NOW)
    if now_routing == 'ready' and IDLE_AGAIN[a.routing] then
      a.idle = NOW
      redis.call('HSET', key, 'idle', NOW)
    end
  end
  -- `policy.assignee_key`, but for the bonus, which is each class's own
  local load = count(a, 'has:voice') + count(a, 'has:chat') + count(a, 'has:message')
  local rank = count(a, 'idle') + load * SETTINGS.load
  local moved = rank ~= tonumber(a.rank or -1)
  local was_ready, is_ready = 0, 0
  local changes = { 'rank', rank }
  for _, medium in ipairs(MEDIA) do
    local before, after = a['why:' .. medium], standing(a, medium)
    was_ready = before == 'ready' and 1 or was_ready
    is_ready = after == 'ready' and 1 or is_ready
    if before ~= after or (after == 'ready' and moved) then
      local classes = redis.call('HGETALL', P .. 'classes_of:' .. who .. ':' .. medium)
      for i = 1, #classes, 2 do
        place(who, classes[i], before, after, rank - classes[i + 1])
      end
      changes[#changes + 1] = 'why:' .. medium
      changes[#changes + 1] = after
    end
  end
  redis.call('HSET', key, unpack(changes))
  ready_in_queues(a, is_ready - was_ready)
end

-- Add an assignee to a class, with its bonus there.
function assignee.join_class(who, class, medium, bonus)
  local a = fields(assignee.key(who), 'why:' .. medium, 'rank')
  redis.call('HSET', P .. 'classes_of:' .. who .. ':' .. medium, class, bonus)
  local standing_now = a['why:' .. medium]
  if standing_now then
    place(who, class, nil, standing_now, tonumber(a.rank) - bonus)
  end
end

-- Take an assignee out of all classes and counts.
function assignee.leave_classes(who)
  local key = assignee.key(who)
  local a = fields(key, unpack(FACTS))
  local was_ready = 0
  for _, medium in ipairs(MEDIA) do
    local of_medium = P .. 'classes_of:' .. who .. ':' .. medium
    local before = a['why:' .. medium]
    was_ready = before == 'ready' and 1 or was_ready
    for _, class in ipairs(redis.call('HKEYS', of_medium)) do
      place(who, class, before, nil)
    end
    redis.call('DEL', of_medium)
    redis.call('HDEL', key, 'why:' .. medium)
  end
  if a.queues then
    ready_in_queues(a, -was_ready)
    for queue in string.gmatch(a.queues, '[^\n]+') do
      redis.call('HINCRBY', P .. 'members', queue, -1)
    end
  end
end
