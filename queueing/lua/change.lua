-- What a mailbox asks of the queue, committed in the script that absorbs the events which caused it.

local change = {}

local BETWEEN = '\n' -- in a timer's name: session, then name; ids have no line breaks

function change.clear_timer(session, name)
  redis.call('SREM', P .. 'timers_of:' .. session, name)
  redis.call('ZREM', P .. 'timers', session .. BETWEEN .. name)
end

function change.parse_timer(member)
  return string.match(member, '^([^\n]+)\n(.*)$')
end

-- The charge on an assignee who has the session ends, and with it what an accept may be repeated for.
local function release(session, who)
  charge.drop(who, session)
  local key = journal.session_key(session)
  if redis.call('HGET', key, 'holder') == who then
    redis.call('HDEL', key, 'holder')
  end
end

local function finish(session)
  local key = journal.session_key(session)
  offer.cancel(session)
  line.leave(session)
  local holder = redis.call('HGET', key, 'holder')
  if holder then
    release(session, holder)
  end
  for _, name in ipairs(redis.call('SMEMBERS', P .. 'timers_of:' .. session)) do
    change.clear_timer(session, name)
  end
  redis.call('HDEL', key, 'open', 'declined')
  redis.call('ZADD', P .. 'closed', NOW, session)
  matter.unindex(session)
end

local APPLY = {
  enqueue = function(session, want)
    offer.cancel(session)
    if want.refused ~= '' then
      offer.refused(session, want.refused)
    end
    line.join(session, want)
    matter.index(session)
  end,
  withdraw = function(session)
    offer.cancel(session)
    line.leave(session)
  end,
  pause = function(session)
    redis.call('HSET', journal.session_key(session), 'paused', 1)
    offer.cancel(session)
    line.settle(session)
  end,
  resume = function(session)
    redis.call('HDEL', journal.session_key(session), 'paused')
    line.settle(session)
  end,
  wrap = function(session, want)
    charge.move(want.assignee, session, 'wrapping')
  end,
  raise = function(session, want)
    local who, medium = want.assignee, want.medium
    local reach = fields(assignee.key(who), 'kind', 'reach')
    if assignee.reaches(reach, medium) and charge.weigh(who, session, medium) then
      journal.decide(session, 'slot.granted', {
        assignee = who, medium = medium, token = tonumber(redis.call('HGET', journal.session_key(session), 'token')),
        lease_until = (NOW + SETTINGS.lease) / 1000,
      })
    else
      journal.decide(session, 'slot.refused', { assignee = who, medium = medium })
    end
  end,
  owe = function(session, want)
    debt.owe(session, want.due)
  end,
  settle = function(session, want)
    debt.settle(session, want['end'])
  end,
  release = function(session, want)
    release(session, want.assignee)
  end,
  engage = function(session, want)
    charge.take(want.assignee, session, want.medium)
    redis.call('HSET', journal.session_key(session), 'holder', want.assignee)
  end,
  set_timer = function(session, want)
    redis.call('SADD', P .. 'timers_of:' .. session, want.name)
    redis.call('ZADD', P .. 'timers', NOW + want.after, session .. BETWEEN .. want.name)
  end,
  clear_timer = function(session, want)
    change.clear_timer(session, want.name)
  end,
  let_go = function(session)
    matter.unindex(session)
  end,
  finish = finish,
}

-- The first class among the changes that is not open yet, or false; asked before anything is written.
function change.missing_class(changes)
  for _, want in ipairs(changes) do
    if want.class and redis.call('SISMEMBER', P .. 'classes', want.class) == 0 then
      return want.class
    end
  end
  return false
end

function change.apply(session, changes)
  for _, want in ipairs(changes) do
    APPLY[want.kind](session, want)
  end
end
