package streams

import "github.com/redis/go-redis/v9"

// KEYS of each script: the stream, and what it is about, on the same server.

// appendScript adds the records ARGV[4…] for the process KEYS[2], whose appends count
// from 1: ARGV[1]. ARGV[2] is how long a process is remembered, ms. It returns their
// IDs; nothing if a later append of the process was here before.
var appendScript = redis.NewScript(`
local known = redis.call('GET', KEYS[2])
if known then
  local last, ids = string.match(known, '^(%d+) (.*)$')
  if tonumber(last) == tonumber(ARGV[1]) then
    local out = {}
    for id in string.gmatch(ids, '%S+') do out[#out + 1] = id end
    return out
  end
  if tonumber(last) > tonumber(ARGV[1]) then return {} end
end
if tonumber(ARGV[3]) > 0 and redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return redis.error_reply('FULL')
end
local out = {}
for i = 4, #ARGV do
  out[#out + 1] = redis.call('XADD', KEYS[1], '*', 'd', ARGV[i])
end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. table.concat(out, ' '), 'PX', ARGV[2])
return out
`)

// readScript reads for the process ARGV[1], if it has the lease KEYS[2] or nobody has,
// and renews it for ARGV[2] ms. ARGV[3] is the most, ARGV[4] where to go on claiming:
// "-" when that is over. It returns what this was: 0 somebody else has the lease, 1
// read on, 2 the lease was free, so that whatever is pending has to be claimed from
// the start; where to go on claiming; and entries.
var readScript = redis.NewScript(`
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {0, '-', {}} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local state, from = 1, ARGV[4]
if not holder then
  state, from = 2, '0-0'
end
if from ~= '-' then
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], 'ringway', ARGV[1], 0, from, 'COUNT', ARGV[3])
  if claimed[1] == '0-0' then claimed[1] = '-' end
  return {state, claimed[1], claimed[2]}
end
local got = redis.call('XREADGROUP', 'GROUP', 'ringway', ARGV[1], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if not got then return {state, '-', {}} end
return {state, '-', got[1][2]}
`)

// doneScript ends the entries ARGV.
var doneScript = redis.NewScript(`
redis.call('XACK', KEYS[1], 'ringway', unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV))
`)

// leaveScript gives the lease back, and forgets the consumer ARGV[1] if nothing is
// pending under its name.
var leaveScript = redis.NewScript(`
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
local pending = redis.call('XPENDING', KEYS[1], 'ringway', '-', '+', 1, ARGV[1])
if #pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'ringway', ARGV[1]) end
return 1
`)

// openScript makes the stream and its group, and says whether the server keeps a file.
var openScript = redis.NewScript(`
local info = redis.call('INFO', 'persistence')
if ARGV[1] == '0' and not string.find(info, 'aof_enabled:1') then return 0 end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], 'ringway', '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
return 1
`)

// peekScript returns how many entries there are, and the oldest ARGV[1].
var peekScript = redis.NewScript(`
return {redis.call('XLEN', KEYS[1]), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])}
`)
