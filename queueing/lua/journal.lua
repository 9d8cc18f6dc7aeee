-- The sessions' logs: the truth. What stands here was decided; versions begin at 1 and have no gap (law 9).

local journal = {}

function journal.session_key(session)
  return P .. 'session:' .. session
end

-- Somebody may want to look. A hint that nobody trusts; '' says that an offer may be made.
function journal.wake(session)
  redis.call('PUBLISH', P .. 'wake', session)
end

-- Append to the session's log and to the feed of all sessions.
function journal.write(session, event, at)
  local key = journal.session_key(session)
  local held = fields(key, 'log', 'node', 'open')
  local version = (held.log or 0) + 1
  redis.call('XADD', P .. 'log:' .. session, version .. '-0', 'e', event, 'at', at)
  local cursor = redis.call('XADD', P .. 'feed', '*', 's', session, 'v', version, 'e', event, 'at', at)
  redis.call('HSET', key, 'log', version, 'cursor', cursor)
  if held.open then
    redis.call('SADD', P .. 'unabsorbed:' .. held.node, session)
  end
  journal.wake(session)
  return version
end

-- Write what the queue itself has decided, in the shape of session.codec.
function journal.decide(session, tag, values)
  return journal.write(session, cmsgpack.pack({ 1, tag, values }), NOW)
end

-- The version that a word of this citizen got before, or false (law 8). `word` is a hash; '' for no word.
function journal.known(citizen, word)
  return word ~= '' and redis.call('GET', P .. 'word:' .. citizen .. ':' .. word)
end

function journal.remember(citizen, word, outcome)
  if word ~= '' then
    redis.call('SET', P .. 'word:' .. citizen .. ':' .. word, outcome, 'PX', SETTINGS.dedupe)
  end
end
