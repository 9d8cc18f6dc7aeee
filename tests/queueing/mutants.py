"""Bugs, seeded one at a time: a text of the scripts, or of the way to them, and what is put in its place.

A suite that does not find each of them is no suite. `found_by` names what must find it: the twins' acts, one of the
checks of `faults.py`, or a test of `test_line.py` or `test_log.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    was: str
    now: str
    file: str = "lua"
    """`lua`, or the Python module of `queueing` that the text is in."""
    found_by: str = "acts"

    def into(self, text: str) -> str:
        assert text.count(self.was) == 1, f"{self.name}: its text stands {text.count(self.was)} times in the source"
        return text.replace(self.was, self.now)


MUTANTS = (
    Mutant(
        "a call that dropped is offered",
        "if not s.offer and not s.paused and",
        "if not s.offer and",
        found_by="test_a_call_that_dropped_in_line_is_offered_to_nobody_and_keeps_its_place",
    ),
    Mutant(
        "accept ignores the token",
        "elseif token < current or not s.offer then",
        "elseif not s.offer then",
    ),
    Mutant(
        "accept ignores who was asked",
        "elseif s.offer ~= who then",
        "elseif false then",
    ),
    Mutant(
        "accept ignores the lease",
        "elseif NOW >= tonumber(s.lease) then",
        "elseif false then",
    ),
    Mutant(
        "a second accept is another one",
        "if s.open and s.holder == who and tonumber(s.token) == token then",
        "if false then",
    ),
    Mutant(
        "expiry forgets the agent",
        "redis.call('HSET', assignee.key(who), 'silent', 1)",
        "redis.call('HSET', assignee.key(who), 'silent_', 1)",
    ),
    Mutant(
        "expiry leaves the charge",
        "  charge.drop(who, session)\n  journal.decide(session, 'offer.' .. outcome",
        "  if outcome ~= 'expired' then charge.drop(who, session) end\n  journal.decide(session, 'offer.' .. outcome",
    ),
    Mutant(
        "requeue loses the wait",
        "math.min(tonumber(want.waiting_since) or NOW, NOW) - want.accrued",
        "math.min(tonumber(want.waiting_since) or NOW, NOW)",
    ),
    Mutant(
        "the wait is counted from the commit",
        "math.min(tonumber(want.waiting_since) or NOW, NOW) - want.accrued",
        "NOW - want.accrued",
    ),
    Mutant(
        "a decline stamps the place anew",
        "  redis.call('HSET', key, 'decliner', who)",
        "  redis.call('HSET', key, 'decliner', who, 'key', NOW)"
        " redis.call('ZADD', P .. 'line:' .. redis.call('HGET', key, 'queue'), NOW, session)",
        found_by="test_a_requeued_session_keeps_its_place",
    ),
    Mutant(
        "capacity is charged twice",
        "  if old_medium then\n    add(who, old_medium, old_state, -1)\n  end",
        "",
    ),
    Mutant(
        "a call leaves room for more",
        "  if a.kind == 'agent' and count(a, 'has:voice') > 0 then\n    return false\n  end",
        "",
    ),
    Mutant(
        "a call of one's own is not charged",
        "  charge.put(who, id, 'voice', 'engaged')\n",
        "",
    ),
    Mutant(
        "a call of one's own is begun beside another",
        "  elseif not assignee.has_room(a, 'voice') then\n    return { 'no_slot' }\n",
        "",
    ),
    Mutant(
        "a decline is forgotten",
        "  declined[#declined + 1] = who\n",
        "",
        found_by="test_a_decline_is_remembered_while_another_is_free",
    ),
    Mutant(
        "who declined is not left alone",
        "redis.call('HSET', assignee.key(who), 'paused', 1)",
        "redis.call('HSET', assignee.key(who), 'paused_', 1)",
    ),
    Mutant(
        "who handed a session on is asked for it again",
        "if want.refused ~= '' then",
        "if false then",
        found_by="test_who_handed_a_session_on_is_not_asked_again_while_another_is_free",
    ),
    Mutant(
        "whoever says to be a citizen has their session",
        "vouched == '1' and kin.of(citizen) or { citizen }",
        "kin.of(citizen)",
    ),
    Mutant(
        "a citizen is known by one address only",
        "vouched == '1' and kin.of(citizen) or { citizen }",
        "{ citizen }",
    ),
    Mutant(
        "a word is another one by another address",
        "if first ~= '' and not known_of(addresses, word) then",
        "if first ~= '' and not journal.known(citizen, word) then",
        found_by="test_a_word_that_comes_again_by_another_address_is_one_word",
    ),
    Mutant(
        "a joined session keeps what is written to it",
        "  if held.into then\n    id = held.into",
        "  if false then\n    id = held.into",
        found_by="test_a_session_goes_on_in_another_and_by_itself_again",
    ),
    Mutant(
        "a session that has moved on is joined",
        "or k.log ~= kept_version or o.log ~= other_version then",
        "then",
        found_by="test_sessions_that_have_moved_on_are_not_joined",
    ),
    Mutant(
        "who was overtaken still relates",
        "if (redis.call('GET', P .. 'kin_known') or '0') ~= since then",
        "if false then",
    ),
    Mutant(
        "offers are made over the citizen's unread act",
        "if not s.offer and tonumber(s.vital) <= tonumber(s.snap) then",
        "if not s.offer then",
    ),
    Mutant(
        "accepts pass the citizen's unread act",
        "if tonumber(s.vital) > tonumber(s.snap) then",
        "if false then",
    ),
    Mutant(
        "the citizen is gone, but the offer stays",
        "if redis.call('HEXISTS', journal.session_key(session), 'offer') == 1 then",
        "if false then",
    ),
    Mutant(
        "the fence is not checked",
        "  if held.fence ~= fence then\n    return { 'fence' }\n  end\n  if held.snap == version then",
        "  if held.snap == version then",
    ),
    Mutant(
        "a commit that is behind the log is taken",
        "if held.snap ~= from or held.log ~= version then",
        "if held.snap ~= from then",
    ),
    Mutant(
        "words are not known again",
        "redis.call('SET', P .. 'word:' .. citizen .. ':' .. word, outcome, 'PX', SETTINGS.dedupe)",
        "",
    ),
    Mutant(
        "a closed session takes events",
        "if not held.open and late ~= '1' then",
        "if false then",
    ),
    Mutant(
        "tokens are used again",
        "local token = redis.call('HINCRBY', key, 'token', 1)",
        "local token = redis.call('HINCRBY', key, 'token', 0) + 1",
    ),
    Mutant(
        "timers outlive their session",
        "    change.clear_timer(session, name)\n  end\n  redis.call('HDEL', key, 'open'",
        "  end\n  redis.call('HDEL', key, 'open'",
    ),
    Mutant(
        "a release is forgotten",
        "local function release(session, who)\n  charge.drop(who, session)\n",
        "local function release(session, who)\n",
    ),
    Mutant(
        "a break leaves the offers standing",
        "  if presence ~= 'ready' then\n    rescind(who, presence)\n  end",
        "",
    ),
    Mutant(
        "an assignee who joins is in no class that is open already",
        "  for i = 9, #args, 3 do",
        "  for i = 9, 0 do",
    ),
    Mutant(
        "ages are compared upside down",
        "return since - 1000 * priority",
        "return since + 1000 * priority",
    ),
    Mutant(
        "the newest idle is asked first",
        "local rank = count(a, 'idle') + load",
        "local rank = -count(a, 'idle') + load",
    ),
    Mutant(
        "a sweep is without bound",
        "redis.call('ZRANGEBYSCORE', P .. what, '-inf', NOW, 'LIMIT', 0, limit)",
        "redis.call('ZRANGEBYSCORE', P .. what, '-inf', NOW)",
        found_by="sweep_is_bounded",
    ),
    Mutant(
        "the clock is handed in",
        "  return math.floor(ours)",
        "  return 0",
        found_by="the_clock_is_the_stores",
    ),
    Mutant(
        "the clock runs back",
        "  ours = math.max(now, before + PACE * math.max(0, now - (machine or now)))",
        "  ours = now",
        found_by="a_clock_that_is_set_back_stops_nothing",
    ),
    Mutant(
        "the clock stands until it has caught up",
        "local PACE = 0.8",
        "local PACE = 0",
        found_by="a_clock_that_is_set_back_stops_nothing",
    ),
    Mutant(
        "a store that starts anew believes its machine",
        "local before = ours or tonumber(redis.call('GET', P .. 'beaten') or 0)",
        "local before = ours or 0",
        found_by="a_clock_that_is_set_back_stops_nothing",
    ),
    Mutant(
        "state and log are written by two scripts",
        "  charge.move(who, session, 'engaged')\n",
        "  if NOW % 2 == 3 then charge.move(who, session, 'engaged') end\n",
    ),
    Mutant(
        "acknowledged before committed",
        "            return await pipe.send(packed)\n",
        "            reply = pipe.send(packed)\n"
        "            return [b'S1#3#0'] if command[0] == 'FCALL' else await reply\n",
        file="server",
        found_by="nothing_is_acknowledged_that_is_not_there",
    ),
    Mutant(
        "client retries are left on",
        "        packed = hiredis",
        "        if command[0] == 'FCALL':\n"
        "            async with Redis(unix_socket_path=self._patient.connection_kwargs['path']) as client:\n"
        "                return await client.execute_command(*command)\n"
        "        packed = hiredis",
        file="server",
        found_by="nothing_is_run_twice",
    ),
    Mutant(
        "a command is sent again when its reply is lost",
        "        except _Broken as error:\n            raise _unavailable(error) from error\n\n    def _open",
        "        except _Broken as error:\n            return await (await self._open()).send(packed)\n\n    def _open",
        file="server",
        found_by="nothing_is_run_twice",
    ),
)
