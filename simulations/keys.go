package simulations

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/splitmix"
)

// MaxUniformKeys bounds what UniformKeys makes, at about 36 bytes a key, and what a
// comparison places.
const MaxUniformKeys = 100_000_000

// UniformKeys returns count distinct keys of 20 bytes that depend on the seed
// alone: "key:" and 16 hexadecimal digits, those of element i of the SplitMix64
// sequence that starts at Mix(seed) (so that the sequences of neighbouring seeds
// are far apart). Mix is a bijection of its counter, so that no two of the keys
// are equal. The keys of a seed are the same for ever, whatever the count.
func UniformKeys(count int, seed uint64) []string {
	keys, _ := UniformKeysContext(context.Background(), count, seed) // which fails only by its context
	return keys
}

// UniformKeysContext is UniformKeys that stops, with the context's error, once
// that is cancelled.
func UniformKeysContext(ctx context.Context, count int, seed uint64) ([]string, error) {
	// One string for all keys: a million allocations less.
	all := make([]byte, 0, count*uniformLength)
	for from := 0; from < count; from += batch {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		all = appendUniform(all, seed, from, min(from+batch, count))
	}
	text := string(all)
	all = nil
	keys := make([]string, count)
	for i := range keys {
		if i%batch == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		keys[i] = text[i*uniformLength : (i+1)*uniformLength]
	}
	return keys, nil
}

const uniformLength = 20 // bytes of a key

// appendUniform appends the keys from one index to another, without anything
// between them.
func appendUniform(text []byte, seed uint64, from, to int) []byte {
	const digits = "0123456789abcdef"
	start := splitmix.Mix(seed)
	for i := from; i < to; i++ {
		v := splitmix.At(start, uint64(i))
		text = append(text, 'k', 'e', 'y', ':',
			digits[v>>60], digits[v>>56&15], digits[v>>52&15], digits[v>>48&15], digits[v>>44&15], digits[v>>40&15], digits[v>>36&15], digits[v>>32&15],
			digits[v>>28&15], digits[v>>24&15], digits[v>>20&15], digits[v>>16&15], digits[v>>12&15], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return text
}

// A keySet is the keys of a comparison: a list, or so many of a seed, which are made
// as they are needed.
type keySet struct {
	list  []string
	count int
	seed  uint64
}

func (k *keySet) size() int {
	if k.list != nil {
		return len(k.list)
	}
	return k.count
}

// A keyBuffer is where one goroutine makes its keys.
type keyBuffer struct {
	text []byte
	keys []string
}

// slice returns the keys from one index to another, which may be overwritten by the
// next call with the same buffer.
func (k *keySet) slice(from, to int, b *keyBuffer) []string {
	if k.list != nil {
		return k.list[from:to]
	}
	b.text = appendUniform(b.text[:0], k.seed, from, to)
	text := string(b.text) // one piece of garbage a batch, without pointers
	b.keys = b.keys[:0]
	for i := range to - from {
		b.keys = append(b.keys, text[i*uniformLength:(i+1)*uniformLength])
	}
	return b.keys
}

// ParseUniform reads uniform:M and returns M; ok is false for any other text,
// which then names a file.
func ParseUniform(text string) (count int, ok bool, err error) {
	number, ok := strings.CutPrefix(text, "uniform:")
	if !ok {
		return 0, false, nil
	}
	count, err = strconv.Atoi(number)
	if err != nil || count < 1 || count > MaxUniformKeys {
		return 0, true, &InputError{What: "keys", Found: quote(text), Want: fmt.Sprintf("uniform:M with M from 1 to %d", MaxUniformKeys)}
	}
	return count, true, nil
}
