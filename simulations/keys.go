package simulations

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/splitmix"
)

// MaxUniformKeys bounds what UniformKeys makes, at about 36 bytes a key.
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
	const digits = "0123456789abcdef"
	const length = 20
	// One string for all keys: a million allocations less.
	var all strings.Builder
	all.Grow(count * length)
	start := splitmix.Mix(seed)
	for i := range count {
		if i%batch == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text := append(make([]byte, 0, length), "key:"...)
		for v, shift := splitmix.At(start, uint64(i)), 60; shift >= 0; shift -= 4 {
			text = append(text, digits[v>>shift&15])
		}
		all.Write(text)
	}
	keys := make([]string, count)
	for i := range keys {
		if i%batch == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		keys[i] = all.String()[i*length : (i+1)*length]
	}
	return keys, nil
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
