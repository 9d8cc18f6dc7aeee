-- An offer: a session before one assignee, under a lease and a token that rises and is never used again (law 2).
-- pending -> accepted | declined | expired | rescinded | cancelled. The session keeps the outcome of the last one.

local offer = {}

local function declined_by(packed)
  return packed and cmsgpack.unpack(packed) or {}
end

-- The ready assignees of a class in their order: enough to hold one who has not declined, if there is one.
local function candidates(class, declined)
  local found = redis.call('ZRANGE', P .. 'ready:' .. class, 0, #declined + SETTINGS.best_shown - 1, 'WITHSCORES')
  local ready = {}
  for i = 1, #found, 2 do
    ready[#ready + 1] = { found[i], tonumber(found[i + 1]) }
  end
  return ready
end

-- `policy.choose`
local function choose(class, ready, prefer, refused)
  if prefer ~= '' and not refused[prefer] then
    local key = redis.call('ZSCORE', P .. 'ready:' .. class, prefer)
    if key then
      return { prefer, tonumber(key) }
    end
  end
  for _, one in ipairs(ready) do
    if not refused[one[1]] then
      return one
    end
  end
  return ready[1]
end

-- `policy.why`
local function explain(class, queue, winner, ready, declined)
  local best = {}
  for i = 1, math.min(#ready, SETTINGS.best_shown) do
    best[i] = { ready[i][1], (NOW - ready[i][2]) / 1000 }
  end
  local excluded, able = {}, 0
  local tally = redis.call('HGETALL', P .. 'tally:' .. class)
  for i = 1, #tally, 2 do
    local many = tonumber(tally[i + 1])
    able = able + many
    if tally[i] ~= 'ready' and many > 0 then
      excluded[tally[i]] = many
    end
  end
  local unskilled = tonumber(redis.call('HGET', P .. 'members', queue) or 0) - able
  if unskilled > 0 then
    excluded.unskilled = unskilled
  end
  local refused = 0
  for _, who in ipairs(declined) do
    if redis.call('ZSCORE', P .. 'ready:' .. class, who) then
      refused = refused + 1
    end
  end
  if refused > 0 then
    excluded.declined = refused
  end
  return { winner = winner[1], score = (NOW - winner[2]) / 1000, best = best, excluded = next(excluded) and excluded or nil }
end

-- Offer the first session of a class to a ready assignee; false where one of them is missing.
function offer.make(class)
  local session = redis.call('ZRANGE', P .. 'waiting:' .. class, 0, 0)[1]
  if not session then
    return false
  end
  local key = journal.session_key(session)
  local s = fields(key, 'queue', 'medium', 'prefer', 'declined')
  local declined, refused = declined_by(s.declined), {}
  for _, who in ipairs(declined) do
    refused[who] = true
  end
  local ready = candidates(class, declined)
  local winner = choose(class, ready, s.prefer, refused)
  if not winner then
    return false
  end
  local why = explain(class, s.queue, winner, ready, declined)
  local who, lease = winner[1], NOW + SETTINGS.lease
  local kind = redis.call('HGET', assignee.key(who), 'kind')
  local token = redis.call('HINCRBY', key, 'token', 1)
  redis.call('HSET', key, 'offer', who, 'lease', lease, 'outcome', 'pending')
  redis.call('ZADD', P .. 'leases', lease, session)
  redis.call('SADD', P .. 'offers:' .. who, session)
  line.settle(session)
  charge.put(who, session, s.medium, 'offered')
  journal.decide(session, 'offer.made', {
    token = token, assignee = who, kind = kind, medium = s.medium, lease_until = lease / 1000, why = why,
  })
  return true
end

local function close(session, outcome)
  local key = journal.session_key(session)
  local s = fields(key, 'offer', 'token')
  redis.call('HDEL', key, 'offer', 'lease')
  redis.call('HSET', key, 'outcome', outcome)
  redis.call('ZREM', P .. 'leases', session)
  redis.call('SREM', P .. 'offers:' .. s.offer, session)
  return s.offer, tonumber(s.token)
end

function offer.accept(session)
  local who, token = close(session, 'accepted')
  local key = journal.session_key(session)
  redis.call('HSET', key, 'holder', who)
  redis.call('HDEL', key, 'declined')
  line.served(session)
  charge.move(who, session, 'engaged')
  local kind = redis.call('HGET', assignee.key(who), 'kind')
  journal.decide(session, 'offer.accepted', { token = token, assignee = who, kind = kind })
end

-- Not taken: back in line at the old place, since its key was never touched (law 5).
local function take_back(session, outcome, reason)
  local who, token = close(session, outcome)
  charge.drop(who, session)
  journal.decide(session, 'offer.' .. outcome, { token = token, assignee = who, reason = reason })
  line.settle(session)
  return who
end

-- Whoever refused a session is not asked again while another is free (law 13).
function offer.refused(session, who)
  local key = journal.session_key(session)
  local declined = {}
  for _, other in ipairs(declined_by(redis.call('HGET', key, 'declined'))) do
    if other ~= who then
      declined[#declined + 1] = other
    end
  end
  declined[#declined + 1] = who
  if #declined > SETTINGS.declined_kept then
    table.remove(declined, 1)
  end
  redis.call('HSET', key, 'declined', cmsgpack.pack(declined))
end

function offer.decline(session, reason)
  local key = journal.session_key(session)
  local who = redis.call('HGET', key, 'offer')
  offer.refused(session, who)
  redis.call('HSET', key, 'decliner', who)
  redis.call('HSET', assignee.key(who), 'paused', 1)
  redis.call('ZADD', P .. 'pauses', NOW + SETTINGS.pause, who)
  take_back(session, 'declined', reason)
end

-- Nobody answered: who let it ring is asked nothing until they act themselves.
function offer.expire(session)
  local who = redis.call('HGET', journal.session_key(session), 'offer')
  redis.call('HSET', assignee.key(who), 'silent', 1)
  take_back(session, 'expired')
end

function offer.rescind(session, reason)
  take_back(session, 'rescinded', reason)
end

-- The citizen is gone, or wants another line (law 10); the caller says where the session goes next.
function offer.cancel(session)
  if redis.call('HEXISTS', journal.session_key(session), 'offer') == 1 then
    take_back(session, 'cancelled')
  end
end
