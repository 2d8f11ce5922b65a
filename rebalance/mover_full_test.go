package rebalance

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestSourceIsFull: a server that has reached its maxmemory and evicts nothing takes no
// transactions. It is the first that a fleet is scaled out for, and gives its keys away.
func TestSourceIsFull(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	f.fence("b")
	a, b := f.redis("a"), f.redis("b")
	keys := f.ownedBy("a", "b", "key", 1000)
	items := make(map[string]testItem)
	for i, key := range keys[100:] {
		items[key] = testItem{value: fmt.Sprint("v", i), ttl: time.Hour}
	}
	must(t, f.store("a").fill(t.Context(), items))
	for _, key := range keys[:100] {
		fillValue(t, a, valuesOf[2].script, key, 20)
	}
	must(t, a.ConfigSet(t.Context(), "maxmemory", "1").Err())
	f.handOver("a")
	here, err := a.Exists(t.Context(), keys...).Result()
	must(t, err)
	there, err := b.Exists(t.Context(), keys...).Result()
	must(t, err)
	if here != 0 || there != int64(len(keys)) {
		t.Errorf("%d keys at the source and %d at the receiver, want 0 and %d", here, there, len(keys))
	}
	if v, ttl, _, err := f.store("b").get(t.Context(), keys[100]); v != "v0" || ttl <= 59*time.Minute || err != nil {
		t.Errorf("%q for %v, %v", v, ttl, err)
	}
}
