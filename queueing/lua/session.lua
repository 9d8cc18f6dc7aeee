-- Sessions begin, and what happens to them is written down.

local matter = {}

local DONE = '#' -- between the parts of what is remembered of a word

function matter.written(id, version, fresh)
  return id .. DONE .. version .. DONE .. fresh
end

-- The citizen's coming or going: until it is absorbed no offer of theirs is made or accepted (law 10).
function matter.vital(id, version, kind)
  if kind ~= '' then
    redis.call('HSET', journal.session_key(id), 'vital', version, 'vital_kind', kind)
    line.settle(id)
  end
end

-- The citizen's newest open session that this contact belongs to, whatever address of theirs it was begun by. Two
-- calls at once are two people; whether the other call has just ended is not known before that is absorbed (second
-- value).
local function open_session(addresses, is_call)
  local newest, began
  local unsettled = false
  for _, address in ipairs(addresses) do
    local theirs = redis.call('ZREVRANGE', P .. 'citizen:' .. address, 0, 7, 'WITHSCORES')
    for i = 1, #theirs, 2 do
      local id, since = theirs[i], tonumber(theirs[i + 1])
      local held = fields(journal.session_key(id), 'open', 'call', 'vital', 'vital_kind', 'snap')
      local is_another = is_call == '1' and held.call == '1'
      if held.open and is_another and held.vital_kind == 'gone' and tonumber(held.vital) > tonumber(held.snap) then
        unsettled = true
      end
      if held.open and not is_another then
        if not newest or since > began or (since == began and id > newest) then
          newest, began = id, since
        end
        break
      end
    end
  end
  return newest, unsettled
end

-- What a word became that any address of the citizen's has brought (law 8), or false.
local function known_of(addresses, word)
  for _, address in ipairs(addresses) do
    local known = journal.known(address, word)
    if known then
      return known
    end
  end
  return false
end

function matter.index(id)
  local held = fields(journal.session_key(id), 'citizen', 'began')
  redis.call('ZADD', P .. 'citizen:' .. held.citizen, held.began, id)
end

-- A session that was not there; who has it from the start holds its first token.
local function begin(id, name, citizen, at, token)
  redis.call('HSET', journal.session_key(id), 'open', 1, 'log', 0, 'snap', 0, 'vital', 0, 'fence', 1, 'token', token,
    'node', name, 'citizen', citizen, 'began', at)
  node.take(name, id)
  matter.index(id)
end

function matter.unindex(id)
  local citizen = redis.call('HGET', journal.session_key(id), 'citizen')
  redis.call('ZREM', P .. 'citizen:' .. citizen, id)
end

-- id, node, citizen, contact's word, first word's word, opened, leg, is it a call, first event, at ('' for now), does
-- the network vouch for the address ('1': only then is it taken for one of its citizen's others), insist ('1'), the
-- thread that is the leg's from now on ('' for none), what it is taken for, its ttl, the leg's id, notes…
-- -> { "id#version#fresh" } | { 'moved', what it is } | { 'unsettled' }, unless insisted upon
entry('open', function(args)
  local id, name, citizen, contact, word, opened, leg, is_call, first, at, vouched, insist = unpack(args, 1, 12)
  local thread, held, ttl, leg_id = unpack(args, 13, 16)
  local known = journal.known(citizen, contact)
  if known then
    return { known }
  end
  at = at == '' and NOW or math.min(tonumber(at), NOW)
  local addresses = vouched == '1' and kin.of(citizen) or { citizen }
  local found, unsettled = open_session(addresses, is_call)
  if unsettled and insist ~= '1' then
    return { 'unsettled' }
  end
  local fresh = not found
  local again = fresh and first ~= '' and known_of(addresses, word)
  if again then
    return { again } -- a word that comes again, after the session that it was in has closed, begins nothing
  end
  local moved = shared.moved(thread, held)
  if moved then
    return { 'moved', moved }
  end
  if fresh then
    begin(id, name, citizen, at, 0)
  else
    id = found
  end
  local session = journal.held(id, 'citizen')
  if fresh then
    journal.write(id, opened, at, session)
  end
  if is_call == '1' then
    redis.call('HSET', journal.session_key(id), 'call', 1)
  end
  local version = journal.write(id, leg, at, session)
  matter.vital(id, version, 'came')
  local outcome = matter.written(id, version, fresh and 1 or 0)
  journal.remember(citizen, contact, outcome)
  if first ~= '' and not known_of(addresses, word) then
    version = journal.write(id, first, at, session)
    local said = matter.written(id, version, 0)
    journal.remember(citizen, word, said)
    if session.citizen ~= citizen then -- what comes again comes by `append`, which asks whose the session is
      journal.remember(session.citizen, word, said)
    end
  end
  if thread ~= '' then
    shared.keep(thread, leg_id .. '\n' .. id, ttl)
  end
  shared.note(args, 17)
  return { outcome }
end)

-- id, node, citizen, contact's word, opened, begun, who has it, their token
-- -> { 'begun', "id#version#fresh" } | { why they cannot }
entry('begin', function(args)
  local id, name, citizen, contact, opened, begun, who, token = unpack(args)
  local known = journal.known(citizen, contact)
  if known then
    return { 'begun', known }
  end
  local a = fields(assignee.key(who), 'profile', 'kind', 'reach', 'cap:voice', 'has:voice')
  if not a.profile then
    return { 'unknown_agent' }
  elseif not assignee.reaches(a, 'voice') then
    return { 'no_phone' }
  elseif not assignee.has_room(a, 'voice') then
    return { 'no_slot' }
  end
  begin(id, name, citizen, NOW, token)
  redis.call('HSET', journal.session_key(id), 'holder', who)
  journal.write(id, opened, NOW)
  local outcome = matter.written(id, journal.write(id, begun, NOW), 1)
  charge.put(who, id, 'voice', 'engaged')
  journal.remember(citizen, contact, outcome)
  return { 'begun', outcome }
end)

-- id, word, event, vital kind ('came', 'gone' or ''), may it be late ('1'), the thread that it is for ('' for none),
-- what that is taken for, notes…
-- -> { 'gone' } | { 'moved', what it is } | { "id#version#0" }; what is written to a session that goes on in another one is the other one's
entry('append', function(args)
  local id, word, event, kind, late, thread, taken_for = unpack(args, 1, 7)
  local held = journal.held(id, 'citizen', 'into')
  if not held.citizen then
    return { 'gone' }
  end
  local known = journal.known(held.citizen, word)
  if known then
    return { known }
  end
  if held.into then
    id = held.into
    held = journal.held(id, 'citizen')
    known = held.citizen and journal.known(held.citizen, word)
    if known then
      return { known }
    elseif not held.citizen then
      return { 'gone' }
    end
  end
  if not held.open and late ~= '1' then
    return { 'gone' }
  end
  local moved = shared.moved(thread, taken_for)
  if moved then
    return { 'moved', moved }
  end
  local version = journal.write(id, event, NOW, held)
  if held.open then
    matter.vital(id, version, kind)
  end
  local outcome = matter.written(id, version, 0)
  journal.remember(held.citizen, word, outcome)
  shared.note(args, 8)
  return { outcome }
end)

-- kept, its version, other, its version, kept's event, other's event -> 1, or 0 where one has moved on, or is over, or
-- is joined already
entry('join', function(args)
  local kept, kept_version, other, other_version, kept_event, other_event = unpack(args)
  local k = fields(journal.session_key(kept), 'open', 'log', 'into')
  local o = fields(journal.session_key(other), 'open', 'log', 'into')
  if kept == other or not k.open or not o.open or k.into or o.into or k.log ~= kept_version or o.log ~= other_version then
    return 0
  end
  journal.write(kept, kept_event, NOW)
  local version = journal.write(other, other_event, NOW)
  matter.vital(other, version, 'gone')
  redis.call('HSET', journal.session_key(other), 'into', kept)
  return 1
end)

-- kept, its version, other, kept's event, other's event -> 1, or 0 where they are not joined, or one has moved on
entry('split', function(args)
  local kept, kept_version, other, kept_event, other_event = unpack(args)
  local k = fields(journal.session_key(kept), 'open', 'log')
  local o = fields(journal.session_key(other), 'open', 'into')
  if not k.open or not o.open or o.into ~= kept or k.log ~= kept_version then
    return 0
  end
  redis.call('HDEL', journal.session_key(other), 'into')
  journal.write(kept, kept_event, NOW)
  journal.write(other, other_event, NOW)
  return 1
end)

-- cursor, limit -> how many events the feed has no more. What is safe elsewhere stays a while all the same: whoever reads
-- the feed and is behind would never hear of it.
entry('trim', function(args)
  local found = redis.call('XRANGE', P .. 'feed', '-', args[1], 'COUNT', bounded(args[2]))
  local old = 0
  for i, one in ipairs(found) do
    local values = one[2]
    for v = 1, #values, 2 do
      if values[v] == 'at' and tonumber(values[v + 1]) <= NOW - SETTINGS.feed then
        old = i
      end
    end
    if old < i then
      break
    end
  end
  if old > 0 then
    local ms, seq = string.match(found[old][1], '^(%d+)-(%d+)$')
    redis.call('XTRIM', P .. 'feed', 'MINID', ms .. '-' .. string.format('%d', tonumber(seq) + 1))
  end
  return old
end)

-- cursor (ms-seq), limit -> how many sessions were forgotten: closed for long, and safe elsewhere up to the cursor.
entry('forget', function(args)
  local upto_ms, upto_seq = string.match(args[1], '^(%d+)-(%d+)$')
  upto_ms, upto_seq = tonumber(upto_ms), tonumber(upto_seq)
  local forgotten = 0
  local old = redis.call('ZRANGEBYSCORE', P .. 'closed', '-inf', NOW - SETTINGS.forget, 'LIMIT', 0, bounded(args[2]))
  for _, id in ipairs(old) do
    local key = journal.session_key(id)
    local ms, seq = string.match(redis.call('HGET', key, 'cursor'), '^(%d+)-(%d+)$')
    ms, seq = tonumber(ms), tonumber(seq)
    if ms < upto_ms or (ms == upto_ms and seq <= upto_seq) then
      node.drop(id)
      redis.call('ZREM', P .. 'closed', id)
      redis.call('UNLINK', key, P .. 'log:' .. id, P .. 'effects:' .. id, P .. 'timers_of:' .. id)
      forgotten = forgotten + 1
    end
  end
  return forgotten
end)
