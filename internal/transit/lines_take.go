package transit

import (
	"context"
	"strconv"
)

const (
	// shortValue is the length of values, in bytes, from which on a script reads them,
	// which looks at their size first.
	shortValue = 2048

	// takeTogether is how many keys are read in one transaction, so that nobody
	// changes a key between its value and its expiry. Between transactions the server
	// serves others.
	takeTogether = 16
)

var shortEnd = strconv.Itoa(shortValue - 1)

// takeShort reads those keys of O that are strings and short, and returns the places
// of those that may be something else, and which process was read. The commands are
// plain ones: run by a script they take the server half as long again.
func (s *Lines) takeShort(ctx context.Context, keys []string) (values []RedisValue, rest []int, process string, err error) {
	values = make([]RedisValue, len(keys))
	err = s.with(ctx, func(l *line) error {
		for from := 0; from < len(keys); from += takeTogether {
			l.command("MULTI")
			for _, key := range keys[from:min(from+takeTogether, len(keys))] {
				l.command("GETRANGE", key, "0", shortEnd)
				l.command("PEXPIRETIME", key)
			}
			l.command("EXEC")
		}
		if err := l.flush(ctx); err != nil {
			return err
		}
		t := taking{line: l, values: values, payloads: l.payloads[:0], ends: l.ends[:0]}
		defer func() { l.payloads, l.ends = t.payloads, t.ends }()
		for from := 0; from < len(keys); from += takeTogether {
			if err := t.transaction(keys, from, min(from+takeTogether, len(keys))); err != nil {
				return err
			}
		}
		rest, process = t.finish(), l.process
		return nil
	})
	return values, rest, process, err
}

// A taking reads the replies of takeShort. The payloads are parts of one string,
// which is made when all are there.
type taking struct {
	*line
	values   []RedisValue
	payloads []byte
	ends     []int // of payloads; -1: the key is left to a script
}

func (t *taking) transaction(keys []string, from, to int) error {
	for range 1 + 2*(to-from) { // of MULTI, and of what was queued
		if _, err := t.next('+'); err != nil {
			return err
		}
	}
	n, err := t.next('*')
	if err != nil {
		return err
	}
	if n != int64(2*(to-from)) {
		return errReply
	}
	for i := from; i < to; i++ {
		if err := t.key(i, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// key reads what is said of one.
func (t *taking) key(i int, key string) error {
	kind, _, n, err := t.head()
	if err != nil {
		return err
	}
	before := len(t.payloads)
	switch {
	case kind == '$' && n >= 0:
		if t.payloads, err = t.bulk(t.payloads, n); err != nil {
			return err
		}
	case kind != '-': // it is no string, or the server would not
		return errReply
	}
	expires, err := t.next(':')
	if err != nil {
		return err
	}
	t.values[i] = RedisValue{Key: key, Plain: true, Expires: expires}
	switch {
	case kind == '$' && expires == -2:
		t.values[i] = RedisValue{Key: key, State: Gone}
	case kind == '$' && n < shortValue:
	default:
		t.payloads, t.ends = t.payloads[:before], append(t.ends, -1)
		return nil
	}
	t.ends = append(t.ends, len(t.payloads))
	return nil
}

// finish hands the payloads out.
func (t *taking) finish() (rest []int) {
	all, before := string(t.payloads), 0
	for i, end := range t.ends {
		if end < 0 {
			t.values[i] = RedisValue{Key: t.values[i].Key}
			rest = append(rest, i)
			continue
		}
		t.values[i].Payload, before = all[before:end], end
	}
	return rest
}
