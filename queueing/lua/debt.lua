-- Calls that are owed to citizens: until when, one a number, and what became of the promises so far.

local debt = {}

local function owed_key()
  return P .. 'debts'
end

-- A number that is owed a call by another session already is owed no second one.
function debt.owe(session, due)
  local citizen = redis.call('HGET', journal.session_key(session), 'citizen')
  local other = redis.call('HGET', P .. 'debtors', citizen)
  if other and other ~= session then
    journal.decide(session, 'debt.merged', { into = other })
    return
  end
  redis.call('HSET', P .. 'debtors', citizen, session)
  redis.call('ZADD', owed_key(), due, session)
end

-- `last` is a `DebtEnd`; a promise is kept by speaking with them, or by their own return, before its time.
function debt.settle(session, last)
  local due = redis.call('ZSCORE', owed_key(), session)
  if not due then
    return -- it was merged
  end
  redis.call('ZREM', owed_key(), session)
  redis.call('HDEL', P .. 'debtors', redis.call('HGET', journal.session_key(session), 'citizen'))
  if last ~= 'unreached' and NOW > tonumber(due) then
    last = 'late'
  end
  redis.call('HINCRBY', P .. 'promises', last, 1)
end

-- -> { owed, of which overdue, seconds left of the first in ms or '', kept, returned, late, unreached }
entry('debts', function()
  local first = redis.call('ZRANGE', owed_key(), 0, 0, 'WITHSCORES')
  local ends = fields(P .. 'promises', 'kept', 'returned', 'late', 'unreached')
  return {
    redis.call('ZCARD', owed_key()),
    redis.call('ZCOUNT', owed_key(), '-inf', '(' .. NOW),
    first[2] or '',
    tonumber(ends.kept or 0),
    tonumber(ends.returned or 0),
    tonumber(ends.late or 0),
    tonumber(ends.unreached or 0),
  }
end)
