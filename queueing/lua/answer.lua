-- The assignee's answer to an offer. Accepting succeeds once; the same answer again is told so (law 3).

-- Why this answer is to no pending offer, or false where it is to the pending one.
local function refusal(s, who, token)
  local current = tonumber(s.token or 0)
  if not s.citizen or token > current then
    return 'not_offered'
  elseif not s.open then
    return 'citizen_gone'
  elseif token < current or not s.offer then
    if token == current and s.outcome == 'cancelled' then
      return 'citizen_gone'
    end
    return s.holder and 'taken' or 'expired'
  elseif s.offer ~= who then
    return 'not_offered'
  elseif NOW >= tonumber(s.lease) then
    return 'expired'
  end
  return false
end

local function facts(session)
  return fields(journal.session_key(session), 'citizen', 'open', 'token', 'offer', 'lease', 'outcome', 'holder', 'vital',
    'vital_kind', 'snap', 'decliner')
end

-- session, who, token -> a Verdict, or 'came' | 'gone': the citizen's last act is not absorbed yet, ask again
entry('accept', function(args)
  local session, who, token = args[1], args[2], tonumber(args[3])
  local s = facts(session)
  if s.open and s.holder == who and tonumber(s.token) == token then
    return 'already_yours'
  end
  local refused = refusal(s, who, token)
  if refused then
    return refused
  end
  if tonumber(s.vital) > tonumber(s.snap) then
    return s.vital_kind
  end
  offer.accept(session)
  return 'accepted'
end)

-- session, who, token, reason -> 1, or 0 where that offer is no longer pending
entry('decline', function(args)
  local session, who, token, reason = args[1], args[2], tonumber(args[3]), args[4]
  local s = facts(session)
  if s.outcome == 'declined' and s.decliner == who and tonumber(s.token) == token then
    return 1 -- the reply was lost, and this is the same answer once more
  end
  if refusal(s, who, token) then
    return 0
  end
  offer.decline(session, reason)
  return 1
end)
