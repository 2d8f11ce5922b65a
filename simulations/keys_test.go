package simulations

import (
	"context"
	"errors"
	"testing"
)

func TestUniformKeys(t *testing.T) {
	keys := UniformKeys(100_000, 1)
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if len(key) != 20 || seen[key] {
			t.Fatalf("%q: %d bytes, met before: %v", key, len(key), seen[key])
		}
		seen[key] = true
	}
	if again := UniformKeys(3, 1); again[2] != keys[2] {
		t.Errorf("the third key was %q, and is %q among three", keys[2], again[2])
	}
	if other := UniformKeys(1, 2); seen[other[0]] {
		t.Errorf("another seed gives %q too", other[0])
	}
	// Frozen: scripts compare outputs of different versions.
	if want := "key:bfef8030ddc2d772"; keys[0] != want {
		t.Errorf("the first key of seed 1 is %q, was %q", keys[0], want)
	}
}

// Keys that are made as they are needed leave one piece of garbage a batch.
func TestKeySetAllocates(t *testing.T) {
	keys, buffer := keySet{count: 10 * batch, seed: 1}, keyBuffer{}
	if allocs := testing.AllocsPerRun(5, func() { keys.slice(batch, 2*batch, &buffer) }); allocs > 1 {
		t.Errorf("%v allocations for a batch", allocs)
	}
	all := UniformKeys(2*batch, 1)
	if part := keys.slice(batch+5, batch+8, &buffer); len(part) != 3 || part[0] != all[batch+5] || part[2] != all[batch+7] {
		t.Errorf("%q", part)
	}
}

// contextAfter is cancelled once its error has been asked for so many times.
type contextAfter struct {
	context.Context
	asks int
}

func (c *contextAfter) Err() error {
	if c.asks--; c.asks < 0 {
		return context.Canceled
	}
	return nil
}

// Keys that take long can be stopped: at the beginning, while their text is made,
// and while it is cut up.
func TestUniformKeysStop(t *testing.T) {
	for asks := range 6 {
		keys, err := UniformKeysContext(&contextAfter{context.Background(), asks}, 3*batch, 1)
		if keys != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("after %d looks at the context: %d keys, %v", asks, len(keys), err)
		}
	}
	if keys, err := UniformKeysContext(&contextAfter{context.Background(), 6}, 3*batch, 1); len(keys) != 3*batch || err != nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// A measurement that is cancelled has an error, not figures of no keys.
func TestBalanceStopsAtKeys(t *testing.T) {
	ctx := &contextAfter{context.Background(), 1} // the first is before the keys are made
	report, err := Balance(ctx, BalanceConfig{Algorithms: []string{"modulo"}, Nodes: []int{3}, Keys: batch, Runs: 1})
	if report != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", report, err)
	}
}

func TestParseUniform(t *testing.T) {
	if count, ok, err := ParseUniform("uniform:250"); count != 250 || !ok || err != nil {
		t.Error(count, ok, err)
	}
	if _, ok, err := ParseUniform("file.gz"); ok || err != nil {
		t.Error(ok, err)
	}
	for _, text := range []string{"uniform:", "uniform:0", "uniform:-1", "uniform:x", "uniform:100000001", "uniform:99999999999999999999"} {
		if _, ok, err := ParseUniform(text); !ok || err == nil {
			t.Errorf("%q: %v, %v", text, ok, err)
		}
	}
}
