-- Waiting sessions. Three orders of them: by queue for the place in line, by queue for the longest wait, and by class
-- of demand for the next offer. A session that is offered keeps its place in the first two (a decline costs it
-- nothing) and stands in the third only while it may be offered.

local line = {}

-- `policy.line_key`
function line.key(since, priority)
  return since - 1000 * priority
end

-- Whether a class has both sides; the classes that have are ordered by their first session, so that a free assignee
-- always goes to the session that comes first of all that they can serve.
function line.touch(class)
  local first = redis.call('ZRANGE', P .. 'waiting:' .. class, 0, 0, 'WITHSCORES')
  if first[1] and redis.call('EXISTS', P .. 'ready:' .. class) == 1 then
    if redis.call('ZADD', P .. 'matchable', first[2], class) == 1 then
      journal.wake()
    end
  else
    redis.call('ZREM', P .. 'matchable', class)
  end
end

-- Let a session be offered, or not: it must wait, be under no offer, not paused while its citizen is gone for a moment,
-- and the citizen's last coming or going must be absorbed (law 10).
function line.settle(session)
  local s = fields(journal.session_key(session), 'class', 'key', 'offer', 'vital', 'snap', 'paused')
  if not s.class then
    return
  end
  local waiting = P .. 'waiting:' .. s.class
  if not s.offer and not s.paused and tonumber(s.vital) <= tonumber(s.snap) then
    redis.call('ZADD', waiting, s.key, session)
  else
    redis.call('ZREM', waiting, session)
  end
  line.touch(s.class)
end

function line.leave(session)
  local key = journal.session_key(session)
  local s = fields(key, 'class', 'queue')
  if not s.class then
    return
  end
  redis.call('ZREM', P .. 'waiting:' .. s.class, session)
  redis.call('ZREM', P .. 'line:' .. s.queue, session)
  redis.call('ZREM', P .. 'since:' .. s.queue, session)
  redis.call('HDEL', key, 'class', 'queue', 'medium', 'key', 'prefer', 'paused')
  line.touch(s.class)
end

-- `want`: class, queue, medium, waiting_since (nil for now), accrued, priority, prefer.
function line.join(session, want)
  line.leave(session)
  local since = math.min(tonumber(want.waiting_since) or NOW, NOW) - want.accrued
  local key = line.key(since, want.priority)
  redis.call('HSET', journal.session_key(session), 'class', want.class, 'queue', want.queue, 'medium', want.medium,
    'key', key, 'prefer', want.prefer)
  redis.call('SADD', P .. 'queues', want.queue)
  if redis.call('EXISTS', P .. 'line:' .. want.queue) == 0 then
    redis.call('HSET', P .. 'service:' .. want.queue, 'began', NOW)
  end
  redis.call('ZADD', P .. 'line:' .. want.queue, key, session)
  redis.call('ZADD', P .. 'since:' .. want.queue, since, session)
  line.settle(session)
end

-- One has been served: measure the pause since the one before, or since the line began (`policy.Service`).
function line.served(session)
  local queue = redis.call('HGET', journal.session_key(session), 'queue')
  local key = P .. 'service:' .. queue
  local s = fields(key, 'departures', 'pause', 'last', 'began')
  local pause = NOW - math.max(tonumber(s.last or 0), tonumber(s.began or 0))
  local departures = tonumber(s.departures or 0) + 1
  local mean = tonumber(s.pause or 0)
  mean = mean + math.max(1 / departures, SETTINGS.rate_alpha) * (pause - mean)
  redis.call('HSET', key, 'departures', departures, 'pause', string.format('%.6f', mean), 'last', NOW)
  line.leave(session)
end
