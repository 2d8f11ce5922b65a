package resizetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

var latencyRounds = flag.Int("latency.rounds", 0, "how many rounds TestLatency takes its medians over; 0: it is skipped")

const (
	latencyKeys   = 200_000 // half of them move
	latencyStay   = 10_000  // of those that stay, how many are used
	latencyRate   = 4_000   // requests a second
	latencyBefore = 4 * time.Second
	moverRate     = 20_000 // keys a second
)

// TestLatency measures reads and writes of keys that do not move, before a second
// node joins and while the only other one hands it half of its keys: every request
// that is measured goes to the server that the mover reads from. No bound is
// tested: times depend on the machine.
func TestLatency(t *testing.T) {
	if *latencyRounds == 0 {
		t.Skip("skipped: a measurement; -latency.rounds 7 takes one")
	}
	var ratios [2][]float64
	for round := range *latencyRounds {
		t.Run(fmt.Sprint("round ", round+1), func(t *testing.T) {
			before, during := latencyRound(t)
			for op, name := range []string{"reads", "writes"} {
				b, d := quantiles(before[op]), quantiles(during[op])
				ratios[op] = append(ratios[op], float64(d[1])/float64(b[1]))
				t.Logf("%-6s  before: p50 %v, p99 %v of %d; during: p50 %v, p99 %v of %d; ratio of p99 %.2f",
					name, b[0], b[1], len(before[op]), d[0], d[1], len(during[op]), ratios[op][round])
			}
		})
	}
	for op, name := range []string{"reads", "writes"} {
		slices.Sort(ratios[op])
		n := len(ratios[op])
		t.Logf("%s: p99 while keys move to before: median of %d rounds %.2f, least %.2f, most %.2f; %s, %s",
			name, n, ratios[op][n/2], ratios[op][0], ratios[op][n-1], processor(), runtime.Version())
	}
}

// A sample is one request. Writes are counted apart from reads.
type sample struct {
	at   time.Time
	took time.Duration
}

type samples [2][]sample // reads, writes

// latencyRound returns what was measured before and while keys moved.
func latencyRound(t *testing.T) (before, during [2][]time.Duration) {
	servers := startServers(t, 2)
	source := startAgent(t, 0, servers[0], "--bootstrap")
	client, err := gossip.Join(t.Context(), gossip.Config{Cluster: cluster, Name: "client", Network: gossip.Local,
		Bind: "127.0.0.1:0", Seeds: []string{source.gossip}, Logger: quiet})
	must(t, err)
	defer client.Close()
	defer http.DefaultClient.CloseIdleConnections()
	f := &fleet{t: t, client: client}
	eventually(t, "the first node is ACTIVE", func() bool { return f.settled(1) })
	s := newStore(t, client)
	stay := fillTwo(t, s)
	ctx, stop := context.WithCancel(t.Context())
	load := startLoad(ctx, s, stay)
	defer func() { stop(); _, _ = load() }()
	start := time.Now()
	<-time.After(latencyBefore)
	joined := time.Now()
	startAgent(t, 1, servers[1], "--join", source.gossip)
	eventually(t, "the mover moves", func() bool {
		r := source.rebalance()
		return r.State == string(rebalance.Moving) && r.KeysMoved > 0
	})
	began := time.Now()
	eventually(t, "the mover has done", func() bool { return source.rebalance().State != string(rebalance.Moving) })
	ended := time.Now()
	stop()
	all, err := load()
	must(t, err)
	eventually(t, "both nodes are ACTIVE", func() bool { return f.settled(2) })
	t.Logf("%d keys moved in %.1f s", source.rebalance().KeysMoved, ended.Sub(began).Seconds())
	for op := range all {
		for _, one := range all[op] {
			switch {
			case one.at.After(start.Add(time.Second)) && one.at.Before(joined): // connections are open by then
				before[op] = append(before[op], one.took)
			case one.at.After(began) && one.at.Before(ended):
				during[op] = append(during[op], one.took)
			}
		}
	}
	return before, during
}

// fillTwo writes all keys and returns some of those that stay.
func fillTwo(t *testing.T, s redisStore) (stay []string) {
	now, err := ring.New(nodeList(2), placement)
	must(t, err)
	pipe := s.Pipeline()
	for i := range latencyKeys {
		key := fmt.Sprintf("session:%08d", i)
		pipe.Set(t.Context(), key, fmt.Sprintf("value of some forty bytes for %08d", i), life)
		if now.Owner(key).ID == nodeName(0) && len(stay) < latencyStay {
			stay = append(stay, key)
		}
		if pipe.Len() == 1000 {
			_, err := pipe.Exec(t.Context())
			must(t, err)
		}
	}
	_, err = pipe.Exec(t.Context())
	must(t, err)
	return stay
}

// startLoad makes requests at a rate until the context ends; what it returns then
// gives out the samples.
func startLoad(ctx context.Context, s redisStore, keys []string) func() (samples, error) {
	const callers = 16
	var mine [callers]samples
	var failed [callers]error // the last one
	var work sync.WaitGroup
	for c := range callers {
		work.Go(func() {
			ticker := time.NewTicker(time.Second * callers / latencyRate)
			defer ticker.Stop()
			for i := c; ctx.Err() == nil; i += callers {
				key, op := keys[i*7919%len(keys)], i/callers%2
				began := time.Now()
				var err error
				if op == 0 {
					_, _, err = s.get(context.Background(), key)
				} else {
					err = s.set(context.Background(), key, key)
				}
				if err != nil {
					failed[c] = err
				}
				mine[c][op] = append(mine[c][op], sample{began, time.Since(began)})
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return func() (all samples, err error) {
		work.Wait()
		for _, one := range mine {
			for op := range all {
				all[op] = append(all[op], one[op]...)
			}
		}
		return all, errors.Join(failed[:]...)
	}
}

// quantiles returns the median and the 99th percentile.
func quantiles(times []time.Duration) [2]time.Duration {
	if len(times) == 0 {
		return [2]time.Duration{}
	}
	slices.Sort(times)
	return [2]time.Duration{times[len(times)/2], times[len(times)*99/100]}
}
