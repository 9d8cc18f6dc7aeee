-- What may be asked about the line.

-- session -> {} where it does not wait, or { position from 1, waiting, departures, mean pause in ms }
entry('place', function(args)
  local queue = redis.call('HGET', journal.session_key(args[1]), 'queue')
  if not queue then
    return {}
  end
  local service = fields(P .. 'service:' .. queue, 'departures', 'pause')
  return {
    redis.call('ZRANK', P .. 'line:' .. queue, args[1]) + 1,
    redis.call('ZCARD', P .. 'line:' .. queue),
    tonumber(service.departures or 0),
    service.pause or '0',
  }
end)

-- queue -> { waiting, longest wait in ms, ready }
entry('queue', function(args)
  local queue = args[1]
  local longest = redis.call('ZRANGE', P .. 'since:' .. queue, 0, 0, 'WITHSCORES')
  return {
    redis.call('ZCARD', P .. 'line:' .. queue),
    longest[2] and NOW - longest[2] or 0,
    tonumber(redis.call('HGET', P .. 'ready_count', queue) or 0),
  }
end)
