-- Spends a request of a credential's budget that replicas share. The rules are those of
-- upstream/budget.h, which says what they are for; tests/history/budget_rules_test.cc holds both
-- against each other.
--
-- KEYS: count, callers, places, owners, replicas, reports, blocked. All in one slot of a cluster.
--   count     hash: n, all that count; u<slot>, granted and not known to be over; e<slot>, over;
--             first and first_over, the oldest slots of these that may be there; plan, by bucket
--             what is over and the places, packed; taken, the part of places that is; lend_at
--   callers   hash: what each has spent and asked for, packed; of all together under ""
--   places    sorted set: questions, by the bucket of their place; owners: hash, whose they are
--   replicas  sorted set: who has asked, by when; reports: hash, each one's last report
--   blocked   there while Cloudflare blocks the credential
-- ARGV: see shared_ledger.cc.
-- Gives back: ms to wait (0: granted), "1" if it is for the caller's part, "1" if a place is kept,
-- requests left, replicas, the slot of the grant.

local limit, reserve, hold = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, longest_block = tonumber(ARGV[4]), tonumber(ARGV[5])
local slots_of_window, slots_of_bucket = tonumber(ARGV[6]), tonumber(ARGV[7])
local parts_of_window, most_callers = tonumber(ARGV[8]), tonumber(ARGV[9])
local buckets_to_come, latest = tonumber(ARGV[10]), tonumber(ARGV[11])
local longest_request = tonumber(ARGV[12])
local quiet_least, quiet_most = tonumber(ARGV[13]), tonumber(ARGV[14])
local quiet_times, little = tonumber(ARGV[15]), tonumber(ARGV[16])
local lend_each = tonumber(ARGV[17])
local instance, report_number = ARGV[18], tonumber(ARGV[19])
local background, question, caller = ARGV[20] == '1', ARGV[21], ARGV[22]
local first_of_report = 23

local count_key, callers_key, places_key, owners_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot_ms = window / slots_of_window
local slot = math.floor(now / slot_ms)
local bucket = math.floor(slot / slots_of_bucket)
local part = math.floor(now / (window / parts_of_window))
local buckets_of_window = slots_of_window / slots_of_bucket

local function add(field, by) return redis.call('HINCRBY', count_key, field, by) end
local function number_in(field) return tonumber(redis.call('HGET', count_key, field) or '0') or 0 end

-- What each caller has had --------------------------------------------------------------------

-- {asked at, promised, newest part, spent in all, asked for in all, then both by part}
local parts = parts_of_window + 1
local spent_of, asked_of = 4, 5

local function counts_at(of) return of == spent_of and 5 or 5 + parts end

local function new_share()
  local share = {0, 0, part, 0, 0}
  for i = 6, 5 + 2 * parts do share[i] = 0 end
  return share
end

local function forget_parts(share)
  if part - share[3] >= parts then
    share[3], share[spent_of], share[asked_of] = part, 0, 0
    for i = 6, 5 + 2 * parts do share[i] = 0 end
  end
  while share[3] < part do
    share[3] = share[3] + 1
    for _, of in ipairs({spent_of, asked_of}) do
      local at = counts_at(of) + share[3] % parts + 1
      share[of] = share[of] - share[at]
      share[at] = 0
    end
  end
end

local function unpacked(packed)
  local ok, share = pcall(cmsgpack.unpack, packed)
  if not ok or type(share) ~= 'table' or #share ~= 5 + 2 * parts then share = new_share() end
  for i = 1, #share do
    if type(share[i]) ~= 'number' then return new_share() end
  end
  forget_parts(share)
  return share
end

local function share_of(name)
  local packed = redis.call('HGET', callers_key, name)
  return packed and unpacked(packed) or new_share()
end

local function keep(name, share) redis.call('HSET', callers_key, name, cmsgpack.pack(share)) end

local function add_to(share, of, by)
  local at = counts_at(of) + share[3] % parts + 1
  share[at] = share[at] + by
  share[of] = share[of] + by
end

local function unpromise(name)
  local share = share_of(name)
  share[2] = math.max(share[2] - 1, 0)
  keep(name, share)
end

-- Of more than may be told apart, the one with the least to its name is forgotten.
local function make_place_for(name)
  if redis.call('HEXISTS', callers_key, name) == 1 then return end
  if redis.call('HLEN', callers_key) <= most_callers then return end
  local all = redis.call('HGETALL', callers_key)
  local least, whose
  for i = 1, #all, 2 do
    if all[i] ~= '' then
      local share = unpacked(all[i + 1])
      local has = share[2] + share[asked_of]
      if not least or has < least then least, whose = has, all[i] end
    end
  end
  if whose then redis.call('HDEL', callers_key, whose) end
end

local function is_quiet(share)
  local usual = quiet_times * window / math.max(share[asked_of], 1)
  return now - share[1] > math.min(math.max(usual, quiet_least), quiet_most)
end

-- Counts cover a part more than the window, so that much more is there for them.
local function counted(requests) return requests * (1 + 1 / parts_of_window) end

local function level_for(name)
  local left = counted(limit)
  local asked = {}
  local all = redis.call('HGETALL', callers_key)
  for i = 1, #all, 2 do
    if all[i] ~= name and all[i] ~= '' then
      local share = unpacked(all[i + 1])
      if is_quiet(share) then
        left = left - share[spent_of]
      else
        asked[#asked + 1] = share[asked_of]
      end
    end
  end
  left = math.max(left, 1)
  table.sort(asked)
  for i = 1, #asked do
    local fair = left / (#asked - i + 2)
    if asked[i] > fair then return fair end
    left = left - asked[i]
  end
  return left
end

-- When the share will have room for one more below the level; nil: not within a window.
local function room_below(level, share)
  local most = math.floor(level) - 1 - share[2]
  if most < 0 then return nil end
  local left, oldest = share[spent_of], share[3] - parts + 1
  while left > most and oldest <= share[3] do
    left = left - share[counts_at(spent_of) + oldest % parts + 1]
    oldest = oldest + 1
  end
  return (oldest + parts_of_window) * (window / parts_of_window)
end

-- By bucket: what is over, and then places. Both lists go round ----------------------------------

local over_buckets, place_buckets = buckets_of_window + 2, buckets_of_window + 1 + buckets_to_come
local by_bucket, by_bucket_changed

local function over_at(at) return at % over_buckets + 1 end
local function place_at(at) return over_buckets + at % place_buckets + 1 end

local function clear_plan()
  by_bucket, by_bucket_changed = {}, true
  for i = 1, over_buckets + place_buckets do by_bucket[i] = 0 end
end

local function load_plan()
  if by_bucket then return end
  local packed = redis.call('HGET', count_key, 'plan')
  local ok, loaded = pcall(cmsgpack.unpack, packed or '')
  if not ok or type(loaded) ~= 'table' or #loaded ~= over_buckets + place_buckets then
    return clear_plan()
  end
  for i = 1, #loaded do
    if type(loaded[i]) ~= 'number' then return clear_plan() end
  end
  by_bucket = loaded
end

local function add_to_plan(at, how_many)
  if how_many == 0 then return end
  load_plan()
  by_bucket[at] = math.max(by_bucket[at] + how_many, 0)
  by_bucket_changed = true
end

local function save_plan()
  if by_bucket_changed then redis.call('HSET', count_key, 'plan', cmsgpack.pack(by_bucket)) end
end

-- Places --------------------------------------------------------------------------------------

local function note(taken)
  local part_taken = tonumber(redis.call('HGET', count_key, 'taken') or '1') or 1
  part_taken = part_taken + (taken - part_taken) * latest
  redis.call('HSET', count_key, 'taken', string.format('%.17g', part_taken))
end

local function remove_place(of, at, taken)
  if taken then note(taken) end
  add_to_plan(place_at(at), -1)
  redis.call('ZREM', places_key, of)
  local owner = redis.call('HGET', owners_key, of)
  redis.call('HDEL', owners_key, of)
  if owner then unpromise(owner) end
end

local function give_up_place()
  local at = tonumber(redis.call('ZSCORE', places_key, question) or '')
  if at then remove_place(question, at, at <= bucket and 1 or nil) end
end

-- What is over --------------------------------------------------------------------------------

local function forget()
  local overdue =
    redis.call('ZRANGEBYSCORE', places_key, '-inf', (bucket - buckets_to_come), 'WITHSCORES')
  for i = 1, #overdue, 2 do remove_place(overdue[i], tonumber(overdue[i + 1]), 0) end

  local oldest_over = slot - slots_of_window
  local oldest_granted = oldest_over - math.ceil(longest_request / slot_ms)
  local first = number_in('first')
  if first < oldest_granted - slots_of_window then
    -- So long ago that nothing is left of it.
    local all = redis.call('HGETALL', count_key)
    for i = 1, #all, 2 do
      local at = tonumber(string.match(all[i], '^[ue](%d+)$') or '')
      if at then redis.call('HDEL', count_key, all[i]) end
    end
    redis.call('HSET', count_key, 'n', 0, 'first', oldest_granted, 'first_over', oldest_over)
    clear_plan()
    return
  end
  local function drop(field)
    local there = number_in(field)
    if there ~= 0 then add('n', -there) end
    redis.call('HDEL', count_key, field)
    return there
  end
  for at = first, oldest_granted - 1 do drop('u' .. at) end
  local over = math.max(first, number_in('first_over'))
  for at = over, oldest_over - 1 do
    add_to_plan(over_at(math.floor(at / slots_of_bucket)), -drop('e' .. at))
  end
  redis.call('HSET', count_key, 'first', math.max(first, oldest_granted), 'first_over',
    oldest_over)
end

local function is_over(at, how_many)
  add('n', how_many)
  add('e' .. at, how_many)
  add_to_plan(over_at(math.floor(at / slots_of_bucket)), how_many)
end

-- What the replica has to tell of requests before this one: "over" and "back" (it never left, with
-- its caller) of those granted in a slot, "more" (sent again), "alone" (so many slots ago).
local function take_report()
  local last = tonumber(redis.call('HGET', KEYS[6], instance) or '0') or 0
  if report_number <= last then return end
  redis.call('HSET', KEYS[6], instance, ARGV[19])
  for i = first_of_report, #ARGV - 3, 4 do
    local kind, at, how_many, whose = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3]
    if kind == 'more' then
      is_over(slot, how_many)
    elseif kind == 'alone' then
      if at <= slots_of_window then is_over(slot - at, how_many) end
    else
      local field = 'u' .. at
      local granted = math.min(number_in(field), how_many)
      if granted > 0 then
        add('n', -granted)
        if add(field, -granted) <= 0 then redis.call('HDEL', count_key, field) end
        if kind == 'over' then
          is_over(slot, granted)
        elseif redis.call('HEXISTS', callers_key, whose) == 1 then
          local share = share_of(whose)
          add_to(share, spent_of, -math.min(granted, share[spent_of]))
          keep(whose, share)
        end
      end
    end
  end
end

-- What is free ----------------------------------------------------------------------------------

-- How many are free in each bucket from now on, when of those that have a place this part is sent.
local function plan_from_now(total, taken)
  load_plan()
  local plan, free = {}, limit - hold - total
  for i = 0, buckets_of_window do
    local places = by_bucket[place_at(bucket + i)]
    if i == 0 then
      for late = 1, buckets_to_come - 1 do places = places + by_bucket[place_at(bucket - late)] end
    end
    free = free + by_bucket[over_at(bucket - buckets_of_window - 1 + i)] - places * taken
    plan[i] = free
  end
  return plan
end

local function free_now(total)
  if redis.call('ZCARD', places_key) == 0 then return limit - hold - total end
  local plan = plan_from_now(total, tonumber(redis.call('HGET', count_key, 'taken') or '1') or 1)
  local least = plan[0]
  for i = 1, buckets_of_window do least = math.min(least, plan[i]) end
  return least
end

local function begin_of(at) return at * slots_of_bucket * slot_ms end

-- The first bucket from which on there is one for the caller that nobody else has a place for.
local function first_free_bucket(share, level, total)
  local own = room_below(level, share)
  if not own then return nil end
  local first = bucket + 1
  if own > now then first = math.max(first, math.ceil(own / (slots_of_bucket * slot_ms))) end
  local least = share[spent_of] < level * little and 1 - hold or 1
  local plan, found = plan_from_now(total, 1), nil
  for i = buckets_of_window, math.max(first - bucket, 0), -1 do
    if plan[i] < least then break end
    found = bucket + i
  end
  return found
end

-- The way of one request --------------------------------------------------------------------------

redis.call('ZADD', KEYS[5], now, instance)
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', (now - window))
local replicas = redis.call('ZCARD', KEYS[5])
forget()
take_report()
local total = number_in('n')

local function keep_for_later()
  save_plan()
  for i = 1, 6 do redis.call('PEXPIRE', KEYS[i], 3 * window) end
end

local function refuse(at, whose_limit, place_kept)
  keep_for_later()
  return {math.max(1, math.ceil(at - now)), whose_limit, place_kept, math.max(0, limit - total), replicas, 0}
end

local function grant(share)
  if not background then
    give_up_place()
    share = share_of(caller)
    add_to(share, spent_of, 1)
    keep(caller, share)
  end
  add('n', 1)
  add('u' .. slot, 1)
  keep_for_later()
  return {0, 0, 0, math.max(0, limit - total - 1), replicas, slot}
end

local blocked = redis.call('PTTL', KEYS[7])
if blocked > 0 then return refuse(now + math.min(blocked, longest_block), 0, 0) end

if background then
  if free_now(total) + hold >= reserve + 1 then return grant() end
  return refuse(begin_of(bucket + 1), 0, 0)
end

local all = share_of('')
local place = tonumber(redis.call('ZSCORE', places_key, question) or '')
make_place_for(caller)
local share = share_of(caller)
if not place then
  -- Who has a place has asked before.
  add_to(all, asked_of, 1)
  keep('', all)
  add_to(share, asked_of, 1)
  share[1] = now
  keep(caller, share)
end
if place and place <= bucket and total + 1 <= limit then return grant() end
local free = free_now(total)
if free >= 1 and all[asked_of] <= counted(limit) then return grant() end
local level = level_for(caller)
if share[spent_of] < level and free + (share[spent_of] < level * little and hold or 0) >= 1 then
  return grant()
end

if free >= 1 and now >= number_in('lend_at') then
  redis.call('HSET', count_key, 'lend_at', now + lend_each * window / limit)
  return grant()
end

local whose_limit = share[spent_of] < level and 0 or 1
if place and place > bucket then return refuse(begin_of(place), whose_limit, 1) end
if place then
  give_up_place()
  share = share_of(caller)
end
local found = first_free_bucket(share, level, total)
if not found then return refuse(begin_of(bucket + buckets_of_window), whose_limit, 0) end
if redis.call('ZCARD', places_key) == 0 then redis.call('HDEL', count_key, 'taken') end
redis.call('ZADD', places_key, found, question)
redis.call('HSET', owners_key, question, caller)
add_to_plan(place_at(found), 1)
share[2] = share[2] + 1
keep(caller, share)
return refuse(begin_of(found), whose_limit, 1)
