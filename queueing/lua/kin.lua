-- Which addresses are one citizen's, as the log of identity says: here only so that a contact finds the open session of
-- its citizen whatever address that was begun by. Addresses are blinded names.

local kin = {}

-- All addresses of whoever this one is; itself first.
function kin.of(citizen)
  local all = { citizen }
  for other in string.gmatch(redis.call('GET', P .. 'kin:' .. citizen) or '', '%S+') do
    if other ~= citizen then
      all[#all + 1] = other
    end
  end
  return all
end

-- -> how far the log of identity has been taken in
entry('kin_known', function()
  return tonumber(redis.call('GET', P .. 'kin_known') or 0)
end)

-- since, upto, persons (msgpack: lists of addresses) -> 1, or 0 where another has moved on from `since`
entry('relate', function(args)
  local since, upto, persons = args[1], args[2], cmsgpack.unpack(args[3])
  if (redis.call('GET', P .. 'kin_known') or '0') ~= since then
    return 0
  end
  for _, addresses in ipairs(persons) do
    local together = table.concat(addresses, ' ')
    for _, address in ipairs(addresses) do
      if #addresses > 1 then
        redis.call('SET', P .. 'kin:' .. address, together)
      else
        redis.call('DEL', P .. 'kin:' .. address)
      end
    end
  end
  redis.call('SET', P .. 'kin_known', upto)
  return 1
end)
