package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// The scripts of tags work on KEYS[1] alone: the decimal number that INCR counts up.
// What is no number, or is near to the highest that INCR can count to, is missing.
// bumps: it is to be written even where there is no memory, see luaHead.
const luaTag = `
local version = redis.pcall('GET', KEYS[1])
local number = type(version) == 'string' and string.find(version, '^[1-9]%d*$')
if number and #version >= 19 then number = #version == 19 and tonumber(string.sub(version, 1, 3)) < 900 end
if not number then
  if bumps or version then redis.call('DEL', KEYS[1]) end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {ARGV[1], tonumber(ARGV[2])}
end
`

var (
	// ARGV: a new version, life in ms. Replies: version, life left in ms.
	makeTagScript = redis.NewScript(`local bumps = false` + luaTag + `
return {version, redis.call('PTTL', KEYS[1])}`)

	// The same. A life that is longer, or without an end, stays: EXPIRE alone
	// could make it shorter. EXPIRE needs no memory, and after it INCR is not refused
	// for want of it: see luaHead.
	bumpTagScript = redis.NewScript(`local bumps = true` + luaTag + `
local left = redis.call('PTTL', KEYS[1])
local life = math.max(left, tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], life)
redis.call('INCR', KEYS[1])
version = redis.call('GET', KEYS[1])
if left < 0 then
  redis.call('SET', KEYS[1], version)
  return {version, left}
end
return {version, life}`)
)

// GetTagged is Tagger.GetTagged, in one request: see getAll.
func (r *Redis) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	results, versions := make([]Result, len(keys)), make([]TagVersion, len(tags))
	all := append(append(make([]string, 0, len(keys)+len(tags)), keys...), tags...)
	if len(all) == 0 {
		return results, versions
	}
	for i, there := range r.getAll(ctx, all) {
		if i < len(keys) {
			results[i] = there.result()
			continue
		}
		v := &versions[i-len(keys)]
		if v.Version, _ = strconv.ParseUint(there.text, 10, 63); !there.found {
			v.Err = there.err
		}
	}
	return results, versions
}

// MakeTags is Tagger.MakeTags.
func (r *Redis) MakeTags(ctx context.Context, tags []string) []TagVersion {
	return r.runTags(ctx, makeTagScript, tags)
}

// BumpTags is Tagger.BumpTags.
func (r *Redis) BumpTags(ctx context.Context, tags []string) []TagVersion {
	return r.runTags(ctx, bumpTagScript, tags)
}

func (r *Redis) runTags(ctx context.Context, script *redis.Script, tags []string) []TagVersion {
	calls := make([]scriptCall, len(tags))
	for i, tag := range tags {
		calls[i] = scriptCall{script: script, key: tag, args: []any{newTagVersion(), milliseconds(tagLife)}}
	}
	versions := make([]TagVersion, len(tags))
	for i, reply := range r.runMany(ctx, calls) {
		if versions[i] = redisTag(reply.Result()); versions[i].Err != nil {
			versions[i].Err = fmt.Errorf("cache: redis: tag: %w", keyless(versions[i].Err))
		}
	}
	return versions
}

func redisTag(reply any, err error) TagVersion {
	if err != nil {
		return TagVersion{Err: err}
	}
	parts, _ := reply.([]any)
	if len(parts) != 2 {
		return TagVersion{Err: fmt.Errorf("%w: %T", errReply, reply)}
	}
	text, _ := parts[0].(string)
	version, err := strconv.ParseUint(text, 10, 63)
	left, whole := parts[1].(int64)
	if err != nil || !whole || version == 0 {
		return TagVersion{Err: fmt.Errorf("%w: version %.20q of a tag", errReply, text)}
	}
	v := TagVersion{Version: version}
	if left > 0 { // else it lives for ever, and its age is not known
		v.Age = tagAge(time.Duration(left)*time.Millisecond, 2*time.Millisecond)
	}
	return v
}
