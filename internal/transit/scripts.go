package transit

import "github.com/redis/go-redis/v9"

// The scripts are run by their hash. A server that does not have one yet is sent
// its text, once, and keeps it.

// buryScript deletes KEYS[1] and sets its marker KEYS[2] to ARGV[1] for ARGV[2]
// ms. It returns how many keys were deleted. The delete comes first: once a script
// has written, Redis refuses it nothing more for want of memory.
var buryScript = redis.NewScript(`
local deleted = redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return deleted
`)

// takeScript returns DUMP and PEXPIRETIME of each of KEYS; of one that takes more
// than ARGV[1] bytes of memory only its size, unless ARGV[1] is 0.
var takeScript = redis.NewScript(`
local limit = tonumber(ARGV[1])
local out = {}
for i = 1, #KEYS do
  local size = 0
  if limit > 0 then
    size = redis.pcall('MEMORY', 'USAGE', KEYS[i])
    if type(size) ~= 'number' then size = 0 end
  end
  if size > limit then
    out[i] = {size}
  else
    out[i] = {redis.call('DUMP', KEYS[i]), redis.call('PEXPIRETIME', KEYS[i])}
  end
end
return out
`)

// storeScript restores keys: KEYS are pairs of a key and its marker, ARGV[1] is
// the limit in ms, then come four for each key: the time of this server before
// the source was read, the marker that was seen then, the expiry and the payload.
// It returns a word for each, or the error of RESTORE.
var storeScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(ARGV[1])
local out = {}
for i = 1, #KEYS, 2 do
  local since, seen, expires, payload = tonumber(ARGV[2*i]), ARGV[2*i+1], tonumber(ARGV[2*i+2]), ARGV[2*i+3]
  local marker = redis.call('GET', KEYS[i+1])
  local word
  if now < since or now - since > limit then
    word = 'late'
  elseif redis.call('EXISTS', KEYS[i]) == 1 then
    word = 'present'
  elseif marker and (marker == 'closed' or marker ~= seen) then
    word = 'blocked'
  elseif expires > 0 and expires <= now then
    word = 'gone'
  else
    local reply = redis.pcall('RESTORE', KEYS[i], ARGV[2*i+2], payload, 'ABSTTL')
    if reply.err then word = 'refused ' .. reply.err else word = 'copied' end
  end
  out[#out+1] = word
end
return out
`)

// removeScript removes each of KEYS that still has the SHA-1 of its payload and
// the expiry that stand in ARGV, two for each: -1 where there is none.
var removeScript = redis.NewScript(`
local out = {}
for i = 1, #KEYS do
  local payload = redis.call('DUMP', KEYS[i])
  if not payload then
    out[i] = 'gone'
  elseif redis.sha1hex(payload) == ARGV[2*i-1] and redis.call('PEXPIRETIME', KEYS[i]) == tonumber(ARGV[2*i]) then
    redis.call('UNLINK', KEYS[i])
    out[i] = 'removed'
  else
    out[i] = 'changed'
  end
end
return out
`)
