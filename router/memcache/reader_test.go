package memcache

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// offline is a connection of which only the reader is used: calls are put into
// its queue, and its bytes come from source.
func offline(source io.Reader, calls ...*call) *conn {
	local, remote := net.Pipe()
	remote.Close()
	in := &input{source: source, buf: make([]byte, 4096)}
	cn := newConn(local, in, &Config{Address: "offline", MaxValueSize: 1 << 10, ReplyTimeout: time.Hour}, func(*conn) {})
	cn.queue = slices.Clone(calls)
	return cn
}

func waiting(of command, want Return) *call {
	return &call{home: &new(Client).calls, done: make(chan struct{}, 1), command: of, want: want}
}

func asking(key string, of command, want Return) *call {
	k := waiting(of, want)
	k.key = key
	return k
}

func waitingBatch(of command, quiet bool, n int) *call {
	k := waiting(of, 0)
	silence := StatusOK
	if of == commandGet {
		silence = StatusMiss
	}
	k.batch = &batch{results: make([]Result, n), want: make([]Return, n), quiet: quiet, silence: silence}
	if of == commandGet {
		for i := range n {
			k.batch.want[i] = ReturnValue
		}
	}
	return k
}

// readAll lets the reader work through its source and returns why it ended.
func readAll(cn *conn) error {
	for {
		if _, err := cn.step(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// checkReader is FuzzReply's: see there.
func checkReader(t *testing.T, data []byte, kind uint8) {
	calls := []*call{
		waiting(command(kind%7), Return(kind)), waiting(commandGet, ReturnValue),
		waitingBatch(commandSet, true, 4), waitingBatch(commandGet, true, 3), waitingBatch(commandDelete, false, 2), waiting(commandText, 0),
	}
	cn := offline(iotest.OneByteReader(bytes.NewReader(data)), calls...)
	if err := readAll(cn); !errors.Is(err, ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the reader ended with %v", err)
	}
	bounded := func(r *Response) {
		if len(r.Value) > max(maxLine, cn.config.MaxValueSize) || len(r.Key) > maxLine {
			t.Errorf("a response out of bounds: %d bytes of value, %d of key", len(r.Value), len(r.Key))
		}
	}
	for _, k := range calls {
		bounded(&k.resp)
		if k.batch != nil {
			for i := range k.batch.results {
				bounded(&k.batch.results[i].Response)
			}
		}
	}
}

// A stutter gives its bytes in pieces of the sizes drawn, with time-outs and
// empty reads between them.
type stutter struct {
	t    *rapid.T
	data []byte
}

func (s *stutter) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	if rapid.Bool().Draw(s.t, "times out") {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p[:min(len(p), rapid.IntRange(0, 40).Draw(s.t, "bytes"))], s.data)
	s.data = s.data[n:]
	return n, nil
}

// However the bytes of replies are cut up, and wherever a read times out, every
// call gets its own.
func TestReaderGoesOnWhereItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire strings.Builder
		var calls []*call
		var want []string
		for range rapid.IntRange(1, 12).Draw(t, "calls") {
			value := string(rapid.SliceOfN(rapid.ByteRange('\n', '\r'), 0, 300).Draw(t, "value"))
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				wire.WriteString("EN\r\n")
				want = append(want, "EN")
			case 1:
				wire.WriteString("VA " + itoa(len(value)) + " c77\r\n" + value + "\r\n")
				want = append(want, "VA"+value)
			case 2:
				big := strings.Repeat(value, 20) // over MaxValueSize now and then
				wire.WriteString("VA " + itoa(len(big)) + " c77\r\n" + big + "\r\n")
				want = append(want, "VA"+big)
				if len(big) > 1<<10 {
					want[len(want)-1] = "too large"
				}
			}
			calls = append(calls, waiting(commandGet, ReturnValue|ReturnCAS))
		}
		cn := offline(&stutter{t, []byte(wire.String())}, calls...)
		if err := readAll(cn); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("the reader ended with %v", err)
		}
		for i, k := range calls {
			got := k.resp.Status.String() + string(k.resp.Value)
			if k.err != nil {
				got = "too large"
				if !errors.Is(k.err, ErrValueTooLarge) {
					t.Fatalf("call %d: %v", i, k.err)
				}
			}
			if got != want[i] || len(k.done) != 1 {
				t.Fatalf("call %d: got %q, done %d, want %q", i, got, len(k.done), want[i])
			}
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }

// What does not belong to a request ends the connection, and reaches nobody.
func TestReaderRefuses(t *testing.T) {
	tests := []struct {
		name string
		call *call
		wire string
	}{
		{"another command's outcome", waiting(commandGet, 0), "NS\r\n"},
		{"a set answered as a get", waiting(commandSet, 0), "EN\r\n"},
		{"a miss for an mn", waiting(commandNoop, 0), "EN\r\n"},
		{"an mn's answer for a get", waiting(commandGet, 0), "MN\r\n"},
		{"no CAS", waiting(commandGet, ReturnCAS), "HD t5\r\n"},
		{"no time left", waiting(commandGet, ReturnCAS|ReturnTTL), "HD c5\r\n"},
		{"no value", waiting(commandGet, ReturnValue), "HD\r\n"},
		{"a value too many", waiting(commandGet, 0), "VA 1\r\nx\r\n"},
		{"an opaque too many", waiting(commandGet, 0), "HD Oabc\r\n"},
		{"a key that is not base64", waiting(commandGet, ReturnKey), "HD k*** b\r\n"},
		{"a key of another request", asking("mine", commandGet, ReturnKey), "HD kother\r\n"},
		{"a miss of another key", asking("mine", commandGet, ReturnKey), "EN kother\r\n"},
		{"an encoded key of another request", asking("mine", commandGet, ReturnKey), "HD kb3RoZXI= b\r\n"},
		{"me of another key", asking("mine", commandDebug, 0), "ME other exp=-1\r\n"},
		{"a block too long", waiting(commandGet, ReturnValue), "VA 1\r\nxy\r\n"},
		{"a line too long", waiting(commandGet, 0), "HD " + strings.Repeat("y ", maxLine/2) + "\r\n"},
		{"a line without an end", waiting(commandGet, 0), strings.Repeat("y", maxLine+1)},
		{"a value of 2 GiB", waiting(commandGet, ReturnValue), "VA 2147483648\r\n"},
		{"ERROR", waiting(commandGet, 0), "ERROR\r\n"},
		{"CLIENT_ERROR for a set", waiting(commandSet, 0), "CLIENT_ERROR bad data chunk\r\n"},
		{"an old reply", waiting(commandSet, 0), "STORED\r\n"},
		{"the version for flush_all", func() *call { k := waiting(commandText, 0); k.expect = "OK"; return k }(), "VERSION 1\r\n"},
		{"batch: no opaque", waitingBatch(commandGet, true, 3), "VA 1\r\nx\r\n"},
		{"batch: opaque out of range", waitingBatch(commandGet, true, 3), "VA 1 O3\r\nx\r\n"},
		{"batch: opaque not a number", waitingBatch(commandGet, true, 3), "VA 1 Ox\r\nx\r\n"},
		{"batch: opaque twice", waitingBatch(commandGet, true, 3), "VA 1 O1\r\nx\r\nVA 1 O1\r\nx\r\n"},
		{"batch: opaque going back", waitingBatch(commandGet, true, 3), "VA 1 O1\r\nx\r\nVA 1 O0\r\nx\r\n"},
		{"batch: another command's outcome", waitingBatch(commandGet, true, 3), "NS O1\r\n"},
		{"batch: no value", waitingBatch(commandGet, true, 3), "HD O1\r\n"},
		{"batch: silence of one that is not quiet", waitingBatch(commandDelete, false, 3), "HD O0\r\nHD O2\r\n"},
		{"batch: silence at the end", waitingBatch(commandDelete, false, 3), "HD O0\r\nHD O1\r\nMN\r\n"},
		{"batch: more errors than requests", waitingBatch(commandGet, true, 1), "SERVER_ERROR a\r\nSERVER_ERROR b\r\n"},
		{"batch: more errors than places", waitingBatch(commandGet, true, 2), "SERVER_ERROR a\r\nVA 1 O0\r\nx\r\n"},
		{"batch: CLIENT_ERROR for a set", waitingBatch(commandSet, true, 2), "CLIENT_ERROR bad data chunk\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bystander := waiting(commandGet, 0)
			cn := offline(strings.NewReader(tt.wire+"EN\r\nEN\r\n"), tt.call, bystander)
			if err := readAll(cn); !errors.Is(err, ErrProtocol) {
				t.Errorf("the reader ended with %v, want ErrProtocol", err)
			}
			if len(bystander.done) != 0 {
				t.Error("the next call was given a reply behind the breach")
			}
		})
	}
	t.Run("a reply that nobody waits for", func(t *testing.T) {
		if err := readAll(offline(strings.NewReader("EN\r\n"))); !errors.Is(err, ErrProtocol) {
			t.Errorf("the reader ended with %v, want ErrProtocol", err)
		}
	})
}

// TestBatchOutcomes: which request gets what, when only some are answered.
func TestBatchOutcomes(t *testing.T) {
	const miss, ok, broken, maybe = "EN", "HD", "server error", "maybe"
	tests := []struct {
		name string
		call *call
		wire string
		want []string
	}{
		{"all misses", waitingBatch(commandGet, true, 3), "MN\r\n", []string{miss, miss, miss}},
		{"one hit", waitingBatch(commandGet, true, 3), "VA 1 O1\r\nx\r\nMN\r\n", []string{miss, "VA", miss}},
		{"all hits", waitingBatch(commandGet, true, 2), "VA 1 O0\r\nx\r\nVA 1 O1\r\nx\r\nMN\r\n", []string{"VA", "VA"}},
		{"all stored", waitingBatch(commandSet, true, 2), "MN\r\n", []string{ok, ok}},
		{"one not stored", waitingBatch(commandSet, true, 3), "NS O2\r\nMN\r\n", []string{ok, ok, "NS"}},
		{"error in a gap of its own", waitingBatch(commandSet, true, 3), "NS O0\r\nSERVER_ERROR x\r\nNS O2\r\nMN\r\n", []string{"NS", broken, "NS"}},
		{"errors all through", waitingBatch(commandSet, true, 2), "SERVER_ERROR x\r\nSERVER_ERROR x\r\nMN\r\n", []string{broken, broken}},
		{"error among silent ones", waitingBatch(commandSet, true, 3), "SERVER_ERROR x\r\nMN\r\n", []string{maybe, maybe, maybe}},
		{"error among silent ones after an answer", waitingBatch(commandSet, true, 4), "EX O1\r\nSERVER_ERROR x\r\nMN\r\n", []string{ok, "EX", maybe, maybe}},
		{"error before an answer", waitingBatch(commandGet, true, 3), "SERVER_ERROR x\r\nVA 1 O2\r\nx\r\nMN\r\n", []string{maybe, maybe, "VA"}},
		{"deletes", waitingBatch(commandDelete, false, 3), "HD O0\r\nSERVER_ERROR x\r\nNF O2\r\nMN\r\n", []string{ok, broken, "NF"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cn := offline(strings.NewReader(tt.wire), tt.call)
			results := tt.call.batch.results
			if err := readAll(cn); !errors.Is(err, io.ErrUnexpectedEOF) || len(tt.call.done) != 1 {
				t.Fatalf("the reader ended with %v, batch done %v", err, len(tt.call.done) == 1)
			}
			for i, r := range results {
				got := r.Status.String()
				switch {
				case errors.Is(r.Err, ErrOutcomeUnknown) && errors.Is(r.Err, ErrServerError):
					got = maybe
				case errors.Is(r.Err, ErrServerError):
					got = broken
				}
				if got != tt.want[i] {
					t.Errorf("request %d: got %s (%v), want %s", i, got, r.Err, tt.want[i])
				}
			}
		})
	}
}

// The role of the reader is freed only where nobody waits, or a reply would
// never be read.
func TestReleaseOfTheRole(t *testing.T) {
	for _, tt := range []struct {
		name     string
		prepare  func(*conn)
		released bool
	}{
		{"idle", func(*conn) {}, true},
		{"a call came in between", func(cn *conn) { cn.entered.Add(1) }, false},
		{"calls come side by side", func(cn *conn) { cn.together = true }, false},
		{"the connection has failed", func(cn *conn) { cn.err = io.EOF }, false},
	} {
		cn := offline(strings.NewReader(""))
		tt.prepare(cn)
		if got := cn.release(); got != tt.released || (cn.role == roleFree) != tt.released {
			t.Errorf("%s: got released %v, role %d", tt.name, got, cn.role)
		}
	}
}
