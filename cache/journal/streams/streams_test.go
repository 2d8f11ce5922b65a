package streams

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/internal/servertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func durable(t *testing.T) *servertest.Server {
	return servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
}

func clientOf(t *testing.T, address string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, ReadTimeout: time.Minute, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func openQueue(t *testing.T, client redis.UniversalClient, cfg Config) journal.Queue {
	t.Helper()
	cfg.Poll = time.Millisecond
	j, err := New(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	q, err := j.Queue(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func add(t *testing.T, q journal.Queue, data ...string) []uint64 {
	t.Helper()
	var all [][]byte
	for _, d := range data {
		all = append(all, []byte(d))
	}
	numbers, err := q.Append(t.Context(), all...)
	if err != nil || len(numbers) != len(data) {
		t.Fatalf("Append: %v, %v", numbers, err)
	}
	return numbers
}

func read(t *testing.T, q journal.Queue, most int) (data []string, numbers []uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	records, err := q.Read(ctx, most)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		data, numbers = append(data, string(r.Data)), append(numbers, r.Number)
	}
	return data, numbers
}

// readAll reads until it has as many.
func readAll(t *testing.T, q journal.Queue, n int) (data []string, numbers []uint64) {
	t.Helper()
	for len(data) < n {
		d, m := read(t, q, 2)
		data, numbers = append(data, d...), append(numbers, m...)
	}
	return data, numbers
}

// One reads, the others wait. If he is dead, what he had read comes first, to the next;
// and when he turns out to be alive, he reads nothing of what the other has.
func TestReaderDies(t *testing.T) {
	server := durable(t)
	one, two := openQueue(t, clientOf(t, server.Addr()), Config{Lease: time.Hour}), openQueue(t, clientOf(t, server.Addr()), Config{Lease: time.Hour})
	add(t, two, "a", "b", "c", "d", "e")
	if data, _ := readAll(t, one, 3); !slices.Equal(data, []string{"a", "b", "c", "d"}) {
		t.Fatalf("%q", data)
	}
	_, _ = one.Append(t.Context(), []byte("f"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if records, err := two.Read(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second reader beside the first: %v, %v", records, err)
	}
	clientOf(t, server.Addr()).Del(t.Context(), "{q}:reader")                // as when its time is up
	two = openQueue(t, clientOf(t, server.Addr()), Config{Lease: time.Hour}) // which knows nothing of the first
	data, numbers := readAll(t, two, 6)
	if !slices.Equal(data, []string{"a", "b", "c", "d", "e", "f"}) {
		t.Fatalf("%q, want all in order", data)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if records, err := one.Read(short, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the first reads on: %v, %v", records, err)
	}
	if err := two.Done(t.Context(), numbers[:5]...); err != nil {
		t.Fatal(err)
	}
	if err := two.Close(); err != nil { // gives the lease back
		t.Fatal(err)
	}
	if data, _ := readAll(t, one, 1); !slices.Equal(data, []string{"f"}) {
		t.Fatalf("%q, want f alone", data)
	}
	if n := clientOf(t, server.Addr()).XLen(t.Context(), "{q}:records").Val(); n != 1 {
		t.Errorf("%d entries in the stream, want 1: what is done is deleted", n)
	}
}

// lossy loses the reply of the scripts that it is told to lose.
type lossy struct{ lose atomic.Int32 }

func (l *lossy) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}
func (l *lossy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (l *lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if strings.HasPrefix(cmd.Name(), "eval") && err == nil && l.lose.Add(-1) >= 0 {
			cmd.SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return err
	}
}

// An append whose reply is lost is not there twice, and one whose reply is lost for good
// is an error. A read whose reply is lost is read again, before what is newer.
func TestReplyLost(t *testing.T) {
	server := durable(t)
	client := clientOf(t, server.Addr())
	net := &lossy{}
	client.AddHook(net)
	q := openQueue(t, client, Config{})
	add(t, q, "first")
	for _, lost := range []int32{1, 2} {
		net.lose.Store(lost)
		numbers := add(t, q, "x", "y")
		if numbers[0] == 0 || numbers[1] <= numbers[0] {
			t.Errorf("numbers %v", numbers)
		}
	}
	if n := clientOf(t, server.Addr()).XLen(t.Context(), "{q}:records").Val(); n != 5 {
		t.Errorf("%d entries, want 5: none twice", n)
	}
	net.lose.Store(attempts)
	if _, err := q.Append(t.Context(), []byte("z")); err == nil {
		t.Error("no reply, and no error")
	}
	net.lose.Store(0)
	if data, _ := read(t, q, 2); !slices.Equal(data, []string{"first", "x"}) {
		t.Fatalf("%q", data)
	}
	net.lose.Store(1)
	if _, err := q.Read(t.Context(), 2); err == nil {
		t.Fatal("a read without a reply")
	}
	data, _ := readAll(t, q, 6)
	if !slices.Equal(data, []string{"first", "x", "y", "x", "y", "z"}) {
		t.Errorf("%q: want what was lost, after what is not done", data)
	}
}

// A process that is killed forgets nothing, and neither does the server.
func TestServerKilled(t *testing.T) {
	server := durable(t)
	q := openQueue(t, clientOf(t, server.Addr()), Config{})
	numbers := add(t, q, "a", "b")
	server.Kill()
	if _, err := q.Append(t.Context(), []byte("c")); err == nil {
		t.Error("Append without a server")
	}
	server.Restart()
	again := add(t, q, "d")
	if again[0] <= numbers[1] {
		t.Errorf("number %d after %d", again[0], numbers[1])
	}
	data, _ := readAll(t, q, 3)
	if !slices.Equal(data, []string{"a", "b", "d"}) {
		t.Errorf("%q", data)
	}
}

func TestRefused(t *testing.T) {
	server := servertest.Redis(t)
	j, err := New(clientOf(t, server.Addr()), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Queue(t.Context(), "q"); err == nil || !strings.Contains(err.Error(), "append-only file") {
		t.Errorf("a server without a file: %v", err)
	}
	for _, none := range []redis.UniversalClient{nil, (*redis.Client)(nil), (*redis.ClusterClient)(nil)} {
		if _, err := New(none, Config{}); err == nil || !strings.Contains(err.Error(), "client: nil") {
			t.Errorf("no client, %T: %v", none, err)
		}
	}
	if _, err := New(clientOf(t, server.Addr()), Config{Lease: -1}); err == nil {
		t.Error("a negative lease")
	}
	q := openQueue(t, clientOf(t, server.Addr()), Config{Volatile: true, MaxLen: 2})
	add(t, q, "a", "b")
	if _, err := q.Append(t.Context(), []byte("c")); !errors.Is(err, journal.ErrFull) {
		t.Errorf("a third record: %v", err)
	}
}

// What is no record stops the queue, with an error that says where, until somebody has
// removed it; what comes after it is not read before.
func TestDamaged(t *testing.T) {
	server := durable(t)
	q := openQueue(t, clientOf(t, server.Addr()), Config{})
	add(t, q, "a")
	ctx := t.Context()
	id, err := clientOf(t, server.Addr()).XAdd(ctx, &redis.XAddArgs{Stream: "{q}:records", Values: []string{"d", "theirs"}}).Result()
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "b")
	if data, _ := read(t, q, 1); !slices.Equal(data, []string{"a"}) {
		t.Fatalf("%q", data)
	}
	for range 3 {
		if _, err := q.Read(ctx, 10); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), id) {
			t.Fatalf("%v, want ErrDamaged, of %s", err, id)
		}
	}
	clientOf(t, server.Addr()).XDel(ctx, "{q}:records", id)
	data, _ := readAll(t, q, 2)
	if !slices.Equal(data, []string{"a", "b"}) {
		t.Errorf("%q", data)
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("1700000000000-0")
	f.Add("1-4194303")
	f.Add("-")
	f.Fuzz(func(t *testing.T, id string) {
		n, err := numberOf(id)
		if err != nil {
			return
		}
		if again, err := numberOf(idOf(n)); n >= 1<<63 || err != nil || again != n {
			t.Errorf("%q is %d, which is %s", id, n, idOf(n))
		}
	})
}
