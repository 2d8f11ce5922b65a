package transit

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A call is one run of a script over many keys, and what is known of them before.
type call struct {
	script      *redis.Script
	keys, words int            // how many KEYS there are, and how many KEYS and ARGV
	write       func(to words) // gives all of them

	results []Result
	at      []int   // the script's keys: their places in results
	usual   Outcome // of keys that the script does not mention
}

// words takes the words of a call one after the other.
type words interface {
	word(s string)
	marker(key string) // its name
	number(n int64)
}

// newCall notes which values are here, those that are plain first, and how many of
// these there are. The outcomes of the others are known.
func newCall(script *redis.Script, usual Outcome, values []RedisValue) (c call, plain int) {
	c = call{script: script, usual: usual, results: make([]Result, len(values))}
	odd := slices.ContainsFunc(values, func(v RedisValue) bool { return v.State != 0 || !v.Plain })
	if !odd && len(values) <= len(inOrder) {
		c.at = inOrder[:len(values)]
		return c, len(values)
	}
	c.at = make([]int, 0, len(values))
	for i := range values {
		switch v := &values[i]; {
		case v.State != 0:
			c.results[i].Outcome = v.State
		case v.Plain:
			c.at = append(c.at, i)
		}
	}
	plain = len(c.at)
	for i := range values {
		if v := &values[i]; v.State == 0 && !v.Plain {
			c.at = append(c.at, i)
		}
	}
	return c, plain
}

// inOrder are the places of values that are all here and plain, which most are.
// Nobody writes to it.
var inOrder = func() (at [1000]int) {
	for i := range at {
		at[i] = i
	}
	return at
}()

// storeCall returns the call of storeScript. f is nil where no fence is asked for. A
// tombstone that is closed counts as not seen, so that it lets nothing in.
func storeCall(transition uint64, f *Fence, looks Looks, values []RedisValue) call {
	c, plain := newCall(storeScript, Copied, values)
	if len(c.at) == 0 {
		return c
	}
	oldest, newest, first, seen := int64(0), int64(0), int64(0), 0
	for j, i := range c.at {
		look := looks.Of(i)
		if j == 0 {
			oldest, newest = look.Since, look.Since
		}
		oldest, newest = min(oldest, look.Since), max(newest, look.Since)
		if look.passable(transition) {
			seen++
		}
		if at := values[i].Expires; at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	c.keys = 2 * len(c.at)
	if f != nil {
		c.keys++
	}
	c.words = c.keys + 6 + 2*len(c.at) + 2*seen
	c.write = func(to words) {
		for _, i := range c.at {
			to.word(values[i].Key)
		}
		for _, i := range c.at {
			to.marker(values[i].Key)
		}
		if f != nil {
			to.word(f.key())
		}
		to.number(CopyLimit.Milliseconds())
		if f != nil {
			to.word(f.value())
		} else {
			to.word("")
		}
		to.number(oldest)
		to.number(newest)
		to.number(int64(plain))
		to.number(first)
		for _, i := range c.at {
			to.number(max(values[i].Expires, 0))
			to.word(values[i].Payload)
		}
		for j, i := range c.at {
			if look := looks.Of(i); look.passable(transition) {
				to.number(int64(j + 1))
				to.word(look.Marker)
			}
		}
	}
	return c
}

// removeCall returns the call of removeScript. It sends the payloads once more: to
// compare them takes the server less time than to work out their digests.
func removeCall(values []RedisValue) call {
	c, plain := newCall(removeScript, Removed, values)
	c.keys, c.words = len(c.at), 3*len(c.at)+1
	c.write = func(to words) {
		for _, i := range c.at {
			to.word(values[i].Key)
		}
		to.number(int64(plain))
		for _, i := range c.at {
			to.word(values[i].Payload)
			to.number(values[i].Expires)
		}
	}
	return c
}

// read notes what the script says: the keys that did not become what is usual.
func (c *call) read(reply []any) error {
	if len(reply)%2 != 0 {
		return errReply
	}
	for _, i := range c.at {
		c.results[i].Outcome = c.usual
	}
	for ; len(reply) > 0; reply = reply[2:] {
		j, isInt := reply[0].(int64)
		text, isText := reply[1].(string)
		word, why, _ := strings.Cut(text, " ")
		outcome, known := outcomeOf(word)
		if !isInt || !isText || !known || j < 0 || j > int64(len(c.at)) {
			return errReply
		}
		result := Result{Outcome: outcome}
		if outcome == Refused {
			result.Err = errors.New("transit: the server refused the copy: " + why)
		}
		if j > 0 {
			c.results[c.at[j-1]] = result
			continue
		}
		for _, i := range c.at {
			c.results[i] = result
		}
	}
	return nil
}

// wordList takes the words for go-redis.
type wordList []string

func (l *wordList) word(s string)     { *l = append(*l, s) }
func (l *wordList) marker(key string) { *l = append(*l, Marker(key)) }
func (l *wordList) number(n int64)    { *l = append(*l, strconv.FormatInt(n, 10)) }
