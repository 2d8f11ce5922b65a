package simulations

import (
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
	const digits = "0123456789abcdef"
	const length = 20
	// One string for all keys: a million allocations less.
	text := make([]byte, 0, count*length)
	start := splitmix.Mix(seed)
	for i := range count {
		text = append(text, "key:"...)
		for v, shift := splitmix.At(start, uint64(i)), 60; shift >= 0; shift -= 4 {
			text = append(text, digits[v>>shift&15])
		}
	}
	all := string(text)
	keys := make([]string, count)
	for i := range keys {
		keys[i] = all[i*length : (i+1)*length]
	}
	return keys
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
