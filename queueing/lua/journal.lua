-- The sessions' logs: the truth. What stands here was decided; versions begin at 1 and have no gap (law 9).

local journal = {}

function journal.session_key(session)
  return P .. 'session:' .. session
end

-- An offer may be made. A hint that nobody trusts; who has grown is told by the feed.
function journal.wake()
  redis.call('PUBLISH', P .. 'wake', '')
end

-- What `write` must know of a session, beside what else its caller asks.
function journal.held(session, ...)
  return fields(journal.session_key(session), 'open', 'log', 'snap', 'node', ...)
end

-- Append to the session's log and to the feed of all sessions. Whoever has asked what is `held` need not ask again.
function journal.write(session, event, at, held)
  held = held or journal.held(session)
  local version = held.log + 1
  redis.call('XADD', P .. 'log:' .. session, version .. '-0', 'e', event, 'at', at)
  local cursor = redis.call('XADD', P .. 'feed', '*', 's', session, 'v', version, 'e', event, 'at', at)
  redis.call('HSET', journal.session_key(session), 'log', version, 'cursor', cursor)
  if held.open and held.log == held.snap then -- else it is among them: it grew before, and was not absorbed since
    redis.call('SADD', P .. 'unabsorbed:' .. held.node, session)
  end
  held.log = version
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
