package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cache/journal/streams"
	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/internal/servertest"
)

// rows is a source on a redis-server. One script changes a row, and remembers with it
// both what RowChange says: the number up to which it has everything, and the IDs of
// its deltas. It has a sum by each.
var rowsScript = redis.NewScript(`
local last = redis.call('HGET', KEYS[1], 'last') or ''
local top = last
if ARGV[1] ~= '' and ARGV[1] > last then
  redis.call('HSET', KEYS[1], 'value', ARGV[2])
  top = ARGV[1]
end
for i = 3, #ARGV, 3 do
  if ARGV[i] > last then
    redis.call('HINCRBY', KEYS[1], 'by number', ARGV[i + 2])
    if ARGV[i] > top then top = ARGV[i] end
  end
  if redis.call('SADD', KEYS[1] .. ' ids', ARGV[i + 1]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'by id', ARGV[i + 2])
  end
end
redis.call('HSET', KEYS[1], 'last', top)
return 1
`)

// decimal is a number as text that sorts like it: Lua has no integers of 64 bits.
func decimal(n uint64) string { return fmt.Sprintf("%020d", n) }

func rowName(key userKey) string { return fmt.Sprint("row:", key.Tenant, ":", key.ID) }

// behindSource applies changes. Now and then it says that it has failed when it has not.
func behindSource(client *redis.Client, r *rand.Rand) func(context.Context, []*RowChange[userKey, user]) error {
	return func(ctx context.Context, batch []*RowChange[userKey, user]) error {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, c := range batch {
				args := []any{"", ""}
				if c.Write == WriteValue {
					args = []any{decimal(c.Number), c.Value.Name}
				}
				for _, d := range c.Deltas {
					args = append(args, decimal(d.Number), d.ID[:], d.By)
				}
				rowsScript.Eval(ctx, p, []string{rowName(c.Key)}, args...)
			}
			return nil
		})
		if err == nil && r.IntN(5) == 0 {
			err = errors.New("its reply was lost")
		}
		return err
	}
}

const (
	behindTenants = "sums"
	behindWriters = 6
)

// behindRun is a process that writes behind until it is killed: numbers that are added
// to rows of all processes, and values of rows of its own. It prints what it is about to
// write, and what it was told is written. Its arguments are the journal's kind and place,
// the source, who it is, and a seed. Who is called "drain" writes nothing, and ends when
// the journal is empty.
func behindRun(_ string, args []string) error {
	kind, place, source, me := args[0], args[1], args[2], args[3]
	seed, err := strconv.ParseUint(args[4], 10, 64)
	if err != nil {
		return err
	}
	var log journal.Journal
	if kind == "local" {
		l, err := local.Open(place, local.Config{})
		if err != nil {
			return err
		}
		defer l.Close()
		log = l
	} else if log, err = streams.New(redis.NewClient(&redis.Options{Addr: place, MaxRetries: -1}),
		streams.Config{Lease: time.Second, Poll: 5 * time.Millisecond}); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: source, MaxRetries: -1})
	m, err := NewManager(ManagerConfig{Store: NewMemory()})
	if err != nil {
		return err
	}
	s, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "user", WriteBehind: WriteBehindConfig[userKey, user]{
		Apply: behindSource(client, rand.New(rand.NewPCG(seed, 0))), Journal: log,
		Interval: time.Millisecond, Pause: time.Millisecond, MaxPause: time.Millisecond, Batch: 50, Drain: time.Minute}})
	if err != nil {
		return err
	}
	if me != "drain" {
		behindWriteOn(s, me)
	}
	return m.Close()
}

func behindWriteOn(s *Space[userKey, user], me string) {
	var mu sync.Mutex
	say := func(what string, id [16]byte) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %x\n", what, id)
	}
	who, _ := strconv.ParseUint(me, 10, 64)
	var all sync.WaitGroup
	for w := range behindWriters {
		all.Go(func() {
			for i := uint64(1); ; i++ {
				id := behindID(who, uint64(w), i)
				say("try", id)
				var err error
				if w%2 == 0 {
					err = s.AddOnce(context.Background(), userKey{behindTenants, int64(i % 5)}, int64(i), id)
				} else {
					err = s.Put(context.Background(), userKey{"values", int64(binary.BigEndian.Uint64(id[:]))}, user{Name: decimal(i)})
				}
				if err == nil {
					say("acknowledged", id)
				}
			}
		})
	}
	all.Wait()
}

// behindID says who wrote what: process and writer, and which of his writes. The writer
// is odd for a value.
func behindID(who, writer, i uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], who<<8|writer)
	binary.BigEndian.PutUint64(id[8:], i)
	return id
}

// behindTold is what processes have said.
type behindTold struct {
	mu                  sync.Mutex
	tried, acknowledged map[[16]byte]bool
}

// follow notes what a process says, and calls enough once it was told of so many writes.
func (b *behindTold) follow(p *process, writes int, enough func()) {
	n := 0
	for in := p.lines; in.Scan(); {
		what, text, _ := strings.Cut(in.Text(), " ")
		var id []byte
		if _, err := fmt.Sscanf(text, "%x", &id); err != nil || len(id) != 16 {
			continue // it was killed in the midst of a line
		}
		b.mu.Lock()
		if what == "try" {
			b.tried[[16]byte(id)] = true
		} else if what == "acknowledged" {
			b.acknowledged[[16]byte(id)] = true
			n++
		}
		b.mu.Unlock()
		if n == writes {
			enough()
		}
	}
}

// Processes that write behind are killed with SIGKILL, at random, again and again, and
// their source says that it fails when it does not. Nothing that was acknowledged is
// lost, nothing is added twice, and the last value is the last.
func TestWriteBehindKilled(t *testing.T) {
	rounds := 5
	if os.Getenv("RINGWAY_SOAK") == "1" {
		rounds = 100
	}
	for _, kind := range []string{"local", "streams"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			const seed = 5
			r := rand.New(rand.NewPCG(seed, 0))
			source := servertest.Redis(t).Addr()
			place, atOnce := t.TempDir()+"/journal", 1
			if kind == "streams" {
				place, atOnce = servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "always").Addr(), 2
			}
			told := &behindTold{tried: make(map[[16]byte]bool), acknowledged: make(map[[16]byte]bool)}
			start := func(who string) *process {
				return startChild(t, "behind", []string{kind, place, source, who, strconv.FormatUint(r.Uint64()>>1, 10)}, time.Second)
			}
			var all sync.WaitGroup
			slots := make(chan struct{}, atOnce)
			for round := range rounds {
				slots <- struct{}{}
				p := start(strconv.Itoa(round + 1))
				writes := 1 + r.IntN(400)
				all.Go(func() {
					told.follow(p, writes, func() { _ = p.cmd.Process.Kill() })
					_ = p.cmd.Wait()
					<-slots
				})
			}
			all.Wait()
			drain := start("drain")
			told.follow(drain, -1, nil)
			if err := drain.cmd.Wait(); err != nil {
				t.Fatalf("the process that drains the journal: %v", err)
			}
			told.check(t, source, rounds)
		})
	}
}

func (b *behindTold) check(t *testing.T, source string, rounds int) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: source})
	defer client.Close()
	ctx, applied := t.Context(), make(map[[16]byte]bool)
	for i := range 5 {
		name := rowName(userKey{behindTenants, int64(i)})
		sum := int64(0)
		for _, id := range client.SMembers(ctx, name+" ids").Val() {
			applied[[16]byte([]byte(id))] = true
			sum += int64(binary.BigEndian.Uint64([]byte(id)[8:]))
		}
		row := client.HGetAll(ctx, name).Val()
		if want := strconv.FormatInt(sum, 10); row["by id"] != want || row["by number"] != want {
			t.Errorf("row %d: the sum is %s by ID, %s by number, want %s", i, row["by id"], row["by number"], want)
		}
	}
	values := make(map[uint64]uint64) // the last that was acknowledged
	lost, deltas := 0, 0
	for id := range b.acknowledged {
		writer, i := binary.BigEndian.Uint64(id[:]), binary.BigEndian.Uint64(id[8:])
		if writer&1 == 1 {
			values[writer] = max(values[writer], i)
			continue
		}
		if deltas++; !applied[id] {
			lost++
		}
	}
	for id := range applied {
		if !b.tried[id] {
			t.Errorf("%x is in the source, and nobody wrote it", id)
		}
	}
	for writer, i := range values {
		got := client.HGet(ctx, rowName(userKey{"values", int64(writer)}), "value").Val()
		if n, err := strconv.ParseUint(strings.TrimLeft(got, "0"), 10, 64); err != nil || (n != i && !(n == i+1 && b.tried[behindID(writer>>8, writer&255, n)])) {
			t.Errorf("value of %x: %q, want %d", writer, got, i)
		}
	}
	t.Logf("%d kills: %d deltas and %d rows of values acknowledged, %d lost", rounds, deltas, len(values), lost)
	proofs.Record(t, proofs.Row{Proof: "write-behind killed", Got: fmt.Sprintf("%d kills: %d deltas and %d rows of values acknowledged, %d lost", rounds, deltas, len(values), lost)})
	if lost > 0 || deltas == 0 || len(values) == 0 {
		t.Errorf("%d of %d deltas lost, %d values", lost, deltas, len(values))
	}
}
