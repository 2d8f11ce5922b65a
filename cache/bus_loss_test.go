package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
)

// lossy is a wire over Redis that loses a part of what arrives.
type lossy struct {
	Wire
	lose float64
	only bool // messages with changes, so that nothing but digests shows what is lost

	mu            sync.Mutex
	random        *rand.Rand
	arrived, gone atomic.Int64
}

func (l *lossy) Receive(ctx context.Context, r Receiver) {
	l.Wire.Receive(ctx, lossyReceiver{r, l})
}

type lossyReceiver struct {
	Receiver
	l *lossy
}

func (r lossyReceiver) Message(channel int, data []byte) {
	if m, err := decodeBusMessage(data); r.l.only && (err != nil || m.kind != busChanges) {
		r.Receiver.Message(channel, data)
		return
	}
	r.l.mu.Lock()
	lost := r.l.random.Float64() < r.l.lose
	r.l.mu.Unlock()
	r.l.arrived.Add(1)
	if lost {
		r.l.gone.Add(1)
		return
	}
	r.Receiver.Message(channel, data)
}

// lossWorst is how old a value may be in the first level of the test: silence is noticed
// after three digests, and of the digests of a channel ten in a row are lost once in
// 170,000 times. The rest is for a busy machine.
const (
	lossDigest = 100 * time.Millisecond
	lossWorst  = 15 * time.Second
)

// lossReader reads over the wire, with a first level that would keep values for an hour.
func lossReader(t *testing.T, store Store, wire Wire, src *numbered) *Space[userKey, user] {
	t.Helper()
	bus, err := NewBus(wire, BusConfig{Digest: lossDigest})
	if err != nil {
		t.Fatal(err)
	}
	return overBus(t, store, bus, src.load)
}

// follow changes keys one after the other, and says how long it took the reader at most
// to see a change of what it had in its first level. Each key changes once only, so that
// no later change mends an earlier one; a few are left, whose message is the last.
func follow(t *testing.T, writer, reader *Space[userKey, user], src *numbered, changes int) (worst time.Duration) {
	t.Helper()
	for i := range changes {
		key := userKey{"loss", int64(i)}
		eventually(t, "it is in the first level", func() bool { _, meta := mustGet(t, reader, key); return meta.Source == FromL1 })
		src.n.Add(1)
		want := src.name()
		if err := writer.Invalidate(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for {
			if v, _ := mustGet(t, reader, key); v.Name == want {
				break
			}
			if time.Since(begun) > lossWorst {
				t.Fatalf("change %d: an old value after %v", i, time.Since(begun))
			}
			time.Sleep(time.Millisecond)
		}
		worst = max(worst, time.Since(begun))
	}
	return worst
}

// Over a real server, 30% of what arrives is lost: what is missing is noticed by the
// numbers and by the digests, and the first level is never old for longer.
func TestRedisBusLosesMessages(t *testing.T) {
	for name, only := range map[string]bool{"of all": false, "with changes": true} {
		t.Run(name, func(t *testing.T) { loseMessages(t, only) })
	}
}

func loseMessages(t *testing.T, only bool) {
	address := servertest.Redis(t).Addr()
	client := func() *redis.Client {
		c := redis.NewClient(&redis.Options{Addr: address})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	const seed = 7
	plain, err := NewRedisBus(client(), "test", BusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	wire := &lossy{Wire: plain.wire, lose: 0.3, only: only, random: rand.New(rand.NewPCG(seed, 0))}
	var src numbered
	store := NewMemory() // so that only the bus is disturbed
	writer := overRedis(t, store, client(), BusConfig{Digest: lossDigest}, src.load)
	reader := lossReader(t, store, wire, &src)
	forgets := reader.Stats().L1Forgets
	worst := follow(t, writer, reader, &src, 30)
	t.Logf("%d of %d messages lost (seed %d), all forgotten %d times, a value was old for %v at most",
		wire.gone.Load(), wire.arrived.Load(), seed, reader.Stats().L1Forgets-forgets, worst)
	if wire.gone.Load() == 0 || reader.Stats().L1Forgets == forgets {
		t.Error("nothing was lost, or nothing was noticed")
	}
}

// The connection that listens is cut by a proxy after every few messages, also in the
// midst of one: what was told meanwhile is not missed.
func TestRedisBusConnectionCut(t *testing.T) {
	address := servertest.Redis(t).Addr()
	proxy := faultproxy.New(t, address)
	cut := redis.NewClient(&redis.Options{Addr: proxy.Addr()})
	t.Cleanup(func() { _ = cut.Close() })
	whole := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = whole.Close() })
	var src numbered
	store := NewMemory()
	writer := overRedis(t, store, whole, BusConfig{Digest: lossDigest}, src.load)
	listening, err := NewRedisBus(cut, "test", BusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	reader := lossReader(t, store, listening.wire, &src)
	forgets := reader.Stats().L1Forgets
	var worst time.Duration
	for _, bytes := range []int{1200, 1777, 2500} {
		proxy.CutReplies(bytes)
		before := reader.Stats().L1Forgets
		for done := false; !done; done = reader.Stats().L1Forgets > before {
			worst = max(worst, follow(t, writer, reader, &src, 8))
		}
		proxy.Heal()
	}
	t.Logf("all forgotten %d times, a value was old for %v at most", reader.Stats().L1Forgets-forgets, worst)
	if n := reader.Stats().L1Forgets - forgets; n < 3 {
		t.Errorf("%s", fmt.Sprintf("all was forgotten %d times, want each time that a connection was cut", n))
	}
}
