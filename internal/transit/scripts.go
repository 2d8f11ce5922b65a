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

// buryUnlessClosedScript is buryScript with an open tombstone, ARGV[1], which does not
// take the place of one that says ARGV[3] or ARGV[4]: such a one stays, for another
// ARGV[2] ms.
var buryUnlessClosedScript = redis.NewScript(`
local deleted = redis.call('UNLINK', KEYS[1])
local marker, value = redis.call('GET', KEYS[2]), ARGV[1]
if marker == ARGV[3] or marker == ARGV[4] then value = marker end
redis.call('SET', KEYS[2], value, 'PX', ARGV[2])
return deleted
`)

// fenceScript sets KEYS[1] to ARGV[1] for ARGV[2] ms. For UNLINK see buryScript.
var fenceScript = redis.NewScript(`
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

// takeScript returns two values for each of KEYS, what it is and its PEXPIRETIME:
// the value of a string, and of anything else its DUMP in a list of one; nil and -2
// if it is not there. In place of these it returns a number for a key that takes
// more than ARGV[1] bytes of memory or has more than ARGV[2] elements: the bytes;
// and -1 for all keys that are left once the payloads add up to ARGV[3] bytes. A
// limit of 0 is none.
//
// DUMP, RESTORE and MEMORY USAGE cost a server several times what GETRANGE and SET
// do, and most keys of a cache are short strings: these are told by their type, and
// by what is read of them at most. Elements are counted only where there is memory
// enough for many.
var takeScript = redis.NewScript(`
local bytes, elements, total = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count = {hash = 'HLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', stream = 'XLEN'}
local short = 32768
local function large(key, kind)
  local size = redis.pcall('MEMORY', 'USAGE', key)
  if type(size) ~= 'number' then return nil end
  if size > bytes then return size end
  local command = elements > 0 and size > short and count[kind]
  return command and redis.call(command, key) > elements and size
end
local out, sum = {}, 0
for i = 1, #KEYS do
  local key = KEYS[i]
  local kind = redis.call('TYPE', key).ok
  local found, expires, value = false, -2, nil
  if total > 0 and sum >= total then
    found, expires = -1, 0
  elseif kind ~= 'none' then
    if kind == 'string' and bytes > 2 * short and #key < short then
      value = redis.call('GETRANGE', key, 0, short - 1)
      if #value == short then value = nil end
    end
    local size = not value and bytes > 0 and large(key, kind)
    if size then
      found, expires = size, 0
    else
      expires = redis.call('PEXPIRETIME', key)
      if kind == 'string' then
        found = value or redis.call('GET', key)
        sum = sum + #found
      else
        found = {redis.call('DUMP', key)}
        sum = sum + #found[1]
      end
    end
  end
  out[2*i-1], out[2*i] = found, expires
end
return out
`)

// storeScript writes n keys: KEYS are the keys, then their markers, then the fence
// if ARGV[2] is not empty. ARGV[1] is the limit in ms, ARGV[2] what the fence must
// say, ARGV[3] and ARGV[4] the earliest and the latest time of this server before
// the source was read, ARGV[5] how many keys are plain, the first ones, ARGV[6] the
// first expiry, 0 where there is none. Then come two for each key: the expiry, 0
// where there is none, and the payload; and then the markers that let in what came
// after them and were seen before the source was read, two for each: the number of its
// key, and what it said. The
// script returns two values for each key that was not copied, its number and a word
// or the server's error; the number 0 stands for all keys.
//
// Nearly always no key has a marker, and none expires just now: to ask that once
// takes a sixth off the time of the server.
var storeScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local late = now < tonumber(ARGV[4]) or now - tonumber(ARGV[3]) > tonumber(ARGV[1])
local n, plain, first = math.floor(#KEYS / 2), tonumber(ARGV[5]), tonumber(ARGV[6])
local unfenced = ARGV[2] ~= '' and redis.call('GET', KEYS[2*n+1]) ~= ARGV[2]
if unfenced then return {0, 'unfenced'} end
if late then return {0, 'late'} end
local marked = redis.call('EXISTS', unpack(KEYS, n + 1, 2 * n)) > 0
local seen = {}
for at = 2 * n + 7, #ARGV, 2 do seen[tonumber(ARGV[at])] = ARGV[at+1] end
local function barred(i)
  local marker = marked and redis.call('GET', KEYS[n+i])
  local expires = tonumber(ARGV[2*i+5])
  local expired = expires > 0 and expires <= now
  if (marker or expired) and redis.call('EXISTS', KEYS[i]) == 1 then
    return 'present'
  elseif marker and marker ~= seen[i] then
    return 'blocked'
  end
  return expired and 'gone'
end
local careful = marked or first > 0 and first <= now
local out = {}
for i = 1, n do
  local expires, payload, reply = ARGV[2*i+5], ARGV[2*i+6], nil
  local word = careful and barred(i)
  if not word then
    if i > plain then
      reply = redis.pcall('RESTORE', KEYS[i], expires, payload, 'ABSTTL')
    elseif expires == '0' then
      reply = redis.pcall('SET', KEYS[i], payload, 'NX')
    else
      reply = redis.pcall('SET', KEYS[i], payload, 'NX', 'PXAT', expires)
    end
    if not reply or reply.err and string.find(reply.err, 'BUSYKEY', 1, true) then
      word = 'present'
    elseif reply.err then
      word = 'refused ' .. reply.err
    end
  end
  if word then
    out[#out+1] = i
    out[#out+1] = word
  end
end
return out
`)

// removeScript removes each of KEYS that is what ARGV says. ARGV[1] is how many are
// plain, the first ones. Then come two for each key: the payload, and the expiry,
// -1 where there is none. It returns two values for each key that was not removed,
// its number and a word.
var removeScript = redis.NewScript(`
local plain = tonumber(ARGV[1])
local values = plain > 0 and redis.call('MGET', unpack(KEYS, 1, plain))
local out, gone = {}, {}
for i = 1, #KEYS do
  local key, value = KEYS[i], nil
  if i <= plain then
    value = values[i]
  else
    value = redis.call('DUMP', key)
  end
  if value and value == ARGV[2*i] and redis.call('PEXPIRETIME', key) == tonumber(ARGV[2*i+1]) then
    gone[#gone+1] = key
  else
    out[#out+1] = i
    out[#out+1] = (value or redis.call('EXISTS', key) == 1) and 'changed' or 'gone'
  end
end
if #gone > 0 then redis.call('UNLINK', unpack(gone)) end
return out
`)

// putScript gives the key that was put together as KEYS[1] the name KEYS[2], under
// the conditions of storeScript: KEYS[3] is the marker, KEYS[4] the fence; ARGV are
// the limit, what the fence must say, the time, the marker that was seen, the
// expiry.
var putScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since, expires = tonumber(ARGV[3]), tonumber(ARGV[5])
local marker = redis.call('GET', KEYS[3])
local word
if redis.call('GET', KEYS[4]) ~= ARGV[2] then
  word = 'unfenced'
elseif now < since or now - since > tonumber(ARGV[1]) then
  word = 'late'
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  word = 'present'
elseif marker and marker ~= ARGV[4] then
  word = 'blocked'
elseif expires > 0 and expires <= now then
  word = 'gone'
elseif redis.call('EXISTS', KEYS[1]) == 0 then
  word = 'late'
else
  redis.call('RENAME', KEYS[1], KEYS[2])
  if expires > 0 then
    redis.call('PEXPIREAT', KEYS[2], ARGV[5])
  else
    redis.call('PERSIST', KEYS[2])
  end
  return 'copied'
end
redis.call('UNLINK', KEYS[1])
return word
`)
