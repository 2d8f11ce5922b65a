package transit

import "context"

// LookFenced looks at many keys of N, 1000 at most, for a mover, and whether it is
// let in: if not, there are no looks. present asks too whether the keys are there,
// and is answered for all of them together: Present is said where none is missing.
// What is there otherwise, StoreFenced finds out.
func (r Redis) LookFenced(ctx context.Context, f Fence, present bool, keys ...string) (looks Looks, fenced bool, err error) {
	names := make([]string, 0, len(keys)+1)
	names = append(names, f.key())
	for _, key := range keys {
		names = append(names, Marker(key))
	}
	pipe := r.Client.Pipeline()
	at, marks := pipe.Time(ctx), pipe.MGet(ctx, names...)
	there := func() int64 { return 0 }
	if present {
		there = pipe.Exists(ctx, keys...).Val
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, false, err
	}
	if len(marks.Val()) != len(names) {
		return nil, false, errReply
	}
	if value, _ := marks.Val()[0].(string); value != f.value() {
		return nil, false, nil
	}
	looks = make([]RedisLook, len(keys))
	since, all := at.Val().UnixMilli(), there() == int64(len(keys))
	for i, mark := range marks.Val()[1:] {
		marker, _ := mark.(string)
		looks[i] = RedisLook{Since: since, Marker: marker, Present: all}
	}
	return looks, true, nil
}

// GlanceFenced is LookFenced without a look at the keys, for those of which there is
// little to see: it costs the server nothing, however many there are. What it
// returns is for all of them, and has the time alone; so StoreFenced takes each
// tombstone for one that came later, and says Blocked. Then LookFenced tells whether
// it lets a copy in.
func (r Redis) GlanceFenced(ctx context.Context, f Fence) (looks Looks, fenced bool, err error) {
	if r.Lines != nil {
		return r.Lines.glance(ctx, f)
	}
	pipe := r.Client.Pipeline()
	at, fence := pipe.Time(ctx), pipe.MGet(ctx, f.key())
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, false, err
	}
	if len(fence.Val()) != 1 || fence.Val()[0] != f.value() {
		return nil, false, nil
	}
	return Looks{{Since: at.Val().UnixMilli()}}, true, nil
}

// PartKey returns the name under which parts of a key are put together at N. The
// number tells attempts apart.
func PartKey(key string, number string) string { return partPrefix + number + ":" + key }

// PutFenced gives what was put together under the name part at N the name of its
// key, as StoreFenced would write it: look is from before the parts were known to
// be what O has. What may not arrive is deleted.
func (r Redis) PutFenced(ctx context.Context, f Fence, look RedisLook, part string, v RedisValue) (Result, error) {
	seen := ""
	if look.passable(f.Transition) {
		seen = look.Marker
	}
	word, err := putScript.Run(ctx, r.Client, []string{part, v.Key, Marker(v.Key), f.key()},
		CopyLimit.Milliseconds(), f.value(), look.Since, seen, max(v.Expires, 0)).Text()
	if err != nil {
		return Result{}, err
	}
	outcome, known := outcomeOf(word)
	if !known {
		return Result{}, errReply
	}
	return Result{Outcome: outcome}, nil
}
