package cache

import "github.com/redis/go-redis/v9"

// The scripts. Each works on KEYS[1] alone, and reads the header of the cell rather
// than its value where that is enough. Numbers in them are positions in a cell:
// kind 1, version 2–9, token 10–25, lease until 26–33, value from 34.
//
// Versions are compared byte by byte: Lua's < on strings follows the locale of the
// server, and its numbers are exact to 2^53 only.
//
// A server without memory that evicts nothing refuses a SET, unless the script has
// written before. So whatever ends an old value deletes it first: else it would be
// refused, and the old value live on. What gives a lease back lets the value end when it
// ends anyway, which needs no memory and is a write too: the value stays, and others need
// not wait for the lease to end. What is of another type than a string, from
// somebody else, is no entry: it is deleted and replaced like any other.
const luaHead = `
local key = KEYS[1]
local none = string.rep('\0', 24)
local zero = string.rep('\0', 8)
local function less(a, b)
  for i = 1, 8 do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end
local function milliseconds()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function pack(n)
  local out = ''
  for _ = 1, 8 do
    out = string.char(n % 256) .. out
    n = math.floor(n / 256)
  end
  return out
end
local function unpacked(s)
  local n = 0
  for i = 1, 8 do n = n * 256 + string.byte(s, i) end
  return n
end
local head = redis.pcall('GETRANGE', key, 0, 32)
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
  head = ''
end
local kind = 0
if #head == 33 then kind = string.byte(head, 1) end
local version = string.sub(head, 2, 9)
local token = string.sub(head, 10, 25)
local function admits(new)
  if kind == 1 then return new == zero or not less(new, version) end
  if kind == 3 then return new ~= zero and not less(new, version) end
  return true
end
local function unlease()
  local left = redis.call('PTTL', key)
  if left > 0 then redis.call('PEXPIRE', key, left) end
  redis.call('SETRANGE', key, 9, none)
end
local function store(new, ttl, value)
  redis.call('SET', key, '\1' .. new .. none .. value, 'PX', ttl)
end
`

// luaHeldOff ends a script that is to leave a hold-off alone.
const luaHeldOff = `
local first = redis.pcall('GETRANGE', KEYS[1], 0, 0)
if type(first) == 'table' and not string.find(first.err, 'WRONGTYPE', 1, true) then return first end
if first == '\3' then return 0 end
`

var (
	// ARGV: version, time to live in ms, value.
	setScript = redis.NewScript(luaHead + `
if not admits(ARGV[1]) then return 3 end
if kind == 1 then redis.call('DEL', key) end
store(ARGV[1], ARGV[2], ARGV[3])
return 1`)

	// ARGV: version below which to delete, hold-off in ms.
	deleteScript = redis.NewScript(luaHead + `
local any = string.rep('\255', 8)
if kind == 1 and ARGV[1] ~= any and not less(version, ARGV[1]) then return 0 end
if kind == 3 and less(ARGV[1], version) then return 0 end
if tonumber(ARGV[2]) <= 0 then
  if kind == 3 then return 0 end
  return redis.call('DEL', key)
end
local left = tonumber(ARGV[2])
if kind == 3 then left = math.max(left, redis.call('PTTL', key)) end
redis.call('DEL', key)
redis.call('SET', key, '\3' .. ARGV[1] .. none, 'PX', left)
return 1`)

	deleteAnyScript = redis.NewScript(luaHeldOff + `
return redis.call('DEL', KEYS[1])`)

	// ARGV: token, life in ms, 1 to renew. Replies: state, cell.
	leaseScript = redis.NewScript(luaHead + `
local now = milliseconds()
local lease = ARGV[1] .. pack(now + ARGV[2])
if kind < 1 or kind > 3 then
  redis.call('SET', key, '\2' .. zero .. lease, 'PX', ARGV[2])
  return {2, ''}
end
if kind == 3 then return {4, ''} end
if kind == 2 then return {3, head} end
local cell = redis.call('GET', key)
if ARGV[3] ~= '1' then return {1, cell} end
if unpacked(string.sub(head, 26, 33)) > now then return {3, cell} end
redis.call('SETRANGE', key, 9, lease)
return {2, cell}`)

	// ARGV: token, version, time to live in ms, value.
	fillScript = redis.NewScript(luaHead + `
if kind < 1 or kind > 2 or token ~= ARGV[1] then return 2 end
if unpacked(string.sub(head, 26, 33)) <= milliseconds() then return 2 end
if not admits(ARGV[2]) then
  unlease()
  return 3
end
store(ARGV[2], ARGV[3], ARGV[4])
return 1`)

	// ARGV: token.
	releaseScript = redis.NewScript(luaHead + `
if token ~= ARGV[1] then return 0 end
if kind == 2 then return redis.call('DEL', key) end
if kind == 1 then unlease() end
return 1`)

	// ARGV: delta, time to live in ms. Replies the sum as it is written, for a number of
	// Lua is exact to 2^53 only; nothing: no counter, or an overflow, and no change.
	incrScript = redis.NewScript(`
local sign = redis.pcall('GETRANGE', KEYS[1], 0, 0)
if type(sign) == 'table' then return sign end
if sign == '-' then return '' end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then
  if string.sub(sum.err, 1, 4) == 'ERR ' then return '' end
  return sum
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])`)
)
