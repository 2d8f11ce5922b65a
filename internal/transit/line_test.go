package transit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
)

// lineOf reads what a server says.
func lineOf(said string) *line {
	return &line{in: bufio.NewReaderSize(strings.NewReader(said), 64)}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		said string
		want any
	}{
		{"+OK\r\n", "OK"},
		{"-ERR no\r\n", said("ERR no")},
		{":-12\r\n", int64(-12)},
		{":9223372036854775807\r\n", int64(9223372036854775807)},
		{"$3\r\na\r\n\r\n", "a\r\n"},
		{"$0\r\n\r\n", ""},
		{"$-1\r\n", nil},
		{"*-1\r\n", nil},
		{"*0\r\n", []any(nil)},
		{"*3\r\n:1\r\n$1\r\nx\r\n*1\r\n-ERR\r\n", []any{int64(1), "x", []any{said("ERR")}}},
		{"$200\r\n" + strings.Repeat("x", 200) + "\r\n", strings.Repeat("x", 200)},
	} {
		got, err := lineOf(c.said).reply()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %#v, %v, want %#v", c.said, got, err, c.want)
		}
	}
	for _, wrong := range []string{
		"", "\r\n", "+\n", "OK\r\n", "+OK", "+OK\n", ":\r\n", ":-\r\n", ":1x\r\n", ":99999999999999999999\r\n",
		"$-2\r\n", "$1\r\nxy\r\n", "$1\r\nx", "$3\r\nx\r\n", "$99999999999\r\nx\r\n", "*-2\r\n", "*2\r\n:1\r\n", "*99999999999\r\n",
		"%1\r\n+a\r\n+b\r\n", strings.Repeat("*1\r\n", 10) + ":1\r\n", "+" + strings.Repeat("x", 100) + "\r\n",
	} {
		if got, err := lineOf(wrong).reply(); err == nil {
			t.Errorf("%q: %#v, want an error", wrong, got)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$1\r\nx\r\n:1\r\n", "-ERR\r\n", "$-1\r\n", "*2\r\n*1\r\n:1\r\n+x\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &line{in: bufio.NewReader(bytes.NewReader(data))}
		for {
			if _, err := l.reply(); err != nil {
				break
			}
		}
		values := make([]RedisValue, 3)
		take := taking{line: &line{in: bufio.NewReader(bytes.NewReader(data))}, values: values}
		if take.transaction([]string{"a", "b", "c"}, 0, 3) == nil {
			take.finish()
		}
		c, _ := newCall(storeScript, Copied, values)
		if reply, err := lineOf(string(data)).reply(); err == nil {
			list, _ := reply.([]any)
			_ = c.read(list)
			_, _ = millis(reply)
		}
	})
}

// TestTakeShortIsTakeScripted: plain commands find what the script finds.
func TestTakeShortIsTakeScripted(t *testing.T) {
	o, _ := twoRedis(t)
	ctx := t.Context()
	lines := NewLines(o.Client)
	defer lines.Close()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var keys []string
	_, err := o.Client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range 500 {
			key := fmt.Sprint("key ", i)
			keys = append(keys, key)
			switch random.IntN(8) {
			case 0: // not there
				continue
			case 1:
				pipe.HSet(ctx, key, "f", i)
			case 2:
				pipe.RPush(ctx, key, strings.Repeat("x", random.IntN(3000)))
			case 3:
				pipe.Set(ctx, key, "", 0)
			case 4:
				pipe.Set(ctx, key, strings.Repeat("y", shortValue-2+random.IntN(4)), 0)
			case 5:
				pipe.Set(ctx, key, strings.Repeat("z", random.IntN(200_000)), 0)
			default:
				pipe.Set(ctx, key, fmt.Sprint("value\r\n", i), 0)
			}
			if random.IntN(2) == 0 {
				pipe.PExpire(ctx, key, time.Hour+time.Duration(random.IntN(1e6))*time.Millisecond)
			}
		}
		return nil
	})
	must(t, err)
	bound := Bound{Bytes: 100_000, Elements: 100}
	want, err := o.TakeWithin(ctx, bound, keys...)
	must(t, err)
	lined := Redis{Client: o.Client, Lines: lines}
	got, err := lined.TakeWithin(ctx, bound, keys...)
	must(t, err)
	for i := range keys {
		if got[i] != want[i] {
			t.Errorf("seed %d: %s: %.100v, want %.100v", seed, keys[i], got[i], want[i])
		}
	}
	values, rest, _, err := lines.takeShort(ctx, keys)
	if err != nil || len(rest) == 0 || len(rest) == len(values) {
		t.Errorf("seed %d: takeShort leaves %d of %d keys, %v", seed, len(rest), len(values), err)
	}
}

// TestTakeTogether: value and expiry are asked for in one transaction. Apart, they
// could be those of two values, since the server reads a packet in pieces.
func TestTakeTogether(t *testing.T) {
	o, _ := twoRedis(t)
	var sent bytes.Buffer
	l := &line{net: record{&sent}, in: bufio.NewReader(strings.NewReader("")), patience: time.Minute}
	s := &Lines{client: o.Client, all: map[*line]struct{}{l: {}}, free: []*line{l}}
	l.client = redis.NewClient(&redis.Options{})
	l.conn = l.client.Conn()
	keys := strings.Fields(strings.Repeat("key ", takeTogether+1))
	if _, _, _, err := s.takeShort(t.Context(), keys); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	inside := false
	for _, word := range strings.Split(sent.String(), "\r\n") {
		switch word {
		case "MULTI", "EXEC":
			if inside == (word == "MULTI") {
				t.Errorf("%s within, or without, a transaction", word)
			}
			inside = !inside
		case "GETRANGE", "PEXPIRETIME":
			if !inside {
				t.Errorf("%s outside of a transaction", word)
			}
		}
	}
	if n := strings.Count(sent.String(), "EXEC"); n != 2 || inside {
		t.Errorf("%d transactions", n)
	}
}

// record is a connection that keeps what is sent.
type record struct{ to io.Writer }

func (r record) Write(p []byte) (int, error)      { return r.to.Write(p) }
func (r record) Read([]byte) (int, error)         { return 0, io.EOF }
func (r record) Close() error                     { return nil }
func (r record) LocalAddr() net.Addr              { return nil }
func (r record) RemoteAddr() net.Addr             { return nil }
func (r record) SetDeadline(time.Time) error      { return nil }
func (r record) SetReadDeadline(time.Time) error  { return nil }
func (r record) SetWriteDeadline(time.Time) error { return nil }

// TestLinesIntroduceThemselves: with the client's credentials, in its database.
func TestLinesIntroduceThemselves(t *testing.T) {
	server := servertest.RedisUsers(t, "alice on >secret ~* &* +@all", "default off")
	ctx := t.Context()
	for _, protocol := range []int{2, 3} {
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "alice", Password: "secret", DB: 2, Protocol: protocol})
		defer client.Close()
		r := Redis{Client: client, Lines: NewLines(client)}
		defer r.Lines.Close()
		must(t, client.Set(ctx, "key", "in 2", 0).Err())
		values, err := r.TakeWithin(ctx, Bound{}, "key", "none")
		if err != nil || values[0].Payload != "in 2" || values[1].State != Gone {
			t.Errorf("protocol %d: %v, %v", protocol, values, err)
		}
		must(t, r.SetFence(ctx, fence7))
		if looks, fenced, err := r.GlanceFenced(ctx, fence7); !fenced || err != nil || looks.Of(5).Since == 0 {
			t.Errorf("protocol %d: %v, %v, %v", protocol, looks, fenced, err)
		}
	}
	wrong := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "alice", Password: "wrong"})
	defer wrong.Close()
	r := Redis{Client: wrong, Lines: NewLines(wrong)}
	defer r.Lines.Close()
	if _, err := r.TakeWithin(ctx, Bound{}, "key"); err == nil {
		t.Error("a wrong password is let in")
	}
}

// TestLinesBreak: a line that is lost takes one call with it, and no other one.
func TestLinesBreak(t *testing.T) {
	o, _ := twoRedis(t)
	ctx := t.Context()
	s := NewLines(o.Client)
	r := Redis{Client: o.Client, Lines: s}
	must(t, o.Client.Set(ctx, "key", "v", 0).Err())
	take := func() ([]RedisValue, error) { return r.TakeWithin(ctx, Bound{}, "key") }
	must(t, s.with(ctx, func(*line) error { _, err := take(); return err })) // two lines
	values, err := take()
	must(t, err)
	must(t, o.Client.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	if _, err := take(); err == nil {
		t.Error("a line that was cut works")
	}
	if _, err := take(); err != nil {
		t.Errorf("the line after one that was cut: %v", err)
	}
	must(t, o.Client.ScriptFlush(ctx).Err())
	if results, err := r.Remove(ctx, values...); err != nil || results[0].Outcome != Removed {
		t.Errorf("without the script: %v, %v", results, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.TakeWithin(stopped, Bound{}, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := take(); err != nil {
		t.Errorf("after one that was cancelled: %v", err)
	}

	must(t, o.Client.Do(ctx, "CLIENT", "PAUSE", "60000", "ALL").Err())
	ended := make(chan error)
	go func() { _, err := take(); ended <- err }()
	s.Close()
	if err := <-ended; err == nil {
		t.Error("a call ends well although it was closed")
	}
	if _, err := take(); !errors.Is(err, errLines) {
		t.Errorf("closed: %v", err)
	}
	s.Close()
}

// TestTakeFrom: values that came over one line are known to be of one process; of others
// nobody says so.
func TestTakeFrom(t *testing.T) {
	r, _ := twoRedis(t)
	r.Lines = NewLines(r.Client)
	defer r.Lines.Close()
	ctx := t.Context()
	must(t, r.Client.Set(ctx, "short", "v", 0).Err())
	must(t, r.Client.HSet(ctx, "hash", "f", "v").Err())
	want, err := r.Lines.Process(ctx)
	must(t, err)
	for _, tt := range []struct {
		keys []string
		want string
	}{{[]string{"short", "none"}, want}, {[]string{"short", "hash"}, ""}} {
		values, process, err := r.TakeFrom(ctx, Bound{}, tt.keys...)
		if len(values) != 2 || process != tt.want || want == "" || err != nil {
			t.Errorf("%v: %v, of process %q, %v, want %q", tt.keys, values, process, err, tt.want)
		}
	}
}
