-- Make the offers that can be made, and reap what is over its time. Any node may; nobody is needed.

local function match(limit)
  local made = 0
  for _ = 1, limit do
    local class = redis.call('ZRANGE', P .. 'matchable', 0, 0)[1]
    if not class then
      return made
    end
    if offer.make(class) then
      made = made + 1
    else
      line.touch(class) -- one side is empty after all: one wrong entry must not stop all offers
    end
  end
  return made
end

-- limit -> how many offers were made
entry('match', function(args)
  return match(bounded(args[1]))
end)

local function due(what, limit)
  return redis.call('ZRANGEBYSCORE', P .. what, '-inf', NOW, 'LIMIT', 0, limit)
end

-- limit -> { offers expired, timers fired, devices lost, offers made }
entry('sweep', function(args)
  local limit = bounded(args[1])
  local leases = due('leases', limit)
  for _, session in ipairs(leases) do
    offer.expire(session)
  end
  local timers = due('timers', limit)
  for _, member in ipairs(timers) do
    local session, name = change.parse_timer(member)
    change.clear_timer(session, name)
    local version = journal.decide(session, 'timer.fired', { name = name })
    matter.vital(session, version, 'came') -- it may be the citizen's grace that has run out
  end
  local devices = due('devices', limit)
  for _, member in ipairs(devices) do
    roster.lose_device(roster.parse_device(member))
  end
  for _, who in ipairs(due('pauses', limit)) do
    redis.call('ZREM', P .. 'pauses', who)
    redis.call('HDEL', assignee.key(who), 'paused')
    assignee.refresh(who)
  end
  node.forget()
  return { #leases, #timers, #devices, match(limit) }
end)
