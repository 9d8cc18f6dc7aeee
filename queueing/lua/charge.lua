-- What a session costs an assignee: one charge, of its heaviest medium, from the offer to the end of wrap-up (law 4).

local charge = {}

local function key_of(who)
  return P .. 'charges:' .. who
end

local function read(who, session)
  local held = redis.call('HGET', key_of(who), session)
  if held then
    return string.match(held, '^(%a+):(%a+)$')
  end
end

local function add(who, medium, state, change)
  redis.call('HINCRBY', assignee.key(who), 'has:' .. medium, change)
  redis.call('HINCRBY', assignee.key(who), state, change)
end

function charge.put(who, session, medium, state)
  local old_medium, old_state = read(who, session)
  if old_medium then
    add(who, old_medium, old_state, -1)
  end
  redis.call('HSET', key_of(who), session, medium .. ':' .. state)
  add(who, medium, state, 1)
  assignee.refresh(who)
end

-- Charge who came to a session without an offer, where there is room for it.
function charge.take(who, session, medium)
  if assignee.enlisted(who) and assignee.has_room(fields(assignee.key(who), 'kind', 'cap:' .. medium, 'has:' .. medium, 'has:voice'), medium) then
    charge.put(who, session, medium, 'engaged')
  end
end

-- Go on to another state; a session that is not charged stays so.
function charge.move(who, session, state)
  local medium = read(who, session)
  if medium then
    charge.put(who, session, medium, state)
  end
end

function charge.drop(who, session)
  local medium, state = read(who, session)
  if not medium then
    return
  end
  redis.call('HDEL', key_of(who), session)
  add(who, medium, state, -1)
  if assignee.enlisted(who) then
    if state ~= 'offered' then -- an offer that came to nothing is no work
      redis.call('HSET', assignee.key(who), 'idle', NOW)
    end
    assignee.refresh(who)
  elseif redis.call('EXISTS', key_of(who)) == 0 then
    redis.call('DEL', assignee.key(who))
  end
end

-- The session's heaviest medium has changed while somebody has it: charge that, where there is room for it. Whether it
-- is charged for that now.
function charge.weigh(who, session, medium)
  local old_medium, state = read(who, session)
  if not old_medium or old_medium == medium or state == 'offered' then
    return old_medium == medium
  end
  local a = fields(assignee.key(who), 'kind', 'cap:' .. medium, 'has:' .. medium, 'has:voice')
  if old_medium == 'voice' then
    a['has:voice'] = a['has:voice'] - 1
  end
  if not assignee.has_room(a, medium) then
    return false
  end
  charge.put(who, session, medium, state)
  return true
end
