package simulations

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ringway/ringway/simulations/lru"
)

// Capacity is how much a cache holds: a number of items, or of bytes. One of the
// two is 0.
type Capacity struct {
	Items int64 // at most lru.MaxItems
	Bytes int64 // of keys and values, without a server's own overhead
}

// MaxBytes is the largest capacity in bytes.
const MaxBytes = 1 << 50

var units = []struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

const wantCapacity = "a number of items such as 4000, or of bytes such as 64MB or 64MiB"

// ParseCapacity reads a number of items, or a number of bytes: one with a unit,
// B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024), in
// upper or lower case.
func ParseCapacity(text string) (Capacity, error) {
	bad := func(want string) (Capacity, error) {
		return Capacity{}, &InputError{What: "capacity", Found: quote(text), Want: want}
	}
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || digits[0] == '+' {
		return bad(wantCapacity)
	}
	unit := strings.ToLower(text[len(digits):])
	if unit == "" {
		if n > lru.MaxItems {
			return bad(fmt.Sprintf("at most %d items", int64(lru.MaxItems)))
		}
		return Capacity{Items: n}, nil
	}
	for _, u := range units {
		if u.name != unit {
			continue
		}
		if n > MaxBytes/u.bytes {
			return bad(fmt.Sprintf("at most %d bytes", int64(MaxBytes)))
		}
		return Capacity{Bytes: n * u.bytes}, nil
	}
	return bad(wantCapacity)
}

// ParseCapacities reads capacities separated by commas.
func ParseCapacities(text string) ([]Capacity, error) {
	var all []Capacity
	for _, part := range strings.Split(text, ",") {
		c, err := ParseCapacity(part)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// String returns what ParseCapacity reads: "4000", "64000000B".
func (c Capacity) String() string {
	if c.Bytes > 0 {
		return strconv.FormatInt(c.Bytes, 10) + "B"
	}
	return strconv.FormatInt(c.Items, 10)
}

// number and unit are how a report tells it.
func (c Capacity) number() int64 { return max(c.Items, c.Bytes) }

func (c Capacity) unit() string {
	if c.Bytes > 0 {
		return "bytes"
	}
	return "items"
}

func (c Capacity) validate() error {
	if c.Items < 0 || c.Bytes < 0 || (c.Items > 0) == (c.Bytes > 0) || c.Items > lru.MaxItems || c.Bytes > MaxBytes {
		return &InputError{What: "capacity", Found: fmt.Sprintf("%d items and %d bytes", c.Items, c.Bytes), Want: wantCapacity}
	}
	return nil
}

// times is the capacity of a node of that weight: at least one item or byte.
func (c Capacity) times(weight float64) Capacity {
	scale := func(n, most int64) int64 {
		if n == 0 {
			return 0
		}
		return int64(min(max(1, math.Round(float64(n)*weight)), float64(most)))
	}
	return Capacity{Items: scale(c.Items, lru.MaxItems), Bytes: scale(c.Bytes, MaxBytes)}
}

// cache returns an empty cache of that capacity, which is valid.
func (c Capacity) cache() *lru.Cache {
	cache, err := lru.New(lru.Config{Items: c.Items, Bytes: c.Bytes})
	if err != nil {
		panic("simulations: a capacity that was validated: " + err.Error())
	}
	return cache
}
